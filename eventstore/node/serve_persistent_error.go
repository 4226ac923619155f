package node

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// aboutGroup is an error about a group, with the trailers that clients read.
func aboutGroup(code codes.Code, exception, stream, name, format string, args ...any) *refusal {
	return &refusal{
		code: code, text: strings.ToValidUTF8(fmt.Sprintf(format, args...), "?"),
		exception: exception, more: []string{"stream-name", stream, "group-name", name},
	}
}

func groupExists(stream, name string) *refusal {
	return aboutGroup(codes.AlreadyExists, "persistent-subscription-exists", stream, name,
		"Subscription group %s on stream %s exists.", name, stream)
}

func noGroup(stream, name string) *refusal {
	return aboutGroup(codes.NotFound, "persistent-subscription-does-not-exist", stream, name,
		"Subscription group %s on stream %s does not exist.", name, stream)
}

func groupDropped(stream, name string) *refusal {
	return aboutGroup(codes.Canceled, "persistent-subscription-dropped", stream, name,
		"Subscription group %s on stream %s was dropped.", name, stream)
}

func tooManyConsumers(stream, name string) *refusal {
	return aboutGroup(codes.FailedPrecondition, "maximum-subscribers-reached", stream, name,
		"Maximum subscriptions reached for subscription group %s on stream %s.", name, stream)
}

func groupFailed(stream, name, format string, args ...any) *refusal {
	reason := fmt.Sprintf(format, args...)
	r := aboutGroup(codes.Internal, "persistent-subscription-failed", stream, name,
		"Subscription group %s on stream %s failed: '%s'", name, stream, reason)
	r.more = append(r.more, "reason", reason)
	return r
}

// trailerOf sets the trailers of a call that has one answer.
type trailerOf struct{ context.Context }

// SetTrailer sets trailers.
func (t trailerOf) SetTrailer(md metadata.MD) { _ = grpc.SetTrailer(t.Context, md) }
