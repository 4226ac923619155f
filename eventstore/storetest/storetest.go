// Package storetest is what every event store behind the port must pass: the
// embedded engine in memory and on disk, and the official client against a
// server. It knows nothing but the port. Every case uses names of its own, so
// the suite can run beside other users of a shared store, and more than once.
// What it writes stays there. In a store that asks for a password the user
// must be allowed to read all events, as hostfold's own must.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// patience bounds every case.
const patience = time.Minute

// Run runs the suite. open gives each case a store, which may be shared; what
// it opened it closes in t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) eventstore.Store) {
	t.Helper()
	cases := map[string]func(*given){
		"a new stream begins at revision 0":                       newStreamBeginsAtZero,
		"revisions count up":                                      revisionsCountUp,
		"a wrong revision is refused and names the right one":     wrongRevisionIsRefused,
		"an append without expectation is refused":                noExpectationIsRefused,
		"a repeat answers the first outcome":                      repeatAnswersFirstOutcome,
		"a repeat is recognised when the stream has gone on":      repeatBehindIsRecognised,
		"half a repeat is refused":                                halfARepeatIsRefused,
		"one of many concurrent appends wins":                     oneOfManyWins,
		"writers that re-read after a lost race all get through":  losersGetThrough,
		"an append is whole":                                      appendIsWhole,
		"a refused append writes nothing":                         refusedAppendWritesNothing,
		"a big event comes back":                                  bigEventComesBack,
		"an append over the limit is refused":                     tooLargeIsRefused,
		"an append after its deadline is refused":                 lateAppendIsRefused,
		"every field comes back":                                  everyFieldComesBack,
		"stream names may hold anything readable":                 oddStreamNames,
		"streams with like names are apart":                       likeNamesAreApart,
		"a missing stream reads as nothing":                       missingStreamIsEmpty,
		"a stream reads from a revision":                          streamReadsFromRevision,
		"a long stream reads whole and in order":                  longStreamReads,
		"a reader may stop early":                                 readerMayStop,
		"the whole log is in the order of positions":              logIsInOrder,
		"the whole log reads from a position, inclusive":          logReadsInclusive,
		"a read ends where the log ended":                         readEndsAtCall,
		"the head covers every acknowledged append":               headCoversAppends,
		"a subscription begins strictly after a position":         subscriptionIsExclusive,
		"a subscription gets what comes later":                    subscriptionGetsLater,
		"a subscription has no seam between history and live":     noSeam,
		"a subscription goes on after the last through":           subscriptionResumes,
		"a filter selects types by prefix":                        filterByTypes,
		"a filter selects streams by prefix":                      filterByStreams,
		"no filter hides system events only":                      noFilterHidesSystem,
		"through passes over what does not match":                 throughPassesOver,
		"next answers no more than asked for":                     nextIsBounded,
		"a slow consumer loses nothing":                           slowConsumer,
		"cancelling ends next":                                    cancellingEndsNext,
		"a closed subscription answers an error and closes twice": closedSubscription,
		"many subscriptions see one order":                        oneOrderForAll,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			t.Cleanup(cancel)
			run(&given{T: t, ctx: ctx, store: open(t), name: "t" + uuid.NewString()[:13]})
		})
	}
}

// given is what a case works with.
type given struct {
	*testing.T
	ctx   context.Context
	store eventstore.Store
	// name is the case's own; its streams and types begin with it.
	name string
}

// stream is a stream of the case.
func (g *given) stream(suffix string) string { return g.name + "-" + suffix }

// event is a new event of the case's own type.
func (g *given) event(n int) eventstore.NewEvent { return g.typed(n, g.name+".happened.v1") }

func (g *given) typed(n int, eventType string) eventstore.NewEvent {
	return eventstore.NewEvent{
		ID: uuid.New(), Type: eventType,
		Data: fmt.Appendf(nil, `{"n":%d}`, n), Metadata: []byte(`{"schema":1}`),
	}
}

// events are n new events.
func (g *given) events(n int) []eventstore.NewEvent {
	list := make([]eventstore.NewEvent, n)
	for i := range list {
		list[i] = g.event(i)
	}
	return list
}

// append must succeed.
func (g *given) append(stream string, at eventstore.Expected, events ...eventstore.NewEvent) eventstore.Appended {
	g.Helper()
	out, err := g.store.Append(g.ctx, stream, at, events...)
	if err != nil {
		g.Fatalf("append to %s: %v", stream, err)
	}
	return out
}

// refused must answer a WrongRevisionError with the stream's true end.
func (g *given) refused(actual uint64, stream string, at eventstore.Expected, events ...eventstore.NewEvent) {
	g.Helper()
	out, err := g.store.Append(g.ctx, stream, at, events...)
	var wrong *eventstore.WrongRevisionError
	if !errors.As(err, &wrong) {
		g.Fatalf("append answered %+v, %v; want WrongRevisionError", out, err)
	}
	want := &eventstore.WrongRevisionError{Stream: stream, Expected: at, Actual: actual}
	if diff := cmp.Diff(want, wrong, cmp.AllowUnexported(eventstore.Expected{})); diff != "" {
		g.Fatalf("refusal (-want +got):\n%s", diff)
	}
}

// read reads a stream.
func (g *given) read(stream string, from uint64) []eventstore.Recorded {
	g.Helper()
	var list []eventstore.Recorded
	for r, err := range g.store.ReadStream(g.ctx, stream, from) {
		if err != nil {
			g.Fatalf("read %s: %v", stream, err)
		}
		list = append(list, r)
	}
	return list
}

// log reads the case's own events from the whole log.
func (g *given) log(from eventstore.Position) []eventstore.Recorded {
	g.Helper()
	var list []eventstore.Recorded
	for r, err := range g.store.ReadAll(g.ctx, from) {
		if err != nil {
			g.Fatalf("read all: %v", err)
		}
		if g.own(r) {
			list = append(list, r)
		}
	}
	return list
}

func (g *given) own(r eventstore.Recorded) bool {
	return len(r.Stream) > len(g.name) && r.Stream[:len(g.name)] == g.name
}

func (g *given) head() eventstore.Position {
	g.Helper()
	head, err := g.store.Head(g.ctx)
	if err != nil {
		g.Fatalf("head: %v", err)
	}
	return head
}

// subscribe to the case's own streams.
func (g *given) subscribe(after eventstore.Position) eventstore.Subscription {
	g.Helper()
	return g.subscribeTo(after, eventstore.Filter{Streams: []string{g.name}})
}

func (g *given) subscribeTo(after eventstore.Position, f eventstore.Filter) eventstore.Subscription {
	g.Helper()
	sub, err := g.store.Subscribe(g.ctx, after, f)
	if err != nil {
		g.Fatalf("subscribe: %v", err)
	}
	g.Cleanup(func() {
		if err := sub.Close(); err != nil {
			g.Errorf("close subscription: %v", err)
		}
	})
	return sub
}

// next waits for n events and checks that batches keep their promises.
func (g *given) next(sub eventstore.Subscription, n int) []eventstore.Recorded {
	g.Helper()
	var list []eventstore.Recorded
	var through eventstore.Position
	for len(list) < n {
		batch, err := sub.Next(g.ctx, 100)
		if err != nil {
			g.Fatalf("next after %d of %d events: %v", len(list), n, err)
		}
		for _, r := range batch.Events {
			if !through.Before(r.Position) {
				g.Fatalf("event %s comes after %s", r.Position, through)
			}
			through = r.Position
		}
		if batch.Through.Before(through) {
			g.Fatalf("through %s lies before %s", batch.Through, through)
		}
		through = batch.Through
		list = append(list, batch.Events...)
	}
	return list
}

// same compares two lists of events.
func (g *given) same(want, got []eventstore.Recorded) {
	g.Helper()
	if diff := cmp.Diff(ids(want), ids(got)); diff != "" {
		g.Fatalf("events (-want +got):\n%s", diff)
	}
}

// ids are short names of events that tell them apart and give their order.
func ids(list []eventstore.Recorded) []string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = fmt.Sprintf("%d@%s %s %s", r.Revision, r.Stream, r.Position, r.ID)
	}
	return names
}
