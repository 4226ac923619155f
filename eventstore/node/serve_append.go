package node

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/hostfold/hostfold/eventstore"
)

// drainLimit bounds what is read of an append that is already refused.
const drainLimit = 256 << 20

// streamsService is the protocol's main service. What it does not implement
// answers UNIMPLEMENTED.
type streamsService struct {
	streams.UnimplementedStreamsServer

	e        *Engine
	mayWrite func(stream string) error
	auth     *authority
	stopping context.Context
}

// proposal gathers an append's events and the first reason to refuse them.
type proposal struct {
	limit    int // of size
	stream   string
	expected Expectation
	events   []eventstore.NewEvent
	size     int
	refused  error
}

func (p *proposal) refuse(err error) {
	if p.refused == nil {
		p.refused, p.events = err, nil
	}
}

// add takes one event, unless the append is refused already.
func (p *proposal) add(m proposed) {
	e, err := newEvent(m)
	if err != nil {
		p.refuse(err)
	}
	if p.size += len(e.Data) + len(e.Metadata) + 2*len(e.Type); p.size > p.limit {
		p.refuse(tooLarge(p.limit))
	}
	if p.refused == nil {
		p.events = append(p.events, e)
	}
}

// mayChange asks whether the caller may write to a stream, or delete it; for a
// metastream whether clients may write to the stream it is about.
func (s *streamsService) mayChange(ctx context.Context, r right, stream string) error {
	if stream == "$all" {
		return errAccessDenied
	}
	if err := s.mayWrite(strings.TrimPrefix(stream, metaPrefix)); err != nil {
		return errAccessDenied
	}
	return s.auth.may(ctx, r, stream)
}

// Append writes the events of one call. A refusal waits until the client has
// sent everything: clients that are interrupted report another error.
func (s *streamsService) Append(in streams.Streams_AppendServer) error {
	p, err := s.receive(in)
	if err != nil {
		return end(in, err)
	}
	if err := in.Context().Err(); err != nil {
		return end(in, refusalOf(err, p.stream))
	}
	if p.refused != nil {
		return end(in, p.refused)
	}
	done, err := s.e.AppendExpecting(in.Context(), p.stream, p.expected, p.events)
	var wrong *eventstore.WrongRevisionError
	switch {
	case errors.As(err, &wrong):
		return in.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{
			WrongExpectedVersion: wrongVersion(p.expected, wrong.Actual),
		}})
	case err != nil:
		return end(in, refusalOf(err, p.stream))
	default:
		return in.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: appended(done)}})
	}
}

// receive reads an append to its end, keeping nothing of one that is refused.
func (s *streamsService) receive(in streams.Streams_AppendServer) (*proposal, error) {
	first, err := in.Recv()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, invalid("'Options' is a required argument.")
		}
		return nil, err
	}
	p := &proposal{limit: s.e.o.MaxAppendBytes}
	if err := p.aim(first.GetOptions()); err != nil {
		p.refuse(err)
	} else if err := s.mayChange(in.Context(), rightWrite, p.stream); err != nil {
		p.refuse(err)
	}
	for p.size < drainLimit {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if m.GetProposedMessage() == nil {
			p.refuse(invalid("'ProposedMessage' is a required argument."))
			continue
		}
		p.add(m.GetProposedMessage())
	}
	return p, nil
}

// aim reads an append's stream and expectation.
func (p *proposal) aim(o *streams.AppendReq_Options) (err error) {
	if o == nil {
		return invalid("'Options' is a required argument.")
	}
	p.stream = string(o.GetStreamIdentifier().GetStreamName())
	switch x := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		p.expected, err = revisionOf(x.Revision)
	case *streams.AppendReq_Options_NoStream:
		p.expected = NoStream()
	case *streams.AppendReq_Options_Any:
		p.expected = Any()
	case *streams.AppendReq_Options_StreamExists:
		p.expected = StreamExists()
	default:
		return invalid("'ExpectedStreamRevision' is a required argument.")
	}
	return err
}

func appended(a eventstore.Appended) *streams.AppendResp_Success {
	out := &streams.AppendResp_Success{
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: a.Position.Commit, PreparePosition: a.Position.Prepare,
		}},
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: a.Revision},
	}
	if a.Revision == eventstore.NoRevision {
		out.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	}
	return out
}

// wrongVersion fills the fields of today and those of version 20.6.
func wrongVersion(expected Expectation, actual uint64) *streams.AppendResp_WrongExpectedVersion {
	w := &streams.AppendResp_WrongExpectedVersion{}
	switch expected.kind {
	case expectAny:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: &shared.Empty{}}
	case expectExists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: &shared.Empty{}}
	case expectNoStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: math.MaxUint64}
	default:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: expected.revision}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: expected.revision}
	}
	if actual == eventstore.NoRevision {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
	} else {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: actual}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: actual}
	}
	return w
}
