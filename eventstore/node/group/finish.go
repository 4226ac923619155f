package group

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Action is what a consumer wants done with an event it could not handle.
type Action int

// The actions.
const (
	Retry Action = iota
	Park
	Skip
	Stop
)

// Parking is an event to be written to the parked stream.
type Parking struct {
	Message *Message
	Reason  string
}

// Ack finishes events of a consumer. Ids it does not have are ignored.
func (g *Group) Ack(c *Consumer, now time.Time, ids ...uuid.UUID) {
	for _, id := range ids {
		if m := g.release(c, id, now); m != nil {
			g.finished(m)
		}
	}
}

// Nack does what a consumer wants done with some of its events.
func (g *Group) Nack(c *Consumer, now time.Time, action Action, reason string, ids ...uuid.UUID) {
	for _, id := range ids {
		m := g.release(c, id, now)
		switch {
		case m == nil:
		case action == Retry:
			g.again(m)
		case action == Park:
			g.parking = append(g.parking, Parking{Message: m, Reason: reason})
		default: // Skip, and Stop, which the store treats alike.
			g.finished(m)
		}
	}
}

// release takes an event from a consumer.
func (g *Group) release(c *Consumer, id uuid.UUID, now time.Time) *Message {
	h, ok := g.held[id]
	if !ok || h.by != c {
		return nil
	}
	delete(g.held, id)
	c.InFlight--
	g.free++
	if c.Observe != nil {
		c.Observe(now.Sub(h.since))
	}
	return h.Message
}

// again gives an event out once more, or parks it when that was done often enough.
func (g *Group) again(m *Message) {
	if m.Retries >= g.s.MaxRetries {
		g.parking = append(g.parking, Parking{Message: m, Reason: fmt.Sprintf("Reached retry count of %d", g.s.MaxRetries)})
		return
	}
	m.Retries++
	i, _ := slices.BinarySearchFunc(g.retry, m, before)
	g.retry = slices.Insert(g.retry, i, m)
}

// Late is an event whose consumer took too long.
type Late struct {
	By *Consumer
	ID uuid.UUID
}

// Tick takes events from consumers that took too long, and answers them: those
// that were not sent yet must not be any more.
func (g *Group) Tick(now time.Time) []Late {
	if g.s.Timeout <= 0 {
		return nil
	}
	var late []Late
	for id, h := range g.held {
		if now.Sub(h.since) >= g.s.Timeout {
			late = append(late, Late{By: h.by, ID: id})
		}
	}
	slices.SortFunc(late, func(a, b Late) int { return cmp.Compare(g.held[a.ID].before, g.held[b.ID].before) })
	for _, l := range late {
		g.again(g.release(l.By, l.ID, now))
	}
	return late
}

// Parking are the events to be parked now. They hold the checkpoint back until
// Parked says that they are durable.
func (g *Group) Parking() []Parking { return g.parking }

// Parked says that the first n of Parking are written, the last at a revision
// of the parked stream.
func (g *Group) Parked(n int, last uint64) {
	for _, p := range g.parking[:n] {
		g.finished(p.Message)
	}
	g.parking = slices.Delete(g.parking, 0, n)
	g.replay.end = max(g.replay.end, last+1)
}

// finished notes that the group is done with an event.
func (g *Group) finished(m *Message) {
	if m.Replayed {
		delete(g.replay.open, m.Place)
		return
	}
	g.marks.finished++
}
