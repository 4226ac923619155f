package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/eventstore"
)

// Repairs counts what Compare put right.
type Repairs struct {
	// Announced keys were in the vault and not in the log: a crash came
	// between, or the log was restored from an older backup.
	Announced int
	// Renoted keys were destroyed in the vault and live in the log.
	Renoted int
	// Destroyed keys came back with an older vault and were destroyed again.
	Destroyed int
	// Untold keys are destroyed in the vault, which the log cannot be told: their
	// stream was deleted for good in the store.
	Untold int
}

// MissingKeysError says that the vault is older than its log.
type MissingKeysError struct {
	Keys int
	// Last is when the newest of them was made.
	Last time.Time
}

// Error says which backup is needed.
func (e *MissingKeysError) Error() string {
	return fmt.Sprintf("the vault lacks %d keys of personal data that the event log uses, the newest made at %s: "+
		"restore a backup of the vault taken after that time, then start again; nothing was changed", e.Keys, e.Last.UTC().Format(time.RFC3339))
}

// loggedKey is what the log says of a key.
type loggedKey struct {
	key       subjectkey.Key
	createdAt time.Time
	// tombstoned says that somebody deleted the stream for good. What the log
	// still holds of it counts.
	tombstoned bool
}

// Compare checks the vault against the log; nothing may be served before it.
// A key that the log calls live and the vault does not have is a
// *MissingKeysError, and what people log in with that it does not have a
// *LostLoginsError, before anything is changed. A key destroyed in one of
// the two and not in the other is destroyed there too.
func (v *Vault) Compare(ctx context.Context) (Repairs, error) {
	var done Repairs
	logged, err := v.loggedKeys(ctx)
	if err != nil {
		return done, err
	}
	kept, err := keyRows(ctx, v.pool)
	if err != nil {
		return done, err
	}
	if err := errors.Join(missing(logged, kept), forgotten(logged, kept)); err != nil {
		return done, err
	}
	if !v.acceptLost {
		if err := lost(ctx, v.pool, v.store); err != nil {
			return done, err
		}
	}
	for _, row := range kept {
		l := logged[row.ID]
		delete(logged, row.ID)
		if err := v.settle(ctx, row, l, &done); err != nil {
			return done, err
		}
	}
	for id, l := range logged {
		if l.key.Status == subjectkey.StatusAbsent {
			continue // a deleted stream of which neither knows anything
		}
		// Destroyed in the log and unknown here: an absent row would be taken
		// for a lost key, so it gets one without material.
		if err := v.bury(ctx, id, l); err != nil {
			return done, err
		}
	}
	return done, nil
}

// keyRows are the rows of all keys.
func keyRows(ctx context.Context, db querier) ([]keyRow, error) {
	rows, err := db.Query(ctx, `
		SELECT id, subject, purpose, wrapped, announced, created_at, destroyed_at
		FROM vault.subject_key`)
	if err != nil {
		return nil, away("read the keys", err)
	}
	kept, err := pgx.CollectRows(rows, pgx.RowToStructByName[keyRow])
	return kept, away("read the keys", err)
}

func missing(logged map[string]loggedKey, kept []keyRow) error {
	have := make(map[string]bool, len(kept))
	for _, row := range kept {
		have[row.ID] = true
	}
	var gone MissingKeysError
	for id, l := range logged {
		if l.key.Status == subjectkey.StatusLive && !have[id] {
			gone.Keys++
			if l.createdAt.After(gone.Last) {
				gone.Last = l.createdAt
			}
		}
	}
	if gone.Keys > 0 {
		return &gone
	}
	return nil
}

// forgotten refuses a key that may have been destroyed: it came back with an
// older vault, or it did not, and the log has lost what it knew.
func forgotten(logged map[string]loggedKey, kept []keyRow) error {
	for _, row := range kept {
		if l := logged[row.ID]; l.tombstoned && l.key.Status == subjectkey.StatusAbsent && row.DestroyedAt == nil {
			return fmt.Errorf("%w: the facts about the key %s were deleted from the event store, so that nobody knows whether it was destroyed: "+
				"restore a backup of the event store that has the stream %s; nothing was changed",
				eventstore.ErrHistoryTruncated, row.ID, subjectkey.Decider.At(row.ID).Stream())
		}
	}
	return nil
}

// settle brings one key's row and its stream together.
func (v *Vault) settle(ctx context.Context, row keyRow, logged loggedKey, done *Repairs) error {
	vault, l := domain.Actor{Kind: domain.ActorSystem, ID: "vault"}, logged.key
	switch {
	case l.Status == subjectkey.StatusLive && row.DestroyedAt != nil && logged.tombstoned:
		done.Untold++
		return nil
	case l.Status == subjectkey.StatusAbsent && row.DestroyedAt == nil:
		done.Announced++
		row.Announced = false
		return v.announce(ctx, row)
	case l.Status == subjectkey.StatusLive && row.DestroyedAt != nil:
		done.Renoted++
		return v.note(ctx, row.ID, vault, func(k subjectkey.Key) ([]subjectkey.Event, error) { return k.Destroy("repair") })
	case l.Status == subjectkey.StatusDestroyed && row.DestroyedAt == nil:
		done.Destroyed++
		// What else is kept of the person came back with the key.
		return errors.Join(v.dropMaterial(ctx, row.ID), v.forgetErased(ctx, row))
	case l.Status == subjectkey.StatusLive && !row.Announced:
		_, err := v.pool.Exec(ctx, `UPDATE vault.subject_key SET announced = true WHERE id = $1`, row.ID)
		return away("note that a key is announced", err)
	}
	return nil
}

func (v *Vault) bury(ctx context.Context, id string, l loggedKey) error {
	_, err := v.pool.Exec(ctx, `
		INSERT INTO vault.subject_key (id, subject, purpose, announced, created_at, destroyed_at)
		VALUES ($1, $2, $3, true, $4, $5)
		ON CONFLICT DO NOTHING`, id, l.key.Subject, l.key.Purpose, l.createdAt, v.clock())
	return away("note a destroyed key", err)
}

// loggedKeys folds every key's stream, up to the end of the log.
func (v *Vault) loggedKeys(ctx context.Context) (map[string]loggedKey, error) {
	all := map[string]loggedKey{}
	err := follow(ctx, v.store, eventstore.Filter{Streams: []string{subjectkey.Decider.Category + "-"}}, func(r eventstore.Recorded) error {
		if strings.HasPrefix(r.Type, "$") { // the store's own
			_, id, _ := strings.Cut(r.Stream, "-")
			l := all[id]
			l.tombstoned = l.tombstoned || r.Type == "$streamDeleted"
			all[id] = l
			return nil
		}
		e, m, err := v.codec.Decode(ctx, r)
		if err != nil {
			return unread(r, err)
		}
		l := all[m.AggregateID]
		if l.key.Status == subjectkey.StatusAbsent {
			l.createdAt = m.RecordedAt
		}
		l.key = subjectkey.Decider.Evolve(l.key, e.(subjectkey.Event))
		all[m.AggregateID] = l
		return nil
	})
	return all, err
}
