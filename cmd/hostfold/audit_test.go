package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// holed is a store that lost one event of every stream.
type holed struct {
	eventstore.Store
	lost uint64
}

func (s holed) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.Store.ReadStream(ctx, stream, from) {
			if r.Revision != s.lost && !yield(r, err) {
				return
			}
		}
	}
}

func TestAReplayRefusesATruncatedHistory(t *testing.T) {
	t.Parallel()
	engine, err := node.Open("node", node.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	codec, err := eventstore.NewCodec(catalog.Types()...)
	if err != nil {
		t.Fatal(err)
	}
	stored := make([]eventstore.NewEvent, 3)
	for i := range stored {
		stored[i], err = codec.Encode(t.Context(), "ticket-tkt_1", uuid.New(), ticket.Closed{}, eventstore.Metadata{Actor: domain.Actor{Kind: domain.ActorSystem}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := engine.Append(t.Context(), "ticket-tkt_1", eventstore.NoStream(), stored...); err != nil {
		t.Fatal(err)
	}
	replay := func(s eventstore.Store) error {
		a := auditReplayCmd{Stream: "ticket-tkt_1"}
		d := &commands.Dispatcher{Store: s, Codec: codec, Clock: time.Now, Rand: rand.Reader}
		return a.work(t.Context(), &parts{backends: &backends{store: s}, codec: codec, dispatcher: d}, &console{out: io.Discard, errs: io.Discard})
	}
	if err := replay(engine); err != nil {
		t.Fatalf("a whole history: %v", err)
	}
	for _, lost := range []uint64{0, 1} {
		if err := replay(holed{engine, lost}); !errors.Is(err, eventstore.ErrHistoryTruncated) {
			t.Errorf("without revision %d: %v", lost, err)
		}
	}
}

// Outside clients of the embedded node write to streams of their own.
func TestEventsOfOutsidersAreNoneOfTheAuditsBusiness(t *testing.T) {
	t.Parallel()
	engine, err := node.Open("node", node.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	id := uuid.New()
	for _, stream := range []string{"demo-main", "other-1"} {
		_, err := engine.Append(t.Context(), stream, eventstore.NoStream(), eventstore.NewEvent{
			ID: id, Type: "demo.started.v1", Metadata: []byte(`{}`), Data: []byte(`{"name":{"$enc":{"k":"made up"}}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	codec, err := eventstore.NewCodec(catalog.Types()...)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	v := newVerifier(codec, func(text string) { found = append(found, text) })
	for r, err := range engine.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		v.event(t.Context(), r)
		_, err := exportLine(t.Context(), codec, r, ownCategories())
		if r.Stream == "demo-main" { // damaged, and ours
			if len(found) == 0 || err == nil {
				t.Errorf("our own event gives the findings %q, its export %v", found, err)
			}
			found = nil
			continue
		}
		if err != nil {
			t.Errorf("export of an outsider's event: %v", err)
		}
	}
	if len(found) > 0 {
		t.Errorf("an outsider's event gives the findings %q", found)
	}
}
