package node

import (
	"context"
	"errors"
	"io"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hostfold/hostfold/eventstore"
)

const (
	// pendingBatches bounds the batches of one call that wait for their answer.
	pendingBatches = 1024
	// unfinishedBytes bounds what the unfinished batches of one call hold.
	unfinishedBytes = 64 << 20
)

// batch is one append of a BatchAppend call. Its chunks carry its correlation id.
type batch struct {
	proposal

	options     *streams.BatchAppendReq_Options
	correlation *shared.UUID
	ctx         context.Context // ends at the batch's own deadline
	cancel      context.CancelFunc
	ticket      *Ticket
}

// BatchAppend takes many appends over one call. They are decided in the order
// in which they are complete, and answered in that order.
func (s *streamsService) BatchAppend(in streams.Streams_BatchAppendServer) error {
	pending := make(chan *batch, pendingBatches)
	received := make(chan error, 1)
	go func() {
		defer close(pending)
		received <- s.receiveBatches(in, pending)
	}()
	for {
		select {
		case b, more := <-pending:
			if !more {
				return end(in, <-received)
			}
			if err := in.Send(b.answer()); err != nil {
				return err
			}
		case <-s.stopping.Done():
			return end(in, s.answerPending(in, pending))
		}
	}
}

// answerPending answers what was taken before the server began to stop.
func (s *streamsService) answerPending(in streams.Streams_BatchAppendServer, pending <-chan *batch) error {
	for {
		select {
		case b, more := <-pending:
			if !more {
				return errNotReady
			}
			if err := in.Send(b.answer()); err != nil {
				return err
			}
		default:
			return errNotReady
		}
	}
}

// receiveBatches puts chunks together until the client has sent everything.
func (s *streamsService) receiveBatches(in streams.Streams_BatchAppendServer, pending chan<- *batch) error {
	open := map[string]*batch{}
	held := 0
	for {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		key, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.GetCorrelationId())
		if err != nil {
			return err
		}
		b := open[string(key)]
		if b == nil {
			if m.GetOptions() == nil {
				continue // The rest of a batch that is answered already.
			}
			b = s.newBatch(in.Context(), m)
			open[string(key)] = b
		}
		before := b.size
		for _, p := range m.GetProposedMessages() {
			b.add(p)
		}
		held += b.size - before
		if m.GetIsFinal() || b.refused != nil {
			delete(open, string(key))
			held -= b.size
			s.submit(in.Context(), b)
			select {
			case pending <- b:
			case <-in.Context().Done():
				return refusalOf(in.Context().Err(), b.stream)
			}
		}
		if held > unfinishedBytes {
			return &refusal{code: codes.ResourceExhausted, text: "Too much was sent of batches that are not complete."}
		}
	}
}

// newBatch begins a batch with its first chunk.
func (s *streamsService) newBatch(ctx context.Context, m *streams.BatchAppendReq) *batch {
	o := m.GetOptions()
	b := &batch{proposal: proposal{limit: s.e.o.MaxAppendBytes}, options: o, correlation: m.GetCorrelationId()}
	switch d := o.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		b.ctx, b.cancel = context.WithDeadline(ctx, d.Deadline_21_10_0.AsTime())
	case *streams.BatchAppendReq_Options_Deadline:
		b.ctx, b.cancel = context.WithTimeout(ctx, d.Deadline.AsDuration())
	default:
		b.ctx, b.cancel = context.WithCancel(ctx)
	}
	b.stream = string(o.GetStreamIdentifier().GetStreamName())
	var err error
	switch x := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		b.expected, err = revisionOf(x.StreamPosition)
	case *streams.BatchAppendReq_Options_NoStream:
		b.expected = NoStream()
	case *streams.BatchAppendReq_Options_Any:
		b.expected = Any()
	case *streams.BatchAppendReq_Options_StreamExists:
		b.expected = StreamExists()
	default:
		err = invalid("'ExpectedStreamPosition' is a required argument.")
	}
	if err == nil {
		err = s.mayChange(ctx, rightWrite, b.stream)
	}
	if err != nil {
		b.refuse(err)
	}
	return b
}

// submit hands a complete batch to the engine. A deadline that has passed
// comes before every other reason.
func (s *streamsService) submit(ctx context.Context, b *batch) {
	if b.ctx.Err() != nil {
		b.refused = b.ctx.Err()
	}
	if b.refused == nil {
		b.ticket, b.refused = s.e.Submit(ctx, b.stream, b.expected, b.events)
	}
}

// answer waits for a batch's outcome.
func (b *batch) answer() *streams.BatchAppendResp {
	defer b.cancel()
	out := &streams.BatchAppendResp{CorrelationId: b.correlation, StreamIdentifier: b.options.GetStreamIdentifier()}
	switch x := b.options.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		out.ExpectedStreamPosition = &streams.BatchAppendResp_StreamPosition{StreamPosition: x.StreamPosition}
	case *streams.BatchAppendReq_Options_NoStream:
		out.ExpectedStreamPosition = &streams.BatchAppendResp_NoStream{NoStream: x.NoStream}
	case *streams.BatchAppendReq_Options_Any:
		out.ExpectedStreamPosition = &streams.BatchAppendResp_Any{Any: x.Any}
	case *streams.BatchAppendReq_Options_StreamExists:
		out.ExpectedStreamPosition = &streams.BatchAppendResp_StreamExists{StreamExists: x.StreamExists}
	}
	var done eventstore.Appended
	err := b.refused
	if err == nil {
		done, err = b.ticket.Wait(b.ctx)
	}
	if err != nil {
		out.Result = &streams.BatchAppendResp_Error{Error: b.failure(err)}
		return out
	}
	success := &streams.BatchAppendResp_Success{
		PositionOption: &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: done.Position.Commit, PreparePosition: done.Position.Prepare,
		}},
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: done.Revision},
	}
	if done.Revision == eventstore.NoRevision {
		success.CurrentRevisionOption = &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}}
	}
	out.Result = &streams.BatchAppendResp_Success_{Success: success}
	return out
}

// failure is an error in the form of this call: clients read the detail's type.
func (b *batch) failure(err error) *rpc.Status {
	var wrong *eventstore.WrongRevisionError
	var r *refusal
	switch {
	case errors.As(err, &wrong):
		return detailed(codes.AlreadyExists, "WrongExpectedVersion", b.wrong(wrong.Actual))
	case errors.Is(err, context.DeadlineExceeded):
		return detailed(codes.DeadlineExceeded, "Timeout", &shared.Timeout{})
	case errors.Is(err, eventstore.ErrStreamDeleted):
		return detailed(codes.NotFound, "StreamDeleted", &shared.StreamDeleted{StreamIdentifier: b.options.GetStreamIdentifier()})
	}
	errors.As(refusalOf(err, b.stream), &r)
	switch {
	case r == nil:
		return detailed(codes.Unknown, "Unknown", &shared.Unknown{})
	case r.exception == errAccessDenied.exception:
		return detailed(codes.PermissionDenied, "AccessDenied", &shared.AccessDenied{})
	case r.exception == tooLarge(0).exception:
		return detailed(codes.InvalidArgument, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{MaxAppendSize: uint32(b.limit)}) //nolint:gosec // At most LargestAppend.
	case r.code == codes.InvalidArgument:
		return detailed(codes.InvalidArgument, "BadRequest "+r.text, &shared.BadRequest{Message: r.text})
	default:
		return detailed(r.code, r.text, &shared.Unknown{})
	}
}

func (b *batch) wrong(actual uint64) *shared.WrongExpectedVersion {
	w := &shared.WrongExpectedVersion{CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: actual}}
	if actual == eventstore.NoRevision {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}
	}
	switch b.expected.kind {
	case expectAny:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case expectExists:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
	case expectNoStream:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
	default:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: b.expected.revision}
	}
	return w
}

func detailed(code codes.Code, text string, detail proto.Message) *rpc.Status {
	st := &rpc.Status{Code: int32(code), Message: text} //nolint:gosec // Codes are small.
	if a, err := anypb.New(detail); err == nil {
		st.Details = []*anypb.Any{a}
	}
	return st
}
