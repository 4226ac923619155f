package node

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hostfold/hostfold/eventstore"
)

// refusal is an error in the protocol's words: clients choose their error by
// the trailer "exception", and their tests compare the text.
type refusal struct {
	code      codes.Code
	text      string
	exception string
	more      []string // further trailers, name after value
}

// Error is the text.
func (r *refusal) Error() string { return r.text }

func invalid(format string, args ...any) *refusal {
	return &refusal{code: codes.InvalidArgument, text: valid(fmt.Sprintf(format, args...))}
}

// valid is text that the transport takes.
func valid(text string) string { return strings.ToValidUTF8(text, "?") }

var (
	errAccessDenied = &refusal{code: codes.PermissionDenied, text: "Access Denied", exception: "access-denied"}
	errNotReady     = &refusal{code: codes.Unavailable, text: "Server Is Not Ready"}
)

func streamDeleted(stream string) *refusal {
	return &refusal{
		code: codes.FailedPrecondition, text: fmt.Sprintf("Event stream '%s' is deleted.", valid(stream)),
		exception: "stream-deleted", more: []string{"stream-name", stream},
	}
}

func tooLarge(limit int) *refusal {
	return &refusal{
		code: codes.InvalidArgument, text: fmt.Sprintf("Maximum Append Size of %d Exceeded.", limit),
		exception: "maximum-append-size-exceeded", more: []string{"maximum-append-size", strconv.Itoa(limit)},
	}
}

func missingProperty(name string) *refusal {
	return &refusal{
		code: codes.InvalidArgument, text: fmt.Sprintf("Required Metadata Property '%s' is missing", name),
		exception: "missing-required-metadata-property", more: []string{"required-metadata-properties", "type,content-type"},
	}
}

// refusalOf translates an error of the engine about a stream.
func refusalOf(err error, stream string) error {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if limit, ok := errors.AsType[sizeError](err); ok {
		return tooLarge(int(limit))
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, eventstore.ErrStreamDeleted):
		return streamDeleted(stream)
	case errors.Is(err, ErrMetastream), errors.Is(err, ErrDerivedStream):
		return errAccessDenied
	case errors.Is(err, ErrStreamName):
		return invalid("Invalid stream name '%.100s'", stream)
	case errors.Is(err, eventstore.ErrNoSpace):
		return &refusal{code: codes.ResourceExhausted, text: "The disk's reserve of free space is reached; nothing was written."}
	case errors.Is(err, eventstore.ErrUnavailable):
		return errNotReady
	default:
		return &refusal{code: codes.Unknown, text: err.Error()}
	}
}

// end turns an error into the call's status and trailers.
func end(to interface{ SetTrailer(metadata.MD) }, err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	if r.exception != "" {
		md := metadata.Pairs("exception", r.exception)
		for i := 0; i+1 < len(r.more); i += 2 {
			md.Set(r.more[i], printable(r.more[i+1]))
		}
		to.SetTrailer(md)
	}
	return status.Error(r.code, r.text)
}

// printable keeps a trailer within ASCII, which the transport demands.
func printable(s string) string {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return url.PathEscape(s)
		}
	}
	return s
}
