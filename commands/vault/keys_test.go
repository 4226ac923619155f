package vault_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

var system = domain.Actor{Kind: domain.ActorSystem, ID: "test"}

// keyFacts are the names of the facts in a key's stream.
func keyFacts(t *testing.T, store eventstore.Store, id string) []string {
	t.Helper()
	var names []string
	for r, err := range store.ReadStream(t.Context(), "subjectkey-"+id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, r.Type)
	}
	return names
}

func TestAKeyIsDurableAndToldBeforeItsFirstUse(t *testing.T) {
	t.Parallel()
	pool, store := vaulttest.Database(t), &commandtest.Faulty{Store: commandtest.Engine(t)}
	v := vaulttest.Open(t, pool, store)
	store.Fail(commandtest.Fault{Times: 1, Fails: func(string, []eventstore.NewEvent) error { return eventstore.ErrUnavailable }})
	if _, err := v.KeyFor(t.Context(), "usr_1", eventstore.Profile); domain.KindOf(err) != domain.KindUnavailable {
		t.Fatalf("used a key that the log does not know: %v", err)
	}
	key, err := v.KeyFor(t.Context(), "usr_1", eventstore.Profile)
	if err != nil {
		t.Fatal(err)
	}
	if got := keyFacts(t, store, key.ID); len(got) != 1 || got[0] != "subjectkey.created.v1" {
		t.Errorf("the log says %v", got)
	}
	again, err := v.KeyFor(t.Context(), "usr_1", eventstore.Profile)
	if err != nil || again.ID != key.ID {
		t.Errorf("the second use got %s, %v; want %s", again.ID, err, key.ID)
	}
	if other, err := v.KeyFor(t.Context(), "usr_1", eventstore.Fiscal); err != nil || other.ID == key.ID {
		t.Errorf("another purpose got the same key, %v", err)
	}
}

func TestManyFirstUsesMakeOneKey(t *testing.T) {
	t.Parallel()
	pool, store, file := vaulttest.Database(t), commandtest.Engine(t), filepath.Join(t.TempDir(), "kek")
	a := vaulttest.OpenWith(t, pool, store, file, time.Now)
	b := vaulttest.OpenWith(t, pool, store, file, time.Now)
	ids := make([]string, 32)
	var wg sync.WaitGroup
	for i := range ids {
		v := a
		if i%2 == 0 {
			v = b
		}
		wg.Go(func() {
			key, err := v.KeyFor(t.Context(), "usr_1", eventstore.Profile)
			if err != nil {
				t.Error(err)
			}
			ids[i] = key.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("two keys: %s and %s", ids[0], id)
		}
	}
	if got := keyFacts(t, store, ids[0]); len(got) != 1 {
		t.Errorf("the log says %v", got)
	}
}

func TestAfterErasureEventsReadErasedAndNothingIsLeftOnDisk(t *testing.T) {
	t.Parallel()
	pool, store, file := vaulttest.Database(t), commandtest.Engine(t), filepath.Join(t.TempDir(), "kek")
	v, other := vaulttest.OpenWith(t, pool, store, file, time.Now), vaulttest.OpenWith(t, pool, store, file, time.Now)
	codec, err := eventstore.NewCodec(user.Decider.Types...)
	if err != nil {
		t.Fatal(err)
	}
	registered := user.Registered{Email: "zoe.canary@example.com", Name: "Zoé Canary", Locale: user.French, Credential: "cred_1"}
	stored, err := codec.WithKeys(v).Encode(t.Context(), "user-usr_1", uuid.New(), registered, eventstore.Metadata{OccurredAt: commandtest.Noon})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Append(t.Context(), "user-usr_1", eventstore.NoStream(), stored); err != nil {
		t.Fatal(err)
	}
	read := func(v *vault.Vault) domain.Event {
		t.Helper()
		for r, err := range store.ReadStream(t.Context(), "user-usr_1", 0) {
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(r.Data, []byte("anary")) {
				t.Errorf("clear text on disk: %s", r.Data)
			}
			e, _, err := codec.WithKeys(v).Decode(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		t.Fatal("no event")
		return nil
	}
	for _, v := range []*vault.Vault{v, other} {
		if diff := cmp.Diff(domain.Event(registered), read(v)); diff != "" {
			t.Errorf("before (-want +got):\n%s", diff)
		}
	}
	for range 2 {
		if err := v.DestroyKey(t.Context(), "usr_1", eventstore.Profile, "erasure", system); err != nil {
			t.Fatal(err)
		}
	}
	registered.Email, registered.Name = eventstore.Erased, eventstore.Erased
	if diff := cmp.Diff(domain.Event(registered), read(v)); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	fresh := vaulttest.OpenWith(t, pool, store, file, time.Now)
	if diff := cmp.Diff(domain.Event(registered), read(fresh)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	late := vaulttest.OpenWith(t, pool, store, file, func() time.Time { return time.Now().Add(time.Hour) })
	if _, err := late.KeyFor(t.Context(), "usr_1", eventstore.Profile); !errors.Is(err, eventstore.ErrErased) {
		t.Errorf("a destroyed key came back: %v", err)
	}
}

func TestADestroyedKeyIsForgottenByOtherProcessesWithinAMinute(t *testing.T) {
	t.Parallel()
	pool, store, file := vaulttest.Database(t), commandtest.Engine(t), filepath.Join(t.TempDir(), "kek")
	now := time.Now()
	v := vaulttest.OpenWith(t, pool, store, file, time.Now)
	other := vaulttest.OpenWith(t, pool, store, file, func() time.Time { return now })
	key, err := other.KeyFor(t.Context(), "usr_1", eventstore.Profile)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.DestroyKey(t.Context(), "usr_1", eventstore.Profile, "erasure", system); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if _, err := other.KeyByID(t.Context(), key.ID); !errors.Is(err, eventstore.ErrErased) {
		t.Errorf("got %v", err)
	}
	if _, err := other.KeyFor(t.Context(), "usr_1", eventstore.Profile); !errors.Is(err, eventstore.ErrErased) {
		t.Errorf("got %v", err)
	}
}

func TestAnotherKeyFileDoesNotOpenTheVault(t *testing.T) {
	t.Parallel()
	pool, store := vaulttest.Database(t), commandtest.Engine(t)
	vaulttest.Open(t, pool, store)
	wrapper, err := vault.OpenKeyFile(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(t.Context(), vault.Config{Pool: pool, Wrapper: wrapper, Store: store, Clock: time.Now, Hashing: vaulttest.Cheap}); err == nil {
		t.Error("opened")
	}
}

// world is a log and a vault that were in step.
type world struct {
	pool  *pgxpool.Pool
	store eventstore.Store
	vault *vault.Vault
	key   string
	file  string
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{pool: vaulttest.Database(t), store: commandtest.Engine(t), file: filepath.Join(t.TempDir(), "kek")}
	w.vault = vaulttest.OpenWith(t, w.pool, w.store, w.file, time.Now)
	key, err := w.vault.KeyFor(t.Context(), "usr_1", eventstore.Profile)
	if err != nil {
		t.Fatal(err)
	}
	w.key = key.ID
	return w
}

func (w world) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := w.pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func (w world) destroyInLog(t *testing.T) {
	t.Helper()
	codec, err := eventstore.NewCodec(subjectkey.Decider.Types...)
	if err != nil {
		t.Fatal(err)
	}
	e, err := codec.Encode(t.Context(), "subjectkey-"+w.key, uuid.New(), subjectkey.Destroyed{Reason: "erasure"}, eventstore.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Append(t.Context(), "subjectkey-"+w.key, eventstore.Revision(0), e); err != nil {
		t.Fatal(err)
	}
}

const dropRow = `DELETE FROM vault.subject_key`

const dropMaterial = `UPDATE vault.subject_key SET wrapped = NULL, destroyed_at = now()`

func TestCompareOfLogAndVault(t *testing.T) {
	t.Parallel()
	live, dead := []string{"subjectkey.created.v1"}, []string{"subjectkey.created.v1", "subjectkey.destroyed.v1"}
	for name, c := range map[string]struct {
		given   func(t *testing.T, w world)
		want    vault.Repairs
		missing int
		facts   []string
		erased  bool
	}{
		"in step": {
			given: func(*testing.T, world) {}, facts: live,
		},
		"live in the log, no row: refused": {
			given:   func(t *testing.T, w world) { t.Helper(); w.exec(t, dropRow) },
			missing: 1, facts: live,
		},
		"live in the log, destroyed in the vault: told to the log": {
			given: func(t *testing.T, w world) { t.Helper(); w.exec(t, dropMaterial) },
			want:  vault.Repairs{Renoted: 1}, facts: dead, erased: true,
		},
		"destroyed in the log, alive in the vault: destroyed again": {
			given: func(t *testing.T, w world) { t.Helper(); w.destroyInLog(t) },
			want:  vault.Repairs{Destroyed: 1}, facts: dead, erased: true,
		},
		"destroyed in both": {
			given: func(t *testing.T, w world) { t.Helper(); w.destroyInLog(t); w.exec(t, dropMaterial) },
			facts: dead, erased: true,
		},
		"destroyed in the log, no row: noted as destroyed": {
			given: func(t *testing.T, w world) { t.Helper(); w.destroyInLog(t); w.exec(t, dropRow) },
			facts: dead, erased: true,
		},
		"announced after a crash": {
			given: func(t *testing.T, w world) {
				t.Helper()
				w.exec(t, `UPDATE vault.subject_key SET announced = false`)
			},
			facts: live,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.given(t, w)
			v := vaulttest.OpenWith(t, w.pool, w.store, w.file, time.Now)
			got, err := v.Compare(t.Context())
			var gone *vault.MissingKeysError
			if errors.As(err, &gone) != (c.missing > 0) || gone != nil && gone.Keys != c.missing || gone == nil && err != nil {
				t.Fatalf("error %v, want %d missing keys", err, c.missing)
			}
			if gone != nil && time.Since(gone.Last) > time.Minute {
				t.Errorf("the newest missing key is of %s", gone.Last)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("repairs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.facts, keyFacts(t, w.store, w.key)); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
			if c.missing > 0 {
				return
			}
			if _, err := v.KeyByID(t.Context(), w.key); errors.Is(err, eventstore.ErrErased) != c.erased || !c.erased && err != nil {
				t.Errorf("the key reads %v, want erased %v", err, c.erased)
			}
			if again, err := v.Compare(t.Context()); err != nil || again != (vault.Repairs{}) {
				t.Errorf("the second comparison found %+v, %v", again, err)
			}
		})
	}
}

// tombstone deletes the key's stream for good, as an operator of the store can.
func (w world) tombstone(t *testing.T) {
	t.Helper()
	if _, err := w.store.(*node.Engine).Tombstone(t.Context(), "subjectkey-"+w.key, node.Any()); err != nil {
		t.Fatal(err)
	}
}

func TestCompareOfAKeyWhoseStreamWasDeleted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given  func(t *testing.T, w world)
		want   vault.Repairs
		erased bool
	}{
		"alive, as the log still says": {given: func(*testing.T, world) {}},
		"destroyed, as the log still says": {
			given: func(t *testing.T, w world) { t.Helper(); w.destroyInLog(t) }, want: vault.Repairs{Destroyed: 1}, erased: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.given(t, w)
			w.tombstone(t)
			v := vaulttest.OpenWith(t, w.pool, w.store, w.file, time.Now)
			if got, err := v.Compare(t.Context()); err != nil || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
			if _, err := v.KeyByID(t.Context(), w.key); errors.Is(err, eventstore.ErrErased) != c.erased || !c.erased && err != nil {
				t.Errorf("the key reads %v, want erased %v", err, c.erased)
			}
		})
	}
	t.Run("destroyed in the vault: the log cannot be told, every time anew", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.exec(t, dropMaterial)
		w.tombstone(t)
		for range 2 {
			if got, err := w.vault.Compare(t.Context()); err != nil || got != (vault.Repairs{Untold: 1}) {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
	t.Run("alive in the vault, its facts gone: refused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		scavenged := world{store: commandtest.Engine(t), key: w.key}
		scavenged.tombstone(t)
		v := vaulttest.OpenWith(t, w.pool, scavenged.store, w.file, time.Now)
		got, err := v.Compare(t.Context())
		if !errors.Is(err, eventstore.ErrHistoryTruncated) || !strings.Contains(err.Error(), "restore a backup") || got != (vault.Repairs{}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestCompareStopsAtAFactThatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]eventstore.NewEvent{
		"of a later version":        {ID: uuid.New(), Type: "subjectkey.rotated.v1", Data: []byte(`{}`), Metadata: []byte(`{}`)},
		"without metadata":          {ID: uuid.New(), Type: "subjectkey.destroyed.v1", Data: []byte(`{"reason":"erasure"}`)},
		"that is no JSON":           {ID: uuid.New(), Type: "subjectkey.destroyed.v1", Data: []byte(`{"rea`), Metadata: []byte(`{}`)},
		"of another kind of stream": {ID: uuid.New(), Type: "user.registered.v2", Data: []byte(`{}`), Metadata: []byte(`{}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.exec(t, dropMaterial) // to be told to the log
			stream := "subjectkey-" + w.key
			if _, err := w.store.Append(t.Context(), stream, eventstore.Revision(0), e); err != nil {
				t.Fatal(err)
			}
			got, err := w.vault.Compare(t.Context())
			if err == nil || !strings.Contains(err.Error(), "revision 1 of "+stream) || got != (vault.Repairs{}) {
				t.Errorf("%+v, %v", got, err)
			}
			if facts := keyFacts(t, w.store, w.key); len(facts) != 2 {
				t.Errorf("the log says %v", facts)
			}
		})
	}
}

func TestCompareTellsAnOlderLogOfItsKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	older := commandtest.Engine(t)
	v := vaulttest.OpenWith(t, w.pool, older, w.file, time.Now)
	got, err := v.Compare(t.Context())
	if err != nil || got != (vault.Repairs{Announced: 1}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"subjectkey.created.v1"}, keyFacts(t, older, w.key)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestCompareEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.vault.Compare(ctx); err == nil {
		t.Error("went on")
	}
}
