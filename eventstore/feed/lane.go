package feed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hostfold/hostfold/eventstore"
)

const (
	maxEvents = 2000
	maxBytes  = 4 << 20
	// A lane writes positions it only skipped over at most this often.
	flushEvery = time.Second
	minBackoff = 100 * time.Millisecond
	maxBackoff = 30 * time.Second
	// awayBackoff is the longest pause while a server is away, since all must
	// have recovered 5 s after its return.
	awayBackoff = 2 * time.Second
)

// lane runs one Lane: claim it, read on from its checkpoint, hand each batch
// to Watermill's router and wait for the outcome.
type lane struct {
	cfg  *Config
	spec Lane
	// epoch is that of our present ownership, 0 while the lane is not ours.
	epoch atomic.Int64
	// held is the epoch of our last claim, 0 before the first.
	held int64
	// kicked asks the lane to look at its row again.
	kicked chan struct{}

	mu     sync.Mutex
	status Status
	moved  chan struct{}
	behind behind
	// reset is true from a Reset to the claim after it: what is still under way
	// says nothing about the rows any more.
	reset bool
}

func newLane(cfg *Config, spec Lane) *lane {
	if spec.MaxEvents == 0 {
		spec.MaxEvents = maxEvents
	}
	return &lane{
		cfg: cfg, spec: spec, kicked: make(chan struct{}, 1), moved: make(chan struct{}),
		status: Status{Lane: spec.Name, State: Starting},
	}
}

// wake makes the lane look at its row again.
func (l *lane) wake() {
	select {
	case l.kicked <- struct{}{}:
	default:
	}
}

// run emits batches until ctx ends.
func (l *lane) run(ctx context.Context, out chan<- *message.Message) {
	defer l.set(func(s *Status) { s.State = Stopped })
	pause := backoff{}
	for ctx.Err() == nil {
		err := l.term(ctx, out)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			pause = backoff{}
		case lost(err):
			l.set(func(s *Status) { s.State, s.Error = Standby, "" })
		case transient(err):
			l.set(func(s *Status) { s.State, s.Error = BackingOff, err.Error() })
			l.sleep(ctx, pause.next(away(err)))
		default:
			l.halt(ctx, err)
		}
		l.epoch.Store(0)
	}
}

// halt waits, with the reason for all to see, until somebody asks to try again.
func (l *lane) halt(ctx context.Context, err error) {
	l.cfg.Log.Error("lane halted", "lane", l.spec.Name, "error", err)
	if leaveErr := l.leave(ctx, l.epoch.Load(), err.Error()); leaveErr != nil {
		l.cfg.Log.Warn("halt not recorded", "lane", l.spec.Name, "error", leaveErr)
	}
	l.set(func(s *Status) { s.State, s.Error = Halted, err.Error() })
	select {
	case <-ctx.Done():
	case <-l.kicked:
	}
}

// term is one ownership of the lane, from claim to loss.
func (l *lane) term(ctx context.Context, out chan<- *message.Message) error {
	c, ours, err := l.claim(ctx)
	if err != nil {
		return err
	}
	if !ours {
		l.sleep(ctx, l.cfg.Lease/5)
		return l.look(ctx)
	}
	l.held = c.epoch
	l.epoch.Store(c.epoch)
	if err := l.verify(ctx, c); err != nil {
		return err
	}
	l.set(func(s *Status) {
		l.reset = false
		// Where the lane halted before, it is halted until it gets past that event.
		s.State, s.Error, s.Position, s.Events = CatchingUp, c.halted, c.at, c.events
	})
	err = l.follow(ctx, out, c)
	if ctx.Err() != nil {
		return l.leave(ctx, c.epoch, "")
	}
	return err
}

// follow reads on from a checkpoint until the lane is lost or fails.
func (l *lane) follow(ctx context.Context, out chan<- *message.Message, c checkpoint) error {
	fetching, stop := context.WithCancel(ctx)
	fetched := make(chan fetch)
	var wg sync.WaitGroup
	wg.Go(func() { l.fetch(fetching, c.at, fetched) })
	defer wg.Wait()
	defer stop()

	at, seen := c.at, c.at
	flush := time.NewTimer(flushEvery)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.kicked:
			return errLost
		case <-flush.C:
			if at.Before(seen) {
				b := newBatch(nil, seen, true)
				id, err := l.eventAt(ctx, seen)
				if err != nil {
					return err
				}
				b.mark = mark{id: id, at: seen}
				if err := l.deliver(ctx, out, b, &at); err != nil {
					return err
				}
			}
			flush.Reset(flushEvery)
		case f := <-fetched:
			if f.batch != nil {
				if len(f.batch.Events) > 0 {
					if err := l.deliver(ctx, out, f.batch, &at); err != nil {
						return err
					}
				}
				if len(f.batch.Events) == 0 {
					l.advance(f.batch)
				}
				seen = f.batch.through
			}
			if f.err != nil {
				return f.err
			}
		}
	}
}

// deliver emits a batch until it is committed, and moves at to its end. A
// permanent failure is narrowed down to the event that causes it, so that all
// before it are applied and the reason names it.
func (l *lane) deliver(ctx context.Context, out chan<- *message.Message, b *Batch, at *eventstore.Position) error {
	b.Lane, b.epoch, b.From = l.spec.Name, l.epoch.Load(), *at
	pause := backoff{}
	for {
		err := l.emit(ctx, out, b)
		switch {
		case err == nil:
			*at = b.To
			l.advance(b)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case lost(err):
			return err
		case transient(err):
			l.set(func(s *Status) { s.State, s.Error = BackingOff, err.Error() })
			if !l.sleep(ctx, pause.next(away(err))) {
				return ctx.Err()
			}
			b.again = true
		case len(b.Events) > 1:
			first, second := b.halves()
			if err := l.deliver(ctx, out, first, at); err != nil {
				return err
			}
			return l.deliver(ctx, out, second, at)
		default:
			return l.poisoned(b, err)
		}
	}
}

func (l *lane) poisoned(b *Batch, err error) error {
	if len(b.Events) == 0 {
		return err
	}
	m := b.Events[0].Meta
	return fmt.Errorf("event %s (%s, %s revision %d) at %s: %w", m.EventID, m.Type, m.Stream, m.Revision, m.Position, err)
}

// emit sends a batch to the router and waits for its outcome. The message
// outlives ctx by the drain budget, so that a commit in flight is not cut.
func (l *lane) emit(ctx context.Context, out chan<- *message.Message, b *Batch) error {
	mctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		drain := time.AfterFunc(l.cfg.Drain, cancel)
		context.AfterFunc(mctx, func() { drain.Stop() })
	})()
	msg := message.NewMessageWithContext(context.WithValue(mctx, batchKey{}, b), fmt.Sprintf("%s/%d/%s", l.spec.Name, b.epoch, b.From), nil)
	msg.Metadata.Set("lane", l.spec.Name)
	msg.Metadata.Set("events", strconv.Itoa(len(b.Events)))
	msg.Metadata.Set("to", b.To.String())
	select {
	case out <- msg:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-msg.Acked():
		return nil
	case <-msg.Nacked():
		if b.err == nil {
			return errors.New("batch refused without a reason")
		}
		return b.err
	}
}

// handle is the lane's handler in the router.
func (l *lane) handle(msg *message.Message) error {
	return l.apply(msg.Context(), BatchFrom(msg.Context()))
}

// sleep waits, and reports false when ctx ended first. A wake ends it early.
func (l *lane) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.kicked:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff doubles a pause.
type backoff struct{ last time.Duration }

func (b *backoff) next(away bool) time.Duration {
	longest := maxBackoff
	if away {
		longest = awayBackoff
	}
	b.last = min(max(b.last*2, minBackoff), longest)
	return b.last
}
