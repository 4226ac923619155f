package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/eventstore/keystest"
	"github.com/hostfold/hostfold/eventstore/node"
)

func memory(t *testing.T) *node.Engine {
	t.Helper()
	store, err := node.Open("log", node.Options{FS: vfs.NewMem(), Clock: time.Now, NewID: uuid.New})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// publisher appends Watermill's test messages as events of the topic's name,
// since the subscriber under test only reads.
type publisher struct {
	store eventstore.Store
	mu    *sync.Mutex
}

func (p publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		id, err := uuid.Parse(m.UUID)
		if err != nil {
			return err
		}
		metadata, err := json.Marshal(m.Metadata)
		if err != nil {
			return err
		}
		_, err = p.store.Append(m.Context(), topic+"-"+m.UUID, eventstore.NoStream(),
			eventstore.NewEvent{ID: id, Type: topic, Data: m.Payload, Metadata: metadata, Binary: !json.Valid(m.Payload)})
		if err != nil {
			return err
		}
	}
	return nil
}

func (publisher) Close() error { return nil }

// TestWatermillsOwnCases runs what Watermill asks of every Pub/Sub.
func TestWatermillsOwnCases(t *testing.T) {
	t.Parallel()
	store, mu := memory(t), &sync.Mutex{}
	codec, err := eventstore.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	tests.TestPubSub(t, tests.Features{
		GuaranteedOrder:                     true,
		GuaranteedOrderWithSingleSubscriber: true,
		Persistent:                          true,
		NewSubscriberReceivesOldMessages:    true,
		ForceShort:                          os.Getenv("HOSTFOLD_SOAK") == "", // in full they take a minute under the race detector
	}, func(*testing.T) (message.Publisher, message.Subscriber) {
		return publisher{store, mu}, feed.NewEventSubscriber(feed.EventConfig{Store: store, Codec: codec, MaxPause: time.Millisecond})
	}, nil)
}

// Renamed is an event with a personal field.
type Renamed struct {
	Name string `json:"name" personal:"self,profile"`
}

// EventType is the name on disk.
func (Renamed) EventType() string { return "thing.renamed.v1" }

func TestEventSubscriber(t *testing.T) {
	t.Parallel()
	store := memory(t)
	codec, err := eventstore.NewCodec(domain.TypeOf[Renamed]())
	if err != nil {
		t.Fatal(err)
	}
	codec = codec.WithKeys(keystest.New())
	var at [2]eventstore.Position
	for i, name := range []string{"Ada", "Grace"} {
		stored, err := codec.Encode(t.Context(), "thing-1", uuid.New(), Renamed{Name: name}, eventstore.Metadata{
			Actor: domain.Actor{Kind: domain.ActorUser, ID: "usr_1"}, Account: "acc_1", CorrelationID: "cor_1",
		})
		if err != nil {
			t.Fatal(err)
		}
		done, err := store.Append(t.Context(), "thing-1", eventstore.After(uint64(i)), stored)
		if err != nil {
			t.Fatal(err)
		}
		at[i] = done.Position
	}

	t.Run("delivers readable data and the event's metadata", func(t *testing.T) {
		t.Parallel()
		sub := feed.NewEventSubscriber(feed.EventConfig{Store: store, Codec: codec})
		messages, err := sub.Subscribe(t.Context(), "thing.")
		if err != nil {
			t.Fatal(err)
		}
		msg := <-messages
		if string(msg.Payload) != `{"name":"Ada"}` {
			t.Errorf("payload %s", msg.Payload)
		}
		for key, want := range map[string]string{
			"event_type": "thing.renamed.v1", "stream": "thing-1", "revision": "0", "account": "acc_1",
			"correlation_id": "cor_1", "actor": `{"kind":"user","id":"usr_1"}`, "position": at[0].String(),
		} {
			if got := msg.Metadata.Get(key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		msg.Ack()
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
		if _, err := sub.Subscribe(t.Context(), "thing."); err == nil {
			t.Error("a closed subscriber took a subscription")
		}
	})
	t.Run("passes over events in streams of another category", func(t *testing.T) {
		t.Parallel()
		_, err := store.Append(t.Context(), "other-1", eventstore.NoStream(),
			eventstore.NewEvent{ID: uuid.New(), Type: "other.renamed.v1", Data: []byte(`{"name":"first"}`), Metadata: []byte(`{}`)},
			eventstore.NewEvent{ID: uuid.New(), Type: "another.renamed.v1", Data: []byte(`{}`), Metadata: []byte(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = store.Append(t.Context(), "another-1", eventstore.NoStream(),
			eventstore.NewEvent{ID: uuid.New(), Type: "another.renamed.v1", Data: []byte(`{"name":"own"}`), Metadata: []byte(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		sub := feed.NewEventSubscriber(feed.EventConfig{Store: store, Codec: codec})
		messages, err := sub.Subscribe(t.Context(), "another.renamed.v1")
		if err != nil {
			t.Fatal(err)
		}
		msg := <-messages
		if got := msg.Metadata.Get("stream"); got != "another-1" {
			t.Errorf("an event of stream %s came first", got)
		}
		msg.Ack()
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("goes on from where its owner is, and tells every ack in order", func(t *testing.T) {
		t.Parallel()
		acks, failed := make(chan eventstore.Position, 2), false
		sub := feed.NewEventSubscriber(feed.EventConfig{
			Store: store, Codec: codec, MaxPause: time.Millisecond,
			From: func(string) eventstore.Position { return at[0] },
			Acked: func(_ context.Context, _ string, p eventstore.Position) error {
				if !failed {
					failed = true
					return errors.New("not kept")
				}
				acks <- p
				return nil
			},
		})
		messages, err := sub.Subscribe(t.Context(), "thing.renamed.v1")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			msg := <-messages
			if string(msg.Payload) != `{"name":"Grace"}` {
				t.Errorf("payload %s", msg.Payload)
			}
			msg.Ack()
		}
		if p := <-acks; p != at[1] {
			t.Errorf("acked %s, want %s", p, at[1])
		}
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
	})
}
