// Package group is what one persistent subscription group decides: which
// consumer gets which event, what is given out again or parked, and how far
// its checkpoint may go. It is pure: time is an argument, events are handed to
// it, and what it wants written or sent it answers. It starts no goroutine and
// does no input or output; eventstore/node runs it and speaks for it.
//
// Not safe for concurrent use: one goroutine owns a Group.
package group

import (
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// ErrFull refuses a consumer when the group has as many as it may.
var ErrFull = errors.New("the group has as many consumers as it may")

// maxBufferedBytes bounds what events wait in a group, beside their number.
const maxBufferedBytes = 16 << 20

// Settings are a group's settings.
type Settings struct {
	// Strategy chooses the consumer of each event.
	Strategy Strategy
	// MaxRetries is how often an event is given out again before it is parked.
	MaxRetries int
	// Timeout is how long a consumer may take for an event; 0 is for ever.
	Timeout time.Duration
	// CheckpointAfter, MinCheckpoint and MaxCheckpoint say how often progress
	// is written; a CheckpointAfter of 0 is never by time.
	CheckpointAfter              time.Duration
	MinCheckpoint, MaxCheckpoint int
	// MaxConsumers bounds the consumers; 0 is any number.
	MaxConsumers int
	// LiveBuffer and HistoryBuffer bound the events that wait, with the end of
	// the source reached or not; ReadBatch those read at once.
	LiveBuffer, HistoryBuffer, ReadBatch int
}

// Message is one event on its way through a group.
type Message struct {
	// Event is what consumers get. It is nil when Link names an event that is gone.
	Event *eventstore.Recorded
	// Link is the event that named Event, nil when none did.
	Link *eventstore.Recorded
	// Place is where the event is in the group's source: a revision, or a
	// position. Of a replayed event it is the revision among the parked ones.
	Place uint64
	// Retries is how often the event was given out before.
	Retries int
	// Replayed marks an event that was parked; checkpoints know nothing of it.
	Replayed bool

	before uint64 // events considered before it
}

// Original is the event of the source: the link, or else the event itself.
func (m *Message) Original() *eventstore.Recorded {
	if m.Link != nil {
		return m.Link
	}
	return m.Event
}

func (m *Message) id() uuid.UUID { return m.Original().ID }

func (m *Message) size() int {
	n := 0
	for _, e := range []*eventstore.Recorded{m.Event, m.Link} {
		if e != nil {
			n += len(e.Data) + len(e.Metadata)
		}
	}
	return n
}

// Consumer is one that is connected.
type Consumer struct {
	// Size is how many unfinished events it takes at once.
	Size int
	// InFlight is how many it has, Total how many it ever got.
	InFlight, Total int
	// Observe is told how long the consumer took for an event, when it is set.
	Observe func(time.Duration)
}

func (c *Consumer) free() int { return c.Size - c.InFlight }

// Delivery is an event for a consumer.
type Delivery struct {
	To      *Consumer
	Message *Message
	// Retries is the message's own, as it was at the delivery.
	Retries int
}

// held is an event that a consumer has not finished.
type held struct {
	*Message
	by    *Consumer
	since time.Time
}

// Group is the state of one group.
type Group struct {
	s         Settings
	strategy  strategy
	consumers []*Consumer
	free      int // slots of all consumers

	next     uint64 // the first place not considered yet
	seen     uint64 // events considered since the start
	live     bool
	buffered []*Message // from the source, in its order
	bytes    int        // in buffered
	retry    []*Message // in order of place, replayed ones last
	held     map[uuid.UUID]held
	parking  []Parking

	marks  marks
	replay replay
}

// New makes a group that goes on at a place of its source.
func New(s Settings, from uint64, checkpointed bool, parked Parked, now time.Time) *Group {
	g := &Group{s: s, next: from, held: map[uuid.UUID]held{}}
	g.strategy = s.Strategy.start()
	g.marks = marks{next: from, at: now, any: checkpointed}
	g.replay = replay{first: parked.First, next: parked.First, to: parked.First, end: max(parked.First, parked.End)}
	return g
}

// Next is the first place of the source that was not considered yet.
func (g *Group) Next() uint64 { return g.next }

// Want is how many events of the source there is room for, at most one read's
// worth. It is none while nobody is connected.
func (g *Group) Want() int {
	limit := g.s.HistoryBuffer
	if g.live {
		limit = g.s.LiveBuffer
	}
	if len(g.consumers) == 0 || g.bytes >= maxBufferedBytes {
		return 0
	}
	return max(0, min(g.s.ReadBatch, max(limit, 1)-len(g.buffered)))
}

// Read is one read of the source.
type Read struct {
	// Messages are the events for consumers, in order.
	Messages []*Message
	// Next is the first place after all that was considered.
	Next uint64
	// Passed is how many events were considered that are not for consumers.
	// Those that the group's own work causes are not counted: else a
	// checkpoint would give cause to the next.
	Passed int
	// Live is true when the end of the source was reached.
	Live bool
}

// Add takes what was read.
func (g *Group) Add(r Read) {
	g.live = r.Live
	for _, m := range r.Messages {
		m.before = g.seen
		g.seen++
		g.bytes += m.size()
		g.buffered = append(g.buffered, m)
	}
	g.seen += uint64(max(r.Passed, 0))
	g.next = max(g.next, r.Next)
}

// Join connects a consumer.
func (g *Group) Join(c *Consumer) error {
	if g.s.MaxConsumers > 0 && len(g.consumers) >= g.s.MaxConsumers {
		return ErrFull
	}
	g.consumers = append(g.consumers, c)
	g.free += c.Size
	g.strategy.joined(c)
	return nil
}

// Leave disconnects a consumer. What it did not finish is given out again.
func (g *Group) Leave(c *Consumer) {
	i := slices.Index(g.consumers, c)
	if i < 0 {
		return
	}
	g.consumers = slices.Delete(g.consumers, i, i+1)
	g.strategy.left(c)
	for id, h := range g.held {
		if h.by == c {
			delete(g.held, id)
			h.Retries++
			g.retry = append(g.retry, h.Message)
		}
	}
	g.free -= c.free()
	c.InFlight = 0
	slices.SortFunc(g.retry, before)
}

// before orders what is given out again.
func before(a, b *Message) int {
	switch {
	case a.Replayed != b.Replayed:
		if b.Replayed {
			return -1
		}
		return 1
	case a.Place < b.Place:
		return -1
	case a.Place > b.Place:
		return 1
	}
	return 0
}

// Counts are a group's figures.
type Counts struct {
	// Buffered events wait to be given out, Retrying ones to be given out again.
	Buffered, Retrying int
	// Held events are with consumers.
	Held int
	// Parked events are in the parked stream and not under replay.
	Parked uint64
	// Live is true when the end of the source was reached.
	Live bool
	// Replaying is true while parked events are read.
	Replaying bool
}

// Counts answers the group's figures.
func (g *Group) Counts() Counts {
	return Counts{
		Buffered: len(g.buffered), Retrying: len(g.retry), Held: len(g.held),
		Parked: g.replay.end - g.replay.next, Live: g.live, Replaying: g.replay.next < g.replay.to,
	}
}
