// Package domain holds what every aggregate shares: the shape of an event, of
// a decider and of a refusal. The packages under it are the rules of the
// portal, one aggregate each; domain/catalog lists every event ever written.
//
// It must not know stores, databases, transports or clocks: time and ids come
// in as arguments. Commands (package commands) call it, projections read its
// events.
package domain

import (
	"encoding/json"
	"fmt"
)

// Event is a fact that was written, in past tense.
type Event interface {
	// EventType is the name on disk, "aggregate.fact.vN". It is never renamed
	// and never reused; a new shape is vN+1 plus an upcaster.
	EventType() string
}

// Public is an event that customers and integrations may see.
type Public interface {
	Event
	// Public is the form shown outside; it never holds a stored secret or a
	// field that belongs to somebody else.
	Public() any
}

// Linking is a public event that links to another thing of its account.
type Linking interface {
	Public
	// Link is the kind (service, domain, certificate, ticket, invoice, contact) and the
	// id of that thing; both are "" for none.
	Link() (kind, id string)
	// Unlinked is the event without its link, for who may not know of the thing.
	Unlinked() Public
}

// Elsewhere is an event about an account that does not own its stream: its
// metadata name that account, and what the act needed there.
type Elsewhere interface {
	Event
	About() (account string, needed Permission)
}

// Owned is a state that belongs to one account. Commands refuse to touch it
// under any other account's path.
type Owned interface {
	// OwnerAccount is the id of the owning account, "" while there is none.
	OwnerAccount() string
}

// Permission is one right of the permission set (domain/delegation lists them).
type Permission string

// Type is one event type: its name, its decoder and its audience.
type Type struct {
	// Name is what EventType answers.
	Name string
	// Zero is an empty event of the type, for tests and for tools that look at
	// its fields.
	Zero Event
	// Former are older names, whose JSON Decode reads as it is: a newer version
	// that only added fields that may be absent. What changed more has an
	// upcaster.
	Former []string
	// Permission is what a reader of the event feed needs; "" means internal:
	// the event is never shown outside.
	Permission Permission

	decode func([]byte) (Event, error)
}

// TypeOf describes an internal event type.
func TypeOf[E Event]() Type {
	var zero E
	return Type{
		Name: zero.EventType(),
		Zero: zero,
		decode: func(data []byte) (Event, error) {
			var e E
			if err := json.Unmarshal(data, &e); err != nil {
				return nil, fmt.Errorf("decode %s: %w", zero.EventType(), err)
			}
			return e, nil
		},
	}
}

// PublicTypeOf describes an event type that holders of the permission may read
// in the event feed, in its Public form.
func PublicTypeOf[E Public](p Permission) Type {
	t := TypeOf[E]()
	t.Permission = p
	return t
}

// Since is the type that also reads older versions of itself.
func (t Type) Since(former ...string) Type {
	t.Former = former
	return t
}

// Decode reads an event from its JSON. Unknown fields are ignored, since a
// newer process may have added some.
func (t Type) Decode(data []byte) (Event, error) { return t.decode(data) }

// Decider is the pure core of one aggregate: how facts change its state. The
// rules that decide are methods of the state S.
type Decider[S any, E Event] struct {
	// Category is the stream prefix and the package's name: "invoice".
	Category string
	// Evolve applies one event; in each aggregate it is e.apply(s).
	Evolve func(S, E) S
	// Types lists every event of the aggregate.
	Types []Type
}

// At is the aggregate with the given id.
func (d Decider[S, E]) At(id string) Target[S, E] { return Target[S, E]{Decider: d, ID: id} }

// Fold is the state after the events, from nothing.
func (d Decider[S, E]) Fold(events ...E) S {
	var s S
	for _, e := range events {
		s = d.Evolve(s, e)
	}
	return s
}

// Target is one instance of an aggregate: its rules and its id.
type Target[S any, E Event] struct {
	Decider Decider[S, E]
	ID      string
}

// Stream is the name of the target's stream, "category-id".
func (t Target[S, E]) Stream() string { return t.Decider.Category + "-" + t.ID }

// ActorKind says what sort of party acted.
type ActorKind string

// The kinds of actor. Demo and import are the only ones whose given times and
// numbers are accepted.
const (
	ActorUser    ActorKind = "user"
	ActorStaff   ActorKind = "staff"
	ActorSystem  ActorKind = "system"
	ActorGateway ActorKind = "gateway"
	ActorDemo    ActorKind = "demo"
	ActorImport  ActorKind = "import"
)

// Actor is who did something.
type Actor struct {
	Kind ActorKind `json:"kind"`
	// ID is the user's or staff member's id, or the name of a system part.
	ID string `json:"id,omitempty"`
	// Impersonator is the staff member acting as ID, if any.
	Impersonator string `json:"impersonator,omitempty"`
	// Token is the id of the API token by which ID acts, "" for a person.
	Token string `json:"token,omitempty"`
}

// MaySetFacts reports whether the actor may give times and numbers that are
// otherwise drawn by the system.
func (a Actor) MaySetFacts() bool { return a.Kind == ActorDemo || a.Kind == ActorImport }
