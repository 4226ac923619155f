package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hostfold/hostfold/eventstore"
)

// What the guard itself answers.
var (
	errNotSent    = errors.New("not sent")
	errStuck      = errors.New("the client does not answer")
	errPanic      = errors.New("the client panicked")
	errRetired    = errors.New("the connection was given up")
	errConnecting = errors.New("connecting")
	errClosed     = errors.New("closed")
	errAlone      = errors.New("the store offers no bulk appends")
	errDisorder   = errors.New("the store sent events out of order")
)

// fate is what a failed call may have done.
type fate int

const (
	refused fate = iota // the store answered no; asking again does not help
	away                // nothing reached the store
	unsure              // it may have been carried out
)

// fateOf sorts an error of the client or the guard.
func fateOf(err error) fate {
	if errors.Is(err, errNotSent) || errors.Is(err, errClosed) {
		return away
	}
	if isLost(err) {
		return unsure
	}
	switch code := codeOf(err); {
	case isOneOf(code, client.ErrorCodeConnectionClosed, client.ErrorCodeNotLeader):
		return away
	case isOneOf(code, client.ErrorCodeDeadlineExceeded, client.ErrorUnavailable, client.ErrorAborted):
		return unsure
	case code == client.ErrorCodeUnknown && !isOneOf(grpcCode(err),
		codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange, codes.ResourceExhausted, codes.Unimplemented):
		return unsure
	default:
		return refused
	}
}

func isOneOf[T comparable](code T, of ...T) bool { return slices.Contains(of, code) }

// worthwhile reports whether asking again may help.
func worthwhile(err error) bool { return fateOf(err) != refused && !errors.Is(err, errClosed) }

// isLost reports whether the call's answer was lost on our side.
func isLost(err error) bool {
	return errors.Is(err, errStuck) || errors.Is(err, errPanic) || errors.Is(err, errRetired) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// isBroken reports whether an error means that the generation is of no use.
func isBroken(err error) bool {
	return errors.Is(err, errPanic) || isOneOf(codeOf(err), client.ErrorCodeConnectionClosed, client.ErrorUnavailable) ||
		grpcCode(err) == codes.Unavailable
}

// isLate reports whether the store did not answer in time.
func isLate(err error) bool {
	return codeOf(err) == client.ErrorCodeDeadlineExceeded || grpcCode(err) == codes.DeadlineExceeded
}

// isAstray reports whether the node that was asked does not lead the cluster.
func isAstray(err error) bool { return codeOf(err) == client.ErrorCodeNotLeader }

// isEnd reports whether a read came to its end.
func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// codeOf is the client's code, ErrorCodeUnknown for errors that are not its own.
func codeOf(err error) client.ErrorCode {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Code()
	}
	return client.ErrorCodeUnknown
}

// grpcCode is the status that the store answered, codes.Unknown when there is none.
func grpcCode(err error) codes.Code {
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) {
		return s.GRPCStatus().Code()
	}
	return codes.Unknown
}

// outward turns an error into the port's.
func outward(err error) error {
	switch {
	case codeOf(err) == client.ErrorCodeStreamDeleted:
		return eventstore.ErrStreamDeleted
	case grpcCode(err) == codes.InvalidArgument && strings.Contains(err.Error(), "Maximum Append"):
		return fmt.Errorf("%w: %w", eventstore.ErrTooLarge, err)
	case grpcCode(err) == codes.ResourceExhausted:
		return fmt.Errorf("%w: %w", eventstore.ErrNoSpace, err)
	case fateOf(err) == refused:
		return err
	default:
		return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
}
