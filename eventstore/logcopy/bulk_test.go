package logcopy_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
	"github.com/hostfold/hostfold/eventstore/logcopy"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func connect(t *testing.T, url string) *esdb.Store {
	t.Helper()
	s, err := esdb.Open(esdb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// one is an append of one event that a stream with so many events expects.
func one(stream string, count uint64) logcopy.Append {
	e := happened(int(count))
	e.ID = uuid.New()
	return logcopy.Append{Stream: stream, Expected: eventstore.After(count), Events: []eventstore.NewEvent{e}}
}

// at makes a write that calls do when it comes to its nth append.
func at(nth int, write func(context.Context, iter.Seq[logcopy.Append]) error, do func()) func(context.Context, iter.Seq[logcopy.Append]) error {
	return func(ctx context.Context, appends iter.Seq[logcopy.Append]) error {
		n := 0
		return write(ctx, func(yield func(logcopy.Append) bool) {
			for a := range appends {
				if n++; n == nth {
					do()
				}
				if !yield(a) {
					return
				}
			}
		})
	}
}

func TestACopyInBulkThatWasCutShortGoesOn(t *testing.T) {
	t.Parallel()
	from, id := started(t)
	to := nodetest.Start(t)
	client := connect(t, to.URL)
	for attempt := 1; ; attempt++ {
		ctx, cut := context.WithCancel(t.Context())
		c := config(from, client, id)
		c.Write = at(70+attempt, logcopy.InBulk(client), cut)
		_, err := logcopy.Copy(ctx, c)
		cut()
		if err == nil {
			t.Logf("the copy was whole after %d attempts", attempt)
			break
		}
		if !errors.Is(err, context.Canceled) || attempt > 1000 {
			t.Fatal(err)
		}
	}
	same(t, from, to.Engine, id)
}

func TestACopyInBulkOutlivesARestartOfTheTarget(t *testing.T) {
	t.Parallel()
	from, id := started(t)
	to := nodetest.Start(t)
	client := connect(t, to.URL)
	c := config(from, client, id)
	c.Write = at(300, logcopy.InBulk(client), func() {
		to.Stop()
		to.Serve(t)
	})
	if _, err := logcopy.Copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	same(t, from, to.Engine, id)
}

func TestACopyInBulkEndsWithTheFirstRefusal(t *testing.T) {
	t.Parallel()
	to := nodetest.Start(t)
	var wrong *eventstore.WrongRevisionError
	err := logcopy.InBulk(connect(t, to.URL))(t.Context(), slices.Values([]logcopy.Append{one("early", 0), one("late", 3), one("later", 4)}))
	if !errors.As(err, &wrong) || wrong.Stream != "late" {
		t.Errorf("answered %v", err)
	}
}

// TestACopyInBulkSeesThatTheOrderIsLost has a target that puts every append
// before those that it was given earlier.
func TestACopyInBulkSeesThatTheOrderIsLost(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	streams.RegisterStreamsServer(server, backwards{})
	serverfeatures.RegisterServerFeaturesServer(server, backwards{})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	client := connect(t, "esdb://"+l.Addr().String()+"?tls=false")
	err = logcopy.InBulk(client)(t.Context(), slices.Values([]logcopy.Append{one("s", 0), one("s", 1), one("s", 2)}))
	if !errors.Is(err, logcopy.ErrDiffers) {
		t.Errorf("answered %v", err)
	}
}

// backwards answers bulk appends with positions that fall.
type backwards struct {
	streams.UnimplementedStreamsServer
	serverfeatures.UnimplementedServerFeaturesServer
}

func (backwards) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: "24.10.0", Methods: []*serverfeatures.SupportedMethod{
		{ServiceName: "event_store.client.streams.streams", MethodName: "batchappend"},
	}}, nil
}

func (backwards) BatchAppend(in streams.Streams_BatchAppendServer) error {
	for position := uint64(100); ; position-- {
		m, err := in.Recv()
		if err != nil {
			return err
		}
		if err := in.Send(&streams.BatchAppendResp{
			CorrelationId: m.GetCorrelationId(),
			Result: &streams.BatchAppendResp_Success_{Success: &streams.BatchAppendResp_Success{
				PositionOption: &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: position, PreparePosition: position}},
			}},
		}); err != nil {
			return err
		}
	}
}

// TestACopyInBulkTakesLargeEvents has stores that are told to take appends
// above the usual bound.
func TestACopyInBulkTakesLargeEvents(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	large := happened(1)
	large.Data = bytes.Repeat([]byte("x"), node.LargestAppend-len(large.Metadata)-2*len(large.Type))
	from, to := store(t), store(t)
	add(t, from, "thing-1", happened(0), happened(1))
	add(t, from, "thing-1", large)
	add(t, from, "thing-2", happened(2))
	client, err := esdb.Open(esdb.Config{URL: nodetest.StartOn(t, to, node.ServeOptions{}).URL, MaxAppendBytes: node.LargestAppend, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	c := config(from, client, from.LogID())
	c.Write = logcopy.InBulk(client)
	if out, err := logcopy.Copy(t.Context(), c); err != nil || out.Events != 4 || out.Unmarked != 1 {
		t.Errorf("answered %+v, %v", out, err)
	}
}
