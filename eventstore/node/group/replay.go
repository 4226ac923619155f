package group

// Parked says which part of the parked stream holds events.
type Parked struct{ First, End uint64 }

// replay is the state of the parked stream: what was replayed and is finished
// is cut off from its beginning. Until then a crash brings it back.
type replay struct {
	first uint64 // the first that is not cut off
	next  uint64 // the first that was not read for replay
	to    uint64 // where the replay ends
	end   uint64
	open  map[uint64]struct{} // replayed and not finished
}

// Replay begins to give out the parked events again, up to a revision of the
// parked stream, exclusive.
func (g *Group) Replay(to uint64) { g.replay.to = max(g.replay.to, min(to, g.replay.end)) }

// WantReplay is how many parked events there is room for, and from which
// revision on.
func (g *Group) WantReplay() (from uint64, n int) {
	r := &g.replay
	room := g.s.HistoryBuffer - len(g.retry)
	if r.next >= r.to || len(g.consumers) == 0 || room <= 0 {
		return 0, 0
	}
	n = min(room, g.s.ReadBatch)
	if left := r.to - r.next; left < uint64(n) { //nolint:gosec // It is positive.
		n = int(left) //nolint:gosec // It is less than n.
	}
	return r.next, n
}

// AddReplay takes parked events that were read, and up to which revision,
// exclusive. Their retries begin anew.
func (g *Group) AddReplay(messages []*Message, next uint64) {
	r := &g.replay
	if r.open == nil {
		r.open = map[uint64]struct{}{}
	}
	for _, m := range messages {
		m.Replayed, m.Retries = true, 0
		r.open[m.Place] = struct{}{}
		g.retry = append(g.retry, m)
	}
	r.next = max(r.next, next)
}

// Cut answers the revision before which the parked stream is no longer needed,
// when it is time to say so there: at a tick, and when a replay is finished.
// Say WasCut when it is written.
func (g *Group) Cut(tick bool) (first uint64, due bool) {
	r := &g.replay
	if !tick && (len(r.open) > 0 || r.next < r.to) || r.next == r.first {
		return 0, false
	}
	first = r.next
	for place := range r.open {
		first = min(first, place)
	}
	return first, first > r.first
}

// WasCut says that the parked stream begins at a revision now.
func (g *Group) WasCut(first uint64) { g.replay.first = max(g.replay.first, first) }
