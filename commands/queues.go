package commands

import (
	"context"
	"sync"
)

// queues lets the callers of one process through to a stream one after the
// other, in the order they came. Without it they would race for the same
// revision, each loss costing a read, and the unlucky would starve; other
// processes are raced as before.
type queues struct {
	mu  sync.Mutex
	all map[string]*queue
}

type queue struct {
	// turn holds one token while somebody is in; the runtime wakes those who
	// wait to send in the order they came.
	turn  chan struct{}
	users int
}

// enter waits for the stream's turn, and answers what ends it.
func (q *queues) enter(ctx context.Context, stream string) (leave func(), err error) {
	q.mu.Lock()
	if q.all == nil {
		q.all = map[string]*queue{}
	}
	one, ok := q.all[stream]
	if !ok {
		one = &queue{turn: make(chan struct{}, 1)}
		q.all[stream] = one
	}
	one.users++
	q.mu.Unlock()

	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; q.drop(stream, one) }, nil
	case <-ctx.Done():
		q.drop(stream, one)
		return nil, ctx.Err()
	}
}

func (q *queues) drop(stream string, one *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(q.all, stream)
	}
}
