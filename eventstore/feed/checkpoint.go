package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/eventstore"
)

// checkpoint is a lane's row.
type checkpoint struct {
	epoch  int64
	log    *uuid.UUID
	at     eventstore.Position
	mark   mark
	events int64
	halted string
}

const checkpointColumns = `epoch, log_id, commit_pos, prepare_pos, event_id, event_commit, event_prepare, events, halted`

func scanCheckpoint(row pgx.CollectableRow) (checkpoint, error) {
	var (
		c                          checkpoint
		event                      *uuid.UUID
		commit, prepare, ec, eprep int64
	)
	err := row.Scan(&c.epoch, &c.log, &commit, &prepare, &event, &ec, &eprep, &c.events, &c.halted)
	c.at = eventstore.Position{Commit: uint64(commit), Prepare: uint64(prepare)} //nolint:gosec // only written from checked positions
	if event != nil {
		c.mark = mark{id: *event, at: eventstore.Position{Commit: uint64(ec), Prepare: uint64(eprep)}} //nolint:gosec // only written from checked positions
	}
	return c, err
}

// load reads the lane's row.
func (l *lane) load(ctx context.Context) (checkpoint, error) {
	rows, _ := l.cfg.DB.Query(ctx, `SELECT `+checkpointColumns+` FROM feed.lane WHERE name = $1`, l.spec.Name)
	c, err := pgx.CollectExactlyOneRow(rows, scanCheckpoint)
	if err != nil {
		return c, fmt.Errorf("read checkpoint: %w", err)
	}
	return c, nil
}

// claim takes the lane when its lease has ended. A lease under our own name
// counts as ended when it is the one we held last, or, at the first claim, an
// earlier run's; a living twin of our name is not fought for it. The new epoch
// fences whoever had the lane before.
func (l *lane) claim(ctx context.Context) (c checkpoint, ours bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err = l.cfg.DB.Exec(ctx, `INSERT INTO feed.lane (name) VALUES ($1) ON CONFLICT DO NOTHING`, l.spec.Name)
	if err != nil {
		return c, false, fmt.Errorf("create lane: %w", err)
	}
	rows, _ := l.cfg.DB.Query(ctx, `
		UPDATE feed.lane
		SET epoch = epoch + 1, owner = $2, lease_until = clock_timestamp() + $3::interval
		WHERE name = $1
		  AND (lease_until < clock_timestamp() OR owner = $2 AND ($4::bigint = 0 OR epoch = $4))
		RETURNING `+checkpointColumns, l.spec.Name, l.cfg.Owner, l.cfg.Lease, l.held)
	got, err := pgx.CollectRows(rows, scanCheckpoint)
	if err != nil {
		return c, false, fmt.Errorf("claim lane: %w", err)
	}
	if len(got) == 0 {
		return c, false, nil
	}
	return got[0], true, nil
}

// verify refuses a checkpoint of another log, or of this log before it lost
// its end: resuming there would skip events without a word.
func (l *lane) verify(ctx context.Context, c checkpoint) error {
	if c.at == eventstore.Start {
		return nil
	}
	if c.log == nil || *c.log != l.cfg.LogID {
		return l.refuse("its log id is not the store's")
	}
	head, err := l.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the log's head: %w", err)
	}
	if head.Before(c.at) {
		return l.refuse(fmt.Sprintf("it is at %s, the log ends at %s", c.at, head))
	}
	if c.mark.id == uuid.Nil {
		return nil
	}
	id, err := l.eventAt(ctx, c.mark.at)
	if err != nil {
		return err
	}
	if id == uuid.Nil {
		gone, err := l.scavenged(ctx, c.mark.at)
		if gone || err != nil {
			return err
		}
	}
	if id != c.mark.id {
		return l.refuse(fmt.Sprintf("event %s is not at %s", c.mark.id, c.mark.at))
	}
	return nil
}

func (l *lane) refuse(why string) error {
	return fmt.Errorf("%w: %s; run `hostfold projections rebuild %s`", ErrRebuild, why, l.spec.Name)
}

// eventAt is the id of the event at a position, the nil id when there is none.
func (l *lane) eventAt(ctx context.Context, p eventstore.Position) (uuid.UUID, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for r, err := range l.cfg.Store.ReadAll(ctx, p) {
		if err != nil {
			return uuid.Nil, fmt.Errorf("read the event at %s: %w", p, err)
		}
		if r.Position == p {
			return r.ID, nil
		}
		break
	}
	return uuid.Nil, nil
}

// scavenger is a store that knows which of its events were scavenged.
type scavenger interface {
	Scavenged(ctx context.Context, p eventstore.Position) (bool, error)
}

// scavenged reports whether the store says that it scavenged the event at a
// position: then that event was in this log, as the checkpoint says.
func (l *lane) scavenged(ctx context.Context, p eventstore.Position) (bool, error) {
	s, knows := l.cfg.Store.(scavenger)
	if !knows {
		return false, nil
	}
	gone, err := s.Scavenged(ctx, p)
	if err != nil {
		err = fmt.Errorf("ask what was scavenged at %s: %w", p, err)
	}
	return gone, err
}

// leave gives the lane up for others, and says why when it halted; what halted
// it before is said until the lane gets past it.
func (l *lane) leave(ctx context.Context, epoch int64, halted string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	_, err := l.cfg.DB.Exec(ctx, `
		UPDATE feed.lane
		SET lease_until = CASE WHEN $3 = '' THEN '-infinity' ELSE lease_until END,
		    halted = CASE WHEN $3 = '' THEN halted ELSE $3 END
		WHERE name = $1 AND epoch = $2`, l.spec.Name, epoch, halted)
	return err
}

// Reset puts a lane back to the start of the log, in one transaction with what
// clear does to its tables. Whoever runs the lane is fenced off and begins anew.
func Reset(ctx context.Context, db *pgxpool.Pool, lane string, clearTables func(ctx context.Context, tx pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		// The tables come first, as in a lane's own transaction.
		if err := clearTables(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO feed.lane AS l (name, epoch) VALUES ($1, 1)
			ON CONFLICT (name) DO UPDATE
			SET epoch = l.epoch + 1, log_id = NULL, commit_pos = 0, prepare_pos = 0,
			    event_id = NULL, event_commit = 0, event_prepare = 0, events = 0,
			    owner = '', lease_until = '-infinity', halted = '', updated_at = clock_timestamp()`, lane)
		return err
	})
	if err != nil {
		return fmt.Errorf("reset lane %s: %w", lane, err)
	}
	return nil
}

// renew keeps the leases of the lanes we run, and wakes those whose row was
// moved on by somebody else.
func (r *Runner) renew(ctx context.Context) {
	tick := time.NewTicker(r.cfg.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.renewOnce(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Log.Warn("lease renewal", "error", err)
		}
	}
}

func (r *Runner) renewOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Lease/3)
	defer cancel()
	var names []string
	for _, l := range r.lanes {
		if l.epoch.Load() > 0 {
			names = append(names, l.spec.Name)
		}
	}
	// A row that a batch holds locked is renewed by that batch.
	_, err := r.cfg.DB.Exec(ctx, `
		UPDATE feed.lane
		SET lease_until = clock_timestamp() + $3::interval
		WHERE name IN (SELECT name FROM feed.lane WHERE name = ANY($1) AND owner = $2 FOR UPDATE SKIP LOCKED)`,
		names, r.cfg.Owner, r.cfg.Lease)
	if err != nil {
		return err
	}
	rows, _ := r.cfg.DB.Query(ctx, `SELECT name, epoch FROM feed.lane WHERE name = ANY($1)`, names)
	var (
		name  string
		epoch int64
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &epoch}, func() error {
		if l := r.named[name]; l.epoch.Load() > 0 && l.epoch.Load() != epoch {
			l.wake()
		}
		return nil
	})
	return err
}
