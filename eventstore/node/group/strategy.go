package group

import (
	"encoding/json"
	"hash/fnv"
	"strings"
)

// Strategy is how a group chooses the consumer of an event, by its name in the
// store's protocol.
type Strategy string

// The strategies.
const (
	// RoundRobin takes the consumers in turn.
	RoundRobin Strategy = "RoundRobin"
	// DispatchToSingle stays with one consumer until it is full.
	DispatchToSingle Strategy = "DispatchToSingle"
	// Pinned keeps the events of a stream with one consumer while it is connected.
	Pinned Strategy = "Pinned"
	// PinnedByCorrelation does so with the events of a correlation id.
	PinnedByCorrelation Strategy = "PinnedByCorrelation"
)

// Known reports whether there is such a strategy.
func (s Strategy) Known() bool {
	return s == RoundRobin || s == DispatchToSingle || s == Pinned || s == PinnedByCorrelation
}

func (s Strategy) start() strategy {
	switch s {
	case DispatchToSingle:
		return &turns{stay: true}
	case Pinned:
		return &pinned{key: streamKey}
	case PinnedByCorrelation:
		return &pinned{key: correlationKey}
	case RoundRobin:
	}
	return &turns{}
}

// strategy chooses among the consumers that joined; nil when none may have the
// event now.
type strategy interface {
	joined(c *Consumer)
	left(c *Consumer)
	pick(m *Message) *Consumer
}

// turns takes consumers in turn, event by event or only when one is full.
type turns struct {
	stay bool
	list []*Consumer // the next one first
}

func (t *turns) joined(c *Consumer) { t.list = append(t.list, c) }

func (t *turns) left(c *Consumer) { t.list = without(t.list, c) }

func (t *turns) pick(*Message) *Consumer {
	for range t.list {
		c := t.list[0]
		if c.free() > 0 && t.stay {
			return c
		}
		copy(t.list, t.list[1:])
		t.list[len(t.list)-1] = c
		if c.free() > 0 {
			return c
		}
	}
	return nil
}

const buckets = 1024

// pinned gives each key's bucket to a consumer and leaves it there. A bucket
// without one goes to the consumer with the fewest.
type pinned struct {
	key   func(*Message) string
	list  []*Consumer
	owner [buckets]*Consumer
	owned map[*Consumer]int
}

func (p *pinned) joined(c *Consumer) {
	if p.owned == nil {
		p.owned = map[*Consumer]int{}
	}
	p.list = append(p.list, c)
	p.owned[c] = 0
}

func (p *pinned) left(c *Consumer) {
	p.list = without(p.list, c)
	delete(p.owned, c)
	for i := range p.owner {
		if p.owner[i] == c {
			p.owner[i] = nil
		}
	}
}

func (p *pinned) pick(m *Message) *Consumer {
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.key(m)))
	bucket := h.Sum32() % buckets
	c := p.owner[bucket]
	if c == nil {
		for _, other := range p.list {
			if c == nil || p.owned[other] < p.owned[c] {
				c = other
			}
		}
		if c == nil {
			return nil
		}
		p.owner[bucket] = c
		p.owned[c]++
	}
	if c.free() <= 0 {
		return nil
	}
	return c
}

// streamKey is the stream an event belongs to; of a link, that of its target.
func streamKey(m *Message) string {
	switch {
	case m.Event == nil:
		return linked(string(m.Link.Data), m.Link.Stream)
	case m.Event.Type == "$>":
		return linked(string(m.Event.Data), m.Event.Stream)
	default:
		return m.Event.Stream
	}
}

func linked(data, otherwise string) string {
	if _, stream, ok := strings.Cut(data, "@"); ok {
		return stream
	}
	return otherwise
}

func correlationKey(m *Message) string {
	if m.Event != nil {
		var metadata struct {
			ID string `json:"$correlationId"`
		}
		if json.Unmarshal(m.Event.Metadata, &metadata) == nil && metadata.ID != "" {
			return metadata.ID
		}
	}
	return streamKey(m)
}

func without(list []*Consumer, c *Consumer) []*Consumer {
	kept := list[:0]
	for _, other := range list {
		if other != c {
			kept = append(kept, other)
		}
	}
	return kept
}
