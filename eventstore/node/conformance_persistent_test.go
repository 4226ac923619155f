package node_test

import (
	"math"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// rawSettings are what clients send by default.
func rawSettings() *persistent.CreateReq_Settings {
	return &persistent.CreateReq_Settings{
		MaxRetryCount: 10, MinCheckpointCount: 10, MaxCheckpointCount: 1000, LiveBufferSize: 500, ReadBatchSize: 20,
		HistoryBufferSize: 500, ConsumerStrategy: "RoundRobin",
		MessageTimeout:  &persistent.CreateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: 30_000},
		CheckpointAfter: &persistent.CreateReq_Settings_CheckpointAfterMs{CheckpointAfterMs: 2000},
	}
}

// deprecatedCreate is how both clients for Node ask for a group on a stream.
func deprecatedCreate(stream, name string, revision uint64) *persistent.CreateReq {
	s := rawSettings()
	s.ConsumerStrategy = ""
	s.Revision = revision                                 //nolint:staticcheck // It is what this is about.
	s.NamedConsumerStrategy = persistent.CreateReq_Pinned //nolint:staticcheck // See above.
	o := &persistent.CreateReq_Options{GroupName: name, Settings: s}
	o.StreamIdentifier = identifier(stream) //nolint:staticcheck // See above.
	return &persistent.CreateReq{Options: o}
}

// trailed checks a trailer.
func (c *competing) trailed(md metadata.MD, name, want string) {
	c.Helper()
	if got := md.Get(name); len(got) != 1 || got[0] != want {
		c.Errorf("trailer %s is %q, want %q", name, got, want)
	}
}

func TestCase52GroupsAreCreatedInBothForms(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(3)...)
	c.group("s", "one", client.Start{}, nil)
	c.next(c.consume("s", "one", 10), 0, 0)

	create := func(name string, revision uint64) (metadata.MD, error) {
		var md metadata.MD
		_, err := c.raw.Create(c.ctx, deprecatedCreate("s", name, revision), grpc.Trailer(&md))
		return md, err
	}
	if _, err := create("two", 1); err != nil {
		t.Fatalf("the deprecated fields: %v", err)
	}
	c.next(c.consume("s", "two", 10), 1, 0)
	if name := c.info("s", "two").Settings.ConsumerStrategyName; name != client.ConsumerStrategyPinned {
		t.Errorf("the strategy is %s", name)
	}
	if _, err := create("three", math.MaxUint64); err != nil {
		t.Fatalf("the deprecated fields: %v", err)
	}
	third := c.consume("s", "three", 10)
	c.append("s", client.Revision(2), event(3))
	c.next(third, 3, 0)

	md, err := create("two", 1)
	c.hasStatus(err, codes.AlreadyExists, "Subscription group two on stream s exists.")
	c.trailed(md, "exception", "persistent-subscription-exists")
	c.trailed(md, "stream-name", "s")
	c.trailed(md, "group-name", "two")
	err = c.go4.CreatePersistentSubscription(c.ctx, "s", "one", client.PersistentStreamSubscriptionOptions{})
	c.clientCode(err, client.ErrorCodeResourceAlreadyExists)
}

func TestCase53StartsAtARevision(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(10)...)
	c.group("s", "g", client.Revision(4), nil)
	s := c.consume("s", "g", 10)
	for revision := range uint64(6) {
		c.next(s, 4+revision, 0)
	}
}

func TestCase54StartsAtTheEnd(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(4)...)
	c.group("s", "g", client.End{}, nil)
	c.append("s", client.Revision(3), event(4))
	// The end is where it was when the group was made, also after a restart.
	c.stop()
	c.serve()
	s := c.consume("s", "g", 10)
	c.next(s, 4, 0)
	c.append("s", client.Revision(4), event(5))
	c.next(s, 5, 0)
}

func TestCase55BufferHoldsEventsBack(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(5)...)
	c.group("s", "g", client.Start{}, nil)
	s := c.consume("s", "g", 2)
	first, second := c.next(s, 0, 0), c.next(s, 1, 0)
	c.until("s", "g", "three buffered events", func(i *client.PersistentSubscriptionInfo) bool {
		return i.Stats.OutstandingMessagesCount == 2 && i.Stats.LiveBufferCount == 3 && i.Connections[0].AvailableSlots == 0
	})
	c.ack(s, first)
	c.next(s, 2, 0)
	c.nack(s, client.NackActionPark, second)
	c.next(s, 3, 0)
}

func TestCase56RetriesUntilParked(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(2)...)
	c.group("s", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.MaxRetryCount = 2 })
	s := c.consume("s", "g", 1)
	for retries := range 3 {
		c.nack(s, client.NackActionRetry, c.next(s, 0, retries))
	}
	c.next(s, 1, 0)
	c.until("s", "g", "one parked event", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.ParkedMessagesCount == 1 })
	parked := c.read("$persistentsubscription-s::g-parked", client.ReadStreamOptions{}, 10)
	if len(parked) != 1 || parked[0].Event.EventType != "$>" || string(parked[0].Event.Data) != "0@s" {
		t.Fatalf("parked %+v", parked)
	}
	want := `{"added":"2030-01-01T12:00:00Z","reason":"Reached retry count of 2","subscriptionEventNumber":0}`
	if got := string(parked[0].Event.UserMetadata); got != want {
		t.Errorf("parked with %s, want %s", got, want)
	}
}

func TestCase57LateEventsAreGivenOutAgain(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(2)...)
	c.group("s", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.MessageTimeout = 5000 })
	s := c.consume("s", "g", 10)
	c.next(s, 0, 0)
	c.ack(s, c.next(s, 1, 0))
	c.until("s", "g", "the answer", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 1 })
	c.pass(4 * time.Second)
	if n := c.info("s", "g").Connections[0].TotalItemsProcessed; n != 2 {
		t.Errorf("after 4 s there were %d events", n)
	}
	c.pass(time.Second)
	c.next(s, 0, 1)
}

func TestCase58ParkedEventsAreReplayed(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(3)...)
	c.group("s", "g", client.Start{}, nil)
	s := c.consume("s", "g", 10)
	c.nack(s, client.NackActionPark, c.next(s, 0, 0), c.next(s, 1, 0))
	c.next(s, 2, 0)
	parked := func(n int64) func(*client.PersistentSubscriptionInfo) bool {
		return func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.ParkedMessagesCount == n }
	}
	c.until("s", "g", "two parked events", parked(2))
	if err := c.go4.ReplayParkedMessages(c.ctx, "s", "g", client.ReplayParkedMessagesOptions{}); err != nil {
		t.Fatal(err)
	}
	first, second := c.next(s, 0, 0), c.next(s, 1, 0)
	if first.Link == nil || first.Link.StreamID != "$persistentsubscription-s::g-parked" || first.Event.StreamID != "s" {
		t.Errorf("replayed as %+v", first)
	}
	c.until("s", "g", "none parked", parked(0))
	c.nack(s, client.NackActionRetry, first)
	c.ack(s, second)
	c.ack(s, c.next(s, 0, 1))
	c.until("s", "g", "the answers", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 1 })
	meta := c.read("$$$persistentsubscription-s::g-parked", client.ReadStreamOptions{From: client.End{}, Direction: client.Backwards}, 1)
	if len(meta) != 1 || string(meta[0].Event.Data) != `{"$tb":2}` {
		t.Errorf("the parked stream's metadata are %+v", meta)
	}
	c.stop()
	c.serve()
	c.until("s", "g", "none parked", parked(0))
}

func TestCase59ReplayStopsWhereTold(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(20)...)
	c.group("s", "g", client.Start{}, nil)
	s := c.consume("s", "g", 30)
	for revision := range uint64(20) {
		c.nack(s, client.NackActionPark, c.next(s, revision, 0))
	}
	c.until("s", "g", "20 parked events", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.ParkedMessagesCount == 20 })
	if err := c.go4.ReplayParkedMessages(c.ctx, "s", "g", client.ReplayParkedMessagesOptions{StopAt: 4}); err != nil {
		t.Fatal(err)
	}
	for revision := range uint64(4) {
		c.ack(s, c.next(s, revision, 0))
	}
	c.append("s", client.Revision(19), event(20))
	c.next(s, 20, 0)
	if n := c.info("s", "g").Stats.ParkedMessagesCount; n != 16 {
		t.Errorf("%d events are still parked", n)
	}

	replay := func(group string, stopAt int64) (metadata.MD, error) {
		var md metadata.MD
		_, err := c.raw.ReplayParked(c.ctx, &persistent.ReplayParkedReq{Options: &persistent.ReplayParkedReq_Options{
			GroupName:    group,
			StreamOption: &persistent.ReplayParkedReq_Options_StreamIdentifier{StreamIdentifier: identifier("s")},
			StopAtOption: &persistent.ReplayParkedReq_Options_StopAt{StopAt: stopAt},
		}}, grpc.Trailer(&md))
		return md, err
	}
	md, err := replay("g", -1)
	c.hasStatus(err, codes.Internal, "")
	c.trailed(md, "exception", "persistent-subscription-failed")
	md, err = replay("absent", 1)
	c.hasStatus(err, codes.NotFound, "Subscription group absent on stream s does not exist.")
	c.trailed(md, "exception", "persistent-subscription-does-not-exist")
}

func TestCase60UnfinishedEventsOfAConsumerThatLeft(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(4)...)
	c.group("s", "g", client.Start{}, nil)
	gone := c.consume("s", "g", 10)
	c.ack(gone, c.next(gone, 0, 0))
	for revision := range uint64(3) {
		c.next(gone, 1+revision, 0)
	}
	c.until("s", "g", "the answer", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 3 })
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	c.until("s", "g", "its connection gone", func(i *client.PersistentSubscriptionInfo) bool { return len(i.Connections) == 0 })
	s := c.consume("s", "g", 10)
	for revision := range uint64(3) {
		c.next(s, 1+revision, 1)
	}
}

func TestCase61TooManyConsumers(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.group("s", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.MaxSubscriberCount = 1 })
	first := c.consume("s", "g", 10)
	call := c.rawConsume(10)
	_, err := call.Recv()
	c.hasStatus(err, codes.FailedPrecondition, "Maximum subscriptions reached for subscription group g on stream s.")
	c.trailed(call.Trailer(), "exception", "maximum-subscribers-reached")
	c.trailed(call.Trailer(), "group-name", "g")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c.until("s", "g", "its connection gone", func(i *client.PersistentSubscriptionInfo) bool { return len(i.Connections) == 0 })
	c.consume("s", "g", 10)
}

// rawConsume connects a consumer to the group g on s with the bare protocol.
func (c *competing) rawConsume(buffer int32) persistent.PersistentSubscriptions_ReadClient {
	c.Helper()
	ctx := metadata.AppendToOutgoingContext(c.ctx, "connection-name", "a test")
	call, err := c.raw.Read(ctx)
	if err == nil {
		o := &persistent.ReadReq_Options{
			StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: identifier("s")},
			GroupName:    "g", BufferSize: buffer,
			UuidOption: &persistent.ReadReq_Options_UUIDOption{Content: &persistent.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
		}
		err = call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: o}})
	}
	if err != nil {
		c.Fatal(err)
	}
	return call
}

func TestCase62GroupsAreDeleted(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(3)...)
	c.group("s", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.CheckpointLowerBound, s.CheckpointUpperBound = 1, 1 })
	s := c.consume("s", "g", 1)
	c.nack(s, client.NackActionPark, c.next(s, 0, 0))
	c.ack(s, c.next(s, 1, 0))
	c.next(s, 2, 0)
	c.until("s", "g", "a checkpoint", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.LastCheckpointedEventRevision != nil })
	raw := c.rawConsume(1)
	if _, err := raw.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := c.go4.DeletePersistentSubscription(c.ctx, "s", "g", client.DeletePersistentSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	c.hasStatus(c.dropped(s), codes.NotFound, "Subscription group g on stream s does not exist.")
	_, err := raw.Recv()
	c.hasStatus(err, codes.NotFound, "Subscription group g on stream s does not exist.")
	c.trailed(raw.Trailer(), "exception", "persistent-subscription-does-not-exist")
	err = c.go4.DeletePersistentSubscription(c.ctx, "s", "g", client.DeletePersistentSubscriptionOptions{})
	c.clientCode(err, client.ErrorCodeResourceNotFound)
	_, err = c.go4.SubscribeToPersistentSubscription(c.ctx, "s", "g", client.SubscribeToPersistentSubscriptionOptions{})
	c.clientCode(err, client.ErrorCodeResourceNotFound)

	// A group of the same name begins anew, also after a restart.
	c.group("s", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.CheckpointLowerBound, s.CheckpointUpperBound = 1, 1 })
	again := func() *client.PersistentSubscription {
		info := c.info("s", "g")
		if info.Stats.ParkedMessagesCount != 0 {
			t.Errorf("%d events are parked", info.Stats.ParkedMessagesCount)
		}
		return c.consume("s", "g", 1)
	}
	c.next(again(), 0, 0)
	c.stop()
	c.serve()
	s = again()
	c.nack(s, client.NackActionPark, c.next(s, 0, 0))
	c.next(s, 1, 0)
	c.until("s", "g", "a parked event and a checkpoint", func(i *client.PersistentSubscriptionInfo) bool {
		return i.Stats.ParkedMessagesCount == 1 && i.Stats.LastCheckpointedEventRevision != nil && *i.Stats.LastCheckpointedEventRevision == 0
	})
	c.stop()
	c.serve()
	c.next(c.consume("s", "g", 1), 1, 0)
}

func TestCase63CheckpointsSurviveARestart(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(30)...)
	c.group("s", "g", client.Start{}, nil)
	s := c.consume("s", "g", 20)
	var list []*client.ResolvedEvent
	for revision := range uint64(20) {
		list = append(list, c.next(s, revision, 0))
	}
	c.ack(s, append(list[:12:12], list[13:]...)...) // All but 12.
	c.until("s", "g", "the answers", func(i *client.PersistentSubscriptionInfo) bool { return i.Connections[0].TotalItemsProcessed == 30 })
	c.pass(time.Second)
	if p := c.info("s", "g").Stats.LastCheckpointedEventRevision; p != nil {
		t.Errorf("a checkpoint at %d after 1 s", *p)
	}
	c.pass(time.Second)
	c.until("s", "g", "the checkpoint", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.LastCheckpointedEventRevision != nil })
	if p := *c.info("s", "g").Stats.LastCheckpointedEventRevision; p != 11 {
		t.Errorf("the checkpoint is %d", p)
	}
	written := c.read("$persistentsubscription-s::g-checkpoint", client.ReadStreamOptions{}, 10)
	if len(written) != 1 || written[0].Event.EventType != "$SubscriptionCheckpoint" || string(written[0].Event.Data) != `"11"` {
		t.Errorf("wrote %+v", written)
	}
	c.stop()
	c.hasStatus(c.dropped(s), codes.Unavailable, "Server Is Not Ready")
	c.serve()
	s = c.consume("s", "g", 20)
	for revision := range uint64(18) {
		c.next(s, 12+revision, 0)
	}
}

func TestCase64GroupsOnAllWithAFilter(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("a", client.NoStream{}, typed("wanted.v1", events(2)...)...)
	c.append("b", client.NoStream{}, typed("other.v1", events(40)...)...)
	filter := &client.SubscriptionFilter{Type: client.EventFilterType, Prefixes: []string{"wanted"}}
	err := c.go4.CreatePersistentSubscriptionToAll(c.ctx, "g", client.PersistentAllSubscriptionOptions{StartFrom: client.Start{}, Filter: filter})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.go4.SubscribeToPersistentSubscriptionToAll(c.ctx, "g", client.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.ack(s, c.next(s, 0, 0), c.next(s, 1, 0))
	c.append("a", client.Revision(1), typed("wanted.v1", event(2))...)
	third := c.next(s, 2, 0)
	c.until("$all", "g", "the answers", func(i *client.PersistentSubscriptionInfo) bool { return i.Connections[0].InFlightMessages == 1 })
	c.pass(2 * time.Second)
	c.until("$all", "g", "the checkpoint", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.LastCheckpointedPosition != nil })
	info := c.info("$all", "g")
	// What does not match moves the checkpoint on, up to what is not finished.
	if p := info.Stats.LastCheckpointedPosition; p == nil || p.Commit != third.Event.Position.Commit-1 {
		t.Errorf("the checkpoint is %v, the unfinished event at %v", p, third.Event.Position)
	}
	if info.EventSource != "$all" || info.Stats.LastKnownPosition == nil {
		t.Errorf("described as %+v", info)
	}
	c.stop()
	c.serve()
	s, err = c.go4.SubscribeToPersistentSubscriptionToAll(c.ctx, "g", client.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.next(s, 2, 0)
}
