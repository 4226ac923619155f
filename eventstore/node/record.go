package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// A record is, in this order: layout (1), flags (1), id (16), recorded time in
// units of 100 ns since 1970 (8), revision (8), then stream, type and metadata,
// each after its length as a uvarint, and the data to the end. Pebble's blocks
// and log carry the checksums.
const (
	recordLayout = 1
	flagBinary   = 1
	fixedSize    = 34
)

var (
	errRecord   = errors.New("record is damaged")
	errNoRecord = fmt.Errorf("%w: it is missing", errRecord)
)

// record is a stored event, still in the storage's memory.
type record struct {
	id           uuid.UUID
	binary       bool
	ticks        int64
	revision     uint64
	stream, kind []byte
	metadata     []byte
	data         []byte
}

func recordSize(stream string, e *eventstore.NewEvent) int {
	return fixedSize + uvarintSize(len(stream)) + len(stream) + uvarintSize(len(e.Type)) + len(e.Type) +
		uvarintSize(len(e.Metadata)) + len(e.Metadata) + len(e.Data)
}

func uvarintSize(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }

// putRecord fills b, which has recordSize bytes.
func putRecord(b []byte, stream string, revision uint64, ticks int64, e *eventstore.NewEvent) {
	b[0], b[1] = recordLayout, 0
	if e.Binary {
		b[1] = flagBinary
	}
	copy(b[2:], e.ID[:])
	binary.BigEndian.PutUint64(b[18:], uint64(ticks))
	binary.BigEndian.PutUint64(b[26:], revision)
	n := fixedSize
	n += binary.PutUvarint(b[n:], uint64(len(stream)))
	n += copy(b[n:], stream)
	n += binary.PutUvarint(b[n:], uint64(len(e.Type)))
	n += copy(b[n:], e.Type)
	n += binary.PutUvarint(b[n:], uint64(len(e.Metadata)))
	n += copy(b[n:], e.Metadata)
	copy(b[n:], e.Data)
}

// parseRecord reads a record in place: what it answers shares b's memory.
func parseRecord(b []byte) (record, error) {
	if len(b) < fixedSize {
		return record{}, fmt.Errorf("%w: %d bytes", errRecord, len(b))
	}
	if b[0] != recordLayout {
		return record{}, fmt.Errorf("%w: layout %d", errRecord, b[0])
	}
	r := record{
		id:       uuid.UUID(b[2:18]),
		binary:   b[1]&flagBinary != 0,
		ticks:    int64(binary.BigEndian.Uint64(b[18:])),
		revision: binary.BigEndian.Uint64(b[26:]),
	}
	rest := b[fixedSize:]
	for _, part := range []*[]byte{&r.stream, &r.kind, &r.metadata} {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used) {
			return record{}, fmt.Errorf("%w: a length runs over its end", errRecord)
		}
		*part, rest = rest[used:used+int(n)], rest[used+int(n):]
	}
	r.data = rest
	return r, nil
}

// event copies a record into memory of its own.
func (r record) event(pos uint64, stream, kind string) eventstore.Recorded {
	own := make([]byte, 0, len(r.metadata)+len(r.data))
	own = append(append(own, r.metadata...), r.data...)
	m := len(r.metadata)
	return eventstore.Recorded{
		ID:         r.id,
		Stream:     stream,
		Revision:   r.revision,
		Position:   at(pos),
		Type:       kind,
		Metadata:   own[:m:m],
		Data:       own[m:],
		Binary:     r.binary,
		RecordedAt: timeOf(r.ticks),
	}
}

func ticksOf(t time.Time) int64 { return t.Unix()*10_000_000 + int64(t.Nanosecond())/100 }

func timeOf(ticks int64) time.Time {
	sec, rest := ticks/10_000_000, ticks%10_000_000
	return time.Unix(sec, rest*100).UTC()
}
