package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/eventstore"
)

// copied is a copy of a vault in memory.
type copied struct {
	dump   vault.Dump
	tables map[string]*bytes.Buffer
}

type closing struct{ *bytes.Buffer }

func (closing) Close() error { return nil }

func copyOf(t *testing.T, pool *pgxpool.Pool) copied {
	t.Helper()
	c := copied{tables: map[string]*bytes.Buffer{}}
	var err error
	c.dump, err = vault.Copy(t.Context(), pool, func(table string) (io.WriteCloser, error) {
		c.tables[table] = &bytes.Buffer{}
		return closing{c.tables[table]}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c copied) load(t *testing.T, pool *pgxpool.Pool, store eventstore.Store, keyFile string) error {
	t.Helper()
	keys, err := vault.OpenKeyFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return vault.Load(t.Context(), vault.Loading{
		Pool: pool, Dump: c.dump, Store: store, Wrapper: keys,
		Open: func(table string) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(c.tables[table].Bytes())), nil
		},
	})
}

func TestACopyOfTheVaultOpensWhatItsKeysEncrypted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := fill(t, w.vault, 5)
	if err := w.vault.AddCredential(t.Context(), "cred_1", "usr_1", "a pass\tphrase\nof \\ two lines"); err != nil {
		t.Fatal(err)
	}
	token, _, err := w.vault.OpenSession(t.Context(), "usr_1", vault.Client{}, vault.LifeOf(false), vault.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	c := copyOf(t, w.pool)
	if _, found := c.tables["session"]; found {
		t.Error("sessions are in the copy")
	}
	fresh := vaulttest.Database(t)
	if err := c.load(t, fresh, w.store, w.file); err != nil {
		t.Fatal(err)
	}
	restored := world{pool: fresh, store: w.store, file: w.file}
	restored.opensAll(t, ids)
	v := vaulttest.OpenWith(t, fresh, w.store, w.file, time.Now)
	if got, err := v.Compare(t.Context()); err != nil || got != (vault.Repairs{}) {
		t.Errorf("the restored vault differs from the log: %+v, %v", got, err)
	}
	if ok, err := v.CheckPassword(t.Context(), "cred_1", "a pass\tphrase\nof \\ two lines"); err != nil || !ok {
		t.Errorf("the password is not known: %v, %v", ok, err)
	}
	if _, err := v.Session(t.Context(), token); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("a session came back with the copy: %v", err)
	}
	if err := c.load(t, fresh, w.store, w.file); !errors.Is(err, vault.ErrInUse) {
		t.Errorf("loaded over a vault in use: %v", err)
	}
}

// What is refused leaves a vault that the right copy can be loaded into.
func TestACopyThatDoesNotBelongIsRefusedAndNothingIsLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := copyOf(t, w.pool)
	fill(t, w.vault, 3) // two keys more than the old copy has
	whole := copyOf(t, w.pool)
	fresh := vaulttest.Database(t)
	refused := func(what string, c copied, keyFile string, want string) {
		t.Helper()
		err := c.load(t, fresh, w.store, keyFile)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	refused("an older vault", old, w.file, "the vault lacks 2 keys")
	refused("another master key", whole, filepath.Join(t.TempDir(), "other"), whole.dump.MasterKeys[0])

	spoilt := copyOf(t, w.pool)
	keys := spoilt.tables["subject_key"].Bytes()
	at := bytes.Index(keys, []byte("usr_1"))
	keys[at+4] = '9'
	refused("a changed byte", spoilt, w.file, "is not what the backup's manifest says")

	short := copyOf(t, w.pool)
	short.tables["secret"].Reset()
	refused("a missing row", short, w.file, "is not what the backup's manifest says")

	newer := copyOf(t, w.pool)
	newer.dump.Schema = 1 << 40
	refused("a newer hostfold", newer, w.file, "newer hostfold")

	if err := whole.load(t, fresh, w.store, w.file); err != nil {
		t.Errorf("the right copy afterwards: %v", err)
	}
}

func TestAKeyThatComesBackWithACopyIsDestroyedAgainWithAllThatIsKeptOfItsUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.vault.AddCredential(t.Context(), "cred_1", "usr_1", "password of the erased"); err != nil {
		t.Fatal(err)
	}
	if err := w.vault.AddCredential(t.Context(), "cred_2", "usr_2", "password of another"); err != nil {
		t.Fatal(err)
	}
	if err := w.vault.NoteLogin(t.Context(), "usr_1", firefox("192.0.2.7"), vault.LoginSuccess); err != nil {
		t.Fatal(err)
	}
	before := copyOf(t, w.pool)
	if err := w.vault.DestroyKey(t.Context(), "usr_1", eventstore.Profile, "erasure", system); err != nil {
		t.Fatal(err)
	}
	if err := w.vault.Forget(t.Context(), "usr_1"); err != nil {
		t.Fatal(err)
	}
	fresh := vaulttest.Database(t)
	if err := before.load(t, fresh, w.store, w.file); err != nil {
		t.Fatal(err)
	}
	v := vaulttest.OpenWith(t, fresh, w.store, w.file, time.Now)
	if got, err := v.Compare(t.Context()); err != nil || got != (vault.Repairs{Destroyed: 1}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := v.KeyByID(t.Context(), w.key); !errors.Is(err, eventstore.ErrErased) {
		t.Errorf("the key is back: %v", err)
	}
	if ok, err := v.CheckPassword(t.Context(), "cred_1", "password of the erased"); err != nil || ok {
		t.Errorf("the password of the erased user is back: %v", err)
	}
	if kept, err := v.Logins(t.Context(), "usr_1", time.Now().Add(time.Hour), "", 10); err != nil || len(kept) != 1 || kept[0].IP != "192.0.2.7" {
		t.Errorf("of its log-ins, which are kept for a year, there are %+v, %v", kept, err)
	}
	if ok, err := v.CheckPassword(t.Context(), "cred_2", "password of another"); err != nil || !ok {
		t.Errorf("another user's password is gone: %v", err)
	}
	if got := keyFacts(t, w.store, w.key); fmt.Sprint(got) != "[subjectkey.created.v1 subjectkey.destroyed.v1]" {
		t.Errorf("the log says %v of a key in state %s", got, subjectkey.StatusDestroyed)
	}
}

func TestNoCopyIsMadeBesideARotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := false
	_, err := w.vault.Rotate(t.Context(), func(uint64, uint64) {
		if asked {
			return
		}
		asked = true
		_, err := vault.Copy(t.Context(), w.pool, func(string) (io.WriteCloser, error) { return closing{&bytes.Buffer{}}, nil })
		if !errors.Is(err, vault.ErrRotating) {
			t.Errorf("copied: %v", err)
		}
	})
	if err != nil || !asked {
		t.Errorf("rotated: %v, asked: %v", err, asked)
	}
	copyOf(t, w.pool)
}
