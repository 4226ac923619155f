package esdb

import (
	"context"
	"io"
	"sync"
	"time"
)

// buffer holds what one goroutine received and another has not taken, bounded
// by count and bytes; one item is let in whatever its size.
type buffer[T any] struct {
	maxItems, maxBytes int
	filled, freed      chan struct{}
	// over is closed by end.
	over chan struct{}

	mu    sync.Mutex
	items []T
	sizes []int
	bytes int
	err   error
}

func newBuffer[T any](maxItems, maxBytes int) *buffer[T] {
	return &buffer[T]{
		maxItems: maxItems, maxBytes: maxBytes,
		filled: make(chan struct{}, 1), freed: make(chan struct{}, 1), over: make(chan struct{}),
	}
}

// put adds an item, waiting for room.
func (b *buffer[T]) put(ctx context.Context, item T, size int) error {
	for !b.add(item, size) {
		select {
		case <-b.freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	signal(b.filled)
	return nil
}

func (b *buffer[T]) add(item T, size int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.items); n > 0 && (n >= b.maxItems || b.bytes+size > b.maxBytes) {
		return false
	}
	b.items, b.sizes, b.bytes = append(b.items, item), append(b.sizes, size), b.bytes+size
	return true
}

// end says that nothing more comes, and why; nil for the regular end.
func (b *buffer[T]) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err = err; err == nil {
		b.err = io.EOF
	}
	close(b.over)
}

// take waits for items and answers at most limit of them; more says whether
// some are left. After the last item it answers the error given to end, or
// io.EOF. It waits no longer than quiet, unless that is zero.
func (b *buffer[T]) take(ctx context.Context, limit int, quiet time.Duration) (items []T, more bool, err error) {
	var late <-chan time.Time
	for {
		if items, more, err = b.remove(limit); items != nil || err != nil {
			return items, more, err
		}
		if late == nil && quiet > 0 {
			t := time.NewTimer(quiet)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-b.filled:
		case <-b.over:
		case <-late:
			return nil, false, errStuck
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

func (b *buffer[T]) remove(limit int) (items []T, more bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(limit, len(b.items))
	if n == 0 {
		return nil, false, b.err
	}
	for _, size := range b.sizes[:n] {
		b.bytes -= size
	}
	items, b.items, b.sizes = b.items[:n:n], b.items[n:], b.sizes[n:]
	signal(b.freed)
	return items, len(b.items) > 0, nil
}

// signal wakes the one that waits, or the next that will.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
