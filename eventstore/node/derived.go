package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// ErrDerivedStream refuses an append to a stream that the engine derives from
// the others.
var ErrDerivedStream = errors.New("stream is derived from the others and takes no events")

// derivation is a rule by which streams are derived. Its letter is part of the
// index's keys.
type derivation byte

const (
	byCategory       derivation = 'c' // $ce-C: the events of the streams C-…
	byType           derivation = 't' // $et-T: the events of type T, links excepted
	everyStream      derivation = 's' // $streams: the first event of every stream
	streamByCategory derivation = 'n' // $category-C: the names of the streams C-…
)

// derived is a derived stream's rule and its category or type, empty for
// $streams.
type derived struct {
	by   derivation
	name string
}

// derivedOf tells whether a stream is derived.
func derivedOf(stream string) (d derived, ok bool) {
	if len(stream) == 0 || stream[0] != '$' {
		return d, false
	}
	if stream == "$streams" {
		return derived{by: everyStream}, true
	}
	if name, found := strings.CutPrefix(stream, "$ce-"); found {
		return derived{by: byCategory, name: name}, true
	}
	if name, found := strings.CutPrefix(stream, "$et-"); found {
		return derived{by: byType, name: name}, true
	}
	if name, found := strings.CutPrefix(stream, "$category-"); found {
		return derived{by: streamByCategory, name: name}, true
	}
	return d, false
}

// maxDerivedName bounds what is indexed: a longer name could not be asked for.
const maxDerivedName = MaxStreamName - len("$ce-")

// refuseDerived refuses to append to a derived stream.
func refuseDerived(stream string) error {
	if _, is := derivedOf(stream); is {
		return fmt.Errorf("%w: %.40q", ErrDerivedStream, stream)
	}
	return nil
}

// categoryOf is the part of a stream's name before the first hyphen; nil when
// that is empty or there is none. Streams of the store itself have one, too, as
// the protocol's specification (section 7) says: "$projections-…" belongs to
// "$projections". The public server's own projection leaves out every stream
// whose name begins with "$"; where the two differ the specification counts,
// and who reads "$ce-x" of an ordinary x sees the same of both.
func categoryOf(stream []byte) []byte {
	if i := bytes.IndexByte(stream, '-'); i > 0 {
		return stream[:i]
	}
	return nil
}

// typeDeleted is the type under which both ways to delete a stream are listed.
const typeDeleted = "$deleted"

// deletedBy is the stream that an event deletes: a tombstone its own, metadata
// that truncate everything the one they describe. It is nil for other events.
func deletedBy(r *record) []byte {
	if len(r.kind) == 0 || r.kind[0] != '$' {
		return nil
	}
	described, isMeta := bytes.CutPrefix(r.stream, []byte("$$"))
	switch {
	case !isMeta && string(r.kind) == tombstoneType:
		return r.stream
	case isMeta && string(r.kind) == metadataType && truncatesAll(r.data):
		return described
	default:
		return nil
	}
}

// truncatesAll reports whether stream metadata hide every event.
func truncatesAll(data []byte) bool {
	if !bytes.Contains(data, []byte("9223372036854775807")) {
		return false
	}
	var m struct {
		TruncateBefore *int64 `json:"$tb"`
	}
	return json.Unmarshal(data, &m) == nil && m.TruncateBefore != nil && *m.TruncateBefore == math.MaxInt64
}
