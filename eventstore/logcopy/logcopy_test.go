package logcopy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/logcopy"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// store is an empty engine in memory.
func store(t *testing.T) *node.Engine {
	t.Helper()
	e, err := node.Open("node", node.Options{FS: vfs.NewMem(), MaxAppendBytes: node.LargestAppend, Clock: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func add(t *testing.T, s *node.Engine, stream string, events ...eventstore.NewEvent) {
	t.Helper()
	for i := range events {
		events[i].ID = uuid.New()
	}
	if _, err := s.AppendExpecting(t.Context(), stream, node.Any(), events); err != nil {
		t.Fatal(err)
	}
}

func happened(n int) eventstore.NewEvent {
	return eventstore.NewEvent{Type: "thing.happened.v1", Data: fmt.Appendf(nil, `{"n":%d}`, n), Metadata: []byte(`{"schema": 1} `)}
}

// started is a log with a bit of everything, and its id.
func started(t *testing.T) (*node.Engine, uuid.UUID) {
	t.Helper()
	from := store(t)
	id, err := eventstore.LogID(t.Context(), from, uuid.New(), noon)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 600 {
		add(t, from, "thing-"+strconv.Itoa(n%11), happened(n))
	}
	add(t, from, "thing-burst", happened(1), happened(2), happened(3))
	add(t, from, "$settings", happened(0))
	add(t, from, "$$thing-1", eventstore.NewEvent{Type: "$metadata", Data: []byte(`{"$maxAge":100}`)})
	add(t, from, "foreign", eventstore.NewEvent{Type: "blob", Data: []byte{0, 1}, Metadata: []byte{9}, Binary: true},
		eventstore.NewEvent{Type: "plain", Data: []byte(`{}`), Metadata: []byte(`{}`)})
	add(t, from, "huge", eventstore.NewEvent{Type: "t", Data: []byte(`"` + strings.Repeat("x", eventstore.MaxAppendSize-20) + `"`), Metadata: []byte(`{}`)})
	return from, id
}

func config(from, to eventstore.Store, id uuid.UUID) logcopy.Config {
	return logcopy.Config{From: from, FromLog: id, To: to, NewID: uuid.New}
}

// list reads a whole log but its system streams.
func list(t *testing.T, s eventstore.Store) []eventstore.Recorded {
	t.Helper()
	var all []eventstore.Recorded
	for r, err := range s.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Stream != "$settings" {
			all = append(all, r)
		}
	}
	return all
}

// same checks a copy event by event.
func same(t *testing.T, from, to eventstore.Store, id uuid.UUID) {
	t.Helper()
	want, got := list(t, from), list(t, to)
	if len(want) != len(got) {
		t.Fatalf("%d events became %d", len(want), len(got))
	}
	for i, w := range want {
		g := got[i]
		if g.ID != w.ID || g.Stream != w.Stream || g.Revision != w.Revision || g.Type != w.Type || g.Binary != w.Binary {
			t.Fatalf("event %d: %+v became %+v", i, w, g)
		}
		if w.Stream != eventstore.LogStream && string(g.Data) != string(w.Data) {
			t.Fatalf("event %d: its data changed", i)
		}
		if w.Stream == "foreign" && w.Revision == 0 || w.Stream == "huge" || w.Type == "$metadata" {
			if string(g.Metadata) != string(w.Metadata) {
				t.Fatalf("event %d: its metadata changed", i)
			}
			continue
		}
		m, err := eventstore.MetaOf(g)
		if err != nil {
			t.Fatal(err)
		}
		if m.OriginRecordedAt == nil || !m.OriginRecordedAt.Equal(w.RecordedAt) || m.Origin != id.String()+"/"+w.Position.String() {
			t.Fatalf("event %d at %s of %s: metadata %s", i, w.Position, w.RecordedAt, g.Metadata)
		}
	}
}

func TestACopyHoldsTheSameEventsInTheSameOrder(t *testing.T) {
	t.Parallel()
	from, id := started(t)
	to := nodetest.Start(t)
	client := connect(t, to.URL)
	c := config(from, client, id)
	c.Write = logcopy.InBulk(client)
	out, err := logcopy.Copy(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	same(t, from, to.Engine, id)
	if out.Events != 608 || out.Written != 608 || out.Skipped != 1 || out.Unmarked != 3 || len(out.SHA256) != 64 {
		t.Errorf("answered %+v", out)
	}
	var begin eventstore.LogStarted
	if err := json.Unmarshal(list(t, to.Engine)[0].Data, &begin); err != nil || begin.LogID == id || begin.LogID == uuid.Nil {
		t.Errorf("the copy's log is %s, that of the log %s (%v)", begin.LogID, id, err)
	}
	if !list(t, to.Engine)[0].RecordedAt.After(noon.AddDate(-10, 0, 0)) {
		t.Error("the copy has no time of its own")
	}

	again, err := logcopy.Copy(t.Context(), c)
	if err != nil || again.Written != 0 || again.SHA256 != out.SHA256 {
		t.Errorf("a second copy answered %+v, %v", again, err)
	}
	add(t, from, "thing-1", happened(9))
	if more, err := logcopy.Copy(t.Context(), c); err != nil || more.Written != 1 {
		t.Errorf("a copy of what came later answered %+v, %v", more, err)
	}
	same(t, from, to.Engine, id)
}

func TestACopyOfAScavengedLogKeepsRevisions(t *testing.T) {
	t.Parallel()
	from, id := started(t)
	add(t, from, "$$thing-2", eventstore.NewEvent{Type: "$metadata", Data: []byte(`{"$maxCount":10}`)})
	add(t, from, "$$thing-2", eventstore.NewEvent{Type: "$metadata", Data: []byte(`{"$maxCount":20}`)})
	if _, err := from.Delete(t.Context(), "thing-4", node.Any()); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Tombstone(t.Context(), "thing-5", node.Any()); err != nil {
		t.Fatal(err)
	}
	gone, err := from.Scavenge(t.Context(), nil)
	if err != nil || gone.Events != 35+1+54+55 {
		t.Fatalf("scavenge answered %+v, %v", gone, err)
	}
	to := store(t)
	out, err := logcopy.Copy(t.Context(), config(from, to, id))
	if err != nil || out.Filled != 35+1+54 {
		t.Fatalf("answered %+v, %v", out, err)
	}
	want := map[uuid.UUID]eventstore.Recorded{}
	for _, r := range list(t, from) {
		if r.Revision < 1<<62 {
			want[r.ID] = r
		}
	}
	fillers := 0
	for _, r := range list(t, to) {
		if r.Type == "$scavenged" {
			fillers++
			continue
		}
		if w := want[r.ID]; w.Stream != r.Stream || w.Revision != r.Revision {
			t.Fatalf("%d@%s became %d@%s", w.Revision, w.Stream, r.Revision, r.Stream)
		}
		delete(want, r.ID)
	}
	if len(want) != 0 || fillers != 90 {
		t.Errorf("%d events are not there, %d were filled", len(want), fillers)
	}
	for stream, first := range map[string]uint64{"thing-2": 35, "thing-4": 99, "thing-1": 0} {
		next := first
		for r, err := range to.ReadStream(t.Context(), stream, 0) {
			if err != nil || r.Revision != next {
				t.Fatalf("%s reads %d, %v; want %d", stream, r.Revision, err, next)
			}
			next++
		}
		if (next > first) != (stream != "thing-4") {
			t.Errorf("%s reads up to %d", stream, next)
		}
	}
	if again, err := logcopy.Copy(t.Context(), config(from, to, id)); err != nil || again.Written != 0 || again.SHA256 != out.SHA256 {
		t.Errorf("a second copy answered %+v, %v", again, err)
	}
}

func TestACopyThatWasCutShortGoesOn(t *testing.T) {
	t.Parallel()
	from, id := started(t)
	to := store(t)
	errCut := errors.New("cut")
	for cut := 100; ; cut += 150 {
		c := config(from, to, id)
		n := 0
		c.Write = func(ctx context.Context, appends iter.Seq[logcopy.Append]) error {
			for a := range appends {
				if _, err := to.Append(ctx, a.Stream, a.Expected, a.Events...); err != nil {
					return err
				}
				if n++; n == 150 {
					return errCut
				}
			}
			return nil
		}
		_, err := logcopy.Copy(t.Context(), c)
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) || cut > 1000 {
			t.Fatal(err)
		}
	}
	same(t, from, to, id)
}

func TestACopyRefuses(t *testing.T) {
	t.Parallel()
	t.Run("a target with other data", func(t *testing.T) {
		t.Parallel()
		from, id := started(t)
		to := store(t)
		add(t, to, "theirs", happened(1))
		if _, err := logcopy.Copy(t.Context(), config(from, to, id)); !errors.Is(err, logcopy.ErrOtherData) {
			t.Errorf("answered %v", err)
		}
		if n := len(list(t, to)); n != 1 {
			t.Errorf("%d events are in the target", n)
		}
	})
	t.Run("a target that went on by itself", func(t *testing.T) {
		t.Parallel()
		from, id := started(t)
		to := store(t)
		if _, err := logcopy.Copy(t.Context(), config(from, to, id)); err != nil {
			t.Fatal(err)
		}
		add(t, to, "thing-1", happened(1))
		if _, err := logcopy.Copy(t.Context(), config(from, to, id)); !errors.Is(err, logcopy.ErrOtherData) {
			t.Errorf("answered %v", err)
		}
	})
	t.Run("another log's copy", func(t *testing.T) {
		t.Parallel()
		from, id := started(t)
		other, otherID := started(t)
		to := store(t)
		if _, err := logcopy.Copy(t.Context(), config(other, to, otherID)); err != nil {
			t.Fatal(err)
		}
		if _, err := logcopy.Copy(t.Context(), config(from, to, id)); !errors.Is(err, logcopy.ErrOtherData) {
			t.Errorf("answered %v", err)
		}
	})
	t.Run("a stream that came back after its deletion, before it writes", func(t *testing.T) {
		t.Parallel()
		from, id := started(t)
		if _, err := from.Delete(t.Context(), "thing-2", node.Any()); err != nil {
			t.Fatal(err)
		}
		to := store(t)
		if _, err := logcopy.Copy(t.Context(), config(from, to, id)); err != nil {
			t.Fatalf("a deleted stream: %v", err)
		}
		same(t, from, to, id)
		add(t, from, "thing-2", happened(9))
		to = store(t)
		if _, err := logcopy.Copy(t.Context(), config(from, to, id)); !errors.Is(err, logcopy.ErrRecreated) {
			t.Errorf("answered %v", err)
		}
		if n := len(list(t, to)); n != 0 {
			t.Errorf("%d events are in the target", n)
		}
		if _, err := from.Scavenge(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if out, err := logcopy.Copy(t.Context(), config(from, to, id)); err != nil || out.Filled == 0 {
			t.Errorf("after a scavenge: %+v, %v", out, err)
		}
	})
	t.Run("a log with holes, before it writes", func(t *testing.T) {
		t.Parallel()
		from, id := started(t)
		to := store(t)
		if _, err := logcopy.Copy(t.Context(), config(holed{from}, to, id)); !errors.Is(err, eventstore.ErrHistoryTruncated) {
			t.Errorf("answered %v", err)
		}
		if n := len(list(t, to)); n != 0 {
			t.Errorf("%d events are in the target", n)
		}
	})
}

// holed is a store that lost an event in the middle of a stream.
type holed struct{ eventstore.Store }

func (s holed) ReadAll(ctx context.Context, from eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.Store.ReadAll(ctx, from) {
			if (r.Stream != "thing-3" || r.Revision != 5) && !yield(r, err) {
				return
			}
		}
	}
}
