package commands_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
)

// A jar belongs to an account and counts coins.
type jar struct {
	Account string
	Coins   int
}

func (j jar) OwnerAccount() string { return j.Account }

type jarEvent interface {
	domain.Event
	apply(jar) jar
}

type jarOpened struct {
	Account string `json:"account"`
}

func (jarOpened) EventType() string   { return "jar.opened.v1" }
func (e jarOpened) apply(j jar) jar   { j.Account = e.Account; return j }
func (coinDropped) EventType() string { return "jar.coin_dropped.v1" }
func (e coinDropped) apply(j jar) jar { j.Coins = e.Coins; return j }

type coinDropped struct {
	Coins int    `json:"coins"`
	Note  string `json:"note" personal:"account,profile"`
}

var jars = domain.Decider[jar, jarEvent]{
	Category: "jar",
	Evolve:   func(j jar, e jarEvent) jar { return e.apply(j) },
	Types:    []domain.Type{domain.TypeOf[jarOpened](), domain.TypeOf[coinDropped]()},
}

type openJar struct{ id string }

func (c openJar) Target() domain.Target[jar, jarEvent] { return jars.At(c.id) }
func (openJar) Permission() domain.Permission          { return delegation.ServicesManage }
func (c openJar) Identify(newID func(string) string) openJar {
	if c.id == "" {
		c.id = newID("jar")
	}
	return c
}

func (openJar) Decide(j jar, env commands.Env) ([]jarEvent, error) {
	if j.Account != "" {
		return nil, nil
	}
	return []jarEvent{jarOpened{Account: env.Account}}, nil
}

var errFull = domain.Conflict("jar_full", "The jar is full.")

type dropCoin struct {
	id    string
	limit int
}

func (c dropCoin) Target() domain.Target[jar, jarEvent] { return jars.At(c.id) }
func (dropCoin) Permission() domain.Permission          { return delegation.ServicesManage }

func (c dropCoin) Decide(j jar, _ commands.Env) ([]jarEvent, error) {
	switch {
	case j.Account == "":
		return nil, domain.Missing("coin jar")
	case c.limit > 0 && j.Coins >= c.limit:
		return nil, errFull
	}
	return []jarEvent{coinDropped{Coins: j.Coins + 1, Note: "a secret note"}}, nil
}

func newDispatcher(t *testing.T) (*commands.Dispatcher, *commandtest.Faulty) {
	t.Helper()
	store := &commandtest.Faulty{Store: commandtest.Engine(t)}
	return commandtest.Dispatcher(t, store, jars.Types...), store
}

func opened(t *testing.T, d *commands.Dispatcher) string {
	t.Helper()
	r, err := commands.Execute(t.Context(), d, commandtest.Call(), openJar{})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func coins(t *testing.T, d *commands.Dispatcher, id string) int {
	t.Helper()
	j, err := commands.Load(t.Context(), d.Streams(), jars.At(id))
	if err != nil {
		t.Fatal(err)
	}
	return j.Coins
}

func TestExecuteWritesWhatWasDecidedAndTellsWhere(t *testing.T) {
	t.Parallel()
	d, _ := newDispatcher(t)
	call := commandtest.Call()
	call.CorrelationID, call.TraceParent = "req_1", "00-1"
	got, err := commands.Execute(t.Context(), d, call, openJar{})
	if err != nil {
		t.Fatal(err)
	}
	id := commands.NewID(call.CommandID, "jar")
	if got.ID != id || got.Stream != "jar-"+id || got.Revision != 0 || got.Replayed {
		t.Errorf("receipt %+v", got)
	}
	for r, err := range d.Store.ReadStream(t.Context(), got.Stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		_, m, err := d.Codec.Decode(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		want := eventstore.Metadata{
			Actor: call.Actor, Account: "acc_1", CommandID: call.CommandID, Command: "OpenJar", Permission: delegation.ServicesManage, CorrelationID: "req_1", CausationID: call.CommandID.String(),
			TraceParent: "00-1", Schema: 1, OccurredAt: commandtest.Noon,
		}
		if diff := cmp.Diff(want, m.Metadata); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
		if r.Position != got.Position || m.AggregateID != id {
			t.Errorf("stored at %s as %s, receipt says %s", r.Position, m.AggregateID, got.Position)
		}
	}
}

func TestARepeatedCommandAnswersItsFirstReceipt(t *testing.T) {
	t.Parallel()
	d, _ := newDispatcher(t)
	id := opened(t, d)
	call := commandtest.Call()
	call.RequestHash = "h1"
	first, err := commands.Execute(t.Context(), d, call, dropCoin{id: id, limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := commands.Execute(t.Context(), d, commandtest.Call(), dropCoin{id: id}); err != nil {
		t.Fatal(err)
	}
	again, err := commands.Execute(t.Context(), d, call, dropCoin{id: id, limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	first.Replayed = true
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("second receipt (-first +second):\n%s", diff)
	}
	call.RequestHash = "h2"
	if _, err := commands.Execute(t.Context(), d, call, dropCoin{id: id}); !errors.Is(err, commands.ErrKeyReused) {
		t.Errorf("same id, other request: %v", err)
	}
	if n := coins(t, d, id); n != 2 {
		t.Errorf("%d coins, want 2", n)
	}
}

func TestTwinsOfOneRequestHaveOneEffect(t *testing.T) {
	t.Parallel()
	d, _ := newDispatcher(t)
	id := opened(t, d)
	other := commandtest.Dispatcher(t, d.Store, jars.Types...)
	other.Codec = d.Codec
	call := commandtest.Call()
	receipts := make([]commands.Receipt, 40)
	var wg sync.WaitGroup
	for i := range receipts {
		on := d
		if i%2 == 0 {
			on = other
		}
		wg.Go(func() {
			var err error
			if receipts[i], err = commands.Execute(t.Context(), on, call, dropCoin{id: id}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	first := 0
	for _, r := range receipts {
		if !r.Replayed {
			first++
		}
		if r.Revision != 1 {
			t.Errorf("receipt of revision %d, want 1", r.Revision)
		}
	}
	// The store itself answers the twin of another process with the first
	// outcome, so two may believe to have been the first.
	if first < 1 || first > 2 || coins(t, d, id) != 1 {
		t.Errorf("%d executions and %d coins, want one coin", first, coins(t, d, id))
	}
}

func TestRacesOfTwoProcessesLoseNothing(t *testing.T) {
	t.Parallel()
	d, _ := newDispatcher(t)
	id := opened(t, d)
	other := commandtest.Dispatcher(t, d.Store, jars.Types...)
	other.Codec = d.Codec
	var wg sync.WaitGroup
	for i := range 100 {
		on := d
		if i%2 == 0 {
			on = other
		}
		wg.Go(func() {
			if _, err := commands.Execute(t.Context(), on, commandtest.Call(), dropCoin{id: id}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := coins(t, d, id); n != 100 {
		t.Errorf("%d coins, want 100", n)
	}
}

func TestARaceIsDecidedAgainOnTheNewState(t *testing.T) {
	t.Parallel()
	d, store := newDispatcher(t)
	id := opened(t, d)
	outrun(t, d, store, id)
	_, err := commands.Execute(t.Context(), d, commandtest.Call(), dropCoin{id: id, limit: 1})
	if !errors.Is(err, errFull) {
		t.Errorf("got %v, want the refusal of the state after the race", err)
	}
}

// outrun lets another process be faster at the next append to a jar.
func outrun(t *testing.T, d *commands.Dispatcher, store *commandtest.Faulty, id string) {
	t.Helper()
	other := &commands.Dispatcher{Store: store.Store, Codec: d.Codec, Clock: d.Clock, Rand: d.Rand}
	store.Fail(commandtest.Fault{Times: 1, Fails: func(string, []eventstore.NewEvent) error {
		if _, err := commands.Execute(t.Context(), other, commandtest.Call(), dropCoin{id: id}); err != nil {
			t.Error(err)
		}
		return &eventstore.WrongRevisionError{Stream: "jar-" + id, Expected: eventstore.Revision(0), Actual: 1}
	}})
}

func TestIfMatchIsNeverDecidedAgain(t *testing.T) {
	t.Parallel()
	d, store := newDispatcher(t)
	id := opened(t, d)
	zero, one := uint64(0), uint64(1)
	outrun(t, d, store, id)
	for name, seen := range map[string]*uint64{"a lost race": &zero, "an old revision": &zero} {
		call := commandtest.Call()
		call.IfMatch = seen
		if _, err := commands.Execute(t.Context(), d, call, dropCoin{id: id}); !errors.Is(err, domain.ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
	call := commandtest.Call()
	call.IfMatch = &one
	if _, err := commands.Execute(t.Context(), d, call, dropCoin{id: id}); err != nil {
		t.Errorf("the current revision: %v", err)
	}
	if r, err := commands.Execute(t.Context(), d, call, dropCoin{id: id}); err != nil || !r.Replayed {
		t.Errorf("a repeat is answered although the revision has moved: %+v, %v", r, err)
	}
}

func TestIfMatchOnNothingIsMissingRatherThanStale(t *testing.T) {
	t.Parallel()
	d, _ := newDispatcher(t)
	call := commandtest.Call()
	call.IfMatch = new(uint64)
	if _, err := commands.Execute(t.Context(), d, call, dropCoin{id: "none"}); domain.KindOf(err) != domain.KindMissing {
		t.Errorf("a jar that is not there: %v", err)
	}
	if _, err := commands.Execute(t.Context(), d, call, openJar{}); !errors.Is(err, domain.ErrStale) {
		t.Errorf("a jar that is made: %v", err)
	}
}

func TestAnUncertainAppendIsRepeatedUntilItsOutcomeIsKnown(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]bool{"that was written": true, "that was lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, store := newDispatcher(t)
			id := opened(t, d)
			store.Fail(commandtest.Fault{Written: written, Times: 3, Fails: func(string, []eventstore.NewEvent) error { return eventstore.ErrUncertain }})
			r, err := commands.Execute(t.Context(), d, commandtest.Call(), dropCoin{id: id})
			if err != nil {
				t.Fatal(err)
			}
			if r.Revision != 1 || r.Replayed || coins(t, d, id) != 1 {
				t.Errorf("receipt %+v with %d coins", r, coins(t, d, id))
			}
		})
	}
}

func TestAnUncertainAppendThatOthersFollowedIsFound(t *testing.T) {
	t.Parallel()
	d, store := newDispatcher(t)
	id := opened(t, d)
	// The first answer is lost after the write, then another process appends.
	store.Fail(commandtest.Fault{Written: true, Times: 1, Fails: func(string, []eventstore.NewEvent) error { return eventstore.ErrUncertain }})
	store.Fail(commandtest.Fault{Times: 1, Fails: func(string, []eventstore.NewEvent) error {
		return &eventstore.WrongRevisionError{Stream: "jar-" + id, Expected: eventstore.Revision(0), Actual: 2}
	}})
	r, err := commands.Execute(t.Context(), d, commandtest.Call(), dropCoin{id: id})
	if err != nil {
		t.Fatal(err)
	}
	if r.Revision != 1 || r.Replayed || coins(t, d, id) != 1 {
		t.Errorf("receipt %+v with %d coins", r, coins(t, d, id))
	}
}

func TestAStoreThatIsAwayIsSaidWithinTheDeadline(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{
		"refusing":     eventstore.ErrUnavailable,
		"uncertain":    eventstore.ErrUncertain,
		"out of space": eventstore.ErrNoSpace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, store := newDispatcher(t)
			id := opened(t, d)
			d.Timeout = 50 * time.Millisecond
			store.Fail(commandtest.Fault{Fails: func(string, []eventstore.NewEvent) error { return fault }})
			_, err := commands.Execute(t.Context(), d, commandtest.Call(), dropCoin{id: id})
			if domain.KindOf(err) != domain.KindUnavailable || !errors.Is(err, fault) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		e := commandtest.Engine(t)
		d := commandtest.Dispatcher(t, e, jars.Types...)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := commands.Execute(t.Context(), d, commandtest.Call(), openJar{}); domain.KindOf(err) != domain.KindUnavailable {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitingForATurnEndsWithTheDeadline(t *testing.T) {
	t.Parallel()
	d, store := newDispatcher(t)
	id := opened(t, d)
	entered, leave := make(chan struct{}), make(chan struct{})
	store.Fail(commandtest.Fault{Times: 1, Fails: func(string, []eventstore.NewEvent) error {
		close(entered)
		<-leave
		return nil
	}})
	done := make(chan error)
	go func() {
		_, err := commands.Execute(t.Context(), d, commandtest.Call(), dropCoin{id: id})
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	// The fault's lock is held by the first append; this one waits before it.
	if _, err := commands.Execute(ctx, d, commandtest.Call(), dropCoin{id: id}); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("the second got %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Errorf("the first got %v", err)
	}
}

func TestWhoMayDoIt(t *testing.T) {
	t.Parallel()
	d, _ := newDispatcher(t)
	id := opened(t, d)
	grants := func(accounts map[string]delegation.Grant) delegation.Grants {
		return delegation.Grants{User: "usr_2", Accounts: accounts}
	}
	for name, c := range map[string]struct {
		account string
		grants  delegation.Grants
		want    error
	}{
		"nobody":                                   {"acc_1", delegation.Grants{}, domain.ErrUnauthenticated},
		"another customer":                         {"acc_1", grants(map[string]delegation.Grant{"acc_2": {Owner: true}}), domain.Missing("account")},
		"another customer under the own account":   {"acc_2", grants(map[string]delegation.Grant{"acc_2": {Owner: true}}), domain.Missing("coin jar")},
		"a delegate without the permission":        {"acc_1", grants(map[string]delegation.Grant{"acc_1": {Terms: delegation.Terms{Permissions: []domain.Permission{delegation.ServicesRead}, Scope: delegation.Scope{All: true}}}}), domain.ErrDenied},
		"a delegate with the permission":           {"acc_1", grants(map[string]delegation.Grant{"acc_1": {Terms: delegation.Terms{Permissions: []domain.Permission{delegation.ServicesManage}, Scope: delegation.Scope{All: true}}}}), nil},
		"staff, who may read but not manage":       {"acc_1", delegation.Grants{User: "usr_3", Role: delegation.RoleAdmin}, domain.ErrDenied},
		"a part of the system":                     {"", delegation.Grants{System: true}, nil},
		"a part of the system, by another account": {"acc_2", delegation.Grants{System: true}, domain.Missing("coin jar")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := commandtest.Call()
			call.Account, call.Grants = c.account, c.grants
			_, err := commands.Execute(t.Context(), d, call, dropCoin{id: id})
			if !errors.Is(err, c.want) || domain.KindOf(err) != domain.KindOf(c.want) || (c.want != nil && err.Error() != c.want.Error()) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestWhatWaitedIsDecidedByTheRightsOfThen: the caller's rights end while its
// command waits, or loses a race.
func TestWhatWaitedIsDecidedByTheRightsOfThen(t *testing.T) {
	t.Parallel()
	now := commandtest.Noon
	none := delegation.Grants{User: "usr_1"}
	of := func(held delegation.Grants, err error) (commands.Call, *int) {
		call, asked := commandtest.Call(), new(int)
		call.Asked, call.Again = now, func(context.Context) (delegation.Grants, error) { *asked++; return held, err }
		return call, asked
	}
	for name, c := range map[string]struct {
		waits time.Duration // before its turn
		races time.Duration // and until it has lost a race
		held  delegation.Grants
		ended error
		want  error
		asked int
	}{
		"at once they are those it came with":  {held: none},
		"after a while they are looked at":     {waits: time.Second, held: none, want: domain.Missing("account"), asked: 1},
		"still held it goes on":                {waits: time.Minute, held: commandtest.Call().Grants, asked: 1},
		"whoever it was has no session":        {waits: time.Minute, ended: domain.ErrUnauthenticated, want: domain.ErrUnauthenticated, asked: 1},
		"a race that was lost at once":         {races: time.Millisecond, held: none},
		"a race that was lost after a while":   {races: time.Second, held: none, want: domain.Missing("account"), asked: 1},
		"it is looked at again after each one": {waits: time.Second, races: time.Second, held: commandtest.Call().Grants, asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, store := newDispatcher(t)
			id := opened(t, d)
			call, asked := of(c.held, c.ended)
			clock := now.Add(c.waits)
			d.Clock = func() time.Time { return clock }
			if c.races > 0 {
				store.Fail(commandtest.Fault{Times: 1, Fails: func(string, []eventstore.NewEvent) error {
					clock = clock.Add(c.races)
					return &eventstore.WrongRevisionError{Stream: "jar-" + id, Expected: eventstore.Revision(0), Actual: 1}
				}})
			}
			_, err := commands.Execute(t.Context(), d, call, dropCoin{id: id})
			if !errors.Is(err, c.want) || *asked != c.asked {
				t.Errorf("%v, asked %d times", err, *asked)
			}
			if got := coins(t, d, id); (got == 1) != (c.want == nil) {
				t.Errorf("%d coins", got)
			}
		})
	}
}

func TestGivenTimesAreForTheDemoOnly(t *testing.T) {
	t.Parallel()
	d, _ := newDispatcher(t)
	call := commandtest.Call()
	call.At = time.Date(2022, 11, 20, 12, 13, 0, 0, time.UTC)
	if _, err := commands.Execute(t.Context(), d, call, openJar{}); !errors.Is(err, commands.ErrGivenFact) {
		t.Errorf("a user gave a time: %v", err)
	}
	call.Actor.Kind = domain.ActorDemo
	r, err := commands.Execute(t.Context(), d, call, openJar{})
	if err != nil {
		t.Fatal(err)
	}
	for stored, err := range d.Store.ReadStream(t.Context(), r.Stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		m, err := eventstore.MetaOf(stored)
		if err != nil {
			t.Fatal(err)
		}
		if !m.OccurredAt.Equal(call.At) || !m.GivenTime {
			t.Errorf("occurred at %s, given %v", m.OccurredAt, m.GivenTime)
		}
	}
}

func TestNothingToChangeAnswersTheCurrentRevision(t *testing.T) {
	t.Parallel()
	d, store := newDispatcher(t)
	id := opened(t, d)
	dropped, err := commands.Execute(t.Context(), d, commandtest.Call(), dropCoin{id: id})
	if err != nil {
		t.Fatal(err)
	}
	before := store.Appends()
	r, err := commands.Execute(t.Context(), d, commandtest.Call(), openJar{id: id})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dropped, r); diff != "" || store.Appends() != before {
		t.Errorf("receipt (-last +got) after %d appends:\n%s", store.Appends()-before, diff)
	}
}

func TestATruncatedHistoryIsRefused(t *testing.T) {
	t.Parallel()
	d, _ := newDispatcher(t)
	id := opened(t, d)
	for range 3 {
		if _, err := commands.Execute(t.Context(), d, commandtest.Call(), dropCoin{id: id}); err != nil {
			t.Fatal(err)
		}
	}
	for name, lost := range map[string]func(revision uint64) bool{
		"without its beginning": func(r uint64) bool { return r < 2 },
		"with a hole":           func(r uint64) bool { return r == 2 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cut := &commands.Dispatcher{Store: truncated{d.Store, lost}, Codec: d.Codec, Clock: d.Clock, Rand: d.Rand}
			_, err := commands.Execute(t.Context(), cut, commandtest.Call(), dropCoin{id: id})
			if !errors.Is(err, eventstore.ErrHistoryTruncated) || !errors.Is(err, commands.ErrHistoryTruncated) {
				t.Errorf("a command answered %v", err)
			}
			if _, err := commands.Load(t.Context(), cut.Streams(), jars.At(id)); !errors.Is(err, eventstore.ErrHistoryTruncated) {
				t.Errorf("a load answered %v", err)
			}
		})
	}
}

// truncated is a store that lost some events of every stream.
type truncated struct {
	eventstore.Store
	lost func(revision uint64) bool
}

func (s truncated) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.Store.ReadStream(ctx, stream, from) {
			if err == nil && s.lost(r.Revision) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// gathering asks another jar how many coins are allowed.
type gathering struct {
	dropCoin
	other string
}

func (c gathering) Gather(ctx context.Context, s commands.Streams) (gathering, error) {
	j, err := commands.Load(ctx, s, jars.At(c.other))
	if err != nil {
		return c, fmt.Errorf("gather: %w", err)
	}
	c.limit = j.Coins
	return c, nil
}

func TestGatherReadsAgainWhenTheCommandDecidesAgain(t *testing.T) {
	t.Parallel()
	d, store := newDispatcher(t)
	id, limit := opened(t, d), opened(t, d)
	other := &commands.Dispatcher{Store: store.Store, Codec: d.Codec, Clock: d.Clock, Rand: d.Rand}
	if _, err := commands.Execute(t.Context(), other, commandtest.Call(), dropCoin{id: limit}); err != nil {
		t.Fatal(err)
	}
	store.Fail(commandtest.Fault{Times: 1, Fails: func(string, []eventstore.NewEvent) error {
		for _, jar := range []string{id, limit} {
			if _, err := commands.Execute(t.Context(), other, commandtest.Call(), dropCoin{id: jar}); err != nil {
				t.Error(err)
			}
		}
		return &eventstore.WrongRevisionError{Stream: "jar-" + id, Expected: eventstore.Revision(0), Actual: 1}
	}})
	// One coin was allowed at first; after the race there is one in the jar
	// already, and two are allowed.
	if _, err := commands.Execute(t.Context(), d, commandtest.Call(), gathering{dropCoin: dropCoin{id: id}, other: limit}); err != nil {
		t.Fatal(err)
	}
	if n := coins(t, d, id); n != 2 {
		t.Errorf("%d coins, want 2", n)
	}
}
