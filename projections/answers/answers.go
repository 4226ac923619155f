// Package answers remembers what was answered to requests that came with an
// Idempotency-Key, in the schema web, so that a repeat of a request that had
// nothing to change gets its first answer too. It keeps an HMAC of the body,
// never a body and never an answer's text.
//
// It is a convenience: the streams are the truth, and Execute recognises a
// command that it carried out before without any row here. The table can be
// dropped at any time.
package answers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Answer is what was said, without its text.
type Answer struct {
	// RequestHash is an HMAC of the request's body.
	RequestHash string
	// Status is the HTTP status; only successes are kept.
	Status int
	// Resource is the id in the answer, Revision what its ETag said, Token its
	// Consistency-Token.
	Resource string
	Revision uint64
	Token    string
}

// Store keeps answers in Postgres.
type Store struct{ DB *pgxpool.Pool }

// Find is the answer that a command was given, if one is kept.
func (s Store) Find(ctx context.Context, command uuid.UUID) (Answer, bool, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT request_hash, status, resource, revision, token
		FROM web.answer
		WHERE command_id = $1`, command)
	if err != nil {
		return Answer{}, false, fmt.Errorf("find the answer of %s: %w", command, err)
	}
	answer, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Answer])
	if errors.Is(err, pgx.ErrNoRows) {
		return Answer{}, false, nil
	}
	if err != nil {
		return Answer{}, false, fmt.Errorf("find the answer of %s: %w", command, err)
	}
	return answer, true, nil
}

// Keep remembers a command's first answer; a later one changes nothing.
func (s Store) Keep(ctx context.Context, command uuid.UUID, a Answer, now time.Time) error {
	_, err := s.DB.Exec(ctx, `
		INSERT INTO web.answer (command_id, request_hash, status, resource, revision, token, answered_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (command_id) DO NOTHING`,
		command, a.RequestHash, a.Status, a.Resource, int64(a.Revision), a.Token, now) //nolint:gosec // revisions stay far below 2^63
	if err != nil {
		return fmt.Errorf("keep the answer of %s: %w", command, err)
	}
	return nil
}

// Forget drops the answers given before a time, and says how many.
func (s Store) Forget(ctx context.Context, before time.Time) (int64, error) {
	tag, err := s.DB.Exec(ctx, `DELETE FROM web.answer WHERE answered_at < $1`, before)
	if err != nil {
		return 0, fmt.Errorf("forget answers before %s: %w", before, err)
	}
	return tag.RowsAffected(), nil
}

const (
	// kept is how long an answer is remembered; its streams remember longer.
	kept  = 30 * 24 * time.Hour
	every = time.Hour
)

// Run forgets old answers now and then, until ctx ends. When the database is
// away it tries again the next time.
func (s Store) Run(ctx context.Context, clock func() time.Time) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := s.Forget(ctx, clock().Add(-kept)); err != nil && ctx.Err() != nil {
			return nil // the end of ctx is the end of the work
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
