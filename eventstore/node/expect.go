package node

import (
	"strconv"

	"github.com/hostfold/hostfold/eventstore"
)

// Expectation is every condition the store's protocol knows for an append; the
// port offers two of them. Its zero value accepts nothing.
type Expectation struct {
	kind     uint8
	revision uint64
}

const (
	expectNothing uint8 = iota
	expectAny
	expectNoStream
	expectExists
	expectRevision
)

// Any accepts every stream that was not tombstoned.
func Any() Expectation { return Expectation{kind: expectAny} }

// NoStream accepts a stream that does not exist.
func NoStream() Expectation { return Expectation{kind: expectNoStream} }

// StreamExists accepts a stream that has events, or metadata.
func StreamExists() Expectation { return Expectation{kind: expectExists} }

// Revision accepts a stream whose last event has revision r.
func Revision(r uint64) Expectation { return Expectation{kind: expectRevision, revision: r} }

// String is how the store's messages write an expectation: -2 for any, -1 for
// no stream, -4 for stream exists, else the revision.
func (x Expectation) String() string {
	switch x.kind {
	case expectAny:
		return "-2"
	case expectNoStream:
		return "-1"
	case expectExists:
		return "-4"
	case expectRevision:
		return strconv.FormatUint(x.revision, 10)
	default:
		return "nothing"
	}
}

// port is the expectation in the port's words; any and stream exists have
// none there and become its zero value.
func (x Expectation) port() eventstore.Expected {
	switch x.kind {
	case expectNoStream:
		return eventstore.NoStream()
	case expectRevision:
		return eventstore.Revision(x.revision)
	default:
		return eventstore.Expected{}
	}
}

// expectationOf translates the port's expectation.
func expectationOf(e eventstore.Expected) Expectation {
	if e.IsNoStream() {
		return NoStream()
	}
	if r, ok := e.Last(); ok {
		return Revision(r)
	}
	return Expectation{}
}
