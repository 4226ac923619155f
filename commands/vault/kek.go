package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Wrapper encrypts key material under a master key that Postgres never sees:
// one in a file (KeyFile), or one in a key management service. Name is
// authenticated with it, so that rows cannot be exchanged. All methods may be
// called from many goroutines.
type Wrapper interface {
	Wrap(ctx context.Context, name string, material []byte) ([]byte, error)
	Unwrap(ctx context.Context, name string, wrapped []byte) ([]byte, error)
	// Current is how everything begins that Wrap answers now. It names the
	// master key, so that what stands under an older one can be found. Wrap
	// never answers under an older key than a Current that was answered before
	// it was called, in this process or another one.
	Current(ctx context.Context) ([]byte, error)
}

// Rotator is a Wrapper whose master keys hostfold makes and removes itself. A
// service that rotates its keys by itself does without.
type Rotator interface {
	Wrapper
	// Begin makes a new master key current, durably, and keeps the older ones.
	// While older ones are kept a rotation is under way, and Begin does nothing.
	Begin(ctx context.Context) error
	// End removes every key but the current one.
	End(ctx context.Context) error
}

// KeyFile is a Rotator whose keys are a file, readable by its owner only: one
// key a line in base64, the current one first. Several servers on one database
// share the file; each reads it anew when it has changed.
type KeyFile struct {
	path string

	mu   sync.Mutex
	info fs.FileInfo
	keys []masterKey
}

// masterKey is one key of the file. Its id is drawn from the key itself, so
// the file needs no names.
type masterKey struct {
	id   []byte
	text string
	aead cipher.AEAD
}

var _ Rotator = (*KeyFile)(nil)

// OpenKeyFile reads the key file, or makes it when it is not there.
func OpenKeyFile(path string) (*KeyFile, error) {
	k := &KeyFile{path: path}
	_, err := k.load()
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKeyFile(path); err == nil {
			_, err = k.load()
		}
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// load answers the keys that the file holds now; it reads it only when it is
// another one than before.
func (k *KeyFile) load() ([]masterKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(k.path)
	if err != nil {
		return nil, fmt.Errorf("look at the key file: %w", err)
	}
	if k.info != nil && os.SameFile(info, k.info) && info.ModTime().Equal(k.info.ModTime()) && info.Size() == k.info.Size() {
		return k.keys, nil
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key file %s can be read by others; run: chmod 600 %s", k.path, k.path)
	}
	text, err := os.ReadFile(k.path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	keys, err := parseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("the key file %s is damaged; restore it from a backup", k.path)
	}
	k.info, k.keys = info, keys
	return keys, nil
}

func parseKeys(text string) ([]masterKey, error) {
	var keys []masterKey
	for line := range strings.Lines(text) {
		key, err := parseKey(strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("no key")
	}
	return keys, nil
}

func parseKey(text string) (masterKey, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keySize {
		return masterKey{}, errors.New("no key")
	}
	aead, err := newAEAD(key)
	sum := sha256.Sum256(append([]byte("hostfold master key"), key...))
	return masterKey{id: sum[:keyIDSize], text: text, aead: aead}, err
}

// makeKeyFile writes a new key beside the path and links it, so that a crash
// leaves no half of one.
func makeKeyFile(path string) error {
	text, err := drawKey()
	if err != nil {
		return err
	}
	temp, err := writeBeside(path, text)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	// A link, unlike a rename, never replaces a key that another process made.
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the key file: %w", err)
	}
	return syncFolder(path)
}

func drawKey() (string, error) {
	key, err := draw(keySize)
	return base64.StdEncoding.EncodeToString(key), err
}

// writeBeside writes lines into a new file in a path's folder, durably.
func writeBeside(path string, lines ...string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".kek-*")
	if err != nil {
		return "", fmt.Errorf("make the key file: %w", err)
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write the key file: %w", err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return fmt.Errorf("write the key file: %w", err)
	}
	return nil
}

// replace puts other keys into the file, whole or not at all.
func (k *KeyFile) replace(keys []masterKey) error {
	lines := make([]string, len(keys))
	for i, key := range keys {
		lines[i] = key.text
	}
	temp, err := writeBeside(k.path, lines...)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, k.path); err != nil {
		return errors.Join(fmt.Errorf("write the key file: %w", err), os.Remove(temp))
	}
	return syncFolder(k.path)
}

// Begin puts a new key first.
func (k *KeyFile) Begin(context.Context) error {
	keys, err := k.load()
	if err != nil || len(keys) > 1 {
		return err
	}
	text, err := drawKey()
	if err != nil {
		return err
	}
	key, err := parseKey(text)
	if err != nil {
		return err
	}
	return k.replace(append([]masterKey{key}, keys...))
}

// End keeps the first key alone.
func (k *KeyFile) End(context.Context) error {
	keys, err := k.load()
	if err != nil || len(keys) == 1 {
		return err
	}
	return k.replace(keys[:1])
}

// What is wrapped begins with a mark and the id of its master key.
const (
	keyMark   = "hk1"
	keyIDSize = 8
	headSize  = len(keyMark) + keyIDSize
)

func (m masterKey) head() []byte { return append([]byte(keyMark), m.id...) }

// MasterKeyOf is the id, in hex, of the master key in a KeyFile that something
// was wrapped under; "" when that does not say.
func MasterKeyOf(wrapped []byte) string {
	if len(wrapped) < headSize || string(wrapped[:len(keyMark)]) != keyMark {
		return ""
	}
	return hex.EncodeToString(wrapped[len(keyMark):headSize])
}

// IDs are the ids of the file's keys, in hex, the current one first.
func (k *KeyFile) IDs() ([]string, error) {
	keys, err := k.load()
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = hex.EncodeToString(key.id)
	}
	return ids, err
}

// Current is the mark and the first key's id.
func (k *KeyFile) Current(context.Context) ([]byte, error) {
	keys, err := k.load()
	if err != nil {
		return nil, err
	}
	return keys[0].head(), nil
}

// Wrap encrypts material under the key that is current now.
func (k *KeyFile) Wrap(_ context.Context, name string, material []byte) ([]byte, error) {
	keys, err := k.load()
	if err != nil {
		return nil, err
	}
	nonce, err := draw(keys[0].aead.NonceSize())
	if err != nil {
		return nil, err
	}
	head := append(keys[0].head(), nonce...)
	return keys[0].aead.Seal(head, nonce, material, wrappedAs(name, head[:headSize])), nil
}

// wrappedAs is what is authenticated with wrapped material.
func wrappedAs(name string, head []byte) []byte { return append(slices.Clone(head), name...) }

// Unwrap decrypts material that any key of the file encrypted.
func (k *KeyFile) Unwrap(_ context.Context, name string, wrapped []byte) ([]byte, error) {
	keys, err := k.load()
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		n := key.aead.NonceSize()
		if len(wrapped) < headSize+n || !bytes.HasPrefix(wrapped, key.head()) {
			continue
		}
		head, nonce, sealed := wrapped[:headSize], wrapped[headSize:headSize+n], wrapped[headSize+n:]
		material, err := key.aead.Open(nil, nonce, sealed, wrappedAs(name, head))
		if err != nil {
			return nil, fmt.Errorf("%s is damaged in the vault: %w", name, err)
		}
		return material, nil
	}
	// Before there were several keys nothing said which one it was.
	for _, key := range keys {
		n := key.aead.NonceSize()
		if len(wrapped) < n {
			break
		}
		if material, err := key.aead.Open(nil, wrapped[:n], wrapped[n:], []byte(name)); err == nil {
			return material, nil
		}
	}
	which := ""
	if id := MasterKeyOf(wrapped); id != "" {
		which = ", which is under the master key " + id
	}
	return nil, fmt.Errorf("the key file %s does not open %s%s; restore the key file that belongs to this vault", k.path, name, which)
}

// keySize is that of AES-256.
const keySize = 32

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use a key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("use a key: %w", err)
	}
	return aead, nil
}

func draw(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("draw random bytes: %w", err)
	}
	return b, nil
}
