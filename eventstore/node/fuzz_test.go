package node

import (
	"context"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hostfold/hostfold/eventstore"
)

// patience bounds one fuzzed call.
const patience = 5 * time.Second

// fuzzed is a service over a small store, called without a network.
func fuzzed(f *testing.F) *streamsService {
	f.Helper()
	e, err := Open("node", Options{FS: vfs.NewMem(), Fatal: func(err error) { f.Error(err) }})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = e.Close() })
	for i, stream := range []string{"s", "s-1", "links", "$$s"} {
		data := []byte(`{"$maxCount":2}`)
		kind := "thing.happened.v1"
		if stream == "links" {
			kind, data = linkType, []byte("0@s")
		}
		one := eventstore.NewEvent{ID: uuid.NewSHA1(uuid.Nil, []byte{byte(i)}), Type: kind, Data: data}
		if _, err := e.AppendExpecting(f.Context(), stream, NoStream(), []eventstore.NewEvent{one}); err != nil {
			f.Fatal(err)
		}
	}
	return &streamsService{e: e, mayWrite: func(string) error { return nil }, stopping: context.Background()}
}

// wire is the server's side of a call without a network. Its frames are what
// the client sends, and what it is sent ends the call when there is enough.
type wire struct {
	ctx    context.Context
	cancel context.CancelFunc
	frames [][]byte
	sent   int
	// enough is asked about what is sent; the client leaves when it says so.
	enough func(m any) bool
}

func (w *wire) SetHeader(metadata.MD) error  { return nil }
func (w *wire) SendHeader(metadata.MD) error { return nil }
func (w *wire) SetTrailer(metadata.MD)       {}
func (w *wire) Context() context.Context     { return w.ctx }

func (w *wire) SendMsg(m any) error {
	if _, err := proto.Marshal(m.(proto.Message)); err != nil {
		panic(err) // What cannot be sent must not be made.
	}
	if w.sent++; w.sent > 64 || w.enough != nil && w.enough(m) {
		w.cancel()
	}
	return w.ctx.Err()
}

func (w *wire) RecvMsg(m any) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if len(w.frames) == 0 {
		return io.EOF
	}
	frame := w.frames[0]
	w.frames = w.frames[1:]
	if err := proto.Unmarshal(frame, m.(proto.Message)); err != nil {
		return status.Error(codes.Internal, err.Error()) // As the library answers.
	}
	return nil
}

// typedWire gives the calls their types.
type typedWire[In, Out any] struct{ *wire }

func (w typedWire[In, Out]) Send(m *Out) error         { return w.SendMsg(m) }
func (w typedWire[In, Out]) SendAndClose(m *Out) error { return w.SendMsg(m) }

func (w typedWire[In, Out]) Recv() (*In, error) {
	m := new(In)
	if err := w.RecvMsg(m); err != nil {
		return nil, err
	}
	return m, nil
}

// call runs one call, which must end in time and in a status.
func call(t *testing.T, data []byte, run func(*wire) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	w := &wire{ctx: ctx, cancel: cancel}
	for len(data) > 0 && len(w.frames) < 64 {
		frame, n := protowire.ConsumeBytes(data)
		if n < 0 {
			frame, n = data, len(data)
		}
		w.frames, data = append(w.frames, frame), data[n:]
	}
	begun := time.Now()
	err := run(w)
	if took := time.Since(begun); took > patience {
		t.Fatalf("took %s", took)
	}
	if _, ok := status.FromError(err); !ok && !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v, which is no status", err)
	}
}

// framed writes messages one after the other, each after its length.
func framed(list ...proto.Message) (out []byte) {
	for _, m := range list {
		b, err := proto.Marshal(m)
		if err != nil {
			panic(err)
		}
		out = protowire.AppendBytes(out, b)
	}
	return out
}

func named(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func FuzzReadRequest(f *testing.F) {
	s := fuzzed(f)
	text := &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}}
	stream := &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: named("links"), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
	}}
	all := &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Position{Position: &streams.ReadReq_Options_Position{CommitPosition: 1, PreparePosition: 1}},
	}}
	filter := &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_EventType{EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: "^thing"}},
		Window: &streams.ReadReq_Options_FilterOptions_Max{Max: 1}, CheckpointIntervalMultiplier: 1,
	}}
	for _, o := range []*streams.ReadReq_Options{
		{StreamOption: stream, CountOption: &streams.ReadReq_Options_Count{Count: math.MaxUint64}, UuidOption: text, ResolveLinks: true, ControlOption: &streams.ReadReq_Options_ControlOption{Compatibility: 1}},
		{StreamOption: stream, CountOption: &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}, UuidOption: text},
		{StreamOption: all, CountOption: &streams.ReadReq_Options_Count{Count: 3}, UuidOption: text, FilterOption: filter, ReadDirection: streams.ReadReq_Options_Backwards},
		{StreamOption: all, CountOption: &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}, UuidOption: text, FilterOption: filter},
	} {
		f.Add(framed(&streams.ReadReq{Options: o}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		call(t, data, func(w *wire) error {
			w.enough = func(m any) bool { return m.(*streams.ReadResp).GetCaughtUp() != nil }
			in := new(streams.ReadReq)
			if err := w.RecvMsg(in); err != nil {
				return status.Convert(err).Err()
			}
			return s.Read(in, typedWire[streams.ReadReq, streams.ReadResp]{w})
		})
	})
}

func FuzzAppendRequest(f *testing.F) {
	s := fuzzed(f)
	event := &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: 1}}},
		Metadata: map[string]string{"type": "thing", "content-type": contentJSON}, Data: []byte(`{}`),
	}}}
	for _, o := range []*streams.AppendReq_Options{
		{StreamIdentifier: named("s"), ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}},
		{StreamIdentifier: named("s"), ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: math.MaxInt64}},
		{StreamIdentifier: named("$$s"), ExpectedStreamRevision: &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}},
		{StreamIdentifier: named("new"), ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}},
	} {
		f.Add(framed(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: o}}, event, event))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		call(t, data, func(w *wire) error { return s.Append(typedWire[streams.AppendReq, streams.AppendResp]{w}) })
	})
}

func FuzzBatchAppendRequest(f *testing.F) {
	s := fuzzed(f)
	id := &shared.UUID{Value: &shared.UUID_String_{String_: uuid.Nil.String()}}
	event := &streams.BatchAppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewSHA1(uuid.Nil, nil).String()}},
		Metadata: map[string]string{"type": "thing", "content-type": contentJSON}, Data: []byte(`{}`),
	}
	o := &streams.BatchAppendReq_Options{StreamIdentifier: named("s"), ExpectedStreamPosition: &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}}
	chunk := func(o *streams.BatchAppendReq_Options, final bool) proto.Message {
		return &streams.BatchAppendReq{CorrelationId: id, Options: o, ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{event}, IsFinal: final}
	}
	f.Add(framed(chunk(o, true)))
	f.Add(framed(chunk(o, false), chunk(nil, true), chunk(o, true)))
	f.Fuzz(func(t *testing.T, data []byte) {
		call(t, data, func(w *wire) error {
			return s.BatchAppend(typedWire[streams.BatchAppendReq, streams.BatchAppendResp]{w})
		})
	})
}

func FuzzFilter(f *testing.F) {
	f.Add("^[^$].*", "", "s-1", "thing.happened.v1", false)
	f.Add(`^[^\$].*`, "", "$s", "$metadata", true)
	f.Add("", "s-,x", "s-1", "thing", true)
	f.Add("", "", "$persistentsubscription-$all::g-parked", "$>", false)
	f.Add("(", "", "s", "t", false)
	f.Add("", ",", "", "", true)
	f.Fuzz(func(t *testing.T, expression, list, stream, kind string, byStream bool) {
		x := &streams.ReadReq_Options_FilterOptions_Expression{Regex: expression}
		if list != "" {
			x.Prefix = strings.Split(list, ",")
		}
		o := &streams.ReadReq_Options_FilterOptions{Filter: &streams.ReadReq_Options_FilterOptions_EventType{EventType: x}}
		name := kind
		if byStream {
			o.Filter = &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: x}
			name = stream
		}
		matches, err := matchOf(o)
		var want bool
		if expression != "" {
			re, invalid := regexp.Compile(expression)
			if (invalid != nil || len(expression) > maxExpression) != (err != nil) {
				t.Fatalf("%q: %v, the library says %v", expression, err, invalid)
			}
			if err != nil {
				return
			}
			want = re.MatchString(name)
		} else {
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range x.GetPrefix() {
				want = want || strings.HasPrefix(name, p)
			}
		}
		hidden := stream == "$epoch-information" ||
			regexp.MustCompile(`(?s)^\$persistentsubscription-\$all::.*-(checkpoint|parked)$`).MatchString(stream)
		if got := matches([]byte(stream), []byte(kind)); got != (want && !hidden) {
			t.Errorf("%q %q on %q %q by stream %t: %t", expression, list, stream, kind, byStream, got)
		}
	})
}
