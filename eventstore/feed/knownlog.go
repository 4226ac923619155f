package feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/eventstore"
)

// KnownLog is the log that the checkpoints in a database belong to; found is
// false when no lane has read an event yet.
func KnownLog(ctx context.Context, db *pgxpool.Pool) (id uuid.UUID, found bool, err error) {
	err = db.QueryRow(ctx, `
		SELECT log_id
		FROM feed.lane
		WHERE log_id IS NOT NULL AND commit_pos > 0
		ORDER BY updated_at DESC
		LIMIT 1`).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("look for the log of the checkpoints: %w", err)
	}
	return id, true, nil
}

// LastHandled is the position of the furthest event of a log that any lane in a
// database has handled, eventstore.Start when there is none: the log reached at
// least so far.
func LastHandled(ctx context.Context, db *pgxpool.Pool, logID uuid.UUID) (eventstore.Position, error) {
	var commit, prepare int64
	err := db.QueryRow(ctx, `
		SELECT event_commit, event_prepare
		FROM feed.lane
		WHERE log_id = $1 AND event_id IS NOT NULL
		ORDER BY event_commit DESC, event_prepare DESC
		LIMIT 1`, logID).Scan(&commit, &prepare)
	if errors.Is(err, pgx.ErrNoRows) {
		return eventstore.Start, nil
	}
	if err != nil {
		return eventstore.Start, fmt.Errorf("look for the furthest checkpoint: %w", err)
	}
	return eventstore.Position{Commit: uint64(commit), Prepare: uint64(prepare)}, nil //nolint:gosec // only written from checked positions
}
