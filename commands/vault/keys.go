package vault

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/eventstore"
)

var _ eventstore.Keys = (*Vault)(nil)

// keyRow is a row of vault.subject_key.
type keyRow struct {
	ID          string
	Subject     string
	Purpose     eventstore.Purpose
	Wrapped     []byte
	Announced   bool
	CreatedAt   time.Time
	DestroyedAt *time.Time
}

// KeyFor is the key for new data of a subject. A new key is durable in the
// vault, then told to the log, and only then used; when a crash came between,
// the next use tells it.
func (v *Vault) KeyFor(ctx context.Context, subject string, purpose eventstore.Purpose) (eventstore.Key, error) {
	if id, ok := v.keys.idFor(subject, purpose); ok {
		return v.KeyByID(ctx, id)
	}
	row, err := v.readKey(ctx, `WHERE subject = $1 AND purpose = $2`, subject, purpose)
	if errors.Is(err, pgx.ErrNoRows) {
		row, err = v.makeKey(ctx, subject, purpose)
	}
	if err != nil {
		return eventstore.Key{}, err
	}
	if row.DestroyedAt != nil {
		return eventstore.Key{}, eventstore.ErrErased
	}
	if err := v.announce(ctx, row); err != nil {
		return eventstore.Key{}, err
	}
	return v.use(ctx, row)
}

// KeyByID is the key that encrypted a field.
func (v *Vault) KeyByID(ctx context.Context, id string) (eventstore.Key, error) {
	if key, known := v.keys.get(id); known {
		if key.AEAD == nil {
			return eventstore.Key{}, eventstore.ErrErased
		}
		return key, nil
	}
	row, err := v.readKey(ctx, `WHERE id = $1`, id)
	if err != nil {
		return eventstore.Key{}, err
	}
	return v.use(ctx, row)
}

// use unwraps a key and keeps it at hand.
func (v *Vault) use(ctx context.Context, row keyRow) (eventstore.Key, error) {
	if row.DestroyedAt != nil {
		v.keys.put(row, eventstore.Key{})
		return eventstore.Key{}, eventstore.ErrErased
	}
	material, err := v.wrapper.Unwrap(ctx, row.ID, row.Wrapped)
	if err != nil {
		// The master key may have been rotated since the row was read.
		again, e := v.readKey(ctx, `WHERE id = $1`, row.ID)
		if e != nil || bytes.Equal(again.Wrapped, row.Wrapped) {
			return eventstore.Key{}, err
		}
		return v.use(ctx, again)
	}
	aead, err := newAEAD(material)
	if err != nil {
		return eventstore.Key{}, err
	}
	key := eventstore.Key{ID: row.ID, AEAD: aead}
	v.keys.put(row, key)
	return key, nil
}

func (v *Vault) readKey(ctx context.Context, where string, args ...any) (keyRow, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT id, subject, purpose, wrapped, announced, created_at, destroyed_at
		FROM vault.subject_key `+where, args...)
	if err != nil {
		return keyRow{}, away("read a key", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[keyRow])
	return row, away("read a key", err)
}

// makeKey writes a new key's row; of two callers the first wins.
func (v *Vault) makeKey(ctx context.Context, subject string, purpose eventstore.Purpose) (keyRow, error) {
	material, err := draw(keySize)
	if err != nil {
		return keyRow{}, err
	}
	name, err := draw(16)
	if err != nil {
		return keyRow{}, err
	}
	id := "key_" + hex.EncodeToString(name)
	err = v.seal(ctx, id, material, func(tx pgx.Tx, wrapped []byte) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO vault.subject_key (id, subject, purpose, wrapped, created_at)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (subject, purpose) DO NOTHING`, id, subject, purpose, wrapped, v.clock())
		return err
	})
	if err != nil {
		return keyRow{}, away("keep a new key", err)
	}
	return v.readKey(ctx, `WHERE subject = $1 AND purpose = $2`, subject, purpose)
}

// announce tells the log of a key that it does not know yet.
func (v *Vault) announce(ctx context.Context, row keyRow) error {
	if row.Announced {
		return nil
	}
	err := v.note(ctx, row.ID, domain.Actor{Kind: domain.ActorSystem, ID: "vault"}, func(k subjectkey.Key) ([]subjectkey.Event, error) {
		return k.Create(row.Subject, subjectkey.Purpose(row.Purpose))
	})
	if err != nil {
		return fmt.Errorf("announce key %s: %w", row.ID, err)
	}
	_, err = v.pool.Exec(ctx, `UPDATE vault.subject_key SET announced = true WHERE id = $1`, row.ID)
	return away("note that a key is announced", err)
}

// DestroyKey destroys a subject's key for a purpose: what it encrypted reads
// erased from now on, and no backup of the log brings it back. The reason goes
// to the log. It may be repeated.
func (v *Vault) DestroyKey(ctx context.Context, subject string, purpose eventstore.Purpose, reason string, by domain.Actor) error {
	row, err := v.readKey(ctx, `WHERE subject = $1 AND purpose = $2`, subject, purpose)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := (subjectkey.Key{Status: subjectkey.StatusLive}).Destroy(reason); err != nil {
		return err
	}
	if err := v.dropMaterial(ctx, row.ID); err != nil {
		return err
	}
	if !row.Announced {
		if err := v.announce(ctx, row); err != nil {
			return err
		}
	}
	return v.note(ctx, row.ID, by, func(k subjectkey.Key) ([]subjectkey.Event, error) { return k.Destroy(reason) })
}

func (v *Vault) dropMaterial(ctx context.Context, id string) error {
	_, err := v.pool.Exec(ctx, `
		UPDATE vault.subject_key
		SET wrapped = NULL, destroyed_at = $2
		WHERE id = $1 AND destroyed_at IS NULL`, id, v.clock())
	v.keys.forget(id)
	return away("destroy a key", err)
}

// note writes a fact about a key. It is a small Execute of its own, since the
// codec that commands write with needs the keys first.
func (v *Vault) note(ctx context.Context, id string, by domain.Actor, decide func(subjectkey.Key) ([]subjectkey.Event, error)) error {
	target := subjectkey.Decider.At(id)
	for {
		var state subjectkey.Key
		var count uint64
		for r, err := range v.store.ReadStream(ctx, target.Stream(), 0) {
			if errors.Is(err, eventstore.ErrStreamDeleted) {
				return fmt.Errorf("load %s: %w", target.Stream(), err)
			}
			if err != nil {
				return away("load "+target.Stream(), err)
			}
			e, _, err := v.codec.Decode(ctx, r)
			if err != nil {
				return err
			}
			state, count = subjectkey.Decider.Evolve(state, e.(subjectkey.Event)), count+1
		}
		events, err := decide(state)
		if err != nil || len(events) == 0 {
			return err
		}
		name := events[0].EventType()
		command := uuid.NewSHA1(keySpace, []byte(id+"/"+name))
		stored, err := v.codec.Encode(ctx, target.Stream(), uuid.NewSHA1(command, []byte("0")), events[0], eventstore.Metadata{
			Actor: by, CommandID: command, Command: "KeepSubjectKey", OccurredAt: v.clock(),
			CorrelationID: command.String(), CausationID: command.String(),
		})
		if err != nil {
			return err
		}
		_, err = v.store.Append(ctx, target.Stream(), eventstore.After(count), stored)
		var moved *eventstore.WrongRevisionError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return away("append to "+target.Stream(), ctx.Err())
		case errors.As(err, &moved):
			continue
		case errors.Is(err, eventstore.ErrUncertain):
			pause := time.NewTimer(20 * time.Millisecond)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
			}
		default:
			return away("append to "+target.Stream(), err)
		}
	}
}

// keySpace is the root of the ids of facts about keys; it never changes.
var keySpace = uuid.MustParse("0c6e3b9a-50a1-4f3e-8b5e-5a4b2e1f7c90")

// keyCodec writes facts about keys, which hold no personal data.
func keyCodec() (*eventstore.Codec, error) { return eventstore.NewCodec(subjectkey.Decider.Types...) }

// keyCache keeps keys at hand. An entry is trusted for a minute, so that a key
// destroyed by another process is soon gone here too; one destroyed here is
// gone at once.
type keyCache struct {
	clock func() time.Time
	mu    sync.RWMutex
	byID  map[string]cachedKey
	ids   map[keySubject]string
}

type keySubject struct {
	id      string
	purpose eventstore.Purpose
}

type cachedKey struct {
	key     eventstore.Key
	subject keySubject
	until   time.Time
}

const (
	keyTrust   = time.Minute
	keysAtHand = 8192
)

func (c *keyCache) idFor(subject string, purpose eventstore.Purpose) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	id, ok := c.ids[keySubject{subject, purpose}]
	return id, ok
}

func (c *keyCache) get(id string) (eventstore.Key, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.byID[id]
	return e.key, ok && c.clock().Before(e.until)
}

// put keeps a key; a full cache begins anew, which costs one read per key.
func (c *keyCache) put(row keyRow, key eventstore.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil || len(c.byID) >= keysAtHand {
		c.byID, c.ids = map[string]cachedKey{}, map[keySubject]string{}
	}
	subject := keySubject{row.Subject, row.Purpose}
	c.byID[row.ID] = cachedKey{key: key, subject: subject, until: c.clock().Add(keyTrust)}
	if row.Announced || key.AEAD == nil {
		c.ids[subject] = row.ID
	}
}

func (c *keyCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ids, c.byID[id].subject)
	delete(c.byID, id)
}
