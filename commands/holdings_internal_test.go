package commands

import (
	"context"
	"crypto/rand"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/keystest"
	"github.com/hostfold/hostfold/eventstore/node"
)

// counted counts how often the log is read; one read may be broken off.
type counted struct {
	eventstore.Store
	reads  atomic.Int32
	broken atomic.Bool
}

// Subscribe reads the log.
func (c *counted) Subscribe(ctx context.Context, after eventstore.Position, f eventstore.Filter) (eventstore.Subscription, error) {
	c.reads.Add(1)
	if c.broken.Swap(false) {
		return nil, context.Canceled // as when whoever reads is stopped
	}
	return c.Store.Subscribe(ctx, after, f)
}

// TestAccountsThatCloseTogetherShareARead of the log.
func TestAccountsThatCloseTogetherShareARead(t *testing.T) {
	t.Parallel()
	engine, err := node.Open("node", node.Options{FS: vfs.NewMem(), CacheBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	codec, err := eventstore.NewCodec(catalog.Types()...)
	if err != nil {
		t.Fatal(err)
	}
	store := &counted{Store: engine}
	d := &Dispatcher{Store: store, Codec: codec.WithKeys(keystest.New()), Clock: time.Now, Rand: rand.Reader, Pepper: vault.NewPepper([]byte("tests"))}
	accounts := []string{"acc_1", "acc_2", "acc_3"}
	tickets := map[string]string{}
	for _, id := range accounts {
		call := Call{CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorSystem, ID: "test"}, Account: id, Grants: delegation.Grants{System: true}}
		cmd := openTicket{
			OpenTicket: OpenTicket{AccountID: id, Department: ticket.Technical, Priority: ticket.Normal, Subject: "Help", Message: "Please"},
			id:         "tkt_" + id, number: "AAA-000000",
		}
		events, err := cmd.Decide(ticket.Ticket{}, Env{Now: time.Now(), Account: id, Actor: call.Actor, Grants: call.Grants, NewID: func(string) string { return "x" }})
		if err != nil {
			t.Fatal(err)
		}
		state := ticket.Decider.Fold(events...)
		stored, err := encode(t.Context(), d, call, cmd, Env{Now: time.Now()}, state, events)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.append(t.Context(), cmd.Target().Stream(), eventstore.NoStream(), stored); err != nil {
			t.Fatal(err)
		}
		tickets[id] = cmd.id
	}

	// Two wait already when the third begins.
	first, _ := d.holdings.join(accounts[0])
	if second, _ := d.holdings.join(accounts[1]); second != first {
		t.Error("who waits does not wait for the same")
	}
	found, err := d.holdings.of(t.Context(), d, accounts[2])
	if err != nil || !slices.Equal(found[ticket.Decider.Category], []string{tickets[accounts[2]]}) {
		t.Errorf("found %v, %v", found, err)
	}
	select {
	case <-first.done:
	default:
		t.Fatal("those who waited wait on")
	}
	for _, id := range accounts[:2] {
		if of := first.found[id][ticket.Decider.Category]; first.err != nil || !slices.Equal(of, []string{tickets[id]}) {
			t.Errorf("%s has %v, %v", id, of, first.err)
		}
	}
	if n := store.reads.Load(); n != 1 {
		t.Errorf("the log was read %d times", n)
	}

	// Who reads for all may be stopped; the others read then. Who comes later
	// reads anew.
	store.broken.Store(true)
	if _, err := d.holdings.of(t.Context(), d, accounts[0]); err != nil {
		t.Errorf("after a read that was broken off: %v", err)
	}
	if n := store.reads.Load(); n != 3 {
		t.Errorf("the log was read %d times", n)
	}

	// Who revokes API tokens reads with those who wait.
	before := store.reads.Load()
	waits, _ := d.holdings.join(accounts[1])
	if err := d.revokeTokens(t.Context(), Call{}, accounts[0], "usr_1", eventstore.Start); err != nil {
		t.Error(err)
	}
	select {
	case <-waits.done:
	default:
		t.Error("who waited for a read waits on")
	}
	if n := store.reads.Load() - before; n != 1 {
		t.Errorf("the log was read %d times for both", n)
	}
}
