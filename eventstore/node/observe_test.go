package node_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func TestAnEngineCountsWhatItDoes(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	appendTo(t, e, "s-1", 3)
	appendTo(t, e, "s-1", 2)
	if _, err := e.Append(t.Context(), "s-1", eventstore.NoStream(), newEvents(1)...); err == nil {
		t.Fatal("an append to a stream that is there was accepted as its first")
	}
	collect(t, e.ReadAll(t.Context(), eventstore.Start))
	streamOf(t, e, "s-1")
	s := e.Stats()
	if s.Appends != 2 || s.Refused != 1 || s.Events != 5 || s.ReadEvents != 10 || s.Head != 5 {
		t.Errorf("counted %+v", s)
	}
	if s.Group.Count != 2 || s.Sync.Count != 2 || s.Read.Count != 2 || s.Group.Sum < s.Sync.Sum {
		t.Errorf("timed %+v, %+v, %+v", s.Group, s.Sync, s.Read)
	}
}

// TestASlowConsumerIsSeen does not read what a subscription is sent until its
// window is full, while the clock goes on.
func TestASlowConsumerIsSeen(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixNano())
	e := open(t, "node", node.Options{FS: vfs.NewMem(), Clock: func() time.Time { return time.Unix(0, now.Load()) }})
	n := nodetest.StartOn(t, e, node.ServeOptions{})
	conn, err := grpc.NewClient(n.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for range 64 {
		list := newEvents(4)
		for i := range list {
			list[i].Data = []byte(`"` + strings.Repeat("x", 32<<10) + `"`)
		}
		if _, err := e.AppendExpecting(t.Context(), "s", node.Any(), list); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow, err := streams.NewStreamsClient(conn).Read(ctx, &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
		}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Recv(); err != nil { // the confirmation, and nothing after it
		t.Fatal(err)
	}
	for e.Stats().Slow == 0 {
		now.Add(int64(time.Millisecond)) // a second goes by only for a frame that is not taken
		runtime.Gosched()
	}
	if s := e.Stats(); s.Subscriptions != 1 || s.Slow != 1 || s.Behind == 0 {
		t.Errorf("counted %d subscriptions, %d slow, %d behind", s.Subscriptions, s.Slow, s.Behind)
	}
	cancel()
	for e.Stats().Subscriptions > 0 {
		runtime.Gosched()
	}
}
