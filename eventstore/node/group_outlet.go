package node

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore/node/group"
)

// outlet is where a group puts what one consumer is to get. It never holds
// more than the consumer takes at once.
type outlet struct {
	group.Consumer // of the group's goroutine

	from, user, name string
	measured         int // of Total, at the last look
	measuredAt       time.Time
	took             latencies

	mu     sync.Mutex
	queue  []group.Delivery
	filled chan struct{} // holds a value when there is something to take
	ended  chan struct{} // closed when the group has let go of the consumer
	err    error         // why; set before ended is closed
}

func newOutlet(size int, from, user, name string) *outlet {
	return &outlet{
		Consumer: group.Consumer{Size: size}, from: from, user: user, name: name,
		filled: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

func (o *outlet) put(d group.Delivery) {
	o.mu.Lock()
	o.queue = append(o.queue, d)
	o.mu.Unlock()
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// take answers what there is to send.
func (o *outlet) take() []group.Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.queue
	o.queue = nil
	return list
}

// drop takes back an event that was not taken.
func (o *outlet) drop(id uuid.UUID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = slices.DeleteFunc(o.queue, func(d group.Delivery) bool { return d.Message.Original().ID == id })
}

// end tells the consumer why the group lets go of it.
func (o *outlet) end(err error) {
	o.err = err
	close(o.ended)
}

// keptLatencies bounds the latencies kept of a consumer.
const keptLatencies = 1000

// latencies are a consumer's last ones, in milliseconds.
type latencies struct {
	list []int64
	next int
}

func (l *latencies) add(d time.Duration) {
	ms := max(d.Milliseconds(), 0)
	if len(l.list) < keptLatencies {
		l.list = append(l.list, ms)
		return
	}
	l.list[l.next] = ms
	l.next = (l.next + 1) % keptLatencies
}

// measurement is one figure of a consumer's latencies.
type measurement struct {
	key string
	ms  int64
}

// measurements are the figures that the store answers for a consumer, under its
// keys and by its reckoning: quintile n is where the nth fifth begins. Without
// latencies there are none.
func (l *latencies) measurements() []measurement {
	if len(l.list) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(l.list))
	n := len(sorted)
	var sum int64
	for _, ms := range sorted {
		sum += ms
	}
	share := func(permille int) int64 { return sorted[min(n-1, permille*n/1000)] }
	return []measurement{
		{"Mean", sum / int64(n)},
		{"Median", share(500)},
		{"Fastest", share(0)},
		{"Quintile 1", share(0)},
		{"Quintile 2", share(200)},
		{"Quintile 3", share(400)},
		{"Quintile 4", share(600)},
		{"Quintile 5", share(800)},
		{"90%", share(900)},
		{"95%", share(950)},
		{"99%", share(990)},
		{"99.5%", share(995)},
		{"99.9%", share(999)},
		{"Highest", share(1000)},
	}
}
