// Package feed drives what reads the log: lanes that turn events into rows of
// Postgres, exactly once. A lane subscribes to the store after its checkpoint,
// receives batches as Watermill messages, and commits checkpoint and effects
// in one transaction that a stale owner cannot commit. EventSubscriber is the
// plain form, one Watermill message per event, for handlers in Watermill's
// usual way.
//
// It must not know any read model (package projections) or process manager
// (commands/process): they bring the handlers. Lanes are described in lane.go,
// their transaction in tx.go, their ownership in checkpoint.go.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/hostfold/hostfold/eventstore"
)

// Lane is one independent reader of the log, with a checkpoint of its own.
type Lane struct {
	// Name is the lane's key in feed.lane; renaming it starts a new lane.
	Name string
	// Types are prefixes of the names of the events it handles; none means all.
	Types []string
	// Handle applies a batch of at least one event.
	Handle Handle
	// MaxEvents bounds a batch; 0 means 2,000.
	MaxEvents int
	// MetaOnly leaves the events undecoded: Event.Data is nil.
	MetaOnly bool
}

// Handle applies a batch: it reads through tx, changes through tx or tx.Queue,
// and keeps no state between calls. An error rolls everything back, the
// checkpoint included. It may be called again with the same batch.
type Handle func(ctx context.Context, tx *Tx, b *Batch) error

// Config is what a Runner needs. Zero durations have defaults.
type Config struct {
	Store eventstore.Store
	Codec *eventstore.Codec
	DB    *pgxpool.Pool
	// LogID is the id that eventstore.LogID answered.
	LogID uuid.UUID
	// Owner names this process. A lane whose lease is held under the same name
	// is taken over at once, so that a killed process can start again; two
	// live processes have different names.
	Owner string
	Lanes []Lane
	Clock func() time.Time
	Log   *slog.Logger
	// Observe is told of every attempt at a batch, for metrics; it may be nil.
	Observe func(Observation)
	// Lease is how long a lane stays ours without a sign of life (15 s).
	Lease time.Duration
	// Drain is how long a batch in flight may go on after the end of Run (10 s).
	Drain time.Duration
	// Timeout bounds one attempt at a batch (60 s).
	Timeout time.Duration
}

// Observation is one attempt at a batch.
type Observation struct {
	Lane   string
	Events int
	Took   time.Duration
	Err    error
}

// Runner runs lanes.
type Runner struct {
	cfg   Config
	lanes []*lane
	named map[string]*lane
}

// New makes a Runner. It refuses a configuration that cannot work.
func New(cfg Config) (*Runner, error) {
	if cfg.Store == nil || cfg.Codec == nil || cfg.DB == nil || cfg.Clock == nil {
		return nil, errors.New("feed: store, codec, database and clock are needed")
	}
	if cfg.LogID == uuid.Nil || cfg.Owner == "" || len(cfg.Lanes) == 0 {
		return nil, errors.New("feed: log id, owner and lanes are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Observation) {}
	}
	cfg.Lease = orElse(cfg.Lease, 15*time.Second)
	cfg.Drain = orElse(cfg.Drain, 10*time.Second)
	cfg.Timeout = orElse(cfg.Timeout, time.Minute)
	r := &Runner{cfg: cfg, named: make(map[string]*lane, len(cfg.Lanes))}
	for _, spec := range cfg.Lanes {
		if spec.Name == "" || spec.Handle == nil || r.named[spec.Name] != nil {
			return nil, fmt.Errorf("feed: lane %q has no name of its own or no handler", spec.Name)
		}
		l := newLane(&r.cfg, spec)
		r.lanes, r.named[spec.Name] = append(r.lanes, l), l
	}
	return r, nil
}

func orElse(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}

// Run runs the lanes until ctx ends, then waits for the batches in flight and
// gives the lanes up. A lane that fails stops alone: see Status.
func (r *Runner) Run(ctx context.Context) error {
	log := watermill.NewSlogLoggerWithLevelMapping(r.cfg.Log, map[slog.Level]slog.Level{
		slog.LevelInfo:  slog.LevelDebug,
		slog.LevelError: slog.LevelWarn,
	})
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: r.cfg.Drain + 5*time.Second}, log)
	if err != nil {
		return fmt.Errorf("make the router: %w", err)
	}
	router.AddMiddleware(record, middleware.CorrelationID, r.observe, middleware.Recoverer)
	for _, l := range r.lanes {
		router.AddConsumerHandler(l.spec.Name, "lane."+l.spec.Name, &subscriber{lane: l}, l.handle)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return router.Run(gctx) })
	g.Go(func() error { r.renew(gctx); return nil })
	g.Go(func() error { r.probe(gctx); return nil })
	err = g.Wait()
	if ctx.Err() != nil {
		return nil //nolint:nilerr // Watermill reports the end of all handlers as an error of its own
	}
	return err
}

// observe is the middleware that reports attempts.
func (r *Runner) observe(h message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		b, start := BatchFrom(msg.Context()), r.cfg.Clock()
		out, err := h(msg)
		r.cfg.Observe(Observation{Lane: b.Lane, Events: len(b.Events), Took: r.cfg.Clock().Sub(start), Err: err})
		return out, err
	}
}

// record is the outermost middleware: it keeps the outcome for the lane, which
// decides between retry and halt. Watermill's own answer is only a nack.
func record(h message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		out, err := h(msg)
		BatchFrom(msg.Context()).err = err
		return out, err
	}
}
