package feed_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/hostfold/hostfold/eventstore/feed"
)

func TestALaneOutlivesItsConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, err := pgxpool.NewWithConfig(t.Context(), w.DB.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Close)
	attempts := 0
	cfg := w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		if attempts++; attempts <= 2 {
			w.terminate(tx.Conn().PgConn().PID())
		}
		return tallies().Lane().Handle(ctx, tx, b)
	})
	cfg.DB = own
	w.add("a", 1, 2, 3)
	r, _ := w.run(cfg)
	w.settle(r)
	w.equal()
	if attempts != 3 {
		t.Errorf("the handler ran %d times, want 3", attempts)
	}
}

// terminate has the server end a connection, and waits until it has.
func (w *world) terminate(pid uint32) {
	w.t.Helper()
	if _, err := w.DB.Exec(w.t.Context(), `SELECT pg_terminate_backend($1, 10000)`, pid); err != nil {
		w.t.Error(err)
	}
}

// noticeArgs is a job of these tests.
type noticeArgs struct {
	N int `json:"n"`
}

// Kind is the job's name.
func (noticeArgs) Kind() string { return "notice" }

// TestJobsAreInsertedWithTheCheckpoint shows how a process manager's lane
// works: its jobs commit with the checkpoint, or not at all.
func TestJobsAreInsertedWithTheCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1, 2, 13, 4)
	client, err := river.NewClient(riverpgxv5.New(w.DB), &river.Config{Schema: "river"})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := w.run(w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		jobs := make([]river.InsertManyParams, len(b.Events))
		poison := false
		for i, e := range b.Events {
			n := e.Data.(Added).N
			jobs[i] = river.InsertManyParams{Args: noticeArgs{N: n}}
			poison = poison || n == 13
		}
		if _, err := client.InsertManyFastTx(ctx, tx.Tx, jobs); err != nil {
			return err
		}
		if poison {
			return errors.New("cannot be")
		}
		return nil
	}))
	w.halted(r)
	rows, _ := w.DB.Query(t.Context(), `SELECT (args->>'n')::bigint FROM river.river_job ORDER BY id`)
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || len(numbers) != 2 || numbers[0] != 1 || numbers[1] != 2 {
		t.Error("the jobs are those of the committed events only", numbers, err)
	}
}
