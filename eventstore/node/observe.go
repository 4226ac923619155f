package node

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

// A subscription is slow when it is further behind the head than slowEvents,
// or waits longer than slowSend for its client to take what it was sent.
const (
	slowEvents = 10_000
	slowSend   = time.Second
)

// buckets is how many a latency has; the last one has no upper bound.
const buckets = 20

// bucketBound is 10 µs for the first bucket and twice that of the one before
// for each next: 5.2 s for the last but one.
func bucketBound(i int) time.Duration { return 10 * time.Microsecond << i }

// Latency counts how long something took. It is made to be counted from many
// goroutines without a lock or memory.
type Latency struct {
	counts [buckets]atomic.Uint64
	nanos  atomic.Int64
}

func (l *Latency) observe(took time.Duration) {
	i := 0
	for i < buckets-1 && took > bucketBound(i) {
		i++
	}
	l.counts[i].Add(1)
	l.nanos.Add(int64(took))
}

// LatencyStats is a latency as it was at some moment: a histogram with
// cumulative counts by upper bound in seconds.
type LatencyStats struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64
}

func (l *Latency) stats() LatencyStats {
	out := LatencyStats{Buckets: make(map[float64]uint64, buckets-1), Sum: time.Duration(l.nanos.Load()).Seconds()}
	for i := range buckets {
		out.Count += l.counts[i].Load()
		if i < buckets-1 {
			out.Buckets[bucketBound(i).Seconds()] = out.Count
		}
	}
	return out
}

// observed is what an engine counts of itself.
type observed struct {
	appends, refused, appended atomic.Uint64
	readEvents                 atomic.Uint64
	group, sync, read          Latency

	mu   sync.Mutex
	subs map[*follower]struct{}
}

// follower is a subscription of the protocol server. It counts at each frame
// how far behind the head it is, and since when it waits for its client.
type follower struct {
	streams.Streams_ReadServer

	e       *Engine
	lag     atomic.Uint64
	sending atomic.Int64 // 0 while it does not wait
}

// follow counts a subscription in; call leave at its end.
func (e *Engine) follow(to streams.Streams_ReadServer) (f *follower, leave func()) {
	o := &e.observed
	f = &follower{Streams_ReadServer: to, e: e}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.subs == nil {
		o.subs = map[*follower]struct{}{}
	}
	o.subs[f] = struct{}{}
	return f, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.subs, f)
	}
}

// Send passes a frame on.
func (f *follower) Send(m *streams.ReadResp) error {
	head := f.e.durable.position()
	at := head
	if p, ok := m.GetEvent().GetPosition().(*streams.ReadResp_ReadEvent_CommitPosition); ok {
		at = min(p.CommitPosition, head)
	} else if c := m.GetCheckpoint(); c != nil {
		at = min(c.GetCommitPosition(), head)
	}
	f.lag.Store(head - at)
	f.sending.Store(f.e.o.Clock().UnixNano())
	err := f.Streams_ReadServer.Send(m)
	f.sending.Store(0)
	return err
}

// Stats is what an engine has done since it was opened, and how it is.
type Stats struct {
	// Appends were accepted and Refused not; Events were appended by them.
	Appends, Refused, Events uint64
	// ReadEvents were answered by reads and subscriptions.
	ReadEvents uint64
	// Group is the time from a group of appends being gathered until it was
	// durable, Sync the part of it that waited for the disk, Read the time of
	// one page of a read or a subscription.
	Group, Sync, Read LatencyStats
	// Subscriptions are those of the protocol server; of these, Slow were more
	// than 10,000 positions behind at their last frame, or have waited for
	// their client for more than a second.
	Subscriptions, Slow int
	// Behind is how many positions the hindmost of them was behind the head.
	Behind uint64
	// Head is the durable position. DiskBytes is what the log takes on disk.
	Head, DiskBytes uint64
	// Scavenging says that a scavenge is under way. Scavenges have removed
	// ScavengedEvents, also those under way, and given ScavengedBytes back.
	Scavenging                      bool
	ScavengedEvents, ScavengedBytes uint64
}

// Stats answers what the engine has done, and how it is.
func (e *Engine) Stats() Stats {
	o := &e.observed
	out := Stats{
		Appends: o.appends.Load(), Refused: o.refused.Load(), Events: o.appended.Load(), ReadEvents: o.readEvents.Load(),
		Group: o.group.stats(), Sync: o.sync.stats(), Read: o.read.stats(), Head: e.durable.position(),
		ScavengedEvents: e.scavenger.events.Load(), ScavengedBytes: e.scavenger.bytes.Load(),
	}
	underWay, _, _ := e.scavengeNow()
	out.Scavenging = underWay != uuid.Nil
	now := e.o.Clock().UnixNano()
	o.mu.Lock()
	for f := range o.subs {
		out.Subscriptions++
		behind := f.lag.Load()
		out.Behind = max(out.Behind, behind)
		since := f.sending.Load()
		if behind > slowEvents || since != 0 && now-since > int64(slowSend) {
			out.Slow++
		}
	}
	o.mu.Unlock()
	if leave, err := e.enter(); err == nil {
		defer leave()
		out.DiskBytes = e.db.Metrics().DiskSpaceUsage()
	}
	return out
}
