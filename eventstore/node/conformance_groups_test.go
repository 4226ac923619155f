package node_test

import (
	"errors"
	"io"
	"slices"
	"strconv"
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

func TestCase65InfoEchoesTheSettings(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	want := client.PersistentSubscriptionSettings{
		StartFrom: client.Revision(7), ResolveLinkTos: true, ExtraStatistics: true, MaxRetryCount: 3,
		CheckpointLowerBound: 5, CheckpointUpperBound: 50, MaxSubscriberCount: 4, LiveBufferSize: 60, ReadBatchSize: 6,
		HistoryBufferSize: 70, ConsumerStrategyName: client.ConsumerStrategyPinned, MessageTimeout: 1234, CheckpointAfter: 4321,
	}
	c.group("s", "/x/foo", client.Revision(7), func(s *client.PersistentSubscriptionSettings) { *s = want })
	info := c.info("s", "/x/foo")
	if diff := cmp.Diff(&want, info.Settings); diff != "" {
		t.Error(diff)
	}
	if info.EventSource != "s" || info.GroupName != "/x/foo" || info.Status != "Live" || len(info.Connections) != 0 {
		t.Errorf("described as %+v", info)
	}

	for start, text := range map[client.StreamPosition]string{client.Start{}: "0", client.End{}: "-1", client.Revision(7): "7"} {
		name := "from " + text
		c.group("s", name, start, nil)
		if got := c.rawInfo("s", name).GetStartFrom(); got != text {
			t.Errorf("starts from %q, want %q", got, text)
		}
	}
	c.append("s", client.NoStream{}, events(5)...)
	position := client.Position{Commit: 3, Prepare: 3}
	for start, text := range map[client.AllPosition]string{client.Start{}: "C:0/P:0", client.End{}: "C:-1/P:-1", position: "C:3/P:3"} {
		name := "from " + text
		err := c.go4.CreatePersistentSubscriptionToAll(c.ctx, name, client.PersistentAllSubscriptionOptions{StartFrom: start})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.rawInfo("$all", name).GetStartFrom(); got != text {
			t.Errorf("starts from %q, want %q", got, text)
		}
	}

	var md metadata.MD
	_, err := c.raw.GetInfo(c.ctx, &persistent.GetInfoReq{Options: &persistent.GetInfoReq_Options{
		GroupName: "absent", StreamOption: &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: identifier("s")},
	}}, grpc.Trailer(&md))
	c.hasStatus(err, codes.NotFound, "Subscription group absent on stream s does not exist.")
	c.trailed(md, "exception", "persistent-subscription-does-not-exist")
}

func (c *competing) rawInfo(stream, group string) *persistent.SubscriptionInfo {
	c.Helper()
	info, err := c.raw.GetInfo(c.ctx, &persistent.GetInfoReq{Options: &persistent.GetInfoReq_Options{
		GroupName: group, StreamOption: &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: identifier(stream)},
	}})
	if err != nil {
		c.Fatal(err)
	}
	return info.GetSubscriptionInfo()
}

func TestConnectionsAreDescribed(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.append("s", client.NoStream{}, events(3)...)
	c.group("s", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) { s.ExtraStatistics = true })
	call := c.rawConsume(2)
	confirmed, err := call.Recv()
	if err != nil || confirmed.GetSubscriptionConfirmation().GetSubscriptionId() != "s::g" {
		t.Fatalf("confirmed as %v, %v", confirmed, err)
	}
	first, err := call.Recv()
	if err != nil || first.GetEvent().GetEvent().GetId().GetString_() == "" {
		t.Fatalf("got %v, %v", first, err)
	}
	if one := c.rawInfo("s", "g").GetConnections()[0]; len(one.GetObservedMeasurements()) != 0 {
		t.Errorf("before any answer there are measurements: %v", one)
	}
	c.pass(250 * time.Millisecond)
	answer := &persistent.ReadReq_Ack{Ids: []*shared.UUID{first.GetEvent().GetEvent().GetId()}}
	if err := call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: answer}}); err != nil {
		t.Fatal(err)
	}
	c.until("s", "g", "the answer", func(i *client.PersistentSubscriptionInfo) bool { return i.Stats.TotalItems == 3 })
	info := c.rawInfo("s", "g")
	if len(info.GetConnections()) != 1 {
		t.Fatalf("connections %v", info.GetConnections())
	}
	one := info.GetConnections()[0]
	if one.GetUsername() != "anonymous" || one.GetConnectionName() != "a test" || one.GetFrom() == "" ||
		one.GetInFlightMessages() != 2 || one.GetAvailableSlots() != 0 || one.GetTotalItems() != 3 {
		t.Errorf("described as %v", one)
	}
	measured := map[string]int64{}
	for _, m := range one.GetObservedMeasurements() {
		measured[m.GetKey()] = m.GetValue()
	}
	if len(measured) != 14 || measured["Mean"] != 250 || measured["Quintile 5"] != 250 || measured["99.9%"] != 250 {
		t.Errorf("measured %v", measured)
	}
	if err := call.CloseSend(); err != nil { // Half-closing ends the consumer, well.
		t.Fatal(err)
	}
	for err == nil {
		_, err = call.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("half-closing ended the call with %v", err)
	}
}

func TestCase66GroupsAreListed(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	list, err := c.go4.ListAllPersistentSubscriptions(c.ctx, client.ListPersistentSubscriptionsOptions{})
	if err != nil || len(list) != 0 {
		t.Fatalf("an empty store lists %v, %v", list, err)
	}
	var md metadata.MD
	_, err = c.raw.List(c.ctx, &persistent.ListReq{Options: &persistent.ListReq_Options{ListOption: &persistent.ListReq_Options_ListForStream{
		ListForStream: &persistent.ListReq_StreamOption{StreamOption: &persistent.ListReq_StreamOption_Stream{Stream: identifier("s")}},
	}}}, grpc.Trailer(&md))
	c.hasStatus(err, codes.NotFound, "Subscription group  on stream s does not exist.")
	c.trailed(md, "exception", "persistent-subscription-does-not-exist")
	_, err = c.go4.ListPersistentSubscriptionsToAll(c.ctx, client.ListPersistentSubscriptionsOptions{})
	c.clientCode(err, client.ErrorCodeResourceNotFound)

	c.group("s", "a", client.Start{}, nil)
	c.group("s", "b", client.Start{}, nil)
	c.group("t", "a", client.Start{}, nil)
	if err := c.go4.CreatePersistentSubscriptionToAll(c.ctx, "all", client.PersistentAllSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	names := func(list []client.PersistentSubscriptionInfo, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, i := range list {
			names = append(names, i.EventSource+"/"+i.GroupName)
		}
		slices.Sort(names)
		return names
	}
	c.stop()
	c.serve()
	o := client.ListPersistentSubscriptionsOptions{}
	if diff := cmp.Diff([]string{"$all/all", "s/a", "s/b", "t/a"}, names(c.go4.ListAllPersistentSubscriptions(c.ctx, o))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"s/a", "s/b"}, names(c.go4.ListPersistentSubscriptionsForStream(c.ctx, "s", o))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"$all/all"}, names(c.go4.ListPersistentSubscriptionsToAll(c.ctx, o))); diff != "" {
		t.Error(diff)
	}
}

func TestCase67Strategies(t *testing.T) {
	t.Parallel()
	t.Run("round robin gives each consumer a half", func(t *testing.T) {
		t.Parallel()
		c := startCompeting(t)
		c.group("s", "g", client.Start{}, nil)
		a, b := c.consume("s", "g", 10), c.consume("s", "g", 10)
		c.append("s", client.NoStream{}, events(10)...)
		for i := range uint64(5) {
			c.next(a, 2*i, 0)
			c.next(b, 2*i+1, 0)
		}
	})
	t.Run("dispatch to single stays with the first until it is full", func(t *testing.T) {
		t.Parallel()
		c := startCompeting(t)
		c.group("s", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) {
			s.ConsumerStrategyName = client.ConsumerStrategyDispatchToSingle
		})
		a, b := c.consume("s", "g", 4), c.consume("s", "g", 10)
		c.append("s", client.NoStream{}, events(6)...)
		for revision := range uint64(4) {
			c.next(a, revision, 0)
		}
		c.next(b, 4, 0)
		c.next(b, 5, 0)
	})
	t.Run("pinned keeps a stream with one consumer", func(t *testing.T) {
		t.Parallel()
		c := startCompeting(t)
		for n := range 8 {
			stream := "s" + strconv.Itoa(n)
			c.append(stream, client.NoStream{}, events(2)...)
			c.append("links", client.Any{}, link("0@"+stream), link("1@"+stream))
		}
		c.group("links", "g", client.Start{}, func(s *client.PersistentSubscriptionSettings) {
			s.ConsumerStrategyName, s.ResolveLinkTos = client.ConsumerStrategyPinned, true
		})
		type seen struct {
			stream string
			by     int
		}
		all := make(chan seen, 16)
		for who := range 2 {
			s := c.consume("links", "g", 20)
			go func() {
				for m := s.Recv(); m.EventAppeared != nil; m = s.Recv() {
					all <- seen{m.EventAppeared.Event.Event.StreamID, who}
				}
			}()
		}
		owner := map[string]int{}
		for range 16 {
			e := <-all
			if other, known := owner[e.stream]; known && other != e.by {
				t.Errorf("stream %s is with two consumers", e.stream)
			}
			owner[e.stream] = e.by
		}
		if len(owner) != 8 {
			t.Errorf("streams %v", owner)
		}
	})
}
