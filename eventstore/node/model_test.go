package node_test

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// model is what a store does, written down as simply as can be.
type model struct {
	now     time.Duration
	log     []modelEvent
	streams map[string][]int // a stream's events, by place in the log; no tombstones
	ended   map[string]bool  // tombstoned
	meta    map[string]modelMeta
	removed map[int]bool // places that were scavenged
	// forgotten are those whose ids are known no more.
	forgotten map[int]bool
}

type modelEvent struct {
	id       uuid.UUID // nil for an event that the store made
	stream   string
	revision int
	at       time.Duration
}

// modelMeta are a stream's metadata.
type modelMeta struct {
	TruncateBefore int `json:"$tb,omitempty"`
	MaxCount       int `json:"$maxCount,omitempty"`
	MaxAge         int `json:"$maxAge,omitempty"`
	Other          int `json:"other,omitempty"`
}

// verdict is how a store answers.
type verdict string

const (
	written verdict = "written"
	wrong   verdict = "wrong"
	deleted verdict = "deleted"
)

func (m *model) head(stream string) int { return len(m.streams[stream]) - 1 }

func (m *model) gone(stream string) bool { return m.meta[stream].TruncateBefore == math.MaxInt64 }

func (m *model) isEnded(stream string) bool { return m.ended[strings.TrimPrefix(stream, "$$")] }

// append answers the last revision and how the append is taken; a negative
// expectation is none (-1), any (-2) or exists (-4).
func (m *model) append(stream string, expected int, ids []uuid.UUID) (last int, _ verdict) {
	head, gone := m.head(stream), m.gone(stream)
	if m.isEnded(stream) {
		if len(ids) > 0 {
			return 0, deleted
		}
		return math.MaxInt64, map[bool]verdict{true: written, false: wrong}[expected == -2 || expected == -4]
	}
	if expected == -4 && gone {
		return 0, deleted
	}
	if expected == -4 && head < 0 && m.head("$$"+stream) < 0 {
		return head, wrong
	}
	if expected == -2 || expected == -4 {
		known := func(id uuid.UUID) int { return m.revision(stream, id) }
		if len(ids) == 0 || known(ids[0]) < 0 {
			return m.write(stream, ids), written
		}
		if slices.ContainsFunc(ids, func(id uuid.UUID) bool { return known(id) < 0 }) {
			return head, wrong
		}
		return known(ids[len(ids)-1]), written
	}
	if expected == head || expected == -1 && gone && (len(ids) == 0 || head >= 0 && !m.holds(stream, 0, ids[0])) {
		return m.write(stream, ids), written
	}
	if expected > head || len(ids) == 0 {
		return head, wrong
	}
	for i, id := range ids {
		at := expected + 1 + i
		if at > head || !m.holds(stream, at, id) {
			return head, wrong
		}
	}
	return expected + len(ids), written
}

// holds reports whether a stream's revision is there and has an id.
func (m *model) holds(stream string, revision int, id uuid.UUID) bool {
	place := m.streams[stream][revision]
	return !m.removed[place] && m.log[place].id == id
}

// scavenge removes what no stream shows any more, but each stream's last event
// and the log's.
func (m *model) scavenge() {
	if m.removed == nil {
		m.removed = map[int]bool{}
	}
	for stream, places := range m.streams {
		visible := m.visible(stream)
		for revision, place := range places {
			last := revision == m.head(stream) || place == len(m.log)-1
			if m.isEnded(stream) && place < len(m.log)-1 || !last && !slices.Contains(visible, place) {
				m.removed[place] = true
			}
		}
	}
}

// write adds events, and brings a soft-deleted stream back.
func (m *model) write(stream string, ids []uuid.UUID) int {
	first := len(m.streams[stream])
	for _, id := range ids {
		m.add(stream, id)
	}
	if m.gone(stream) {
		m.undelete(stream, first)
	}
	return m.head(stream)
}

func (m *model) add(stream string, id uuid.UUID) {
	m.streams[stream] = append(m.streams[stream], len(m.log))
	m.log = append(m.log, modelEvent{id: id, stream: stream, revision: m.head(stream), at: m.now})
}

func (m *model) undelete(stream string, first int) {
	meta := m.meta[stream]
	meta.TruncateBefore = first
	m.meta[stream] = meta
	m.add("$$"+stream, uuid.Nil)
}

// setMetadata writes an event to the stream's metastream.
func (m *model) setMetadata(stream string, id uuid.UUID, meta modelMeta) verdict {
	if m.ended[stream] {
		return deleted
	}
	was := m.gone(stream)
	m.add("$$"+stream, id)
	m.meta[stream] = meta
	if was {
		m.undelete(stream, m.head(stream)+1)
	}
	return written
}

// delete deletes a stream softly, or for ever.
func (m *model) delete(stream string, expected int, forEver bool) verdict {
	head, gone := m.head(stream), m.gone(stream)
	exists := head >= 0 || m.head("$$"+stream) >= 0
	switch {
	case m.ended[stream], expected == -4 && gone:
		return deleted
	case expected == -4 && !exists, !forEver && !exists, expected == -1 && head >= 0 && !gone, expected >= 0 && expected != head:
		return wrong
	case forEver:
		m.ended[stream] = true
		m.log = append(m.log, modelEvent{stream: stream, revision: math.MaxInt64, at: m.now})
	default:
		m.meta[stream] = modelMeta{TruncateBefore: math.MaxInt64}
		m.add("$$"+stream, uuid.Nil)
	}
	return written
}

// visible are the places of what can be read of a stream.
func (m *model) visible(stream string) (places []int) {
	meta := m.meta[stream]
	if strings.HasPrefix(stream, "$$") {
		meta.MaxCount = 1
	}
	for revision, place := range m.streams[stream] {
		if !m.removed[place] && revision >= meta.TruncateBefore &&
			(meta.MaxCount == 0 || revision > m.head(stream)-meta.MaxCount) &&
			(meta.MaxAge == 0 || m.now-m.log[place].at <= time.Duration(meta.MaxAge)*time.Second) {
			places = append(places, place)
		}
	}
	return places
}

// revision is where a stream has an id; the store remembers the newest event
// of an id only, whatever its stream.
func (m *model) revision(stream string, id uuid.UUID) int {
	for place, e := range slices.Backward(m.log) {
		if e.id == id && !m.forgotten[place] {
			if e.stream == stream {
				return e.revision
			}
			return -1
		}
	}
	return -1
}
