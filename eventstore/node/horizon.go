package node

import (
	"context"
	"sync"
	"sync/atomic"
)

// horizon is the durable position: how far anybody may see. Waiting for it
// costs nothing to those who move it while nobody waits.
type horizon struct {
	pos    atomic.Uint64
	mu     sync.Mutex
	moved  chan struct{} // closed at the next move; nil while nobody waits
	closed bool

	// bell gets a value when the horizon has reached due, or closes.
	due  atomic.Uint64
	bell chan struct{}
}

func (h *horizon) position() uint64 { return h.pos.Load() }

// advance moves the horizon and wakes those who wait.
func (h *horizon) advance(pos uint64) {
	h.pos.Store(pos)
	if pos >= h.due.Load() {
		h.ring()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wake()
}

// alarm sets when the bell rings. Look at the position afterwards: it may be
// there already. It is for one goroutine, which for a far goal waits cheaper
// so than by wait.
func (h *horizon) alarm(due uint64) { h.due.Store(due) }

func (h *horizon) ring() {
	select {
	case h.bell <- struct{}{}:
	default:
	}
}

// close ends all waits, now and later.
func (h *horizon) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.wake()
	h.ring()
}

func (h *horizon) wake() {
	if h.moved != nil {
		close(h.moved)
		h.moved = nil
	}
}

// wait waits until the horizon is at or past pos, and answers it. It ends with
// ctx, with the horizon, or when stop is closed; stop may be nil.
func (h *horizon) wait(ctx context.Context, pos uint64, stop <-chan struct{}) (uint64, error) {
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return h.pos.Load(), ErrClosed
		}
		if now := h.pos.Load(); now >= pos {
			h.mu.Unlock()
			return now, nil
		}
		if h.moved == nil {
			h.moved = make(chan struct{})
		}
		moved := h.moved
		h.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return h.pos.Load(), ctx.Err()
		case <-stop:
			return h.pos.Load(), ErrClosed
		}
	}
}

// moves answers a channel that is closed once the horizon is past pos, or is
// closed itself.
func (h *horizon) moves(pos uint64) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.pos.Load() > pos {
		done := make(chan struct{})
		close(done)
		return done
	}
	if h.moved == nil {
		h.moved = make(chan struct{})
	}
	return h.moved
}
