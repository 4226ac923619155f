package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/eventstore"
)

// State is what a lane is doing.
type State string

// The states of a lane.
const (
	Starting   State = "starting"
	Standby    State = "standby" // another process runs it; Error says when it halted there
	CatchingUp State = "catching_up"
	Live       State = "live"
	BackingOff State = "backing_off" // a server is away; it goes on by itself
	Halted     State = "halted"      // an event cannot be handled; it waits for a person
	Stopped    State = "stopped"
)

// Status is how a lane does.
type Status struct {
	Lane     string              `json:"lane"`
	State    State               `json:"state"`
	Position eventstore.Position `json:"position"`
	// Events counts those handled since the lane began.
	Events int64 `json:"events"`
	// Behind is for how long the log has held something that the lane has not
	// passed, as far as the store could be asked.
	Behind time.Duration `json:"behind"`
	// StoreAway is true when the store did not answer the last time.
	StoreAway bool   `json:"store_away,omitempty"`
	Error     string `json:"error,omitempty"`
}

// Halted reports whether the lane stands at an event that cannot be handled, in
// this process or in another, or is about to try that event again.
func (s Status) Halted() bool {
	return s.State == Halted || s.Error != "" && (s.State == Standby || s.State == CatchingUp)
}

// Status is how each lane does, in the order of the configuration.
func (r *Runner) Status() []Status {
	all := make([]Status, len(r.lanes))
	for i, l := range r.lanes {
		all[i] = l.now(r.cfg.Clock())
	}
	return all
}

// LaneStatus is how one lane does.
func (r *Runner) LaneStatus(lane string) (Status, error) {
	l, ok := r.named[lane]
	if !ok {
		return Status{}, fmt.Errorf("%w: %s", ErrUnknownLane, lane)
	}
	return l.now(r.cfg.Clock()), nil
}

// Reset puts a lane back to the start of the log, as the function of the same
// name does; a Wait that comes after it waits for the events to be handled anew.
func (r *Runner) Reset(ctx context.Context, lane string, clearTables func(ctx context.Context, tx pgx.Tx) error) error {
	l, ok := r.named[lane]
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknownLane, lane)
	}
	if err := Reset(ctx, r.cfg.DB, lane, clearTables); err != nil {
		return err
	}
	l.set(func(s *Status) {
		l.reset = true
		s.State, s.Position, s.Events, s.Error = Starting, eventstore.Start, 0, ""
	})
	l.wake()
	return nil
}

// Wake makes a lane look at its row again, for instance to try again after a
// halt.
func (r *Runner) Wake(lane string) error {
	l, ok := r.named[lane]
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknownLane, lane)
	}
	l.set(func(s *Status) {
		if s.State == Halted {
			s.State, s.Error = Starting, ""
		}
	})
	l.wake()
	return nil
}

// Wait returns when everything up to p is committed in the lane; it answers
// ErrHalted at once when that cannot come, and ctx's error when ctx ends.
func (r *Runner) Wait(ctx context.Context, lane string, p eventstore.Position) error {
	l, ok := r.named[lane]
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknownLane, lane)
	}
	for {
		l.mu.Lock()
		s, moved := l.status, l.moved
		l.mu.Unlock()
		switch {
		case !s.Position.Before(p):
			return nil
		case s.Halted() && s.State != CatchingUp:
			return fmt.Errorf("%w: %s: %s", ErrHalted, lane, s.Error)
		case s.State == Standby:
			if err := l.await(ctx); err != nil {
				return err
			}
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await looks at the row after a pause. Only a waiter pays for this, so nothing
// is polled while nobody waits.
func (l *lane) await(ctx context.Context) error {
	t := time.NewTimer(50 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return l.look(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watch keeps the status as the database has it, and runs no lane, until ctx
// ends: for who may read and not write, since the log is not known to be the
// right one. It looks once a second.
func (r *Runner) Watch(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { r.probe(ctx) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		// Without the database nothing is answered anyway; the next look will do.
		_ = r.Look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Look reads once how far the lanes have come, whoever runs them.
func (r *Runner) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, l := range r.lanes {
		if err := l.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// look reads how far the process that runs the lane has come.
func (l *lane) look(ctx context.Context) error {
	c, err := l.load(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // nobody has run the lane yet
	}
	if err != nil {
		return err
	}
	if c.at != eventstore.Start && (c.log == nil || *c.log != l.cfg.LogID) {
		c.halted = cmp.Or(c.halted, l.refuse("its log id is not the store's").Error())
	}
	l.set(func(s *Status) {
		if l.epoch.Load() == 0 && !l.reset {
			s.State, s.Position, s.Events, s.Error = Standby, c.at, c.events, c.halted
		}
	})
	return nil
}

// set changes the status and tells waiters.
func (l *lane) set(change func(*Status)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.status)
	close(l.moved)
	l.moved = make(chan struct{})
}

// advance notes that a batch is committed, or that there was nothing in it.
func (l *lane) advance(b *Batch) {
	l.set(func(s *Status) {
		if l.reset {
			return
		}
		s.Position, s.Error = b.through, ""
		s.Events += int64(len(b.Events))
		s.State = CatchingUp
		if b.live {
			s.State = Live
		}
	})
}

func (l *lane) now(t time.Time) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.StoreAway = l.behind.storeAway
	if !l.behind.since.IsZero() && s.Position.Before(l.behind.target) {
		s.Behind = t.Sub(l.behind.since)
	}
	return s
}

// behind remembers since when the log has been past a lane: target was the
// log's head at the time since.
type behind struct {
	since     time.Time
	target    eventstore.Position
	storeAway bool
}

// probe asks the store for its head now and then, so that a lane that stands
// still is seen although nothing wakes it.
func (r *Runner) probe(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := r.cfg.Clock()
		headCtx, cancel := context.WithTimeout(ctx, time.Second)
		head, err := r.cfg.Store.Head(headCtx)
		cancel()
		for _, l := range r.lanes {
			l.probed(asked, head, err)
		}
	}
}

func (l *lane) probed(asked time.Time, head eventstore.Position, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind.storeAway = err != nil
	if err != nil {
		return
	}
	if l.behind.since.IsZero() || !l.status.Position.Before(l.behind.target) {
		l.behind.since, l.behind.target = asked, head
	}
}
