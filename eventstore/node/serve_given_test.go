package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// conformance runs cases of the protocol's list, each on a server of its own.
func conformance(t *testing.T, cases map[string]func(*given)) {
	t.Helper()
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(start(t, node.ServeOptions{}))
		})
	}
}

// given is a running node, the official client, and the bare protocol for what
// that client cannot say.
type given struct {
	*testing.T
	ctx  context.Context
	node *nodetest.Node
	go4  *client.Client
	conn *grpc.ClientConn
	raw  streams.StreamsClient
}

// begin starts a case of the protocol's list, on a server of its own.
func begin(t *testing.T) *given {
	t.Helper()
	t.Parallel()
	return start(t, node.ServeOptions{})
}

func start(t *testing.T, o node.ServeOptions) *given {
	t.Helper()
	return with(t, nodetest.StartWith(t, o))
}

// with connects to a node.
func with(t *testing.T, n *nodetest.Node) *given {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	g := &given{T: t, ctx: ctx, node: n}
	g.go4 = g.connect(n.URL)
	conn, err := grpc.NewClient(n.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	g.conn, g.raw = conn, streams.NewStreamsClient(conn)
	return g
}

func (g *given) connect(url string) *client.Client {
	g.Helper()
	settings, err := client.ParseConnectionString(url)
	if err != nil {
		g.Fatal(err)
	}
	settings.Logger = client.NoopLogging()
	c, err := client.NewClient(settings)
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { _ = c.Close() })
	return c
}

// event is a JSON event with number n.
func event(n int) client.EventData {
	return client.EventData{
		EventID: uuid.New(), EventType: "thing.happened.v1", ContentType: client.ContentTypeJson,
		Data: fmt.Appendf(nil, `{"n":%d}`, n), Metadata: []byte(`{"m":true}`),
	}
}

func events(n int) []client.EventData {
	list := make([]client.EventData, n)
	for i := range list {
		list[i] = event(i)
	}
	return list
}

func typed(kind string, list ...client.EventData) []client.EventData {
	for i := range list {
		list[i].EventType = kind
	}
	return list
}

// append must succeed.
func (g *given) append(stream string, expected client.ExpectedRevision, list ...client.EventData) *client.WriteResult {
	g.Helper()
	w, err := g.go4.AppendToStream(g.ctx, stream, client.AppendToStreamOptions{ExpectedRevision: expected}, list...)
	if err != nil {
		g.Fatalf("append to %s: %v", stream, err)
	}
	return w
}

// refused must be refused with the Go client's code, and answers its text.
func (g *given) refused(code client.ErrorCode, stream string, expected client.ExpectedRevision, list ...client.EventData) string {
	g.Helper()
	_, err := g.go4.AppendToStream(g.ctx, stream, client.AppendToStreamOptions{ExpectedRevision: expected}, list...)
	var e *client.Error
	if !errors.As(err, &e) || e.Code() != code {
		g.Fatalf("append to %s answered %v, want code %d", stream, err, code)
	}
	return e.Error()
}

// rawAppend appends with the bare protocol.
func (g *given) rawAppend(o *streams.AppendReq_Options, list ...*streams.AppendReq_ProposedMessage) (*streams.AppendResp, metadata.MD, error) {
	g.Helper()
	var trailers metadata.MD
	call, err := g.raw.Append(g.ctx, grpc.Trailer(&trailers))
	if err != nil {
		g.Fatal(err)
	}
	if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: o}}); err != nil {
		g.Fatal(err)
	}
	for _, m := range list {
		if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: m}}); err != nil {
			g.Fatalf("the server did not read to the end: %v", err)
		}
	}
	resp, err := call.CloseAndRecv()
	return resp, trailers, err
}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func proposed(e client.EventData) *streams.AppendReq_ProposedMessage {
	return &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: e.EventID.String()}},
		Metadata: map[string]string{"type": e.EventType, "content-type": "application/json"},
		Data:     e.Data, CustomMetadata: e.Metadata,
	}
}

// read reads a stream to its end, without resolving links.
func (g *given) read(stream string, o client.ReadStreamOptions, count uint64) []*client.ResolvedEvent {
	g.Helper()
	r, err := g.go4.ReadStream(g.ctx, stream, o, count)
	return g.drain(r, err)
}

func (g *given) readAll(o client.ReadAllOptions, count uint64) []*client.ResolvedEvent {
	g.Helper()
	r, err := g.go4.ReadAll(g.ctx, o, count)
	return g.drain(r, err)
}

func (g *given) drain(r *client.ReadStream, err error) (list []*client.ResolvedEvent) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
	defer r.Close()
	for {
		e, err := r.Recv()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			g.Fatalf("read: %v", err)
		}
		list = append(list, e)
	}
}

// isMissing checks that the client finds no such stream.
func (g *given) isMissing(stream string) {
	g.Helper()
	r, err := g.go4.ReadStream(g.ctx, stream, client.ReadStreamOptions{}, 10)
	if err != nil {
		g.Fatal(err)
	}
	defer r.Close()
	var e *client.Error
	if _, err := r.Recv(); !errors.As(err, &e) || e.Code() != client.ErrorCodeResourceNotFound {
		g.Fatalf("reading %s answered %v", stream, err)
	}
}

// numbers are the revisions of what was read.
func numbers(list []*client.ResolvedEvent) []uint64 {
	n := make([]uint64, len(list))
	for i, e := range list {
		n[i] = e.OriginalEvent().EventNumber
	}
	return n
}

// streamRequest reads a stream forwards from its start, with text ids.
func streamRequest(stream string) *streams.ReadReq_Options {
	return &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: identifier(stream),
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Count{Count: math.MaxUint64},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
	}
}

// frames are all that a call sends, and its status.
func (g *given) frames(o *streams.ReadReq_Options) (list []*streams.ReadResp, err error) {
	g.Helper()
	call, err := g.raw.Read(g.ctx, &streams.ReadReq{Options: o})
	if err != nil {
		g.Fatal(err)
	}
	for {
		f, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		list = append(list, f)
	}
}

// follow opens a subscription with the bare protocol.
func (g *given) follow(o *streams.ReadReq_Options) streams.Streams_ReadClient {
	g.Helper()
	o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	call, err := g.raw.Read(g.ctx, &streams.ReadReq{Options: o})
	if err != nil {
		g.Fatal(err)
	}
	return call
}

// frame waits for the next frame.
func (g *given) frame(call streams.Streams_ReadClient) *streams.ReadResp {
	g.Helper()
	f, err := call.Recv()
	if err != nil {
		g.Fatalf("receive: %v", err)
	}
	return f
}

// hasStatus checks a call's error.
func (g *given) hasStatus(err error, code codes.Code, text string) {
	g.Helper()
	if s := status.Convert(err); s.Code() != code || text != "" && s.Message() != text {
		g.Fatalf("got %v, want %s %q", err, code, text)
	}
}

// toAll and toStream subscribe with the Go client.
func (g *given) toAll(o client.SubscribeToAllOptions) *client.Subscription {
	g.Helper()
	s, err := g.go4.SubscribeToAll(g.ctx, o)
	if err != nil {
		g.Fatalf("subscribe to all: %v", err)
	}
	g.Cleanup(func() { _ = s.Close() })
	return s
}

func (g *given) toStream(stream string, from client.StreamPosition) *client.Subscription {
	g.Helper()
	s, err := g.go4.SubscribeToStream(g.ctx, stream, client.SubscribeToStreamOptions{From: from})
	if err != nil {
		g.Fatalf("subscribe to %s: %v", stream, err)
	}
	g.Cleanup(func() { _ = s.Close() })
	return s
}

// told is the next message of a subscription in a word: a revision, "live",
// or "checkpoint".
func (g *given) told(s *client.Subscription) string {
	g.Helper()
	switch m := s.Recv(); {
	case m.EventAppeared != nil:
		return strconv.FormatUint(m.EventAppeared.OriginalEvent().EventNumber, 10)
	case m.CaughtUp != nil:
		return "live"
	case m.CheckPointReached != nil:
		return "checkpoint"
	case m.SubscriptionDropped != nil:
		g.Fatalf("dropped: %v", m.SubscriptionDropped.Error)
	}
	return "?"
}

// tells checks the next messages.
func (g *given) tells(s *client.Subscription, want ...string) {
	g.Helper()
	for i, w := range want {
		if got := g.told(s); got != w {
			g.Fatalf("message %d is %s, want %s", i, got, w)
		}
	}
}
