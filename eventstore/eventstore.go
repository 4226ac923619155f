// Package eventstore is the port to the only system of record: append to a
// stream at an expected revision, read a stream, read and subscribe to all of
// them in one order. Two adapters implement it, eventstore/node (the embedded
// engine) and eventstore/esdb (the official client); eventstore/storetest is
// the suite both pass. The codec here turns domain events into stored bytes
// and back: names, metadata, upcasters, encryption of personal fields.
//
// It must not know read models or rules.
package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
)

// Position is a place in the order of all events. It only ever grows; gaps are
// normal. The two numbers are compared as a pair, since a cluster may send a
// checkpoint whose commit and prepare differ (KurrentDB issue 4970).
type Position struct {
	Commit  uint64 `json:"commit"`
	Prepare uint64 `json:"prepare"`
}

// Start is before every event.
var Start = Position{}

// Before reports whether p comes before q.
func (p Position) Before(q Position) bool {
	return p.Commit < q.Commit || p.Commit == q.Commit && p.Prepare < q.Prepare
}

// String is the store's text form.
func (p Position) String() string { return fmt.Sprintf("C:%d/P:%d", p.Commit, p.Prepare) }

// Expected is the revision a stream must be at for an append to be accepted.
// Its zero value accepts nothing, so that it cannot be forgotten.
type Expected struct {
	kind     uint8
	revision uint64
}

const (
	expectNothing uint8 = iota
	expectNoStream
	expectRevision
)

// NoStream expects that the stream does not exist.
func NoStream() Expected { return Expected{kind: expectNoStream} }

// Revision expects the stream's last event to have revision r; the first has 0.
func Revision(r uint64) Expected { return Expected{kind: expectRevision, revision: r} }

// After expects n events in the stream: NoStream for 0, else Revision(n-1).
func After(n uint64) Expected {
	if n == 0 {
		return NoStream()
	}
	return Revision(n - 1)
}

// IsNoStream reports whether e expects no stream.
func (e Expected) IsNoStream() bool { return e.kind == expectNoStream }

// Last is the expected last revision; ok is false for NoStream and the zero value.
func (e Expected) Last() (revision uint64, ok bool) { return e.revision, e.kind == expectRevision }

// Valid reports whether e says anything.
func (e Expected) Valid() bool { return e.kind != expectNothing }

// NewEvent is an event to append.
type NewEvent struct {
	// ID makes a repeat recognisable; it is never chosen at random by the store.
	ID uuid.UUID
	// Type is the event's name on disk.
	Type string
	// Data and Metadata are JSON objects, unless Binary is set.
	Data, Metadata []byte
	// Binary marks data that is not JSON; hostfold's own events never are.
	Binary bool
}

// Recorded is a stored event.
type Recorded struct {
	ID             uuid.UUID
	Stream         string
	Revision       uint64
	Position       Position
	Type           string
	Data, Metadata []byte
	Binary         bool
	// RecordedAt is the store's time, UTC, in units of 100 ns or coarser.
	RecordedAt time.Time
}

// Appended says where an append ended.
type Appended struct {
	// Revision and Position are those of the last event.
	Revision uint64
	Position Position
}

// Filter selects what a subscription delivers; the store applies it. Set one
// of the two at most; the zero value selects everything but system events
// (types beginning with "$").
type Filter struct {
	// Types are prefixes of event types.
	Types []string
	// Streams are prefixes of stream names.
	Streams []string
}

// Batch is what a subscription had ready.
type Batch struct {
	// Events are in order and match the filter; there may be none.
	Events []Recorded
	// Through is the last position considered, matching or not; it is never
	// before that of the last event. Resume after it.
	Through Position
	// Live is true when Through was the end of the log.
	Live bool
}

// Subscription delivers events in order, without gap or repeat.
type Subscription interface {
	// Next waits until there is an event or a later Through, and answers at
	// most max events. Memory is bounded: a slow caller holds the store back.
	// It answers ctx's error when ctx ends; after any other error Close it and
	// subscribe again after the last Through.
	Next(ctx context.Context, max int) (Batch, error)
	// Close frees the subscription. It may be called more than once.
	Close() error
}

// Store is the port. All methods may be called from many goroutines and end
// within ctx's deadline.
type Store interface {
	// Append writes the events as a whole or not at all, and answers when they
	// are durable. Repeating an append with the same ids and expectation
	// answers the first outcome. It answers *WrongRevisionError when the stream is
	// elsewhere, ErrStreamDeleted, ErrTooLarge, or an error that wraps
	// ErrUnavailable; after ErrUncertain the outcome is not known: repeat it.
	Append(ctx context.Context, stream string, expected Expected, events ...NewEvent) (Appended, error)
	// ReadStream yields a stream's events forwards from a revision; a stream
	// that does not exist yields nothing.
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[Recorded, error]
	// ReadAll yields all events forwards from a position, inclusive, up to the
	// end at the time of the call, system events included.
	ReadAll(ctx context.Context, from Position) iter.Seq2[Recorded, error]
	// Subscribe delivers what comes strictly after a position.
	Subscribe(ctx context.Context, after Position, filter Filter) (Subscription, error)
	// Head is the position of the last durable event, Start when there is none.
	Head(ctx context.Context) (Position, error)
}

// Errors that the port answers.
var (
	// ErrUnavailable says that the store is away; nothing is known to be written.
	ErrUnavailable = errors.New("event store unavailable")
	// ErrUncertain says that an append may or may not have been written. It
	// wraps ErrUnavailable. Repeat the same append to learn which.
	ErrUncertain = fmt.Errorf("append outcome unknown: %w", ErrUnavailable)
	// ErrStreamDeleted says that the stream was tombstoned.
	ErrStreamDeleted = errors.New("stream deleted")
	// ErrTooLarge says that an append is over MaxAppendSize.
	ErrTooLarge = errors.New("append too large")
	// ErrNoSpace says that the store keeps its last space free; nothing was written.
	ErrNoSpace = fmt.Errorf("event store is short of disk space: %w", ErrUnavailable)
	// ErrHistoryTruncated says that a stream does not begin at revision 0 or has holes.
	ErrHistoryTruncated = errors.New("history truncated")
)

// MaxAppendSize bounds one append: data, metadata and twice the type name of
// every event, in bytes (the default of EventStoreDB 20 to 24).
const MaxAppendSize = 1 << 20

// NoRevision is WrongRevisionError's Actual for a stream that does not exist.
const NoRevision = math.MaxUint64

// WrongRevisionError says that a stream was not where an append expected it.
type WrongRevisionError struct {
	Stream   string
	Expected Expected
	// Actual is the stream's last revision, NoRevision when it does not exist.
	Actual uint64
}

// Error names the stream and both revisions.
func (e *WrongRevisionError) Error() string {
	text := func(r uint64, ok bool) string {
		if !ok {
			return "no stream"
		}
		return strconv.FormatUint(r, 10)
	}
	exp, ok := e.Expected.Last()
	return fmt.Sprintf("stream %s is at %s, not at %s", e.Stream, text(e.Actual, e.Actual != NoRevision), text(exp, ok))
}

// Metadata goes with every event. Its JSON names are as permanent as event names.
type Metadata struct {
	Actor domain.Actor `json:"actor"`
	// Account owns the stream; "" for streams that no account owns.
	Account string `json:"account,omitempty"`
	// OnBehalfOf is the account a delegate or staff member acted for.
	OnBehalfOf string `json:"on_behalf_of,omitempty"`
	// Permission is what the command needed, and Delegation whose grant gave it,
	// as it was then; without one it was the owner's, staff's or the system's.
	Permission domain.Permission `json:"permission,omitempty"`
	Delegation string            `json:"delegation,omitempty"`
	// Impersonation is the id under which a staff member acted for the account.
	Impersonation string `json:"impersonation,omitempty"`
	// CommandID, Command and RequestHash identify the command that decided the
	// event; a repeat of it is recognised by them.
	CommandID   uuid.UUID `json:"command_id"`
	Command     string    `json:"command"`
	RequestHash string    `json:"request_hash,omitempty"`
	// CorrelationID and CausationID use the store's own keys, so that its
	// tools link events.
	CorrelationID string `json:"$correlationId,omitempty"`
	CausationID   string `json:"$causationId,omitempty"`
	TraceParent   string `json:"traceparent,omitempty"`
	// Schema is the version of this envelope, 1.
	Schema int `json:"schema"`
	// OccurredAt is what people see; the store's own time orders law. They
	// differ widely only when GivenTime is set (actors demo and import).
	OccurredAt time.Time `json:"occurred_at"`
	GivenTime  bool      `json:"given_time,omitempty"`
	// OriginRecordedAt and Origin keep an event's first time and position when
	// its log was copied to another store.
	OriginRecordedAt *time.Time `json:"$hostfold_recorded_at,omitempty"`
	Origin           string     `json:"$hostfold_origin,omitempty"`
}

// Meta is what a reader knows about an event beside its content.
type Meta struct {
	Metadata
	EventID     uuid.UUID
	Stream      string
	Category    string
	AggregateID string
	Type        string
	Revision    uint64
	Position    Position
	// RecordedAt is the first store's time, also after a copy.
	RecordedAt time.Time
}
