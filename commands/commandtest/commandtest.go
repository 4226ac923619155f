// Package commandtest is the language of decision tests: given these events,
// when this command, then those events or that refusal. It needs no store:
// what a command gathers from other streams is set in its fields. Tests of
// Execute itself use Engine, the real engine on an in-memory file system.
package commandtest

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
)

// Noon is the time of every decision that does not set another.
var Noon = time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)

// CommandID is the id of every command that does not set another.
var CommandID = uuid.MustParse("11111111-2222-4333-8444-555555555555")

// ID is the id of a kind that a command under test gives to what it makes.
func ID(kind string) string { return commands.NewID(CommandID, kind) }

// Scenario is the history and the surroundings of a decision.
type Scenario[S any, E domain.Event] struct {
	t       *testing.T
	decider domain.Decider[S, E]
	events  []E
	env     commands.Env
}

// For begins a scenario of one aggregate.
func For[S any, E domain.Event](t *testing.T, decider domain.Decider[S, E]) Scenario[S, E] {
	t.Helper()
	return Scenario[S, E]{t: t, decider: decider, env: commands.Env{
		Now: Noon, Actor: domain.Actor{Kind: domain.ActorUser, ID: "usr_1"}, Account: "acc_1", NewID: ID,
		Rand: bytes.NewReader(make([]byte, 1024)),
	}}
}

// Given is what happened before.
func (s Scenario[S, E]) Given(events ...E) Scenario[S, E] {
	s.events = append(slices.Clip(s.events), events...)
	return s
}

// At sets the time of the decision.
func (s Scenario[S, E]) At(now time.Time) Scenario[S, E] { s.env.Now = now; return s }

// By sets who asks.
func (s Scenario[S, E]) By(actor domain.Actor) Scenario[S, E] { s.env.Actor = actor; return s }

// Under sets the account whose path is used.
func (s Scenario[S, E]) Under(account string) Scenario[S, E] { s.env.Account = account; return s }

// Numbered gives the human number that is otherwise drawn.
func (s Scenario[S, E]) Numbered(number string) Scenario[S, E] { s.env.Number = number; return s }

// When lets the command decide.
func (s Scenario[S, E]) When(cmd commands.Command[S, E]) Outcome[S, E] {
	s.t.Helper()
	events, err := cmd.Decide(s.decider.Fold(s.events...), s.env)
	return Outcome[S, E]{t: s.t, scenario: s, events: events, err: err}
}

// Outcome is what a command decided.
type Outcome[S any, E domain.Event] struct {
	t        *testing.T
	scenario Scenario[S, E]
	events   []E
	err      error
}

// Then expects exactly these events; none means that nothing changes.
func (o Outcome[S, E]) Then(want ...E) {
	o.t.Helper()
	if o.err != nil {
		o.t.Fatalf("refused: %v", o.err)
	}
	if len(want) == 0 && len(o.events) == 0 {
		return
	}
	if diff := cmp.Diff(want, o.events, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		o.t.Fatalf("events differ (-want +got):\n%s", diff)
	}
}

// Refused expects a refusal with the error's code.
func (o Outcome[S, E]) Refused(want error) {
	o.t.Helper()
	if o.err == nil {
		o.t.Fatalf("decided %+v, want the refusal %v", o.events, want)
	}
	if len(o.events) != 0 {
		o.t.Fatalf("refused with %v and still decided %+v", o.err, o.events)
	}
	if !errors.Is(o.err, want) {
		o.t.Fatalf("refused with %v, want %v", o.err, want)
	}
}

// State hands the state after the decision to a check.
func (o Outcome[S, E]) State(check func(S)) {
	o.t.Helper()
	if o.err != nil {
		o.t.Fatalf("refused: %v", o.err)
	}
	check(o.scenario.decider.Fold(append(slices.Clip(o.scenario.events), o.events...)...))
}
