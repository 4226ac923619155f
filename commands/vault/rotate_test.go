package vault_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/eventstore"
)

// fill makes keys and answers their ids.
func fill(t *testing.T, v *vault.Vault, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		key, err := v.KeyFor(t.Context(), fmt.Sprintf("usr_%d", i), eventstore.Profile)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = key.ID
	}
	return ids
}

// masterKeys are the ids of the master keys that rows are wrapped under.
func (w world) masterKeys(t *testing.T) []string {
	t.Helper()
	rows, err := w.pool.Query(t.Context(), `
		SELECT wrapped FROM vault.subject_key WHERE wrapped IS NOT NULL
		UNION ALL
		SELECT wrapped FROM vault.secret`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, wrapped := range all {
		ids = append(ids, vault.MasterKeyOf(wrapped))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (w world) keyFile(t *testing.T) *vault.KeyFile {
	t.Helper()
	file, err := vault.OpenKeyFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// ids are those of the keys in the file.
func (w world) ids(t *testing.T) []string {
	t.Helper()
	ids, err := w.keyFile(t).IDs()
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// opensAll wants every key to be usable by a process that starts now.
func (w world) opensAll(t *testing.T, ids []string) {
	t.Helper()
	fresh := vaulttest.OpenWith(t, w.pool, w.store, w.file, time.Now)
	for _, id := range ids {
		if _, err := fresh.KeyByID(t.Context(), id); err != nil {
			t.Fatalf("key %s: %v", id, err)
		}
	}
}

func TestARotationBringsEverythingUnderANewMasterKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := fill(t, w.vault, 12)
	if err := w.vault.DestroyKey(t.Context(), "usr_0", eventstore.Profile, "erasure", system); err != nil {
		t.Fatal(err)
	}
	before := w.ids(t)
	var last, total uint64
	done, err := w.vault.Rotate(t.Context(), func(d, of uint64) { last, total = d, of })
	if err != nil {
		t.Fatal(err)
	}
	after := w.ids(t)
	if len(before) != 1 || len(after) != 1 || before[0] == after[0] {
		t.Fatalf("the file went from %v to %v", before, after)
	}
	if got := w.masterKeys(t); !slices.Equal(got, after) {
		t.Errorf("rows are under %v, want %v", got, after)
	}
	// Eleven live keys and the pepper.
	if want := int64(12); done.Rows != want || last != uint64(want) || total != uint64(want) {
		t.Errorf("%d rows, told %d of %d", done.Rows, last, total)
	}
	w.opensAll(t, ids[1:])
	fresh := vaulttest.OpenWith(t, w.pool, w.store, w.file, time.Now)
	if _, err := fresh.KeyByID(t.Context(), ids[0]); !errors.Is(err, eventstore.ErrErased) {
		t.Errorf("a destroyed key came back: %v", err)
	}
}

func TestReplicasWorkOnWhileTheMasterKeyIsRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := fill(t, w.vault, 50)
	clock := time.Now()
	// Each replica has its own cache; one whose trust is over reads every row.
	replica := vaulttest.OpenWith(t, w.pool, w.store, w.file, func() time.Time { clock = clock.Add(2 * time.Minute); return clock })
	busy := vaulttest.OpenWith(t, w.pool, w.store, w.file, time.Now)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := replica.KeyByID(t.Context(), ids[i%len(ids)]); err != nil {
				t.Errorf("read during a rotation: %v", err)
				return
			}
		}
	})
	var made []string
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			key, err := busy.KeyFor(t.Context(), fmt.Sprintf("usr_new_%d", i), eventstore.Profile)
			if err != nil {
				t.Errorf("a new key during a rotation: %v", err)
				return
			}
			made = append(made, key.ID)
		}
	})
	for range 5 {
		if _, err := w.vault.Rotate(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
	if got := w.masterKeys(t); !slices.Equal(got, w.ids(t)) {
		t.Errorf("rows are under %v, the file holds %v", got, w.ids(t))
	}
	w.opensAll(t, append(ids, made...))
}

// breaking is a rotator that fails at its nth step.
type breaking struct {
	vault.Rotator
	left int
}

var errBroken = errors.New("the process ends here")

func (b *breaking) step() error {
	b.left--
	if b.left < 0 {
		return errBroken
	}
	return nil
}

func (b *breaking) Begin(ctx context.Context) error {
	if err := b.step(); err != nil {
		return err
	}
	return errors.Join(b.Rotator.Begin(ctx), b.step())
}

func (b *breaking) Wrap(ctx context.Context, name string, material []byte) ([]byte, error) {
	if err := b.step(); err != nil {
		return nil, err
	}
	return b.Rotator.Wrap(ctx, name, material)
}

func (b *breaking) End(ctx context.Context) error {
	if err := b.step(); err != nil {
		return err
	}
	return errors.Join(b.Rotator.End(ctx), b.step())
}

func TestARotationThatWasBrokenOffIsGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := fill(t, w.vault, 3)
	for at := range 9 { // begin, made, pepper, three keys and one more, end, ended
		before := w.ids(t)
		// What a start-up wraps, an unused pepper, is a step of its own.
		b := &breaking{Rotator: w.keyFile(t), left: 1 + at}
		v, err := vault.Open(t.Context(), vault.Config{Pool: w.pool, Wrapper: b, Store: w.store, Clock: time.Now, Hashing: vaulttest.Cheap})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Rotate(t.Context(), nil); !errors.Is(err, errBroken) && at < 8 {
			t.Fatalf("step %d: %v", at, err)
		}
		w.opensAll(t, ids)
		if _, err := w.vault.Rotate(t.Context(), nil); err != nil {
			t.Fatalf("going on after step %d: %v", at, err)
		}
		after := w.ids(t)
		if got := w.masterKeys(t); len(after) != 1 || slices.Equal(before, after) || !slices.Equal(got, after) {
			t.Fatalf("after step %d: rows under %v, the file holds %v, before it was %v", at, got, after, before)
		}
		w.opensAll(t, ids)
	}
}

func TestOneRotationRunsAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(leave)
		_, err := w.vault.Rotate(t.Context(), func(uint64, uint64) {
			inside <- struct{}{}
			<-inside
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-inside
	if _, err := w.vault.Rotate(t.Context(), nil); !errors.Is(err, vault.ErrRotating) {
		t.Errorf("a second rotation: %v", err)
	}
	inside <- struct{}{}
	for {
		select {
		case <-inside:
			inside <- struct{}{}
			continue
		case <-leave:
		}
		return
	}
}

// service stands for a key management service that rotates its key by itself.
type service struct {
	mu   sync.Mutex
	keys map[string]*vault.KeyFile
	now  string
	dir  string
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{keys: map[string]*vault.KeyFile{}, dir: t.TempDir()}
	s.turn(t)
	return s
}

func (s *service) turn(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = fmt.Sprintf("kms:v%04d:", len(s.keys)+1)
	file, err := vault.OpenKeyFile(filepath.Join(s.dir, s.now))
	if err != nil {
		t.Fatal(err)
	}
	s.keys[s.now] = file
}

func (s *service) Current(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []byte(s.now), nil
}

func (s *service) Wrap(ctx context.Context, name string, material []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wrapped, err := s.keys[s.now].Wrap(ctx, name, material)
	return append([]byte(s.now), wrapped...), err
}

func (s *service) Unwrap(ctx context.Context, name string, wrapped []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := string(wrapped[:min(len(s.now), len(wrapped))])
	key, known := s.keys[version]
	if !known {
		return nil, fmt.Errorf("%s: the service has no key for it", name)
	}
	return key.Unwrap(ctx, name, wrapped[len(version):])
}

func TestAKeyManagementServiceKeepsTheMasterKeys(t *testing.T) {
	t.Parallel()
	pool, store, kms := vaulttest.Database(t), commandtest.Engine(t), newService(t)
	if err := vault.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	open := func() *vault.Vault {
		v, err := vault.Open(t.Context(), vault.Config{Pool: pool, Wrapper: kms, Store: store, Clock: time.Now, Hashing: vaulttest.Cheap})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := open()
	ids := fill(t, v, 4)
	kms.turn(t)
	more := fill(t, open(), 6) // two more under the new version
	done, err := v.Rotate(t.Context(), nil)
	if err != nil || done.Rows != 5 { // four keys and the pepper
		t.Fatalf("%d rows, %v", done.Rows, err)
	}
	kms.mu.Lock()
	delete(kms.keys, "kms:v0001:") // the service forgets the old version
	kms.mu.Unlock()
	fresh := open()
	for _, id := range append(ids, more...) {
		if _, err := fresh.KeyByID(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if again, err := v.Rotate(t.Context(), nil); err != nil || again.Rows != 0 {
		t.Errorf("nothing to do: %d rows, %v", again.Rows, err)
	}
}

func TestWhatWasWrappedBeforeKeysHadIDsIsOpened(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kek")
	k, err := vault.OpenKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		t.Fatal(err)
	}
	got, err := k.Unwrap(t.Context(), "pepper", aead.Seal(nonce, nonce, []byte("material"), []byte("pepper")))
	if err != nil || string(got) != "material" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAKeyFileOpensOnlyWhatItWrapped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "kek")
	k, err := vault.OpenKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := k.Wrap(t.Context(), "pepper", []byte("material"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Unwrap(t.Context(), "pepper", wrapped); err != nil || string(got) != "material" {
		t.Errorf("got %q, %v", got, err)
	}
	for what, bad := range map[string][]byte{
		"another name":   wrapped,
		"a changed byte": append(bytes.Clone(wrapped[:len(wrapped)-1]), wrapped[len(wrapped)-1]^1),
		"a short one":    wrapped[:12],
		"nothing":        nil,
	} {
		if _, err := k.Unwrap(t.Context(), "other", bad); err == nil {
			t.Errorf("%s was opened", what)
		}
	}
	other, err := vault.OpenKeyFile(filepath.Join(dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Unwrap(t.Context(), "pepper", wrapped); err == nil || !strings.Contains(err.Error(), vault.MasterKeyOf(wrapped)) {
		t.Errorf("the refusal does not name the key: %v", err)
	}
	for _, text := range []string{"", "nonsense\n", "AAAA\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := vault.OpenKeyFile(file); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("a file with %q: %v", text, err)
		}
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OpenKeyFile(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others can read: %v", err)
	}
}

// plainColumns hold what the master key did not wrap: hashes, HMACs, and what
// a subject's key encrypted.
var plainColumns = []string{"vault.api_token.token_hash", "vault.attempt.who", "vault.challenge.ceremony", "vault.challenge.token_hash", "vault.factor.lookup", "vault.known_device.who", "vault.login.ip_sealed", "vault.session.ip_sealed", "vault.session.token_hash"}

func TestEveryColumnOfWrappedMaterialIsRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows, err := w.pool.Query(t.Context(), `
		SELECT table_schema || '.' || table_name || '.' || column_name
		FROM information_schema.columns
		WHERE table_schema = 'vault' AND data_type = 'bytea'
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Concat(vault.SealedColumns(), plainColumns)
	slices.Sort(known)
	if !slices.Equal(found, known) {
		t.Errorf("the schema has the columns %v, known are %v: say of a new one whether the master key wraps it", found, known)
	}
}

func TestAnOlderKeyIsKeptWhileAnythingIsUnderIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrapped, err := w.keyFile(t).Wrap(t.Context(), "x", []byte("material"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.pool.Exec(t.Context(), `INSERT INTO vault.attempt VALUES ($1, 1, now(), now())`, wrapped); err != nil {
		t.Fatal(err)
	}
	if _, err := w.vault.Rotate(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "vault.attempt.who") {
		t.Errorf("got %v", err)
	}
	if got := w.ids(t); len(got) != 2 {
		t.Errorf("the file holds %v", got)
	}
	if got, err := w.keyFile(t).Unwrap(t.Context(), "x", wrapped); err != nil || string(got) != "material" {
		t.Errorf("it does not open: %v", err)
	}
	w.exec(t, `DELETE FROM vault.attempt`)
	if _, err := w.vault.Rotate(t.Context(), nil); err != nil || len(w.ids(t)) != 1 {
		t.Errorf("gone on with: %v, %v", err, w.ids(t))
	}
}
