package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/projections"
)

// killed lets another process catch up, kills it at a random place and
// finishes here: the rows must hold every event once.
func (c *catching) killed(ctx context.Context) (line, error) {
	if err := errors.Join(c.empty(ctx), c.store.Close()); err != nil {
		return line{}, err
	}
	done, err := c.killHalfWay(ctx)
	if err != nil {
		return line{}, err
	}
	if c.store, err = node.Open(c.dir, node.Options{}); err != nil {
		return line{}, err
	}
	if err := errors.Join(c.ours(ctx), c.check(ctx)); err != nil {
		return line{}, err
	}
	return line{
		row: "2", what: fmt.Sprintf("kill -9 after %d of %d events, finished by another process: every event once", done, c.backlog),
		wall: "-", cpu: "-", target: "sums match", verdict: verdict(true),
	}, nil
}

// killHalfWay answers how many events the killed process had committed.
func (c *catching) killHalfWay(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	follower, err := startChild(ctx, task{CatchUp: c.dir, Database: c.url})
	if err != nil {
		return 0, err
	}
	enough := rand.Int64N(int64(c.backlog) / 2)
	for {
		var done int64
		err := c.pool.QueryRow(ctx, `SELECT coalesce(sum(events), 0)::bigint FROM feed.lane`).Scan(&done)
		if err != nil || done > enough {
			return done, errors.Join(err, follower.kill())
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return done, errors.Join(ctx.Err(), follower.kill())
		}
	}
}

// followUntilKilled runs the lane of row 2 in a child.
func followUntilKilled(ctx context.Context, t task) (err error) {
	codec, err := benchCodec()
	if err != nil {
		return err
	}
	pool, err := projections.Connect(ctx, t.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	store, err := node.Open(t.CatchUp, node.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	logID, err := eventstore.LogID(ctx, store, uuid.New(), time.Now())
	if err != nil {
		return err
	}
	c := &catching{world: &world{pool: pool}, store: store, codec: codec, logID: logID, lane: tallies()}
	runner, err := c.runner()
	if err != nil {
		return err
	}
	return runner.Run(ctx)
}
