package node

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/hostfold/hostfold/eventstore"
)

// Delete soft-deletes a stream.
func (s *streamsService) Delete(ctx context.Context, in *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := in.GetOptions()
	var expected Expectation
	var err error
	switch x := o.GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		expected, err = revisionOf(x.Revision)
	case *streams.DeleteReq_Options_NoStream:
		expected = NoStream()
	case *streams.DeleteReq_Options_Any:
		expected = Any()
	case *streams.DeleteReq_Options_StreamExists:
		expected = StreamExists()
	default:
		err = invalid("'ExpectedStreamRevision' is a required argument.")
	}
	p, err := s.delete(ctx, s.e.Delete, string(o.GetStreamIdentifier().GetStreamName()), expected, err)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: p.Commit, PreparePosition: p.Prepare,
	}}}, nil
}

// Tombstone deletes a stream for ever.
func (s *streamsService) Tombstone(ctx context.Context, in *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := in.GetOptions()
	var expected Expectation
	var err error
	switch x := o.GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		expected, err = revisionOf(x.Revision)
	case *streams.TombstoneReq_Options_NoStream:
		expected = NoStream()
	case *streams.TombstoneReq_Options_Any:
		expected = Any()
	case *streams.TombstoneReq_Options_StreamExists:
		expected = StreamExists()
	default:
		err = invalid("'ExpectedStreamRevision' is a required argument.")
	}
	p, err := s.delete(ctx, s.e.Tombstone, string(o.GetStreamIdentifier().GetStreamName()), expected, err)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: p.Commit, PreparePosition: p.Prepare,
	}}}, nil
}

// delete asks the engine, unless the request is refused already.
func (s *streamsService) delete(
	ctx context.Context, how func(context.Context, string, Expectation) (eventstore.Appended, error), stream string, expected Expectation, err error,
) (eventstore.Position, error) {
	if err == nil {
		err = s.mayChange(ctx, rightDelete, stream)
	}
	var done eventstore.Appended
	if err == nil {
		done, err = how(ctx, stream, expected)
	}
	if err == nil {
		return done.Position, nil
	}
	if wrong, ok := errors.AsType[*eventstore.WrongRevisionError](err); ok {
		err = wrongDeletion(stream, expected, wrong.Actual)
	}
	return eventstore.Position{}, end(unaryCall{ctx}, refusalOf(err, stream))
}

// wrongDeletion is how the store refuses either deletion.
func wrongDeletion(stream string, expected Expectation, actual uint64) *refusal {
	is := strconv.FormatInt(int64(actual), 10) //nolint:gosec // NoRevision is written as -1.
	return &refusal{
		code: codes.FailedPrecondition,
		text: fmt.Sprintf("Delete failed due to WrongExpectedVersion. Stream: %s, Expected version: %s, Actual version: %s", valid(stream), expected, is),

		exception: "wrong-expected-version",
		more:      []string{"stream-name", stream, "expected-version", expected.String(), "actual-version", is},
	}
}

// unaryCall sets the trailers of a call that is no stream.
type unaryCall struct{ ctx context.Context }

// SetTrailer sets the call's trailers.
func (c unaryCall) SetTrailer(md metadata.MD) { _ = grpc.SetTrailer(c.ctx, md) }
