package node

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// referenceType is the type of an event whose data name a stream.
const referenceType = "$@"

// linkNamespace makes the ids of links: the same stream and revision always
// give the same one, by which persistent subscriptions acknowledge.
const linkNamespace = "f3c1d0c4-2a60-5c0e-9d55-0b1f5a3a7e21"

// link makes the event of a derived stream that stands for a record.
func (d derived) link(stream string, from entry, r *record) eventstore.Recorded {
	out := eventstore.Recorded{
		ID:         linkID(stream, from.ordinal),
		Stream:     stream,
		Revision:   from.ordinal,
		Position:   at(from.pos),
		Type:       linkType,
		Binary:     true,
		RecordedAt: timeOf(r.ticks),
	}
	deleted := false
	switch {
	case d.by == streamByCategory:
		out.Type, out.Data = referenceType, bytes.Clone(r.stream)
	case d.by == byCategory && string(r.kind) == linkType:
		out.Data = bytes.Clone(r.data) // to where the link leads
	default:
		b := strconv.AppendUint(make([]byte, 0, len(r.stream)+8), r.revision, 10)
		out.Data = append(append(b, '@'), r.stream...)
		deleted = d.by != everyStream && deletedBy(r) != nil
	}
	out.Metadata = d.metadata(from.pos, r.id, deleted)
	return out
}

// metadata are those of the store's own projections: which one it was, where
// it was, and what caused the link.
func (d derived) metadata(pos uint64, cause uuid.UUID, deleted bool) []byte {
	b := make([]byte, 0, 128)
	b = append(b, `{"$v":"`...)
	b = append(b, d.version()...)
	b = strconv.AppendUint(append(b, `","$c":`...), pos, 10)
	b = strconv.AppendUint(append(b, `,"$p":`...), pos, 10)
	if deleted {
		b = append(b, `,"$deleted":-1`...)
	}
	b = append(append(b, `,"$causedBy":"`...), cause.String()...)
	return append(b, `"}`...)
}

// version is projection, epoch, version and checkpoint version.
func (d derived) version() string {
	switch d.by {
	case byType:
		return "2:-1:1:4"
	case everyStream:
		return "3:-1:1:4"
	case streamByCategory:
		return "4:-1:1:4"
	case byCategory:
	}
	return "1:-1:1:4"
}

func linkID(stream string, revision uint64) uuid.UUID {
	name := append(make([]byte, 0, len(stream)+9), stream...)
	name = binary.BigEndian.AppendUint64(append(name, 0), revision)
	return uuid.NewSHA1(uuid.MustParse(linkNamespace), name)
}
