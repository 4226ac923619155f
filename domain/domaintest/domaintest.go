// Package domaintest writes the test of a rule as given, when, then: facts, a
// decision, what it decided. Commands have the same shape in
// commands/commandtest; only tests import this package.
package domaintest

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
)

// Case is a rule under test.
type Case[S any, E domain.Event] struct {
	t       *testing.T
	decider domain.Decider[S, E]
	given   []E
}

// For begins a test of a rule of the decider's aggregate.
func For[S any, E domain.Event](t *testing.T, d domain.Decider[S, E]) Case[S, E] {
	t.Helper()
	return Case[S, E]{t: t, decider: d}
}

// Given says what has happened.
func (c Case[S, E]) Given(events ...E) Case[S, E] {
	c.given = slices.Concat(c.given, events)
	return c
}

// State is the state after what was given.
func (c Case[S, E]) State() S { return c.decider.Fold(c.given...) }

// When decides on the state after what was given. The state must be the same
// after the decision as before: deciding changes nothing.
func (c Case[S, E]) When(decide func(S) ([]E, error)) Outcome[S, E] {
	c.t.Helper()
	state := c.State()
	events, err := decide(state)
	if diff := cmp.Diff(c.State(), state); diff != "" {
		c.t.Errorf("the decision changed the state:\n%s", diff)
	}
	return Outcome[S, E]{Case: c, events: events, err: err}
}

// Outcome is what a rule decided.
type Outcome[S any, E domain.Event] struct {
	Case[S, E]
	events []E
	err    error
}

// Then expects exactly these events, and answers the case with them given.
func (o Outcome[S, E]) Then(want ...E) Case[S, E] {
	o.t.Helper()
	if o.err != nil {
		o.t.Fatalf("refused: %v", o.err)
	}
	if diff := cmp.Diff(want, o.events); diff != "" {
		o.t.Fatalf("decided otherwise (-want +got):\n%s", diff)
	}
	return o.Given(want...)
}

// ThenNothing expects that there was nothing to change.
func (o Outcome[S, E]) ThenNothing() {
	o.t.Helper()
	if o.err != nil || len(o.events) > 0 {
		o.t.Fatalf("decided %v, %v, want nothing", o.events, o.err)
	}
}

// Refused expects a refusal and no event.
func (o Outcome[S, E]) Refused(want error) {
	o.t.Helper()
	if !errors.Is(o.err, want) || len(o.events) > 0 {
		o.t.Fatalf("decided %v, %v, want the refusal %v", o.events, o.err, want)
	}
}

// RefusedField expects a refusal that names exactly these fields.
func (o Outcome[S, E]) RefusedField(want ...string) {
	o.t.Helper()
	var refusal *domain.Error
	if !errors.As(o.err, &refusal) || refusal.Kind != domain.KindInvalid || len(o.events) > 0 {
		o.t.Fatalf("decided %v, %v, want the fields %v refused", o.events, o.err, want)
	}
	var got []string
	for _, f := range refusal.Fields {
		got = append(got, f.Field)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		o.t.Fatalf("other fields are refused (-want +got):\n%s", diff)
	}
}
