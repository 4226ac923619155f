package esdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/hostfold/hostfold/eventstore"
)

// A bulk has at most this much under way that is not answered; one append is
// let in whatever its size.
const (
	bulkAppends = 512
	bulkBytes   = 8 << 20
)

// Append is one append of many.
type Append struct {
	Stream   string
	Expected eventstore.Expected
	Events   []eventstore.NewEvent
}

// Outcome is what became of one append: Err is an error of the port's Append.
type Outcome struct {
	Append
	eventstore.Appended

	Err error
}

// AppendAll makes many appends over one call of the store, without waiting for
// each other's answers: several times as many in a second as Append.
//
// They reach the store in the order of appends, which is read in the caller's
// goroutine. Each is answered as Append would answer it, and its outcome given
// to answered in the same order, in another goroutine, one at a time. A
// refused append does not hold up the others; those of the same stream that
// expect it are refused in turn. An append whose answer was lost, and all that
// were sent after it, are sent again, which the store recognises by ids and
// expected revision. So a stream's events keep their order; those of different
// streams too, unless the store itself gives up on an append in between.
//
// AppendAll ends when all are answered, when answered returns an error (which
// it returns), when ctx ends, or when the store has answered nothing for
// Config.Deadline. In the last two cases each append that was read from
// appends and is not answered has the outcome ErrUncertain or ErrUnavailable,
// and so has AppendAll; an error of the connection that waiting does not mend,
// such as a wrong password, ends it in the same way. A store that does not offer bulk appends gets them one
// by one.
func (s *Store) AppendAll(ctx context.Context, appends iter.Seq[Append], answered func(Outcome) error) error {
	b := &bulk{s: s, answered: answered, in: make(chan *flight), done: make(chan struct{})}
	var err error
	go func() {
		defer close(b.done)
		err = b.run(ctx)
	}()
	var left *flight
	for a := range appends {
		if f := s.newFlight(a); !b.take(f) {
			left = f
			break
		}
	}
	close(b.in)
	<-b.done
	if left != nil && b.stopped == nil {
		one := left.refused
		if one == nil {
			one = undecided(left.Stream, false, err)
		}
		if stopped := answered(Outcome{Append: left.Append, Err: one}); stopped != nil {
			return stopped
		}
	}
	return err
}

// bulk is one call of AppendAll. All but take runs in one goroutine.
type bulk struct {
	s        *Store
	answered func(Outcome) error
	in       chan *flight
	done     chan struct{} // closed when run is over

	// window holds what has no outcome yet, in order; bytes is its size.
	window []*flight
	bytes  int
	number uint64 // of the last append
	over   bool   // nothing more comes in
	// quiet ends the bulk when the store has answered nothing for too long.
	quiet *time.Timer
	// stopped is what answered returned.
	stopped error
}

// take hands one append over; false when the bulk is over.
func (b *bulk) take(f *flight) bool {
	select {
	case b.in <- f:
		return true
	case <-b.done:
		return false
	}
}

// run ends when everything has its outcome.
func (b *bulk) run(ctx context.Context) error {
	ctx, quit := context.WithCancelCause(ctx)
	defer quit(nil)
	b.quiet = time.AfterFunc(b.s.deadline, func() { quit(errStuck) })
	b.quiet.Stop()
	defer b.quiet.Stop()
	var broke error // why the line before did: an end tells nothing of the store
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		before := b.first()
		err := b.fly(ctx)
		if b.first() != before {
			wait, broke = firstPause, nil
		}
		switch {
		case err == nil || b.stopped != nil:
			return err
		case errors.Is(err, errAlone) || grpcCode(err) == codes.Unimplemented:
			return b.oneByOne(ctx)
		case ctx.Err() != nil && broke != nil:
			return b.giveUp(fmt.Errorf("%w (%w)", err, broke))
		case isHopeless(err) || ctx.Err() != nil:
			return b.giveUp(err)
		}
		broke = err
		b.s.log.Debug("event store lost", "use", "bulk appends", "error", err)
		sleep(ctx, wait/2+rand.N(wait/2)) //nolint:gosec // Jitter need not be secret.
		if ctx.Err() != nil {
			return b.giveUp(err)
		}
	}
}

// fly opens a line, sends what has no outcome again, and then what comes,
// until there is nothing left or the line breaks.
func (b *bulk) fly(ctx context.Context) error {
	if len(b.window) == 0 {
		f, ok := <-b.in
		if !ok {
			return nil
		}
		b.push(f)
	}
	l, err := b.s.openLine(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	for _, f := range b.window {
		if err := l.send(f); err != nil {
			return err
		}
	}
	for err = b.settle(ctx, l); err == nil && (len(b.window) > 0 || !b.over); {
		in := b.in
		if b.over || len(b.window) >= bulkAppends || b.bytes >= bulkBytes {
			in = nil
		}
		select {
		case f, ok := <-in:
			if b.over = !ok; ok {
				if b.push(f); len(b.window) == 1 {
					l.expect(b.s.deadline / 2)
				}
				err = l.send(f)
			}
		case a := <-l.answers:
			l.expect(b.s.deadline / 2)
			err = b.note(a)
		case <-l.over:
			err = l.why()
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err == nil {
			err = b.settle(ctx, l)
		}
	}
	return err
}

// first is the number of the first append without an outcome.
func (b *bulk) first() uint64 { return b.number - uint64(len(b.window)) }

func (b *bulk) push(f *flight) {
	if len(b.window) == 0 {
		b.quiet.Reset(b.s.deadline) // Until now nothing was expected of the store.
	}
	b.number++
	f.number = b.number
	b.window, b.bytes = append(b.window, f), b.bytes+f.size
}

// note keeps an answer until all before it have theirs.
func (b *bulk) note(a answer) error {
	if a.number <= b.first() || a.number > b.number {
		return nil
	}
	f := b.window[a.number-b.first()-1]
	if a.again {
		return fmt.Errorf("append to %s: %w", f.Stream, a.err)
	}
	f.answer = &a
	return nil
}

// settle gives outcomes, as far as the answers reach. The time that they take
// is not the store's.
func (b *bulk) settle(ctx context.Context, l *line) error {
	if len(b.window) == 0 || b.window[0].answer == nil {
		return nil
	}
	b.quiet.Stop()
	l.stall.Stop()
	defer func() {
		if len(b.window) > 0 {
			b.quiet.Reset(b.s.deadline)
			l.expect(b.s.deadline / 2)
		}
	}()
	for len(b.window) > 0 && b.window[0].answer != nil {
		f := b.window[0]
		out := Outcome{Append: f.Append, Appended: f.answer.Appended, Err: f.answer.err}
		if f.answer.wrong {
			out.Appended, out.Err = b.s.settle(ctx, f.Stream, f.Expected, f.Events, f.answer.actual, true)
			if errors.Is(out.Err, eventstore.ErrUnavailable) {
				return out.Err
			}
		}
		if out.Err == nil {
			b.s.learn(out.Position)
		}
		if err := b.give(out); err != nil {
			return err
		}
	}
	return nil
}

// give takes the first append off the window.
func (b *bulk) give(out Outcome) error {
	b.bytes -= b.window[0].size
	b.window[0] = nil
	b.window = b.window[1:]
	b.stopped = b.answered(out)
	return b.stopped
}

// giveUp gives everything that is left its outcome.
func (b *bulk) giveUp(cause error) error {
	err := cause
	for len(b.window) > 0 {
		f := b.window[0]
		one := undecided(f.Stream, f.sent, cause)
		if f.refused != nil {
			one = f.refused
		} else if !errors.Is(err, eventstore.ErrUncertain) {
			err = one
		}
		if err := b.give(Outcome{Append: f.Append, Err: one}); err != nil {
			return err
		}
	}
	if !errors.Is(err, eventstore.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
	return fmt.Errorf("bulk appends: %w", err)
}

// oneByOne is for a store that offers no bulk appends.
func (b *bulk) oneByOne(ctx context.Context) error {
	for {
		if len(b.window) == 0 {
			f, ok := <-b.in
			if !ok {
				return nil
			}
			b.push(f)
		}
		b.quiet.Stop() // Each append has a deadline of its own.
		f := b.window[0]
		done, err := b.s.Append(ctx, f.Stream, f.Expected, f.Events...)
		if stop := b.give(Outcome{Append: f.Append, Appended: done, Err: err}); stop != nil {
			return stop
		}
		if errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrNoSpace) {
			return b.giveUp(err)
		}
	}
}
