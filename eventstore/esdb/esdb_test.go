package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func open(t *testing.T, url string) *esdb.Store {
	t.Helper()
	s, err := esdb.Open(esdb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func events(n int, kind string) []eventstore.NewEvent {
	es := make([]eventstore.NewEvent, n)
	for i := range es {
		es[i] = eventstore.NewEvent{ID: uuid.New(), Type: kind, Data: fmt.Appendf(nil, `{"n":%d}`, i), Metadata: []byte(`{"actor":{}}`)}
	}
	return es
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func appendAt(t *testing.T, s eventstore.Store, stream string, n uint64, es ...eventstore.NewEvent) eventstore.Appended {
	t.Helper()
	a, err := s.Append(within(t, 10*time.Second), stream, eventstore.After(n), es...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAppendAndReadBack(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	s := open(t, n.URL)
	es := events(3, "user.registered.v1")
	a := appendAt(t, s, "user-1", 0, es...)
	if a.Revision != 2 {
		t.Errorf("revision %d, want 2", a.Revision)
	}
	var got []uuid.UUID
	for r, err := range s.ReadStream(t.Context(), "user-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.ID)
	}
	want := []uuid.UUID{es[0].ID, es[1].ID, es[2].ID}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err := s.Append(t.Context(), "user-1", eventstore.NoStream(), events(1, "x")...)
	var wrong *eventstore.WrongRevisionError
	if !errors.As(err, &wrong) || wrong.Actual != 2 {
		t.Errorf("got %v, want a wrong revision with actual 2", err)
	}
	head, err := s.Head(t.Context())
	if err != nil || head != a.Position {
		t.Errorf("head %v (%v), want %v", head, err, a.Position)
	}
	sub, err := s.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for seen < 3 {
		b, err := sub.Next(within(t, 5*time.Second), 10)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(b.Events)
		t.Log(len(b.Events), b.Through, b.Live)
	}
}
