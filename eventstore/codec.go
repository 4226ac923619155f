package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
)

// Codec turns domain events into stored events and back.
type Codec struct {
	types     map[string]eventType
	upcasters map[string]Upcaster
	keys      Keys
}

// eventType is an event type and its personal fields.
type eventType struct {
	domain.Type
	personal []personalField
}

// NewCodec knows the given types. It refuses two with one name and a personal
// tag that it cannot follow.
func NewCodec(types ...domain.Type) (*Codec, error) {
	c := &Codec{types: make(map[string]eventType, len(types))}
	for _, t := range types {
		personal, err := personalFields(t.Zero)
		if err != nil {
			return nil, fmt.Errorf("event type %s: %w", t.Name, err)
		}
		for _, name := range append([]string{t.Name}, t.Former...) {
			if _, twice := c.types[name]; twice {
				return nil, fmt.Errorf("event type %s is listed twice", name)
			}
			c.types[name] = eventType{Type: t, personal: personal}
		}
	}
	return c, nil
}

// WithKeys is the codec with the keys of personal data. Without keys it
// refuses to write or to read a personal field.
func (c *Codec) WithKeys(keys Keys) *Codec {
	with := *c
	with.keys = keys
	return &with
}

// Upcasting is the codec that also reads the old shapes that the upcasters
// start from.
func (c *Codec) Upcasting(upcasters ...Upcaster) (*Codec, error) {
	with := *c
	with.upcasters = maps.Clone(c.upcasters)
	if with.upcasters == nil {
		with.upcasters = map[string]Upcaster{}
	}
	for _, u := range upcasters {
		if _, twice := with.upcasters[u.From]; twice {
			return nil, fmt.Errorf("two upcasters start from %s", u.From)
		}
		with.upcasters[u.From] = u
	}
	return &with, with.checkUpcasters()
}

// Encode makes the stored form of an event of a stream.
func (c *Codec) Encode(ctx context.Context, stream string, id uuid.UUID, e domain.Event, m Metadata) (NewEvent, error) {
	t, known := c.types[e.EventType()]
	if !known {
		return NewEvent{}, fmt.Errorf("event type %s is not in the catalogue", e.EventType())
	}
	data, err := json.Marshal(e)
	if err != nil {
		return NewEvent{}, fmt.Errorf("encode %s: %w", e.EventType(), err)
	}
	if len(t.personal) > 0 {
		if data, err = c.encrypt(ctx, t.personal, place{stream: stream, id: id}, data, m); err != nil {
			return NewEvent{}, fmt.Errorf("encrypt %s: %w", e.EventType(), err)
		}
	}
	m.Schema = 1
	meta, err := json.Marshal(m)
	if err != nil {
		return NewEvent{}, fmt.Errorf("encode metadata of %s: %w", e.EventType(), err)
	}
	return NewEvent{ID: id, Type: e.EventType(), Data: data, Metadata: meta}, nil
}

// Decode reads a stored event back: decrypt, upcast, decode. A type that is not
// in the catalogue is an error: the reader stops before it, it never skips it.
func (c *Codec) Decode(ctx context.Context, r Recorded) (domain.Event, Meta, error) {
	m, err := MetaOf(r)
	if err != nil {
		return nil, Meta{}, err
	}
	data, err := c.Decrypt(ctx, r)
	if err != nil {
		return nil, Meta{}, err
	}
	name, data, err := c.upcast(r.Type, data)
	if err != nil {
		return nil, Meta{}, fmt.Errorf("event %s at %s: %w", r.ID, r.Position, err)
	}
	t, known := c.types[name]
	if !known {
		return nil, Meta{}, fmt.Errorf("event type %s at %s is not in the catalogue", r.Type, r.Position)
	}
	e, err := t.Decode(data)
	if err != nil {
		return nil, Meta{}, fmt.Errorf("event %s at %s: %w", r.ID, r.Position, err)
	}
	return e, m, nil
}

// Foreign reports whether an event lies outside the streams of its type's
// category ("invoice.issued.v1" belongs into "invoice-…"). It is another
// program's then, whatever its type says, and no fact: such streams may be
// written by others, those of our categories by commands only.
func Foreign(r Recorded) bool {
	category, _, _ := strings.Cut(r.Type, ".")
	return !strings.HasPrefix(r.Stream, category+"-")
}

// MetaOf reads an event's metadata.
func MetaOf(r Recorded) (Meta, error) {
	m := Meta{EventID: r.ID, Stream: r.Stream, Type: r.Type, Revision: r.Revision, Position: r.Position, RecordedAt: r.RecordedAt}
	if !readEnvelope(r.Metadata, &m.Metadata) {
		m.Metadata = Metadata{}
		if err := json.Unmarshal(r.Metadata, &m.Metadata); err != nil {
			return Meta{}, fmt.Errorf("metadata of event %s at %s: %w", r.ID, r.Position, err)
		}
	}
	m.Category, m.AggregateID, _ = strings.Cut(r.Stream, "-")
	if m.OriginRecordedAt != nil {
		m.RecordedAt = *m.OriginRecordedAt
	}
	return m, nil
}
