package esdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hostfold/hostfold/eventstore"
)

const (
	// chunkBytes is how much of one append goes into one message; each event
	// counts chunkOverhead more than its own size.
	chunkBytes    = 1 << 20
	chunkOverhead = 256
)

// line is one BatchAppend call on a connection of its own.
type line struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	conn     *grpc.ClientConn
	call     streams.Streams_BatchAppendClient
	deadline *durationpb.Duration // nil when the server does not know it
	// stall breaks the line when it says nothing.
	stall   *time.Timer
	answers chan answer
	over    chan struct{} // closed when nothing more is received, for err
	err     error
}

// openLine connects and begins the call.
func (s *Store) openLine(ctx context.Context) (*line, error) {
	l := &line{answers: make(chan answer, bulkAppends), over: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	// Half of the time is left to try once more.
	l.stall = time.AfterFunc(s.deadline/2, func() { l.cancel(errStuck) })
	err := l.begin(s)
	if err != nil {
		if l.ctx.Err() != nil {
			err = errors.Join(context.Cause(l.ctx), err)
		}
		close(l.over)
		l.close()
		return nil, err
	}
	go l.receive()
	return l, nil
}

func (l *line) begin(s *Store) (err error) {
	if l.conn, err = dial(l.ctx, s.settings); err != nil {
		return err
	}
	f, err := askFeatures(l.ctx, l.conn)
	if err != nil {
		return err
	}
	if !f.batch {
		return errAlone
	}
	if f.duration {
		l.deadline = durationpb.New(s.deadline)
	}
	l.call, err = streams.NewStreamsClient(l.conn).BatchAppend(l.ctx)
	return err
}

// send sends one append, in several messages when it is large.
func (l *line) send(f *flight) error {
	if f.answer = f.refusal(); f.answer != nil {
		return nil
	}
	f.sent = true
	m := &streams.BatchAppendReq{CorrelationId: correlation(f.number), Options: f.options(l.deadline)}
	size := 0
	for _, e := range f.Events {
		if size += len(e.Data) + len(e.Metadata) + chunkOverhead; size > chunkBytes && len(m.ProposedMessages) > 0 {
			if err := l.call.Send(m); err != nil {
				return l.why()
			}
			m = &streams.BatchAppendReq{CorrelationId: m.GetCorrelationId()}
			size = 0
		}
		m.ProposedMessages = append(m.ProposedMessages, proposed(e))
	}
	m.IsFinal = true
	if err := l.call.Send(m); err != nil {
		return l.why()
	}
	return nil
}

// receive reads answers until the line breaks. There is room for all of them.
func (l *line) receive() {
	defer close(l.over)
	for {
		m, err := l.call.Recv()
		if err != nil {
			l.err = err
			return
		}
		select {
		case l.answers <- answerOf(m):
		case <-l.ctx.Done():
			l.err = l.ctx.Err()
			return
		}
	}
}

// why waits for the end of the line and answers its reason.
func (l *line) why() error {
	<-l.over
	if l.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(l.ctx), l.err)
	}
	return l.err
}

// expect breaks the line when nothing is heard for so long.
func (l *line) expect(within time.Duration) { l.stall.Reset(within) }

func (l *line) close() {
	l.stall.Stop()
	l.cancel(nil)
	<-l.over
	if l.conn != nil {
		_ = l.conn.Close() // It has only this call.
	}
}

// isHopeless reports whether an error of a line is not mended by waiting.
func isHopeless(err error) bool {
	return isOneOf(grpcCode(err), codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.ResourceExhausted)
}

// flight is an append on its way.
type flight struct {
	Append

	number  uint64
	size    int
	refused error // by ourselves; it is never sent
	sent    bool
	answer  *answer
}

func (s *Store) newFlight(a Append) *flight {
	size, err := s.check(a.Expected, a.Events)
	if err != nil {
		err = fmt.Errorf("append to %s: %w", a.Stream, err)
	}
	return &flight{Append: a, size: size + chunkOverhead*len(a.Events), refused: err}
}

// refusal is the answer of an append that is never sent.
func (f *flight) refusal() *answer {
	if f.refused == nil {
		return nil
	}
	return &answer{number: f.number, err: f.refused}
}

func (f *flight) options(deadline *durationpb.Duration) *streams.BatchAppendReq_Options {
	o := &streams.BatchAppendReq_Options{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(f.Stream)}}
	if deadline != nil {
		o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: deadline}
	}
	if last, ok := f.Expected.Last(); ok {
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: last}
	} else {
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	}
	return o
}

func proposed(e eventstore.NewEvent) *streams.BatchAppendReq_ProposedMessage {
	content := "application/json"
	if e.Binary {
		content = "application/octet-stream"
	}
	return &streams.BatchAppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: e.ID.String()}},
		Metadata: map[string]string{"type": e.Type, "content-type": content},
		Data:     e.Data, CustomMetadata: e.Metadata,
	}
}
