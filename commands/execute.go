package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
)

// Dispatcher is what commands run on. Its fields are set once, before its first
// use; it may then be used by many goroutines.
type Dispatcher struct {
	Store eventstore.Store
	Codec *eventstore.Codec
	// Vault keeps secrets; only commands about users and sessions need it.
	Vault *vault.Vault
	// Pepper is the vault's: it names reservations.
	Pepper vault.Pepper
	// Mails writes the texts of mails.
	Mails mailtext.Writer
	// Passkeys checks what passkeys sign; nil where there are none.
	Passkeys *RelyingParty
	// Passwords says which passwords are refused.
	Passwords Passwords
	// Brand is the hosting company's name, as apps for one-time codes show it.
	Brand string
	// Clock is the wall clock, Rand the source of drawn numbers.
	Clock func() time.Time
	Rand  io.Reader
	// Timeout bounds a command whose context has no earlier deadline; 0 is 10 s.
	Timeout time.Duration

	queues   queues
	kept     keptStates
	holdings holdings
}

// Streams reads streams for the dispatcher's commands.
func (d *Dispatcher) Streams() Streams { return Streams{store: d.Store, codec: d.Codec} }

// Creation is met by a command that makes its aggregate: Identify is the same
// command with the id that it will have, drawn from the command id.
type Creation[C any] interface {
	Identify(newID func(kind string) string) C
}

// Gathering is met by a command whose decision needs other streams: Gather is
// the same command with what it read filled in. It is called again whenever
// the command decides again.
type Gathering[C any] interface {
	Gather(ctx context.Context, s Streams) (C, error)
}

// Given is met by a command that has to know who gives it before it gathers: By
// is the same command with that filled in.
type Given[C any] interface {
	By(actor domain.Actor) C
}

// NeedsVerified is met by a command that only a user with a verified address
// may give: orders, invitations, API tokens. Others get email_not_verified.
type NeedsVerified interface{ NeedsVerifiedEmail() }

// Execute carries out one command on one stream: authorise, load, decide,
// append. A command that was executed before answers its earlier receipt; a
// lost race loads and decides again until the deadline, with If-Match never. One
// that had to wait is authorised again by what its caller holds by then.
func Execute[C Command[S, E], S any, E domain.Event](ctx context.Context, d *Dispatcher, call Call, cmd C) (Receipt, error) {
	if call.CommandID == uuid.Nil {
		return Receipt{}, errors.New("execute: the call has no command id")
	}
	if c, ok := any(cmd).(Creation[C]); ok {
		cmd = c.Identify(func(kind string) string { return NewID(call.CommandID, kind) })
	}
	if c, ok := any(cmd).(Given[C]); ok {
		cmd = c.By(call.Actor)
	}
	target := cmd.Target()
	resource := delegation.Resource{Kind: target.Decider.Category, ID: target.ID}
	if err := authorise(call, cmd.Permission(), resource); err != nil {
		return Receipt{}, err
	}
	env, err := d.env(call)
	if err != nil {
		return Receipt{}, err
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if _, needs := any(cmd).(NeedsVerified); needs {
		if err := RequireVerified(ctx, d.Streams(), call.Actor); err != nil {
			return Receipt{}, err
		}
	}
	leave, err := d.queues.enter(ctx, target.Stream())
	if err != nil {
		return Receipt{}, storeError("wait for "+target.Stream(), err)
	}
	defer leave()

	tried := false // and what came of it is not known
	once := func() (Receipt, error) {
		if now := d.Clock(); !tried && call.waited(now) {
			var err error
			if call.Grants, err = call.Again(ctx); err == nil {
				err = authorise(call, cmd.Permission(), resource)
			}
			if err != nil {
				return Receipt{}, err
			}
			call.Asked, env.Grants = now, call.Grants
		}
		return attempt(ctx, d, call, cmd, env)
	}
	receipt, err := once()
	for errors.Is(err, errLostRace) {
		if ctx.Err() != nil {
			return Receipt{}, storeError("execute on "+target.Stream(), ctx.Err())
		}
		tried = tried || errors.Is(err, eventstore.ErrUncertain)
		receipt, err = once()
		// What this very call wrote, without having heard so, is no replay.
		receipt.Replayed = receipt.Replayed && !tried
	}
	return receipt, err
}

// errLostRace says that the stream moved between load and append; it wraps
// ErrUncertain when what moved it may have been this very append.
var errLostRace = errors.New("the stream moved")

// attempt loads, decides and appends once.
func attempt[C Command[S, E], S any, E domain.Event](ctx context.Context, d *Dispatcher, call Call, cmd C, env Env) (Receipt, error) {
	target := cmd.Target()
	f, wanted := folded[S]{}, call.CommandID
	_, keeps := any(cmd).(keeping)
	if keeps {
		f, wanted = taken[S](&d.kept, target.Stream()), uuid.Nil
	}
	f, err := fold(ctx, d.Streams(), target, wanted, f)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{ID: target.ID, Stream: target.Stream()}
	if f.own != nil {
		if f.own.RequestHash != call.RequestHash {
			return Receipt{}, ErrKeyReused
		}
		receipt.Revision, receipt.Position, receipt.Replayed = f.own.Revision, f.own.Position, true
		return receipt, nil
	}
	if f.count > 0 && !owns(call, ownerOf(target, f.state)) {
		return Receipt{}, hidden[S, E](cmd, env, target.Decider.Category)
	}
	stale := call.stale(f.count)
	if stale && f.count > 0 {
		return Receipt{}, domain.ErrStale
	}
	if g, ok := any(cmd).(Gathering[C]); ok {
		if cmd, err = g.Gather(ctx, d.Streams()); err != nil {
			return Receipt{}, err
		}
	}
	events, err := cmd.Decide(f.state, env)
	if stale && domain.KindOf(err) != domain.KindMissing {
		err = domain.ErrStale // what is not there is missing, as what is another's
	}
	if err != nil {
		return Receipt{}, err
	}
	if len(events) == 0 {
		if keeps {
			d.kept.put(target.Stream(), f)
		}
		receipt.Revision, receipt.Position = max(f.count, 1)-1, f.last
		return receipt, nil
	}
	for _, e := range events {
		f.state = target.Decider.Evolve(f.state, e)
	}
	stored, err := encode(ctx, d, call, cmd, env, f.state, events)
	if err != nil {
		return Receipt{}, err
	}
	done, err := d.append(ctx, target.Stream(), eventstore.After(f.count), stored)
	if errors.Is(err, errLostRace) && call.IfMatch != nil && !errors.Is(err, eventstore.ErrUncertain) {
		return Receipt{}, domain.ErrStale
	}
	if err != nil {
		return Receipt{}, err
	}
	if keeps {
		f.count, f.last = done.Revision+1, done.Position
		d.kept.put(target.Stream(), f)
	}
	receipt.Revision, receipt.Position = done.Revision, done.Position
	return receipt, nil
}

// encode gives the events their ids and metadata; state is that after them.
func encode[C Command[S, E], S any, E domain.Event](ctx context.Context, d *Dispatcher, call Call, cmd C, env Env, state S, events []E) ([]eventstore.NewEvent, error) {
	target := cmd.Target()
	account := cmp.Or(ownerOf(target, state), call.Account)
	// What no event and no request caused begins with the command itself.
	itself := call.CommandID.String()
	m := eventstore.Metadata{
		Actor: call.Actor, Account: account, OnBehalfOf: call.OnBehalfOf, Permission: cmd.Permission(), Delegation: call.Delegation, Impersonation: call.Impersonation,
		CommandID: call.CommandID, Command: nameOf[C](), RequestHash: call.RequestHash,
		CorrelationID: cmp.Or(call.CorrelationID, itself), CausationID: cmp.Or(call.CausationID, itself), TraceParent: call.TraceParent,
		OccurredAt: env.Now, GivenTime: !call.At.IsZero(),
	}
	if call.Actor.Kind == domain.ActorStaff && call.Account == "" {
		m.OnBehalfOf = account // the path did not say whose it is, the stream does
	}
	stored := make([]eventstore.NewEvent, len(events))
	for i, e := range events {
		of := m
		if about, ok := any(e).(domain.Elsewhere); ok {
			of.Account, of.Permission = about.About()
			of.OnBehalfOf, of.Impersonation = of.Account, call.Grants.Accounts[of.Account].Impersonation
		}
		var err error
		if stored[i], err = d.Codec.Encode(ctx, target.Stream(), eventID(call.CommandID, target.Stream(), i), e, of); err != nil {
			return nil, storeError("write "+target.Stream(), err)
		}
	}
	return stored, nil
}

// nameOf is a command's name in metadata: its type's, which is written down for
// good. A test pins the names, since renaming a type renames what auditors
// search for.
func nameOf[C any]() string {
	name := reflect.TypeFor[C]().Name()
	return strings.ToUpper(name[:1]) + name[1:]
}

// append writes the events, and repeats the very same append while its outcome
// is unknown.
func (d *Dispatcher) append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.NewEvent) (eventstore.Appended, error) {
	var unknown error
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		done, err := d.Store.Append(ctx, stream, expected, events...)
		var wrong *eventstore.WrongRevisionError
		switch {
		case err == nil:
			return done, nil
		case errors.As(err, &wrong) && unknown != nil:
			return done, fmt.Errorf("append to %s: %w (%w)", stream, errLostRace, unknown)
		case errors.As(err, &wrong):
			return done, fmt.Errorf("append to %s: %w (%w)", stream, errLostRace, err)
		case errors.Is(err, eventstore.ErrUncertain):
			unknown = err
		case unknown == nil || !errors.Is(err, eventstore.ErrUnavailable):
			return done, storeError("append to "+stream, err)
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return done, storeError("append to "+stream, unknown)
		}
	}
}

// env is what the call's decision may know.
func (d *Dispatcher) env(call Call) (Env, error) {
	now := d.Clock()
	if !call.At.IsZero() || call.Number != "" {
		if !call.Actor.MaySetFacts() {
			return Env{}, ErrGivenFact
		}
		if !call.At.IsZero() {
			now = call.At
		}
	}
	return Env{
		Now: now.UTC().Truncate(time.Microsecond), Actor: call.Actor, Account: call.Account, Grants: call.Grants, Number: call.Number, Rand: d.Rand,
		NewID: func(kind string) string { return NewID(call.CommandID, kind) },
	}, nil
}

// bound gives ctx the dispatcher's deadline, unless it has an earlier one.
func (d *Dispatcher) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := d.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	return context.WithTimeout(ctx, timeout)
}
