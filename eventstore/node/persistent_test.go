package node_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

func TestUpdatesLetConsumersGo(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(3)...)
	c.group("s", "g", client.Start{}, nil)
	s := c.rawConsume(10)
	for range 4 { // The confirmation and three events.
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	o := client.PersistentStreamSubscriptionOptions{StartFrom: client.Revision(1), Settings: settings(func(s *client.PersistentSubscriptionSettings) {
		s.MaxRetryCount, s.StartFrom = 77, client.Revision(1)
	})}
	if err := c.go4.UpdatePersistentSubscription(c.ctx, "s", "g", o); err != nil {
		t.Fatal(err)
	}
	_, err := s.Recv()
	c.hasStatus(err, codes.Canceled, "Subscription group g on stream s was dropped.")
	c.trailed(s.Trailer(), "exception", "persistent-subscription-dropped")
	if diff := cmp.Diff(o.Settings, c.info("s", "g").Settings); diff != "" {
		t.Error(diff)
	}
	// Without a checkpoint the new start counts, with one it does not.
	again := c.consume("s", "g", 10)
	c.ack(again, c.next(again, 1, 0))
	c.next(again, 2, 0)
	c.until("s", "g", "the answer", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 1 })
	if err := c.go4.UpdatePersistentSubscription(c.ctx, "s", "g", o); err != nil {
		t.Fatal(err)
	}
	c.hasStatus(c.dropped(again), codes.Canceled, "")
	c.next(c.consume("s", "g", 10), 2, 0)

	err = c.go4.UpdatePersistentSubscription(c.ctx, "s", "absent", o)
	c.clientCode(err, client.ErrorCodeResourceNotFound)
}

func TestUpdatesOfAGroupOnAllKeepItsFilter(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("a", client.NoStream{}, event(0))
	c.append("b", client.NoStream{}, event(0))
	filter := &client.SubscriptionFilter{Type: client.StreamFilterType, Regex: "^b$"}
	if err := c.go4.CreatePersistentSubscriptionToAll(c.ctx, "g", client.PersistentAllSubscriptionOptions{StartFrom: client.Start{}, Filter: filter}); err != nil {
		t.Fatal(err)
	}
	if err := c.go4.UpdatePersistentSubscriptionToAll(c.ctx, "g", client.PersistentAllSubscriptionOptions{StartFrom: client.Start{}, Settings: settings(nil)}); err != nil {
		t.Fatal(err)
	}
	s, err := c.go4.SubscribeToPersistentSubscriptionToAll(c.ctx, "g", client.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if e := c.next(s, 0, 0); e.Event.StreamID != "b" {
		t.Errorf("got an event of %s", e.Event.StreamID)
	}
}

func TestRestartOfTheSubsystem(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(3)...)
	c.group("s", "g", client.Start{}, nil)
	s := c.consume("s", "g", 10)
	c.ack(s, c.next(s, 0, 0))
	c.next(s, 1, 0)
	c.until("s", "g", "the answer", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 2 })
	if err := c.go4.RestartPersistentSubscriptionSubsystem(c.ctx, client.RestartPersistentSubscriptionSubsystemOptions{}); err != nil {
		t.Fatal(err)
	}
	c.hasStatus(c.dropped(s), codes.Canceled, "Subscription group g on stream s was dropped.")
	c.next(c.consume("s", "g", 10), 1, 0)
}

func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	for name, tc := range map[string]struct {
		change func(*persistent.CreateReq_Options)
		code   codes.Code
		text   string
	}{
		"an unknown strategy": {func(o *persistent.CreateReq_Options) { o.Settings.ConsumerStrategy = "X" }, codes.Internal, "Consumer strategy X does not exist."},
		"a batch as large as the buffer": {
			func(o *persistent.CreateReq_Options) { o.Settings.ReadBatchSize = 500 }, codes.Internal,
			"The read batch size (500) must be smaller than the history buffer size (500).",
		},
		"no live buffer":      {func(o *persistent.CreateReq_Options) { o.Settings.LiveBufferSize = 0 }, codes.Internal, "live buffer size"},
		"negative retries":    {func(o *persistent.CreateReq_Options) { o.Settings.MaxRetryCount = -1 }, codes.Internal, "must not be negative"},
		"no settings":         {func(o *persistent.CreateReq_Options) { o.Settings = nil }, codes.InvalidArgument, "'Settings'"},
		"no group":            {func(o *persistent.CreateReq_Options) { o.GroupName = "" }, codes.InvalidArgument, "'GroupName'"},
		"no stream":           {func(o *persistent.CreateReq_Options) { o.StreamOption = toStream("") }, codes.InvalidArgument, "Invalid stream name"},
		"a name not in UTF-8": {func(o *persistent.CreateReq_Options) { o.StreamOption = toStream("\xff") }, codes.InvalidArgument, "Invalid stream name"},
		"the log as a stream": {func(o *persistent.CreateReq_Options) { o.StreamOption = toStream("$all") }, codes.InvalidArgument, "Invalid stream name"},
		"a name too long":     {func(o *persistent.CreateReq_Options) { o.GroupName = strings.Repeat("g", 4096) }, codes.InvalidArgument, "Invalid stream name"},
		"a revision too high": {func(o *persistent.CreateReq_Options) { o.StreamOption = atRevision(math.MaxUint64 - 1) }, codes.InvalidArgument, "Invalid stream revision"},
		"a position beyond the end": {func(o *persistent.CreateReq_Options) {
			o.StreamOption = toAll(900, 900)
		}, codes.Internal, "Invalid Start From position: "},
		"a prepare after its commit": {func(o *persistent.CreateReq_Options) {
			o.StreamOption = toAll(0, 1)
		}, codes.Internal, "Invalid Start From position: "},
		"a filter that is none": {func(o *persistent.CreateReq_Options) {
			all := toAll(0, 0)
			all.All.FilterOption = &persistent.CreateReq_AllOptions_Filter{Filter: &persistent.CreateReq_AllOptions_FilterOptions{
				Filter: &persistent.CreateReq_AllOptions_FilterOptions_EventType{EventType: &persistent.CreateReq_AllOptions_FilterOptions_Expression{Regex: "("}},
			}}
			o.StreamOption = all
		}, codes.InvalidArgument, "Invalid regular expression"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &persistent.CreateReq_Options{StreamOption: toStream("s"), GroupName: "g", Settings: rawSettings()}
			tc.change(o)
			var md metadata.MD
			_, err := c.raw.Create(c.ctx, &persistent.CreateReq{Options: o}, grpc.Trailer(&md))
			c.hasStatus(err, tc.code, "")
			if !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v", err)
			}
			if tc.code == codes.Internal && (len(md.Get("reason")) != 1 || md.Get("exception")[0] != "persistent-subscription-failed") {
				t.Errorf("trailers %v", md)
			}
		})
	}
	list, err := c.go4.ListAllPersistentSubscriptions(c.ctx, client.ListPersistentSubscriptionsOptions{})
	if err != nil || len(list) != 0 {
		t.Errorf("groups %v, %v", list, err)
	}
}

func toStream(stream string) *persistent.CreateReq_Options_Stream {
	return &persistent.CreateReq_Options_Stream{Stream: &persistent.CreateReq_StreamOptions{
		StreamIdentifier: identifier(stream), RevisionOption: &persistent.CreateReq_StreamOptions_Start{Start: &shared.Empty{}},
	}}
}

func atRevision(revision uint64) *persistent.CreateReq_Options_Stream {
	o := toStream("s")
	o.Stream.RevisionOption = &persistent.CreateReq_StreamOptions_Revision{Revision: revision}
	return o
}

func toAll(commit, prepare uint64) *persistent.CreateReq_Options_All {
	return &persistent.CreateReq_Options_All{All: &persistent.CreateReq_AllOptions{AllOption: &persistent.CreateReq_AllOptions_Position{
		Position: &persistent.CreateReq_Position{CommitPosition: commit, PreparePosition: prepare},
	}}}
}

func TestCallsWithoutSenseAreRefused(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.group("s", "g", client.Start{}, nil)
	for name, in := range map[string]*persistent.ReadReq{
		"nothing":        {},
		"an answer":      {Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{}}},
		"no buffer":      {Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{GroupName: "g", StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: identifier("s")}}}},
		"a vast buffer":  {Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{GroupName: "g", BufferSize: math.MaxInt32, StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: identifier("s")}}}},
		"options, twice": {Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{}}},
	} {
		t.Run(name, func(t *testing.T) {
			call, err := c.raw.Read(c.ctx)
			if name == "options, twice" {
				call = c.rawConsume(1)
				_, err = call.Recv()
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := call.Send(in); err != nil {
				t.Fatal(err)
			}
			_, err = call.Recv()
			c.hasStatus(err, codes.InvalidArgument, "")
		})
	}
	for _, err := range []error{
		call(c.raw.Create(c.ctx, &persistent.CreateReq{})), call(c.raw.Update(c.ctx, &persistent.UpdateReq{})),
	} {
		c.hasStatus(err, codes.InvalidArgument, "")
	}
	for _, err := range []error{
		call(c.raw.Delete(c.ctx, &persistent.DeleteReq{})), call(c.raw.GetInfo(c.ctx, &persistent.GetInfoReq{})),
		call(c.raw.ReplayParked(c.ctx, &persistent.ReplayParkedReq{})),
	} {
		c.hasStatus(err, codes.NotFound, "")
	}
}

// call is the error of a call.
func call[T any](_ T, err error) error { return err }

func TestLinksOfAGroup(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(1)...)
	c.append("links", client.NoStream{}, link("0@s"), link("7@s"))
	for name, resolve := range map[string]bool{"resolved": true, "as they are": false} {
		c.group("links", name, client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.ResolveLinkTos = resolve })
		s := c.consume("links", name, 1)
		first := c.any(s)
		if resolve != (first.Link != nil) || resolve != (first.Event.StreamID == "s") {
			t.Errorf("%s: the first is %+v", name, first)
		}
		c.ack(s, first)
		second := c.any(s)
		if resolve != (second.Event == nil) || second.OriginalEvent().StreamID != "links" {
			t.Errorf("%s: the second is %+v", name, second)
		}
		c.ack(s, second) // By the id of the link.
		if n := c.info("links", name).Stats.ParkedMessagesCount; n != 0 {
			t.Errorf("%d events are parked", n)
		}
		c.until("links", name, "the answer", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 0 })
	}
}

// any waits for the next event, whichever it is.
func (c *competing) any(s *client.PersistentSubscription) *client.ResolvedEvent {
	c.Helper()
	m := s.Recv()
	if m.EventAppeared == nil {
		c.Fatal(m.SubscriptionDropped.Error)
	}
	return m.EventAppeared.Event
}

func TestAnswersOfAllKinds(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(4)...)
	c.group("s", "g", client.Start{}, nil)
	s := c.consume("s", "g", 1)
	c.nack(s, client.NackActionSkip, c.next(s, 0, 0))
	c.nack(s, client.NackActionStop, c.next(s, 1, 0))
	second := c.next(s, 2, 0)
	c.nack(s, client.NackActionUnknown, second)
	c.ack(s, c.next(s, 2, 1))
	c.ack(s, second) // Again: ignored.
	c.next(s, 3, 0)
	if n := c.info("s", "g").Stats; n.ParkedMessagesCount != 0 || n.OutstandingMessagesCount != 1 {
		t.Errorf("figures %+v", n)
	}
}

// TestManyEventsThroughManyConsumers has consumers share a stream while it
// grows, one of them leaving half-way: all events arrive.
func TestManyEventsThroughManyConsumers(t *testing.T) {
	t.Parallel()
	const n, chunk = 4000, 200
	c := startCompeting(t)
	c.group("s", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.CheckpointUpperBound = 100 })
	arrived := make(chan uint64, 64)
	for i := range 4 {
		s := c.consume("s", "g", 50)
		go func() {
			for got := 0; ; got++ {
				m := s.Recv()
				if m.EventAppeared == nil {
					return
				}
				if i == 0 && got == 300 {
					_ = s.Close() // With up to 50 events unanswered.
					return
				}
				_ = s.Ack(m.EventAppeared.Event)
				arrived <- m.EventAppeared.Event.Event.EventNumber
			}
		}()
	}
	go func() {
		for range n / chunk {
			if _, err := c.go4.AppendToStream(c.ctx, "s", client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, events(chunk)...); err != nil {
				c.Errorf("append: %v", err)
			}
		}
	}()
	seen := map[uint64]bool{}
	for len(seen) < n {
		select {
		case revision := <-arrived:
			seen[revision] = true
		case <-c.ctx.Done():
			t.Fatalf("%d of %d events arrived", len(seen), n)
		}
	}
	c.until("s", "g", "the answers", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 0 })
	c.pass(3 * time.Second)
	if p := c.info("s", "g").Stats.LastCheckpointedEventRevision; p == nil || *p < n-10 {
		t.Errorf("the checkpoint is %v", p)
	}
}

// TestAStoppedServerLeavesNoGoroutines is not parallel: it counts.
func TestAStoppedServerLeavesNoGoroutines(t *testing.T) { //nolint:paralleltest // See above.
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(3)...)
	for i := range 5 {
		name := fmt.Sprint("g", i)
		c.group("s", name, client.Start{}, nil)
		c.next(c.consume("s", name, 2), 0, 0)
	}
	c.stop()
	// What receives for a consumer ends with its connection, right after.
	left := func() bool {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		return strings.Contains(stacks, "node.(*groupRun)") || strings.Contains(stacks, "node.(*persistentService)") ||
			strings.Contains(stacks, "node.(*consumer)")
	}
	for left() {
		if c.ctx.Err() != nil {
			t.Fatal("goroutines are left")
		}
		runtime.Gosched()
	}
}

func TestGroupsOnADerivedStream(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("cat-1", client.NoStream{}, event(0))
	c.group("$ce-cat", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.ResolveLinkTos = true })
	s := c.consume("$ce-cat", "g", 1)
	c.append("dog-1", client.NoStream{}, event(0))
	c.append("cat-2", client.NoStream{}, event(0))
	for revision, stream := range []string{"cat-1", "cat-2"} {
		e := c.any(s)
		if e.Event.StreamID != stream || e.Link == nil || e.Link.EventNumber != uint64(revision) {
			t.Errorf("got %+v", e)
		}
		c.ack(s, e) // By the id of the link, which is the same each time.
	}
	c.until("$ce-cat", "g", "the answers", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 0 })
}
