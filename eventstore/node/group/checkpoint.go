package group

import "time"

// marks are what is known of the last checkpoint.
type marks struct {
	next     uint64 // the first place it does not cover
	seen     uint64 // events considered up to it
	at       time.Time
	any      bool
	finished int // events finished since it was last looked at
}

// Checkpoint answers a place up to which everything is finished, when it is
// time to write it: tick is true once a second. Say Marked when it is written.
func (g *Group) Checkpoint(now time.Time, tick bool) (place uint64, due bool) {
	most := max(g.s.MaxCheckpoint, 1)
	if !tick && g.marks.finished < most {
		return 0, false // Finding the frontier costs a look at all that is held.
	}
	g.marks.finished = 0
	next, seen := g.frontier()
	count := seen - g.marks.seen
	if next <= g.marks.next || count == 0 {
		return 0, false
	}
	many := count >= uint64(most)
	late := g.s.CheckpointAfter > 0 && now.Sub(g.marks.at) >= g.s.CheckpointAfter
	enough := tick && count >= uint64(max(g.s.MinCheckpoint, 0))
	return next - 1, many || late && enough
}

// Progress answers how far everything is finished, when no checkpoint says so.
func (g *Group) Progress() (place uint64, more bool) {
	next, seen := g.frontier()
	return next - 1, next > g.marks.next && seen > g.marks.seen
}

// Marked says that a checkpoint at a place is written.
func (g *Group) Marked(place uint64, now time.Time) {
	next, seen := g.frontier()
	if place+1 == next {
		g.marks.seen = seen
	}
	g.marks.next, g.marks.at, g.marks.any = place+1, now, true
}

// Last is the place of the last checkpoint; none says that there is none.
func (g *Group) Last() (place uint64, ok bool) { return g.marks.next - 1, g.marks.any }

// frontier is the first place that is not finished, and how many events were
// considered before it.
func (g *Group) frontier() (next, seen uint64) {
	next, seen = g.next, g.seen
	lower := func(m *Message) {
		if !m.Replayed && m.Place < next {
			next, seen = m.Place, m.before
		}
	}
	if len(g.buffered) > 0 {
		lower(g.buffered[0])
	}
	if len(g.retry) > 0 {
		lower(g.retry[0])
	}
	for _, h := range g.held {
		lower(h.Message)
	}
	for _, p := range g.parking {
		lower(p.Message)
	}
	return next, seen
}
