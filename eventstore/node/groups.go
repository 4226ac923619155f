package node

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hostfold/hostfold/eventstore"
)

// allStream is the name of the log as a source of groups.
const allStream = "$all"

// groups are the persistent subscription groups of a server.
type groups struct {
	e     *Engine
	log   *slog.Logger
	every func(time.Duration) (ticks <-chan time.Time, stop func())
	// changing holds a value while settings are changed.
	changing chan struct{}

	mu      sync.Mutex
	life    context.Context // of the groups' goroutines; nil before start
	byKey   map[string]*groupRun
	running sync.WaitGroup
	// asleep are groups that could not be started; their settings stay.
	asleep []groupConfig // guarded by changing
}

func newGroups(e *Engine, o ServeOptions) *groups {
	return &groups{e: e, log: o.Logger, every: o.Every, changing: make(chan struct{}, 1), byKey: map[string]*groupRun{}}
}

// realTicks ticks by the machine's clock.
func realTicks(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// start runs the groups that were made before, until ctx ends; then wait.
func (g *groups) start(ctx context.Context) error {
	list, err := readConfig(ctx, g.e)
	if err != nil {
		return err
	}
	g.life = ctx
	for _, c := range list {
		if err := g.launch(ctx, c); err != nil {
			g.asleep = append(g.asleep, c) // The next start or restart tries again.
			g.log.Error("persistent subscription does not start", "group", c.key(), "error", err)
		}
	}
	return nil
}

// wait waits for all groups to end.
func (g *groups) wait() { g.running.Wait() }

// launch runs a group.
func (g *groups) launch(ctx context.Context, c groupConfig) error {
	r, err := newGroupRun(ctx, g.e, c, g.log)
	if err != nil {
		return err
	}
	life, cancel := context.WithCancelCause(g.life)
	r.cancel = cancel
	ticks, stop := g.every(time.Second)
	g.running.Go(func() {
		defer cancel(nil)
		defer stop()
		r.run(life, ticks)
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.byKey[c.key()] = r
	return nil
}

// find answers a group, nil when there is none.
func (g *groups) find(stream, name string) *groupRun {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.byKey[groupKey(stream, name)]
}

// list answers all groups in order of their keys.
func (g *groups) list() []*groupRun {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]*groupRun, 0, len(g.byKey))
	for _, key := range slices.Sorted(maps.Keys(g.byKey)) {
		list = append(list, g.byKey[key])
	}
	return list
}

// change waits for its turn to change settings. A change goes through also
// when its caller gives up meanwhile: half of one would be worse.
func (g *groups) change(ctx context.Context) (_ context.Context, done func(), err error) {
	select {
	case g.changing <- struct{}{}:
		return context.WithoutCancel(ctx), func() { <-g.changing }, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// with does something with a group. Who meets a group that a change has just
// ended waits for the change and does it with what is there afterwards:
// clients that hear that the server is not ready drop their whole connection.
func (g *groups) with(ctx context.Context, stream, name string, do func(*groupRun) error) error {
	var ended *groupRun
	for {
		r := g.find(stream, name)
		if r == nil {
			return noGroup(stream, name)
		}
		if r == ended {
			return errNotReady // It did not start again.
		}
		if err := do(r); !errors.Is(err, errNotReady) || g.life.Err() != nil {
			return err
		}
		ended = r
		_, done, err := g.change(ctx)
		if err != nil {
			return err
		}
		done()
	}
}

// write makes the settings durable, with one group's replaced, or left out.
func (g *groups) write(ctx context.Context, key string, with *groupConfig) error {
	all := slices.DeleteFunc(slices.Clone(g.asleep), func(c groupConfig) bool { return c.key() == key })
	for _, r := range g.list() {
		if r.c.key() != key {
			all = append(all, r.c)
		}
	}
	if with != nil {
		all = append(all, *with)
	}
	return writeConfig(ctx, g.e, all)
}

// settle finds where a group begins while it has no checkpoint.
func (g *groups) settle(ctx context.Context, c *groupConfig) error {
	var err error
	switch {
	case c.isAll():
		var head eventstore.Position
		if head, err = g.e.Head(ctx); err != nil {
			return err
		}
		if c.Start == fromEnd {
			c.From = head.Commit + 1
			return nil
		}
		start := eventstore.Position{Commit: c.Start, Prepare: c.Prepare}
		if c.Prepare > c.Start {
			return groupFailed(c.Stream, c.Group, "Invalid Start From position: event commit position: %d cannot be less than event prepare position: %d", c.Start, c.Prepare)
		}
		if head.Before(start) {
			return groupFailed(c.Stream, c.Group, "Invalid Start From position: event position %s is beyond the end of the log, %s", start, head)
		}
		c.From = nextFrom(start)
	case c.Start == fromEnd:
		c.From, err = nextRevision(ctx, g.e, c.Stream)
	default:
		c.From = c.Start
	}
	return err
}

// create makes a group.
func (g *groups) create(ctx context.Context, c groupConfig) error {
	ctx, done, err := g.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	if g.find(c.Stream, c.Group) != nil {
		return groupExists(c.Stream, c.Group)
	}
	if err := g.settle(ctx, &c); err != nil {
		return err
	}
	// Nothing of an earlier group may come back, whatever became of it.
	store := groupStore{e: g.e, c: &c}
	if err := store.forget(ctx); err != nil {
		return err
	}
	if err := g.write(ctx, c.key(), &c); err != nil {
		return err
	}
	g.asleep = slices.DeleteFunc(g.asleep, func(other groupConfig) bool { return other.key() == c.key() })
	return g.launch(ctx, c)
}

// update changes a group's settings. Its consumers are let go; it goes on
// after its checkpoint.
func (g *groups) update(ctx context.Context, c groupConfig) error {
	ctx, done, err := g.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	old := g.find(c.Stream, c.Group)
	if old == nil {
		return noGroup(c.Stream, c.Group)
	}
	c.Filter = old.c.Filter
	if err := g.settle(ctx, &c); err != nil {
		return err
	}
	if err := g.write(ctx, c.key(), &c); err != nil {
		return err
	}
	old.stop(groupDropped(c.Stream, c.Group), false)
	return g.launch(ctx, c)
}

// remove ends a group and deletes all it kept.
func (g *groups) remove(ctx context.Context, stream, name string) error {
	ctx, done, err := g.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	old := g.find(stream, name)
	if old == nil {
		return noGroup(stream, name)
	}
	old.stop(noGroup(stream, name), true)
	if err = old.store.forget(ctx); err == nil {
		err = g.write(ctx, old.c.key(), nil)
	}
	if err != nil {
		if again := g.launch(ctx, old.c); again != nil {
			g.log.Error("persistent subscription does not start", "group", old.c.key(), "error", again)
		}
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.byKey, old.c.key())
	return nil
}

// restart lets all consumers go and begins anew with what is durable.
func (g *groups) restart(ctx context.Context) error {
	ctx, done, err := g.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	list := g.asleep
	for _, r := range g.list() {
		r.stop(groupDropped(r.c.Stream, r.c.Group), false)
		list = append(list, r.c)
	}
	g.asleep = nil
	for _, c := range list {
		if failed := g.launch(ctx, c); failed != nil {
			g.mu.Lock()
			delete(g.byKey, c.key())
			g.mu.Unlock()
			g.asleep = append(g.asleep, c)
			err = errors.Join(err, failed)
		}
	}
	return err
}

// check refuses settings that a group cannot work with.
func (c *groupConfig) check() error {
	fail := func(format string, args ...any) error { return groupFailed(c.Stream, c.Group, format, args...) }
	switch {
	case !c.ConsumerStrategy.Known():
		return fail("Consumer strategy %s does not exist.", string(c.ConsumerStrategy))
	case c.ReadBatch <= 0:
		return fail("The read batch size must be positive, it is %d.", c.ReadBatch)
	case c.LiveBuffer <= 0:
		return fail("The live buffer size must be positive, it is %d.", c.LiveBuffer)
	case c.ReadBatch >= c.HistoryBuffer:
		return fail("The read batch size (%d) must be smaller than the history buffer size (%d).", c.ReadBatch, c.HistoryBuffer)
	case c.TimeoutMS < 0 || c.CheckpointMS < 0 || c.MaxRetries < 0:
		return fail("Timeouts and the retry count must not be negative.")
	}
	if _, err := c.match(); err != nil {
		return err
	}
	return nil
}
