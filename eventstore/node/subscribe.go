package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hostfold/hostfold/eventstore"
)

var errFilter = errors.New("a filter selects by types or by streams, not by both")

// subscription reads pages up to the durable head and waits at it. It keeps
// nothing but its place, so a slow caller costs nothing.
type subscription struct {
	e       *Engine
	match   func(stream, eventType []byte) bool
	through eventstore.Position

	closing sync.Once
	closed  chan struct{}
}

// Subscribe implements the port. The subscription outlives ctx: Close ends it.
func (e *Engine) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	if len(filter.Types) > 0 && len(filter.Streams) > 0 {
		return nil, errFilter
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	leave, err := e.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return &subscription{e: e, match: matcher(filter), through: after, closed: make(chan struct{})}, nil
}

// Next implements the port. One goroutine calls it at a time.
func (s *subscription) Next(ctx context.Context, limit int) (eventstore.Batch, error) {
	select {
	case <-s.closed:
		return eventstore.Batch{}, fmt.Errorf("subscription: %w", ErrClosed)
	default:
	}
	if _, err := s.e.durable.wait(ctx, nextAfter(s.through), s.closed); err != nil {
		return eventstore.Batch{}, fmt.Errorf("subscription: %w", err)
	}
	page, err := s.e.ScanAll(ctx, Scan{From: at(nextAfter(s.through)), Match: s.match, MaxEvents: limit})
	if err != nil {
		return eventstore.Batch{}, err
	}
	s.through = page.Through
	return eventstore.Batch{Events: page.Events, Through: page.Through, Live: page.End}, nil
}

// Close implements the port; it ends a Next that waits.
func (s *subscription) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return nil
}

// matcher compiles a filter.
func matcher(f eventstore.Filter) func(stream, eventType []byte) bool {
	switch {
	case len(f.Types) > 0:
		types := prefixes(f.Types)
		return func(_, eventType []byte) bool { return types.any(eventType) }
	case len(f.Streams) > 0:
		streams := prefixes(f.Streams)
		return func(stream, _ []byte) bool { return streams.any(stream) }
	default:
		return func(_, eventType []byte) bool { return len(eventType) == 0 || eventType[0] != '$' }
	}
}

// prefixList is a list of prefixes, one of which is enough.
type prefixList [][]byte

func prefixes(of []string) prefixList {
	l := make(prefixList, len(of))
	for i, s := range of {
		l[i] = []byte(s)
	}
	return l
}

func (l prefixList) any(name []byte) bool {
	for _, p := range l {
		if bytes.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
