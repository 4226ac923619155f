package node

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

const (
	contentJSON   = "application/json"
	contentBinary = "application/octet-stream"
)

// proposed is what both kinds of append send for an event.
type proposed interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

// newEvent reads a proposed event.
func newEvent(p proposed) (eventstore.NewEvent, error) {
	id, ok := idOf(p.GetId())
	if !ok {
		return eventstore.NewEvent{}, invalid("Invalid event id")
	}
	kind, ok := p.GetMetadata()["type"]
	if !ok {
		return eventstore.NewEvent{}, missingProperty("type")
	}
	content, ok := p.GetMetadata()["content-type"]
	if !ok {
		return eventstore.NewEvent{}, missingProperty("content-type")
	}
	return eventstore.NewEvent{ID: id, Type: kind, Data: p.GetData(), Metadata: p.GetCustomMetadata(), Binary: content != contentJSON}, nil
}

// idOf reads either form of an id; the nil id is none.
func idOf(u *shared.UUID) (uuid.UUID, bool) {
	var id uuid.UUID
	switch v := u.GetValue().(type) {
	case *shared.UUID_Structured_:
		binary.BigEndian.PutUint64(id[:8], uint64(v.Structured.GetMostSignificantBits()))  //nolint:gosec // Bits, not a number.
		binary.BigEndian.PutUint64(id[8:], uint64(v.Structured.GetLeastSignificantBits())) //nolint:gosec // Bits, not a number.
	case *shared.UUID_String_:
		parsed, err := uuid.Parse(v.String_)
		if err != nil {
			return id, false
		}
		id = parsed
	}
	return id, id != uuid.Nil
}

// wireID is an id in the form the client asked for.
func wireID(id uuid.UUID, asText bool) *shared.UUID {
	if asText {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])), //nolint:gosec // Bits, not a number.
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])), //nolint:gosec // Bits, not a number.
	}}}
}

// wireEvent is an event in the protocol's form. One that lacks type,
// content-type or a created in whole ticks kills the official Go client.
func wireEvent(r *eventstore.Recorded, textIDs bool) *streams.ReadResp_ReadEvent_RecordedEvent {
	content := contentJSON
	if r.Binary {
		content = contentBinary
	}
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               wireID(r.ID, textIDs),
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.Stream)},
		StreamRevision:   r.Revision,
		CommitPosition:   r.Position.Commit,
		PreparePosition:  r.Position.Prepare,
		Metadata: map[string]string{
			"type": r.Type, "content-type": content,
			"created": strconv.FormatInt(ticksOf(r.RecordedAt), 10),
		},
		CustomMetadata: r.Metadata,
		Data:           r.Data,
	}
}

// revisionOf reads a revision; the largest number stands for none.
func revisionOf(r uint64) (x Expectation, err error) {
	switch {
	case r == math.MaxUint64:
		return NoStream(), nil
	case r > math.MaxInt64:
		return x, invalid("Invalid stream revision %d", r)
	default:
		return Revision(r), nil
	}
}
