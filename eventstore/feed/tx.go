package feed

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/eventstore"
)

// Tx is the transaction of one batch. What a handler reads, and what must be
// done at once, goes through the embedded pgx.Tx; other writes are queued and
// leave together with the checkpoint in one round trip.
type Tx struct {
	pgx.Tx
	queue pgx.Batch
}

// Queue adds a statement that runs after the handler has returned, in order.
func (tx *Tx) Queue(sql string, args ...any) { tx.queue.Queue(sql, args...) }

// apply commits a batch: handler, fence and queued writes in one transaction.
func (l *lane) apply(ctx context.Context, b *Batch) (err error) {
	if b.again {
		// An earlier attempt failed; its commit may have arrived all the same.
		if done, err := l.settled(ctx, b); done || err != nil {
			return err
		}
	}
	if err := checkRange(b.To); err != nil {
		return err
	}
	pgtx, err := l.cfg.DB.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		// After a commit this is a no-op; its own failure adds nothing.
		_ = pgtx.Rollback(context.WithoutCancel(ctx))
	}()
	tx := &Tx{Tx: pgtx}
	l.queueFence(tx, b)
	if len(b.Events) > 0 {
		if err := l.spec.Handle(ctx, tx, b); err != nil {
			return err
		}
	}
	if err := pgtx.SendBatch(ctx, &tx.queue).Close(); err != nil {
		return fmt.Errorf("write batch: %w", err)
	}
	if err := pgtx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (l *lane) queueFence(tx *Tx, b *Batch) {
	var event *uuid.UUID
	if b.mark.id != uuid.Nil {
		event = &b.mark.id
	}
	tx.Queue(`SELECT feed.advance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		l.spec.Name, b.epoch, l.cfg.LogID,
		int64(b.From.Commit), int64(b.From.Prepare), int64(b.To.Commit), int64(b.To.Prepare), //nolint:gosec // checkRange has refused what does not fit
		event, int64(b.mark.at.Commit), int64(b.mark.at.Prepare), //nolint:gosec // the mark is at or before To
		len(b.Events), l.cfg.Lease)
}

// settled reports whether the batch was committed by an earlier attempt whose
// answer got lost.
func (l *lane) settled(ctx context.Context, b *Batch) (bool, error) {
	row, err := l.load(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case row.epoch != b.epoch:
		return false, errLost
	case row.at == b.To:
		return true, nil
	case row.at != b.From:
		return false, errLost
	}
	return false, nil
}

// checkRange refuses positions that the checkpoint's columns cannot hold
// (a server that is not ready has sent the largest number, KurrentDB 4892).
func checkRange(p eventstore.Position) error {
	if p.Commit > math.MaxInt64 || p.Prepare > math.MaxInt64 {
		return fmt.Errorf("position %s is no place in a log", p)
	}
	return nil
}

// timeout bounds a call to the database outside a batch.
const timeout = 10 * time.Second
