package node_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hostfold/hostfold/eventstore/node"
)

func TestServeBatchAppend(t *testing.T) {
	t.Parallel()
	conformance(t, map[string]func(*given){
		"chunks of an unknown batch are passed over":   strayChunk,
		"batches are interleaved, the rest is dropped": interleaved,
		"half-closing answers what is pending":         halfClose,
	})
}

// batches is one BatchAppend call.
type batches struct {
	*given
	call streams.Streams_BatchAppendClient
}

func (g *given) batches() *batches {
	g.Helper()
	call, err := g.raw.BatchAppend(g.ctx)
	if err != nil {
		g.Fatal(err)
	}
	return &batches{given: g, call: call}
}

// send sends one chunk; options may be nil.
func (b *batches) send(id string, o *streams.BatchAppendReq_Options, final bool, list ...client.EventData) {
	b.Helper()
	m := &streams.BatchAppendReq{CorrelationId: &shared.UUID{Value: &shared.UUID_String_{String_: id}}, Options: o, IsFinal: final}
	for _, e := range list {
		p := proposed(e)
		m.ProposedMessages = append(m.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{
			Id: p.GetId(), Metadata: p.GetMetadata(), Data: p.GetData(), CustomMetadata: p.GetCustomMetadata(),
		})
	}
	if err := b.call.Send(m); err != nil {
		b.Fatalf("send: %v", err)
	}
}

func (b *batches) answer() *streams.BatchAppendResp {
	b.Helper()
	resp, err := b.call.Recv()
	if err != nil {
		b.Fatalf("receive: %v", err)
	}
	return resp
}

// failed checks an answer's error and reads its detail.
func (b *batches) failed(resp *streams.BatchAppendResp, code codes.Code, text string, detail proto.Message) {
	b.Helper()
	st := resp.GetError()
	if codes.Code(st.GetCode()) != code || !strings.HasPrefix(st.GetMessage(), text) || len(st.GetDetails()) != 1 {
		b.Fatalf("answered %v", resp)
	}
	if err := st.GetDetails()[0].UnmarshalTo(detail); err != nil {
		b.Fatal(err)
	}
	want := "type.googleapis.com/event_store.client."
	if url := st.GetDetails()[0].GetTypeUrl(); !strings.HasPrefix(url, want) {
		b.Errorf("type url %s", url)
	}
	if diff := cmp.Diff(identifier("s"), resp.GetStreamIdentifier(), protocmp.Transform()); diff != "" {
		b.Error(diff)
	}
}

func toNoStream(stream string) *streams.BatchAppendReq_Options {
	return &streams.BatchAppendReq_Options{
		StreamIdentifier:       identifier(stream),
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}},
	}
}

func toAny(stream string) *streams.BatchAppendReq_Options {
	return &streams.BatchAppendReq_Options{
		StreamIdentifier:       identifier(stream),
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}},
	}
}

func strayChunk(g *given) {
	b := g.batches()
	b.send(uuid.NewString(), nil, true, event(0))
	id := uuid.NewString()
	b.send(id, toNoStream("s"), true, event(1))
	if r := b.answer(); r.GetCorrelationId().GetString_() != id {
		g.Fatalf("answered %v", r)
	}
}

func interleaved(g *given) {
	b := g.batches()
	one, two, three := uuid.NewString(), uuid.NewString(), uuid.NewString()
	big := event(0)
	big.Data = make([]byte, 2<<20)
	b.send(one, toNoStream("one"), false, event(1))
	b.send(two, toNoStream("s"), false, big) // Refused at once; what follows of it is dropped.
	b.send(three, toNoStream("three"), false, event(3))
	b.send(two, nil, true, event(2))
	b.send(three, nil, true, event(3))
	b.send(one, nil, true, event(1))
	b.failed(b.answer(), codes.InvalidArgument, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{})
	for _, id := range []string{three, one} {
		if r := b.answer(); r.GetCorrelationId().GetString_() != id || r.GetSuccess().GetCurrentRevision() != 1 {
			g.Fatalf("answered %v", r)
		}
	}
}

func halfClose(g *given) {
	b := g.batches()
	for i := range 20 {
		b.send(uuid.NewString(), toNoStream(fmt.Sprint("s-", i)), true, event(i))
	}
	if err := b.call.CloseSend(); err != nil {
		g.Fatal(err)
	}
	for range 20 {
		b.answer()
	}
	if _, err := b.call.Recv(); !errors.Is(err, io.EOF) {
		g.Fatalf("ended with %v", err)
	}
}

func TestServeBatchesOfOutsiders(t *testing.T) {
	t.Parallel()
	g := start(t, node.ServeOptions{MayWrite: func(string) error { return errors.New("no") }})
	b := g.batches()
	b.send(uuid.NewString(), toAny("s"), true, event(0))
	b.failed(b.answer(), codes.PermissionDenied, "AccessDenied", &shared.AccessDenied{})
}
