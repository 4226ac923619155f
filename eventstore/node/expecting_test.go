package node_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// newEvents are n new events.
func newEvents(n int) []eventstore.NewEvent {
	list := make([]eventstore.NewEvent, n)
	for i := range list {
		list[i] = eventstore.NewEvent{ID: uuid.New(), Type: "thing.done.v1", Data: fmt.Appendf(nil, `{"n":%d}`, i), Metadata: []byte(`{}`)}
	}
	return list
}

func TestAppendExpecting(t *testing.T) {
	t.Parallel()
	old, fresh := newEvents(3), newEvents(3)
	const refused, absent = true, uint64(eventstore.NoRevision)
	cases := map[string]struct {
		given    []eventstore.NewEvent
		expected node.Expectation
		events   []eventstore.NewEvent
		want     uint64 // the revision answered, or the actual one when refused
		refused  bool
		holds    int
	}{
		"any makes a stream":                               {nil, node.Any(), fresh, 2, false, 3},
		"any goes on":                                      {old, node.Any(), fresh, 5, false, 6},
		"any recognises a repeat":                          {old, node.Any(), old, 2, false, 3},
		"any recognises a repeat of the beginning":         {old, node.Any(), old[:2], 1, false, 3},
		"any refuses a known id before a new one":          {old, node.Any(), []eventstore.NewEvent{old[2], fresh[0]}, 2, refused, 3},
		"any writes a new id before a known one":           {old, node.Any(), []eventstore.NewEvent{fresh[0], old[0]}, 4, false, 5},
		"any with nothing answers the end":                 {old, node.Any(), nil, 2, false, 3},
		"any with nothing on no stream answers none":       {nil, node.Any(), nil, absent, false, 0},
		"exists refuses no stream":                         {nil, node.StreamExists(), fresh, absent, refused, 0},
		"exists goes on":                                   {old, node.StreamExists(), fresh, 5, false, 6},
		"exists recognises a repeat":                       {old, node.StreamExists(), old, 2, false, 3},
		"no stream recognises a repeat":                    {old, node.NoStream(), old, 2, false, 3},
		"no stream recognises a repeat of the beginning":   {old, node.NoStream(), old[:1], 0, false, 3},
		"no stream refuses a stream":                       {old, node.NoStream(), fresh, 2, refused, 3},
		"no stream refuses a longer repeat":                {old, node.NoStream(), append(old[:3:3], fresh[0]), 2, refused, 3},
		"no stream with nothing refuses a stream":          {old, node.NoStream(), nil, 2, refused, 3},
		"no stream with nothing on no stream answers none": {nil, node.NoStream(), nil, absent, false, 0},
		"a revision at the end goes on":                    {old, node.Revision(2), fresh, 5, false, 6},
		"a revision behind recognises a repeat":            {old, node.Revision(0), old[1:], 2, false, 3},
		"a revision behind refuses others":                 {old, node.Revision(0), fresh[:1], 2, refused, 3},
		"a revision behind refuses half a repeat":          {old, node.Revision(0), []eventstore.NewEvent{old[1], fresh[0]}, 2, refused, 3},
		"a revision behind with nothing is refused":        {old, node.Revision(0), nil, 2, refused, 3},
		"a revision ahead is refused":                      {old, node.Revision(3), fresh, 2, refused, 3},
		"a revision of no stream is refused":               {nil, node.Revision(0), fresh, absent, refused, 0},
		"a revision out of range is refused":               {old, node.Revision(1 << 63), fresh, 2, refused, 3},
		"the revision with nothing answers it":             {old, node.Revision(2), nil, 2, false, 3},
		"ids twice in one append are written twice":        {nil, node.Any(), []eventstore.NewEvent{fresh[0], fresh[0]}, 1, false, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := inMemory(t)
			if _, err := e.AppendExpecting(t.Context(), "s-1", node.Any(), c.given); err != nil {
				t.Fatalf("given: %v", err)
			}
			got, err := e.AppendExpecting(t.Context(), "s-1", c.expected, c.events)
			var wrong *eventstore.WrongRevisionError
			switch {
			case errors.As(err, &wrong):
				got.Revision = wrong.Actual
			case err != nil:
				t.Fatalf("append: %v", err)
			}
			if (wrong != nil) != c.refused || got.Revision != c.want {
				t.Errorf("answered %d, refused %t; want %d, %t", got.Revision, wrong != nil, c.want, c.refused)
			}
			if n := len(streamOf(t, e, "s-1")); n != c.holds {
				t.Errorf("the stream holds %d events, want %d", n, c.holds)
			}
		})
	}
}

// streamOf reads a stream.
func streamOf(t *testing.T, e *node.Engine, stream string) []eventstore.Recorded {
	t.Helper()
	return collect(t, e.ReadStream(t.Context(), stream, 0))
}

func TestAnIDKnownInAnotherStreamIsNew(t *testing.T) {
	t.Parallel()
	e, list := inMemory(t), newEvents(2)
	for _, stream := range []string{"s-1", "s-2"} {
		if out, err := e.AppendExpecting(t.Context(), stream, node.Any(), list); err != nil || out.Revision != 1 {
			t.Fatalf("append to %s: %+v, %v", stream, out, err)
		}
	}
}

func TestRepeatsSubmittedTogetherAreWrittenOnce(t *testing.T) {
	t.Parallel()
	for name, expected := range map[string]node.Expectation{"any": node.Any(), "no stream": node.NoStream()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, list := inMemory(t), newEvents(4)
			var tickets []*node.Ticket
			for range 50 {
				ticket, err := e.Submit(t.Context(), "s-1", expected, list)
				if err != nil {
					t.Fatalf("submit: %v", err)
				}
				tickets = append(tickets, ticket)
			}
			var answers []eventstore.Appended
			for _, ticket := range tickets {
				out, err := ticket.Wait(t.Context())
				if err != nil {
					t.Fatalf("wait: %v", err)
				}
				answers = append(answers, out)
			}
			for _, a := range answers {
				if diff := cmp.Diff(answers[0], a); diff != "" {
					t.Fatalf("answers differ:\n%s", diff)
				}
			}
			if n := len(streamOf(t, e, "s-1")); n != 4 {
				t.Fatalf("the stream holds %d events, want 4", n)
			}
		})
	}
}

func TestSubmittedAppendsAreDecidedInOrder(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	var tickets []*node.Ticket
	for i := range uint64(1000) {
		ticket, err := e.Submit(t.Context(), "s-1", expectationAfter(i), newEvents(1))
		if err != nil {
			t.Fatalf("submit: %v", err)
		}
		tickets = append(tickets, ticket)
	}
	for i, ticket := range tickets {
		if out, err := ticket.Wait(t.Context()); err != nil || out.Revision != uint64(i) {
			t.Fatalf("append %d answered %+v, %v", i, out, err)
		}
	}
}

func expectationAfter(n uint64) node.Expectation {
	if n == 0 {
		return node.NoStream()
	}
	return node.Revision(n - 1)
}

func TestRepeatIsRecognisedAfterReopening(t *testing.T) {
	t.Parallel()
	s, list := newDisk(t), newEvents(3)
	e := s.open(t)
	first, err := e.AppendExpecting(t.Context(), "s-1", node.Any(), list)
	if err != nil {
		t.Fatal(err)
	}
	e = s.reopen(t, e)
	for _, expected := range []node.Expectation{node.Any(), node.NoStream(), node.StreamExists()} {
		out, err := e.AppendExpecting(t.Context(), "s-1", expected, list)
		if err != nil || out != first {
			t.Errorf("repeat expecting %s answered %+v, %v; want %+v", expected, out, err, first)
		}
	}
}

func TestInvalidAppendsAreRefused(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	for _, stream := range []string{"", "$$", "$all", string(make([]byte, node.MaxStreamName+1))} {
		if _, err := e.AppendExpecting(t.Context(), stream, node.Any(), newEvents(1)); !errors.Is(err, node.ErrStreamName) {
			t.Errorf("stream %.10q: %v", stream, err)
		}
		for _, err := range e.ReadStream(t.Context(), stream, 0) {
			if !errors.Is(err, node.ErrStreamName) {
				t.Errorf("read %.10q: %v", stream, err)
			}
		}
	}
	if _, err := e.AppendExpecting(t.Context(), "s-1", node.Expectation{}, newEvents(1)); err == nil {
		t.Error("an append that expects nothing was accepted")
	}
	big := newEvents(1)
	big[0].Data = make([]byte, eventstore.MaxAppendSize-2*len(big[0].Type)-len(big[0].Metadata)+1)
	if _, err := e.AppendExpecting(t.Context(), "s-1", node.Any(), big); !errors.Is(err, eventstore.ErrTooLarge) {
		t.Errorf("an append one byte over the limit: %v", err)
	}
	big[0].Data = big[0].Data[1:]
	if _, err := e.AppendExpecting(t.Context(), "s-1", node.Any(), big); err != nil {
		t.Errorf("an append at the limit: %v", err)
	}
}
