package esdb

import (
	"encoding/binary"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/hostfold/hostfold/eventstore"
)

// answer is what the store said of one append of a bulk.
type answer struct {
	eventstore.Appended

	number uint64
	err    error
	// again says that err leaves open what happened.
	again bool
	// wrong says that the stream was elsewhere, at actual.
	wrong  bool
	actual uint64
}

// correlation is an append's number in the form that the store gives back.
func correlation(number uint64) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		LeastSignificantBits: int64(number), //nolint:gosec // It counts from 1.
	}}}
}

// numberOf reads a correlation; a store may give it back in the other form.
func numberOf(id *shared.UUID) uint64 {
	if u, err := uuid.Parse(id.GetString_()); err == nil {
		return binary.BigEndian.Uint64(u[8:])
	}
	return uint64(id.GetStructured().GetLeastSignificantBits()) //nolint:gosec // See correlation.
}

// answerOf reads an answer.
func answerOf(m *streams.BatchAppendResp) answer {
	a := answer{number: numberOf(m.GetCorrelationId())}
	if e := m.GetError(); e != nil {
		a.refuse(e)
		return a
	}
	p := m.GetSuccess().GetPosition()
	a.Revision = m.GetSuccess().GetCurrentRevision()
	a.Position = eventstore.Position{Commit: p.GetCommitPosition(), Prepare: p.GetPreparePosition()}
	return a
}

// refuse reads a refusal: its one detail says what it is.
func (a *answer) refuse(e *rpc.Status) {
	said := fmt.Errorf("the store answered %q", e.GetMessage())
	var detail proto.Message
	if len(e.GetDetails()) > 0 {
		detail, _ = e.GetDetails()[0].UnmarshalNew() // An unknown one says nothing.
	}
	switch d := detail.(type) {
	case *shared.WrongExpectedVersion:
		a.wrong, a.actual = true, eventstore.NoRevision
		if _, ok := d.GetCurrentStreamRevisionOption().(*shared.WrongExpectedVersion_CurrentStreamRevision); ok {
			a.actual = d.GetCurrentStreamRevision()
		}
	case *shared.StreamDeleted:
		a.err = eventstore.ErrStreamDeleted
	case *shared.MaximumAppendSizeExceeded:
		a.err = fmt.Errorf("%w: %w", eventstore.ErrTooLarge, said)
	case *shared.AccessDenied, *shared.BadRequest:
		a.err = said
	default:
		switch code := codes.Code(e.GetCode()); code { //nolint:exhaustive,gosec // Codes are small. The others leave open what happened.
		case codes.ResourceExhausted:
			a.err = fmt.Errorf("%w: %w", eventstore.ErrNoSpace, said)
		case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition:
			a.err = said
		default:
			a.err, a.again = said, true
		}
	}
}
