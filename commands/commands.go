// Package commands holds the intentions that change the portal, one file each,
// noun first. Execute loads the aggregate's stream, lets the command decide,
// and appends what it decided. The rules are in domain; the effects on the
// outside world in commands/effects; what waits for other aggregates in
// commands/process; secrets in commands/vault.
//
// A command never reads a projection.
package commands

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
)

// Call is who asks, for whom, and how the request is recognised when it comes
// again. http, a process manager or the command line builds it.
type Call struct {
	// CommandID is UUIDv5(principal, method, route, path ids, Idempotency-Key),
	// or random without a key.
	CommandID uuid.UUID
	// RequestHash is an HMAC of the request's body, "" when there is none.
	RequestHash string
	Actor       domain.Actor
	OnBehalfOf  string
	// Account is the account whose path is used, "" when none is.
	Account string
	Grants  delegation.Grants
	// Asked is when the grants were read, and Again reads them once more, for a
	// command that had to wait; it is nil where they do not end.
	Asked time.Time
	Again func(context.Context) (delegation.Grants, error)
	// Delegation is the id of the delegation under which the caller acts for the
	// account, "" for its owner and for everybody else; steps keep it.
	Delegation string
	// Impersonation is the id under which a staff member acts for the account, ""
	// for everybody else; steps keep it.
	Impersonation string
	// IfMatch is the revision that the caller saw, nil when it did not say.
	IfMatch       *uint64
	CorrelationID string
	CausationID   string
	TraceParent   string
	// At and Number are given facts, accepted from the actors demo and import only.
	At time.Time
	// Number is a given human number, of a ticket for instance.
	Number string
}

// stale reports whether the caller saw another revision than that of a stream
// with so many events.
func (c Call) stale(count uint64) bool {
	return c.IfMatch != nil && eventstore.After(count) != eventstore.Revision(*c.IfMatch)
}

// Step is the call of one step of a command over several streams, carried out
// by the system for the same actor: the first step has asked for permission.
func (c Call) Step(name string) Call {
	c.CommandID, c.IfMatch = StepID(c.CommandID, name), nil
	c.Grants, c.Again = delegation.Grants{System: true}, nil
	return c
}

// letIn is the call of a command that takes its own caller's sessions away
// before it is done, or keeps them open until then: it is not asked for again.
func (c Call) letIn() Call {
	c.Again = nil
	return c
}

// waited reports whether a call had to wait since its grants were read.
func (c Call) waited(now time.Time) bool {
	return c.Again != nil && now.Sub(c.Asked) >= grantsHold
}

// grantsHold is for how long a command is decided by the grants with which it
// came. What is let in does not take so long, unless its sender has it wait: for
// the turn of a stream, for instance, that it asks a lot of.
const grantsHold = time.Second

// as is the call with the actor that a public request has proven to be.
func (c Call) as(userID string) Call {
	if !c.Grants.System {
		c.Actor = domain.Actor{Kind: domain.ActorUser, ID: userID}
	}
	return c
}

// Env is what a decision may know beside the state.
type Env struct {
	// Now is the time of the decision, UTC, in whole microseconds.
	Now time.Time
	// Actor is who asks.
	Actor domain.Actor
	// Account is the account whose path is used.
	Account string
	// Grants is what the caller holds, for rules about handing it on.
	Grants delegation.Grants
	// Number is a given human number, "" to have one drawn from Rand.
	Number string
	// Rand is the source of drawn numbers.
	Rand io.Reader
	// NewID derives an id of a kind ("inv", "tkt") from the command id, so that
	// a repeat of the command aims at the same thing.
	NewID func(kind string) string
}

// Command is an intention aimed at one aggregate.
type Command[S any, E domain.Event] interface {
	Target() domain.Target[S, E]
	// Permission is what the caller needs on the target.
	Permission() domain.Permission
	Decide(state S, env Env) ([]E, error)
}

// Receipt says what a command did.
type Receipt struct {
	// ID is the target aggregate's id.
	ID string
	// Stream is its stream; Revision and Position are those of the last event
	// the command wrote, or of the stream's last when it had nothing to change.
	Stream   string
	Revision uint64
	Position eventstore.Position
	// Replayed is true when the command had been executed before.
	Replayed bool
}
