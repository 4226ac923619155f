package group_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/group"
)

// model runs a group over an endless source and checks what must always hold.
type model struct {
	*rapid.T
	g   *group.Group
	s   group.Settings
	now time.Time

	consumers  []*group.Consumer
	read       []uint64 // places read for consumers
	with       map[uuid.UUID]*group.Consumer
	places     map[uuid.UUID]uint64 // of the source
	parkedAs   map[uuid.UUID]uint64 // replayed ids and their parked revision
	finished   map[uint64]bool      // by place: finished, or parked durably
	parked     []uint64             // places, by parked revision
	cut        uint64
	checkpoint uint64 // one after the last
	left       int    // consumers
}

func newID(n uint64, kind byte) (id uuid.UUID) {
	id[0] = kind
	for i := range 8 {
		id[15-i] = byte(n >> (8 * i))
	}
	return id
}

// TestGroupsLoseNothing lets consumers come, go, answer and be late at random.
func TestGroupsLoseNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			T: t, now: time.Unix(1e9, 0), with: map[uuid.UUID]*group.Consumer{}, places: map[uuid.UUID]uint64{},
			parkedAs: map[uuid.UUID]uint64{}, finished: map[uint64]bool{},
		}
		m.s = group.Settings{
			Strategy:   rapid.SampledFrom([]group.Strategy{group.RoundRobin, group.DispatchToSingle, group.Pinned, group.PinnedByCorrelation}).Draw(t, "strategy"),
			MaxRetries: rapid.IntRange(0, 3).Draw(t, "retries"), Timeout: 3 * time.Second, CheckpointAfter: 2 * time.Second,
			MinCheckpoint: rapid.IntRange(0, 5).Draw(t, "min"), MaxCheckpoint: rapid.IntRange(1, 20).Draw(t, "max"),
			MaxConsumers: 3, LiveBuffer: rapid.IntRange(1, 8).Draw(t, "live"), HistoryBuffer: rapid.IntRange(2, 8).Draw(t, "history"), ReadBatch: 3,
		}
		m.g = group.New(m.s, 0, false, group.Parked{}, m.now)
		t.Repeat(map[string]func(*rapid.T){
			"": m.holds,
			"join": func(t *rapid.T) {
				c := &group.Consumer{Size: rapid.IntRange(1, 4).Draw(t, "size")}
				if err := m.g.Join(c); (err != nil) != (len(m.consumers) == 3) {
					t.Fatalf("%d consumers, the next got %v", len(m.consumers), err)
				} else if err == nil {
					m.consumers = append(m.consumers, c)
				}
			},
			"leave":  m.leave,
			"read":   func(t *rapid.T) { m.readSome(rapid.Bool().Draw(t, "live")) },
			"answer": m.answer,
			"tick": func(t *rapid.T) {
				m.now = m.now.Add(time.Second)
				for _, late := range m.g.Tick(m.now) {
					if m.with[late.ID] != late.By {
						t.Fatalf("%s is late with another consumer", late.ID)
					}
					delete(m.with, late.ID)
				}
				m.write(true)
			},
			"replay": func(t *rapid.T) { m.g.Replay(rapid.Uint64Range(0, 20).Draw(t, "to")) },
		})
		m.finish()
	})
}

func (m *model) leave(t *rapid.T) {
	if len(m.consumers) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.consumers)-1).Draw(t, "consumer")
	c := m.consumers[i]
	m.consumers = slices.Delete(m.consumers, i, i+1)
	m.g.Leave(c)
	m.left++ // Leaving gives events out again without parking any.
	for id, by := range m.with {
		if by == c {
			delete(m.with, id)
		}
	}
}

// readSome reads what the group has room for; every third place is for nobody.
func (m *model) readSome(live bool) {
	if from, n := m.g.WantReplay(); n > 0 {
		var list []*group.Message
		for revision := from; revision < from+uint64(n); revision++ {
			place := m.parked[revision]
			id := newID(revision, 'p')
			m.parkedAs[id] = revision
			list = append(list, &group.Message{Event: event(place), Link: &eventstore.Recorded{ID: id, Stream: "parked", Revision: revision}, Place: revision})
		}
		m.g.AddReplay(list, from+uint64(n))
	}
	r := group.Read{Next: m.g.Next(), Live: live}
	for n := m.g.Want(); len(r.Messages) < n; r.Next++ {
		if r.Next%3 == 2 {
			r.Passed++
			continue
		}
		e := event(r.Next)
		m.places[e.ID] = r.Next
		m.read = append(m.read, r.Next)
		r.Messages = append(r.Messages, &group.Message{Event: e, Place: r.Next})
	}
	m.g.Add(r)
}

func event(place uint64) *eventstore.Recorded {
	return &eventstore.Recorded{ID: newID(place, 's'), Stream: string(rune('a' + place%5)), Revision: place}
}

func (m *model) answer(t *rapid.T) {
	ids := m.heldIDs()
	if len(ids) == 0 {
		return
	}
	id := rapid.SampledFrom(ids).Draw(t, "event")
	c := m.with[id]
	m.g.Ack(&group.Consumer{}, m.now, id) // Of a stranger: ignored.
	delete(m.with, id)
	action := rapid.SampledFrom([]string{"ack", "ack", "ack", "retry", "park", "skip"}).Draw(t, "action")
	switch action {
	case "ack":
		m.g.Ack(c, m.now, id, newID(1, 'x'))
		m.done(id)
	case "skip":
		m.g.Nack(c, m.now, group.Skip, "", id)
		m.done(id)
	case "park":
		m.g.Nack(c, m.now, group.Park, "", id)
	default:
		m.g.Nack(c, m.now, group.Retry, "", id)
	}
	m.write(false)
}

func (m *model) heldIDs() []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(m.with))
	for id := range m.with {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

func (m *model) done(id uuid.UUID) {
	if place, ok := m.places[id]; ok {
		m.finished[place] = true
	}
	delete(m.parkedAs, id)
}

// write parks, checkpoints and cuts as the group says.
func (m *model) write(tick bool) {
	for len(m.g.Parking()) > 0 {
		p := m.g.Parking()[0].Message
		m.parked = append(m.parked, p.Event.Revision)
		m.done(p.Original().ID)
		m.g.Parked(1, uint64(len(m.parked)-1))
	}
	if place, due := m.g.Checkpoint(m.now, tick); due {
		m.mark(place)
		m.g.Marked(place, m.now)
	}
	if first, due := m.g.Cut(tick); due {
		for _, revision := range m.parkedAs {
			if revision < first {
				m.Fatalf("cut %d, but %d is not finished", first, revision)
			}
		}
		if first <= m.cut {
			m.Fatalf("cut %d after %d", first, m.cut)
		}
		m.cut = first
		m.g.WasCut(first)
	}
}

func (m *model) mark(place uint64) {
	if place+1 <= m.checkpoint {
		m.Fatalf("checkpoint %d after %d", place+1, m.checkpoint)
	}
	m.checkpoint = place + 1
	for _, read := range m.read {
		if read <= place && !m.finished[read] {
			m.Fatalf("checkpoint %d, but %d is not finished", place, read)
		}
	}
}

// holds gives out and checks.
func (m *model) holds(t *rapid.T) {
	for _, d := range m.g.Dispatch(m.now) {
		id := d.Message.Original().ID
		if m.with[id] != nil {
			t.Fatalf("%s was given out twice", id)
		}
		if !slices.Contains(m.consumers, d.To) || d.Retries > m.s.MaxRetries+m.left {
			t.Fatalf("given to %v with %d retries", d.To, d.Retries)
		}
		m.with[id] = d.To
	}
	held := 0
	for _, c := range m.consumers {
		if c.InFlight > c.Size {
			t.Fatalf("a consumer of %d has %d", c.Size, c.InFlight)
		}
		held += c.InFlight
	}
	n := m.g.Counts()
	if held != len(m.with) || held != n.Held || n.Buffered > max(m.s.LiveBuffer, m.s.HistoryBuffer) {
		t.Fatalf("%d held, counts %+v, known %d", held, n, len(m.with))
	}
}

// finish lets one big consumer take the rest: all that was read must be
// finished in the end.
func (m *model) finish() {
	for len(m.consumers) > 0 {
		c := m.consumers[0]
		m.consumers = m.consumers[1:]
		m.g.Leave(c)
		m.left++
	}
	clear(m.with)
	last := &group.Consumer{Size: 1000}
	if err := m.g.Join(last); err != nil {
		m.Fatal(err)
	}
	m.consumers = []*group.Consumer{last}
	for {
		m.holds(m.T)
		ids := m.heldIDs()
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			delete(m.with, id)
			m.done(id)
		}
		m.g.Ack(last, m.now, ids...)
	}
	for _, place := range m.read {
		if !m.finished[place] {
			m.Fatalf("%d was lost", place)
		}
	}
	if place, more := m.g.Progress(); more {
		m.mark(place)
		m.g.Marked(place, m.now)
	}
	m.now = m.now.Add(time.Hour)
	m.write(true)
}
