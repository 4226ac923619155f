package esdb

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/hostfold/hostfold/eventstore"
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
	probeLimit = 3 * time.Second
)

// guard owns the generations of the client for one purpose. Its supervisor
// probes a new generation with a single call; all other calls wait at the gate,
// each with its own context, until one is known to be good. So a server that
// is away costs one blocked call, not one per caller. A good generation is asked
// for a sign of life now and then, since a connection may be half open: nobody
// listens at the other end, and nothing says so.
type guard struct {
	name     string
	settings client.Configuration
	log      *slog.Logger
	slots    chan struct{}
	silence  time.Duration
	stop     context.CancelFunc
	work     sync.WaitGroup

	mu      sync.Mutex
	current *generation   // nil while none is known to be good
	changed chan struct{} // closed when current changes
	last    error         // why there is none
}

func newGuard(name string, settings client.Configuration, c Config) *guard {
	ctx, stop := context.WithCancel(context.Background())
	g := &guard{
		name: name, settings: settings, log: c.Logger, silence: c.Silence, stop: stop,
		slots: make(chan struct{}, c.Calls), changed: make(chan struct{}), last: errConnecting,
	}
	g.work.Go(func() { g.supervise(ctx) })
	return g
}

// supervise keeps one good generation until ctx ends.
func (g *guard) supervise(ctx context.Context) {
	defer g.show(nil, errClosed)
	wait := firstPause
	for number := 1; ctx.Err() == nil; number++ {
		gen, err := newGeneration(number, g.settings)
		if err == nil {
			if err = g.probe(ctx, gen, probeLimit); err != nil {
				g.work.Go(gen.finish)
			}
		}
		if err != nil {
			g.show(nil, err)
			g.log.Debug("event store does not answer", "use", g.name, "generation", number, "error", err)
			sleep(ctx, wait/2+rand.N(wait/2)) //nolint:gosec // Jitter need not be secret.
			wait = min(2*wait, lastPause)
			continue
		}
		g.log.Info("event store connected", "use", g.name, "generation", number)
		g.show(gen, nil)
		if g.attend(ctx, gen); ctx.Err() != nil {
			g.show(nil, errClosed)
			gen.finish()
			return
		}
		g.log.Warn("event store lost", "use", g.name, "generation", number, "error", gen.cause)
		g.show(nil, gen.cause)
		g.work.Go(gen.finish)
		wait = firstPause
		sleep(ctx, rand.N(firstPause)) //nolint:gosec // Jitter need not be secret.
	}
}

// attend returns when the generation is retired or ctx ends. It retires one
// that gives no sign of life.
func (g *guard) attend(ctx context.Context, gen *generation) {
	beat := time.NewTicker(g.silence / 2)
	defer beat.Stop()
	for {
		select {
		case <-gen.gone:
			return
		case <-ctx.Done():
			return
		case <-beat.C:
		}
		if err := g.probe(ctx, gen, g.silence/2); isLost(err) || isLate(err) {
			gen.retire(fmt.Errorf("no sign of life: %w", err))
		}
	}
}

// probe makes one call that nobody asked for.
func (g *guard) probe(ctx context.Context, gen *generation, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	gen.start(ctx, func(ctx context.Context, c *client.Client) error {
		_, err := newest(ctx, c)
		return err
	}, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-gen.gone:
		return gen.cause
	case <-ctx.Done():
		return ctx.Err()
	}
}

// show tells waiting callers what there is now.
func (g *guard) show(gen *generation, why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.current, g.last = gen, why
	close(g.changed)
	g.changed = make(chan struct{})
}

// gate waits for a good generation.
func (g *guard) gate(ctx context.Context) (*generation, error) {
	for {
		g.mu.Lock()
		gen, changed, last := g.current, g.changed, g.last
		g.mu.Unlock()
		if last == errClosed { //nolint:errorlint // It is only ever set as it is.
			return nil, errClosed
		}
		if gen != nil && !gen.closed.Load() {
			return gen, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w: %w", errNotSent, context.Cause(ctx), cmp.Or(last, errConnecting))
		}
	}
}

// start lets a call in, with a slot that it keeps until it ends, and runs it
// in a goroutine of its own under ctx; wait bounds the way in. The generation
// it runs on is answered.
func (g *guard) start(wait, ctx context.Context, call func(context.Context, *client.Client) error, done func(error)) (*generation, error) {
	if wait.Err() != nil {
		return nil, fmt.Errorf("%w: %w", errNotSent, context.Cause(wait))
	}
	select {
	case g.slots <- struct{}{}:
	case <-wait.Done():
		return nil, fmt.Errorf("%w: too many calls under way: %w", errNotSent, context.Cause(wait))
	}
	gen, err := g.gate(wait)
	if err != nil {
		<-g.slots
		return nil, err
	}
	gen.start(ctx, call, func(err error) {
		<-g.slots
		gen.judge(err)
		done(err)
	})
	return gen, nil
}

// do runs one call and answers within ctx and a little grace, also when the
// call does not.
func do[T any](ctx context.Context, g *guard, call func(context.Context, *client.Client) (T, error)) (T, error) {
	var value T // written by the call; read only when it is over
	var failure error
	over := make(chan struct{})
	gen, err := g.start(ctx, ctx, func(ctx context.Context, c *client.Client) (err error) {
		value, err = call(ctx, c)
		return err
	}, func(err error) {
		failure = err
		close(over)
	})
	if err != nil {
		return *new(T), err
	}
	select {
	case <-over:
		return value, failure
	case <-ctx.Done():
	}
	select {
	case <-over:
		return value, failure
	case <-time.After(grace):
		gen.suspect(over)
		return *new(T), fmt.Errorf("%w: %w", errStuck, context.Cause(ctx))
	}
}

// suspect retires the generation unless the call, which should have ended, is
// over soon.
func (g *generation) suspect(over <-chan struct{}) {
	time.AfterFunc(patience, func() {
		select {
		case <-over:
		default:
			g.retire(errStuck)
		}
	})
}

func (g *guard) ready() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current != nil && !g.current.closed.Load() {
		return nil
	}
	return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, cmp.Or(g.last, errConnecting))
}

func (g *guard) close() {
	g.stop()
	g.work.Wait()
}

// sleep waits, or less when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// pause waits a moment before a call is repeated; false when there is no time left.
func pause(ctx context.Context) bool {
	sleep(ctx, 5*time.Millisecond+rand.N(20*time.Millisecond)) //nolint:gosec // Jitter need not be secret.
	return ctx.Err() == nil
}

// newest reads the last event's position.
func newest(ctx context.Context, c *client.Client) (eventstore.Position, error) {
	r, err := c.ReadAll(ctx, client.ReadAllOptions{Direction: client.Backwards, From: client.End{}}, 1)
	if err != nil {
		return eventstore.Start, err
	}
	defer r.Close()
	e, err := r.Recv()
	if isEnd(err) {
		return eventstore.Start, nil
	}
	if err != nil {
		return eventstore.Start, err
	}
	return recorded(e.OriginalEvent()).Position, nil
}
