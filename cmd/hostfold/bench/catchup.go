package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/migrations"
)

// The backlogs: streams that are appended to in turns.
const (
	largeBacklog  = 200_000
	smallBacklog  = 20_000
	streams       = 1000
	perAppend     = 10
	batchOfEvents = 2000
)

// Counted is the backlog's event.
type Counted struct {
	N int64 `json:"n"`
}

// EventType is the name on disk.
func (Counted) EventType() string { return "bench.counted.v1" }

// tally is one stream's row.
type tally struct {
	ID    string `db:"id"`
	Count int64  `db:"count"`
	Sum   int64  `db:"sum"`
}

// laneName is the lane of row 2.
const laneName = "bench"

func tallies() projections.Model {
	return projections.Define(laneName, projections.Keep(projections.Table{Name: "bench.tally"},
		projections.On(func(rows *projections.Rows[tally], e Counted, m projections.Meta) {
			row := rows.Get(m.AggregateID)
			row.Count++
			row.Sum += e.N
		}),
	))
}

// catching is one of row 2's stores, and the same events in Postgres.
type catching struct {
	*world
	dir     string
	backlog int
	store   *node.Engine
	codec   *eventstore.Codec
	logID   uuid.UUID
	lane    projections.Model
}

// catchUp is row 2: a backlog into rows, exactly once.
func (w *world) catchUp(ctx context.Context) (lines []line, err error) {
	if err := migrations.Up(ctx, w.pool); err != nil {
		return nil, err
	}
	_, err = w.pool.Exec(ctx, `
		CREATE TABLE bench.tally (id text PRIMARY KEY, count bigint NOT NULL, sum bigint NOT NULL);
		CREATE TABLE bench.log (position bigint PRIMARY KEY, id uuid NOT NULL, stream text NOT NULL, revision bigint NOT NULL,
			type text NOT NULL, data text NOT NULL, metadata text NOT NULL);
		CREATE TABLE bench.checkpoint (position bigint NOT NULL);
		INSERT INTO bench.checkpoint (position) VALUES (0)`)
	if err != nil {
		return nil, err
	}
	large, err := w.openCatching(ctx, "catchup", largeBacklog)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, large.store.Close()) }()
	if err := large.copy(ctx); err != nil {
		return nil, err
	}
	small, err := w.openCatching(ctx, "catchup-small", smallBacklog)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, small.store.Close()) }()
	got, err := w.inTurns(ctx,
		contender{"ours", large.turn(large.ours)}, contender{"scan", large.turn(large.scan)},
		contender{"keyset", large.turn(large.keyset)}, contender{"small", small.turn(small.ours)})
	if err != nil {
		return nil, err
	}
	killed, err := large.killed(ctx)
	if err != nil {
		return nil, fmt.Errorf("killed on the way: %w", err)
	}
	ours, thousands := got["ours"], float64(largeBacklog)/1000
	return []line{
		w.beside("2", "scan + coalesced upsert", ours, got["scan"], 1),
		w.beside("2", "pgx keyset + coalesced upsert", ours, got["keyset"], 0),
		w.beside("2", fmt.Sprintf("a backlog of %d", smallBacklog), ours, got["small"], 0.9),
		fact("2", "CPU µs per event, this process", ours, func(s sample) float64 { return per(s.self, s.ops) }, 0, 5),
		fact("2", "CPU µs per event, Postgres", ours, func(s sample) float64 { return per(s.postgres, s.ops) }, 0, 0),
		fact("2", "transactions per 1,000 events", ours, func(s sample) float64 { return float64(s.transactions) / thousands }, 0, 1),
		fact("2", "statements per 1,000 events", ours, func(s sample) float64 { return float64(s.statements) / thousands }, 0, 3),
		killed,
	}, nil
}

// openCatching makes a store with a backlog.
func (w *world) openCatching(ctx context.Context, name string, backlog int) (*catching, error) {
	codec, err := benchCodec()
	if err != nil {
		return nil, err
	}
	c := &catching{world: w, dir: filepath.Join(w.dir, name), backlog: backlog, codec: codec, lane: tallies()}
	if c.store, err = node.Open(c.dir, node.Options{}); err != nil {
		return nil, err
	}
	if err := c.fill(ctx); err != nil {
		return nil, errors.Join(err, c.store.Close())
	}
	return c, nil
}

func benchCodec() (*eventstore.Codec, error) {
	return eventstore.NewCodec(append(eventstore.LogTypes(), domain.TypeOf[Counted]())...)
}

// fill writes the backlog.
func (c *catching) fill(ctx context.Context) (err error) {
	if c.logID, err = eventstore.LogID(ctx, c.store, uuid.New(), time.Now()); err != nil {
		return err
	}
	pad := strings.Repeat("x", 150)
	for pass := range c.backlog / streams / perAppend {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(64)
		for s := range streams {
			g.Go(func() error {
				stream := fmt.Sprintf("bench-%04d", s)
				events := make([]eventstore.NewEvent, perAppend)
				for i := range events {
					var err error
					events[i], err = c.codec.Encode(ctx, stream, uuid.New(), Counted{N: int64(s + i)}, eventstore.Metadata{
						Actor: domain.Actor{Kind: domain.ActorSystem, ID: pad}, CommandID: uuid.New(), Command: "Bench",
					})
					if err != nil {
						return err
					}
				}
				_, err := c.store.Append(ctx, stream, eventstore.After(uint64(pass*perAppend)), events...)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// copy copies the backlog to Postgres, for the baseline.
func (c *catching) copy(ctx context.Context) error {
	next, stop := iter.Pull2(c.store.ReadAll(ctx, eventstore.Start))
	defer stop()
	_, err := c.pool.CopyFrom(ctx, pgx.Identifier{"bench", "log"},
		[]string{"position", "id", "stream", "revision", "type", "data", "metadata"},
		pgx.CopyFromFunc(func() ([]any, error) {
			r, err, more := next()
			if err != nil || !more {
				return nil, err
			}
			return []any{int64(r.Position.Commit), r.ID, r.Stream, int64(r.Revision), r.Type, string(r.Data), string(r.Metadata)}, nil
		}))
	return err
}

// turn is one contender's turn over empty tables; then the sums must match.
func (c *catching) turn(run func(context.Context) error) func(context.Context) (sample, error) {
	return func(ctx context.Context) (sample, error) {
		if err := c.empty(ctx); err != nil {
			return sample{}, err
		}
		s, err := c.measured(func() (int, error) { return c.backlog, run(ctx) })
		if err != nil {
			return s, err
		}
		return s, c.check(ctx)
	}
}

func (c *catching) empty(ctx context.Context) error {
	_, err := c.pool.Exec(ctx, `TRUNCATE bench.tally, feed.lane; UPDATE bench.checkpoint SET position = 0`)
	return err
}

// check refuses rows that hold an event twice or not at all.
func (c *catching) check(ctx context.Context) error {
	var count, sum, want int64
	if err := c.pool.QueryRow(ctx, `SELECT sum(count)::bigint, sum(sum)::bigint FROM bench.tally`).Scan(&count, &sum); err != nil {
		return err
	}
	each := int64(c.backlog / streams)
	for n := range int64(streams) {
		want += each*n + each/perAppend*perAppend*(perAppend-1)/2
	}
	if count != int64(c.backlog) || sum != want {
		return fmt.Errorf("the rows hold %d events with the sum %d, not %d with %d", count, sum, c.backlog, want)
	}
	return nil
}

// ours is a lane of eventstore/feed.
func (c *catching) ours(ctx context.Context) error {
	runner, err := c.runner()
	if err != nil {
		return err
	}
	head, err := c.store.Head(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	err = runner.Wait(ctx, laneName, head)
	cancel()
	return errors.Join(err, <-done)
}

func (c *catching) runner() (*feed.Runner, error) {
	return feed.New(feed.Config{
		Store: c.store, Codec: c.codec, DB: c.pool, LogID: c.logID, Owner: "bench", Lanes: []feed.Lane{c.lane.Lane()}, Clock: time.Now,
	})
}

// scan is the limit: read, decode, add up, one upsert a batch, no checkpoint.
func (c *catching) scan(ctx context.Context) error {
	batch := make([]eventstore.Recorded, 0, batchOfEvents)
	for r, err := range c.store.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return err
		}
		if batch = append(batch, r); len(batch) == batchOfEvents {
			if err := c.upsert(ctx, batch, 0); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return c.upsert(ctx, batch, 0)
}

// keyset is the plain baseline: a table of events read page by page, upsert and
// checkpoint in one transaction.
func (c *catching) keyset(ctx context.Context) error {
	for last := int64(0); ; {
		rows, _ := c.pool.Query(ctx, `
			SELECT position, id, stream, revision, type, data, metadata
			FROM bench.log
			WHERE position > $1
			ORDER BY position
			LIMIT $2`, last, batchOfEvents)
		batch, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r eventstore.Recorded, err error) {
			err = row.Scan(&r.Position.Commit, &r.ID, &r.Stream, &r.Revision, &r.Type, (*text)(&r.Data), (*text)(&r.Metadata))
			return r, err
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		last = int64(batch[len(batch)-1].Position.Commit)
		if err := c.upsert(ctx, batch, last); err != nil {
			return err
		}
	}
}

// text is bytes of a text column.
type text []byte

// Scan takes the column.
func (t *text) Scan(v any) error {
	s, _ := v.(string) // columns are NOT NULL text
	*t = text(s)
	return nil
}

// upsert decodes, adds up and writes a batch; checkpoint 0 is none.
func (c *catching) upsert(ctx context.Context, batch []eventstore.Recorded, checkpoint int64) error {
	rows := map[string]*tally{}
	for _, r := range batch {
		e, m, err := c.codec.Decode(ctx, r)
		if err != nil {
			return err
		}
		counted, ok := e.(Counted)
		if !ok {
			continue // the log's own first event
		}
		row := rows[m.AggregateID]
		if row == nil {
			row = &tally{ID: m.AggregateID}
			rows[m.AggregateID] = row
		}
		row.Count++
		row.Sum += counted.N
	}
	ids := slices.Sorted(maps.Keys(rows))
	counts, sums := make([]int64, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		counts[i], sums[i] = rows[id].Count, rows[id].Sum
	}
	return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		var b pgx.Batch
		b.Queue(`
			INSERT INTO bench.tally AS t (id, count, sum)
			SELECT id, count, sum
			FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS n(id, count, sum)
			ON CONFLICT (id) DO UPDATE SET count = t.count + EXCLUDED.count, sum = t.sum + EXCLUDED.sum`, ids, counts, sums)
		if checkpoint > 0 {
			b.Queue(`UPDATE bench.checkpoint SET position = $1`, checkpoint)
		}
		return tx.SendBatch(ctx, &b).Close()
	})
}
