// Package keystest keeps the keys of personal data in memory, for tests that
// have no vault. Like the vault it makes a key at first use and never brings
// back a destroyed one.
package keystest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/hostfold/hostfold/eventstore"
)

// Keys implements eventstore.Keys.
type Keys struct {
	mu        sync.Mutex
	bySubject map[subject]string
	byID      map[string]eventstore.Key
}

type subject struct {
	id      string
	purpose eventstore.Purpose
}

// New is an empty set of keys.
func New() *Keys {
	return &Keys{bySubject: map[subject]string{}, byID: map[string]eventstore.Key{}}
}

// KeyFor is the subject's key for a purpose.
func (k *Keys) KeyFor(_ context.Context, id string, purpose eventstore.Purpose) (eventstore.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := subject{id, purpose}
	keyID, ok := k.bySubject[s]
	if !ok {
		material := make([]byte, 32)
		if _, err := rand.Read(material); err != nil {
			return eventstore.Key{}, fmt.Errorf("draw a key: %w", err)
		}
		block, err := aes.NewCipher(material)
		if err != nil {
			return eventstore.Key{}, fmt.Errorf("use a key: %w", err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return eventstore.Key{}, fmt.Errorf("use a key: %w", err)
		}
		keyID = fmt.Sprintf("key_%032x", len(k.bySubject))
		k.bySubject[s], k.byID[keyID] = keyID, eventstore.Key{ID: keyID, AEAD: aead}
	}
	return k.get(keyID)
}

// KeyByID is the key with an id.
func (k *Keys) KeyByID(_ context.Context, id string) (eventstore.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.get(id)
}

func (k *Keys) get(id string) (eventstore.Key, error) {
	key, ok := k.byID[id]
	switch {
	case !ok:
		return key, fmt.Errorf("there is no key %s", id)
	case key.AEAD == nil:
		return key, eventstore.ErrErased
	}
	return key, nil
}

// Destroy destroys the subject's key for a purpose.
func (k *Keys) Destroy(id string, purpose eventstore.Purpose) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if keyID, ok := k.bySubject[subject{id, purpose}]; ok {
		k.byID[keyID] = eventstore.Key{ID: keyID}
	}
}
