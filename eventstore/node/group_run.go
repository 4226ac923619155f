package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore/node/group"
)

// lastWrites bounds the writes of a group that stops.
const lastWrites = 2 * time.Second

// groupRun runs one group: a goroutine owns its state, reads its source for
// it, and writes what it decides. Everything else goes through its inbox.
type groupRun struct {
	e     *Engine
	c     groupConfig
	log   *slog.Logger
	store groupStore
	match match
	state *group.Group

	outlets map[*group.Consumer]*outlet
	parkIDs []uuid.UUID // of the first events to be parked: repeats are known by them
	trouble bool        // a write failed; the next tick tries again
	end     bool        // the end of the source was reached, when the head was at
	head    uint64
	over    bool // the source was tombstoned

	inbox   chan func()
	ready   chan struct{} // closed
	cancel  context.CancelCauseFunc
	discard bool // set before cancel is called
	ended   chan struct{}
}

// newGroupRun reads where the group goes on.
func newGroupRun(ctx context.Context, e *Engine, c groupConfig, log *slog.Logger) (*groupRun, error) {
	r := &groupRun{
		e: e, c: c, log: log.With("group", c.key()), outlets: map[*group.Consumer]*outlet{},
		inbox: make(chan func(), 64), ready: make(chan struct{}), ended: make(chan struct{}),
	}
	close(r.ready)
	r.store = groupStore{e: e, c: &r.c, ready: map[string]bool{}}
	var err error
	if r.match, err = c.match(); err != nil {
		return nil, err
	}
	from, checkpointed, parked, err := r.store.load(ctx)
	if err != nil {
		return nil, err
	}
	r.state = group.New(c.settings(), from, checkpointed, parked, e.o.Clock())
	return r, nil
}

// stop ends the group and waits for it. Consumers are told the reason; with
// discard its progress is not written.
func (r *groupRun) stop(reason error, discard bool) {
	r.discard = discard
	r.cancel(reason)
	<-r.ended
}

// run runs the group until ctx ends.
func (r *groupRun) run(ctx context.Context, ticks <-chan time.Time) {
	defer close(r.ended)
	for ctx.Err() == nil {
		r.fill(ctx)
		r.work(ctx, false)
		select {
		case f := <-r.inbox:
			f()
			r.drain()
		case <-ticks:
			r.tick(ctx)
		case <-r.readable():
			r.end = false
		case <-ctx.Done():
		}
	}
	if !r.discard {
		r.save(context.WithoutCancel(ctx))
	}
	reason := context.Cause(ctx)
	if errors.Is(reason, context.Canceled) {
		reason = errNotReady
	}
	r.letGo(reason)
}

// readable is ready when there may be something to read that there is room for.
func (r *groupRun) readable() <-chan struct{} {
	if _, n := r.state.WantReplay(); n > 0 {
		return r.ready
	}
	switch {
	case r.over || r.state.Want() == 0:
		return nil
	case !r.end:
		return r.ready
	default:
		return r.e.durable.moves(r.head)
	}
}

// drain does what else is waiting, so that one round serves many answers.
func (r *groupRun) drain() {
	for range cap(r.inbox) {
		select {
		case f := <-r.inbox:
			f()
		default:
			return
		}
	}
}

// post has the group's goroutine do something soon.
func (r *groupRun) post(ctx context.Context, f func()) error {
	select {
	case r.inbox <- f:
		return nil
	case <-r.ended:
		return errNotReady
	case <-ctx.Done():
		return ctx.Err()
	}
}

// do has the group's goroutine do something and waits for it.
func (r *groupRun) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	if err := r.post(ctx, func() { f(); close(done) }); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-r.ended:
		select {
		case <-done: // It was the last that was done.
			return nil
		default:
			return errNotReady
		}
	}
}

func (r *groupRun) tick(ctx context.Context) {
	r.trouble = false
	for _, late := range r.state.Tick(r.e.o.Clock()) {
		r.outlets[late.By].drop(late.ID)
	}
	r.work(ctx, true)
}

// work gives out what can be, and writes what is due.
func (r *groupRun) work(ctx context.Context, tick bool) {
	now := r.e.o.Clock()
	for _, d := range r.state.Dispatch(now) {
		r.outlets[d.To].put(d)
	}
	r.write("park events", func() error { return r.park(ctx) })
	if place, due := r.state.Checkpoint(now, tick); due {
		r.write("write the checkpoint", func() error { return r.mark(ctx, place) })
	}
	if first, due := r.state.Cut(tick); due {
		r.write("cut the parked events", func() error { return r.cut(ctx, first) })
	}
}

// write writes unless that failed since the last tick.
func (r *groupRun) write(what string, f func() error) {
	if r.trouble {
		return
	}
	if err := f(); err != nil {
		r.trouble = true
		if !errors.Is(err, context.Canceled) {
			r.log.Warn("persistent subscription could not "+what, "error", err)
		}
	}
}

func (r *groupRun) park(ctx context.Context) error {
	list := r.state.Parking()
	if len(list) == 0 {
		return nil
	}
	for len(r.parkIDs) < len(list) {
		r.parkIDs = append(r.parkIDs, r.e.o.NewID())
	}
	n, last, err := r.store.park(ctx, list, r.parkIDs)
	if n > 0 {
		r.state.Parked(n, last)
		r.parkIDs = r.parkIDs[n:]
	}
	return err
}

func (r *groupRun) mark(ctx context.Context, place uint64) error {
	if err := r.store.mark(ctx, place); err != nil {
		return err
	}
	r.state.Marked(place, r.e.o.Clock())
	return nil
}

func (r *groupRun) cut(ctx context.Context, first uint64) error {
	if err := r.store.cut(ctx, first); err != nil {
		return err
	}
	r.state.WasCut(first)
	return nil
}

// save writes how far the group came, so that the next run repeats little.
func (r *groupRun) save(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWrites)
	defer cancel()
	r.trouble = false
	r.write("park events", func() error { return r.park(ctx) })
	if place, more := r.state.Progress(); more {
		r.write("write the checkpoint", func() error { return r.mark(ctx, place) })
	}
	if first, due := r.state.Cut(true); due {
		r.write("cut the parked events", func() error { return r.cut(ctx, first) })
	}
}

// join connects a consumer.
func (r *groupRun) join(o *outlet) error {
	if err := r.state.Join(&o.Consumer); err != nil {
		return tooManyConsumers(r.c.Stream, r.c.Group)
	}
	if r.c.ExtraStatistics {
		o.Observe = o.took.add
	}
	o.measuredAt = r.e.o.Clock()
	r.outlets[&o.Consumer] = o
	return nil
}

// leave disconnects a consumer that has gone.
func (r *groupRun) leave(o *outlet) {
	if r.outlets[&o.Consumer] != nil {
		delete(r.outlets, &o.Consumer)
		r.state.Leave(&o.Consumer)
	}
}

// letGo disconnects all consumers and tells them why.
func (r *groupRun) letGo(reason error) {
	for _, o := range r.outlets {
		r.leave(o)
		o.end(reason)
	}
}
