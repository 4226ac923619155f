package node_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func TestTheOfficialClientIsToldThatTheDiskIsFull(t *testing.T) {
	t.Parallel()
	fs := scarce{FS: vfs.NewMem(), free: &atomic.Uint64{}}
	fs.free.Store(1 << 30)
	n := nodetest.StartOn(t, open(t, "node", node.Options{FS: fs, ReserveBytes: 256 << 20}), node.ServeOptions{})
	g := &given{T: t, ctx: t.Context(), node: n}
	g.go4 = g.connect(n.URL)
	conn, err := grpc.NewClient(n.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	g.append("s", client.NoStream{}, events(2)...)

	fs.free.Store(200 << 20)
	_, err = g.go4.AppendToStream(t.Context(), "s", client.AppendToStreamOptions{ExpectedRevision: client.Revision(1)}, event(2))
	var coded interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &coded) || coded.GRPCStatus().Code() != codes.ResourceExhausted {
		t.Errorf("an append answered %v", err)
	}
	if code := batchCode(t, streams.NewStreamsClient(conn)); code != codes.ResourceExhausted {
		t.Errorf("a batch answered %v", code)
	}
	read, err := g.go4.ReadStream(t.Context(), "s", client.ReadStreamOptions{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for range 2 {
		if _, err := read.Recv(); err != nil {
			t.Errorf("a read answered %v", err)
		}
	}

	fs.free.Store(1 << 30)
	if w := g.append("s", client.Revision(1), event(2)); w.NextExpectedVersion != 2 {
		t.Errorf("with room again the stream is at %d", w.NextExpectedVersion)
	}
	if code := batchCode(t, streams.NewStreamsClient(conn)); code != codes.OK {
		t.Errorf("with room again a batch answered %v", code)
	}
}

// batchCode appends one event over BatchAppend and answers its status.
func batchCode(t *testing.T, raw streams.StreamsClient) codes.Code {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	call, err := raw.BatchAppend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e := proposed(event(0))
	err = call.Send(&streams.BatchAppendReq{
		CorrelationId: e.GetId(), IsFinal: true,
		Options: &streams.BatchAppendReq_Options{
			StreamIdentifier:       identifier("b"),
			ExpectedStreamPosition: &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}},
		},
		ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{{Id: e.GetId(), Metadata: e.GetMetadata(), CustomMetadata: e.GetCustomMetadata(), Data: e.GetData()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := call.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return codes.Code(answer.GetError().GetCode())
}
