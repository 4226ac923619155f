package node_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/hostfold/hostfold/eventstore/node"
)

// timeline is the time of a store and of its server: it goes on when a test
// says so.
type timeline struct {
	mu    sync.Mutex
	now   time.Time
	ticks map[chan time.Time]chan struct{}
}

func newTimeline() *timeline {
	return &timeline{now: time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC), ticks: map[chan time.Time]chan struct{}{}}
}

func (l *timeline) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *timeline) every(time.Duration) (<-chan time.Time, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, stopped := make(chan time.Time), make(chan struct{})
	l.ticks[c] = stopped
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.ticks, c)
		close(stopped)
	}
}

// pass lets time pass, and every group see it. When it returns, what the
// groups did at the tick before is done.
func (l *timeline) pass(d time.Duration) {
	l.mu.Lock()
	l.now = l.now.Add(d)
	now := l.now
	ticks := maps.Clone(l.ticks)
	l.mu.Unlock()
	for range 2 {
		for c, stopped := range ticks {
			select {
			case c <- now:
			case <-stopped:
			}
		}
	}
}

// competing is a running node whose time is the test's.
type competing struct {
	*given
	*timeline
	engine  *node.Engine
	address string
	raw     persistent.PersistentSubscriptionsClient
	stop    func()
}

func startCompeting(t *testing.T) *competing {
	t.Helper()
	l := newTimeline()
	c := &competing{timeline: l, engine: open(t, "node", node.Options{FS: newDisk(t).fs, Clock: l.clock}), address: "127.0.0.1:0"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c.given = &given{T: t, ctx: ctx}
	c.serve()
	c.go4 = c.connect("esdb://" + c.address + "?tls=false")
	conn, err := grpc.NewClient(c.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c.conn, c.given.raw = conn, streams.NewStreamsClient(conn)
	c.raw = persistent.NewPersistentSubscriptionsClient(conn)
	return c
}

// serve serves, also again after stop.
func (c *competing) serve() {
	c.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", c.address)
	if err != nil {
		c.Fatal(err)
	}
	c.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- node.Serve(ctx, c.engine, l, node.ServeOptions{Every: c.every}) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			c.Errorf("serve: %v", err)
		}
	})
	c.Cleanup(c.stop)
}

// settings are the Go client's, changed.
func settings(change func(*client.PersistentSubscriptionSettings)) *client.PersistentSubscriptionSettings {
	s := client.SubscriptionSettingsDefault()
	if change != nil {
		change(&s)
	}
	return &s
}

// make makes a group that starts at a revision.
func (c *competing) group(stream, group string, from client.StreamPosition, change func(*client.PersistentSubscriptionSettings)) {
	c.Helper()
	err := c.go4.CreatePersistentSubscription(c.ctx, stream, group, client.PersistentStreamSubscriptionOptions{StartFrom: from, Settings: settings(change)})
	if err != nil {
		c.Fatalf("create %s on %s: %v", group, stream, err)
	}
}

// consume connects a consumer.
func (c *competing) consume(stream, group string, buffer uint32) *client.PersistentSubscription {
	c.Helper()
	s, err := c.go4.SubscribeToPersistentSubscription(c.ctx, stream, group, client.SubscribeToPersistentSubscriptionOptions{BufferSize: buffer})
	if err != nil {
		c.Fatalf("subscribe to %s on %s: %v", group, stream, err)
	}
	c.Cleanup(func() { _ = s.Close() })
	return s
}

// got is an event as a consumer sees it.
type got struct {
	Revision uint64
	Retries  int
}

// next waits for the next event, which must be the wanted one.
func (c *competing) next(s *client.PersistentSubscription, revision uint64, retries int) *client.ResolvedEvent {
	c.Helper()
	m := s.Recv()
	if m.EventAppeared == nil {
		c.Fatalf("waiting for event %d: %v", revision, m.SubscriptionDropped.Error)
	}
	e := m.EventAppeared
	if diff := cmp.Diff(got{revision, retries}, got{e.Event.Event.EventNumber, e.RetryCount}); diff != "" {
		c.Fatalf("got another event:\n%s", diff)
	}
	return e.Event
}

// dropped waits for a consumer's end.
func (c *competing) dropped(s *client.PersistentSubscription) error {
	c.Helper()
	for {
		if m := s.Recv(); m.SubscriptionDropped != nil {
			return m.SubscriptionDropped.Error
		}
	}
}

func (c *competing) ack(s *client.PersistentSubscription, list ...*client.ResolvedEvent) {
	c.Helper()
	if err := s.Ack(list...); err != nil {
		c.Fatal(err)
	}
}

func (c *competing) nack(s *client.PersistentSubscription, action client.NackAction, list ...*client.ResolvedEvent) {
	c.Helper()
	if err := s.Nack("because", action, list...); err != nil {
		c.Fatal(err)
	}
}

func (c *competing) info(stream, group string) *client.PersistentSubscriptionInfo {
	c.Helper()
	ask := client.GetPersistentSubscriptionOptions{}
	get := func() (*client.PersistentSubscriptionInfo, error) {
		return c.go4.GetPersistentSubscriptionInfo(c.ctx, stream, group, ask)
	}
	if stream == "$all" {
		get = func() (*client.PersistentSubscriptionInfo, error) {
			return c.go4.GetPersistentSubscriptionInfoToAll(c.ctx, group, ask)
		}
	}
	info, err := get()
	if err != nil {
		c.Fatal(err)
	}
	return info
}

// until asks for a group's figures until they are as wanted; the asking
// itself is what takes time.
func (c *competing) until(stream, group, what string, is func(*client.PersistentSubscriptionInfo) bool) {
	c.Helper()
	for !is(c.info(stream, group)) {
		if c.ctx.Err() != nil {
			c.Fatalf("waited for %s in vain", what)
		}
	}
}

// clientCode checks the Go client's code of an error.
func (c *competing) clientCode(err error, code client.ErrorCode) {
	c.Helper()
	var e *client.Error
	if !errors.As(err, &e) || e.Code() != code {
		c.Fatalf("got %v, want code %d", err, code)
	}
}
