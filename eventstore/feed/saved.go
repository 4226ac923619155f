package feed

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/eventstore"
)

// Saved is how far each lane has come according to the database, for whoever
// runs no lane.
func Saved(ctx context.Context, db *pgxpool.Pool) ([]Status, error) {
	rows, err := db.Query(ctx, `SELECT name, commit_pos, prepare_pos, events, halted FROM feed.lane ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Status, error) {
		s := Status{State: Stopped}
		var commit, prepare int64
		err := row.Scan(&s.Lane, &commit, &prepare, &s.Events, &s.Error)
		s.Position = eventstore.Position{Commit: uint64(commit), Prepare: uint64(prepare)} //nolint:gosec // only written from checked positions
		if s.Error != "" {
			s.State = Halted
		}
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	return all, nil
}
