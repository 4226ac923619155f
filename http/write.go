package http

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections/answers"
)

// Ref is what a write answers when it has nothing more to say: the id of what
// was created or changed.
type Ref struct {
	ID string `json:"id"`
}

// written is the answer of a write.
type written[A any] struct {
	ETag     string `header:"ETag" doc:"The revision of the resource in the path, or of what was created."`
	Token    string `header:"Consistency-Token" doc:"A read that sends it back shows this write."`
	Location string `header:"Location" doc:"Where what was created is."`
	Replay   string `header:"Idempotent-Replay" enum:"true" doc:"Set when the Idempotency-Key was seen before: this is the first answer."`
	Body     A
}

// bodied and bare are the inputs of commands with and without fields.
type (
	bodied[C any] struct{ Body C }
	bare[C any]   struct{ Body *C }
)

// command adds a route that carries out one command on one stream. The body is
// the command; bind fills what comes from the path.
func command[C commands.Command[S, E], S any, E domain.Event](a *api, o operation, bind func(*request, *C)) {
	write(a, o, bind, func(ctx context.Context, call commands.Call, c C) (commands.Receipt, Ref, error) {
		return ref(commands.Execute(ctx, a.Dispatcher, call, c))
	})
}

// ref is the answer that says no more than an id.
func ref(receipt commands.Receipt, err error) (commands.Receipt, Ref, error) {
	return receipt, Ref{ID: receipt.ID}, err
}

// write adds a route whose command says more in its answer than an id, or is
// carried out over several streams.
func write[C, A any](a *api, o operation, bind func(*request, *C), do func(context.Context, commands.Call, C) (commands.Receipt, A, error)) {
	handle := func(ctx context.Context, c *C) (*written[A], error) {
		r := requestOf(ctx)
		if bind != nil {
			bind(r, c)
		}
		answer, err := carryOut(ctx, a, o, r, *c, do)
		if err != nil {
			return nil, fail(ctx, err)
		}
		return answer, nil
	}
	if hasFields(reflect.TypeFor[C]()) {
		huma.Register(a.huma, a.document(o), func(ctx context.Context, in *bodied[C]) (*written[A], error) { return handle(ctx, &in.Body) })
		return
	}
	huma.Register(a.huma, a.document(o), func(ctx context.Context, in *bare[C]) (*written[A], error) {
		if in.Body == nil {
			in.Body = new(C)
		}
		return handle(ctx, in.Body)
	})
}

// silent is the answer of a write that has nothing to say.
type silent struct {
	ETag   string `header:"ETag" doc:"The revision of the resource in the path."`
	Token  string `header:"Consistency-Token" doc:"A read that sends it back shows this write."`
	Replay string `header:"Idempotent-Replay" enum:"true" doc:"Set when the Idempotency-Key was seen before: this is the first answer."`
}

// silently adds a route whose command answers no body.
func silently[C any](a *api, o operation, bind func(*request, *C), do func(context.Context, commands.Call, C) (commands.Receipt, error)) {
	handle := func(ctx context.Context, c *C) (*silent, error) {
		r := requestOf(ctx)
		bind(r, c)
		done, err := carryOut(ctx, a, o, r, *c, func(ctx context.Context, call commands.Call, c C) (commands.Receipt, Ref, error) {
			return ref(do(ctx, call, c))
		})
		if err != nil {
			return nil, fail(ctx, err)
		}
		return &silent{ETag: done.ETag, Token: done.Token, Replay: done.Replay}, nil
	}
	if hasFields(reflect.TypeFor[C]()) {
		huma.Register(a.huma, a.document(o), func(ctx context.Context, in *bodied[C]) (*silent, error) { return handle(ctx, &in.Body) })
		return
	}
	huma.Register(a.huma, a.document(o), func(ctx context.Context, in *bare[C]) (*silent, error) {
		if in.Body == nil {
			in.Body = new(C)
		}
		return handle(ctx, in.Body)
	})
}

// carryOut executes a command, or gives the first answer of a request that
// comes again.
func carryOut[C, A any](ctx context.Context, a *api, o operation, r *request, c C, do func(context.Context, commands.Call, C) (commands.Receipt, A, error)) (*written[A], error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write the request down: %w", err)
	}
	call := a.call(o, r, body)
	if r.key != "" {
		first, err := firstAnswer[A](ctx, a, o, r, call)
		if err != nil {
			return nil, err
		}
		if first != nil {
			return first, a.inForce(ctx, o, first.Token)
		}
	}
	receipt, answer, err := do(ctx, call, c)
	if err != nil {
		return nil, err
	}
	if o.latest {
		if receipt.Position, err = a.Dispatcher.Store.Head(ctx); err != nil {
			return nil, err
		}
	}
	out := &written[A]{Body: answer, ETag: etag(receipt.Revision), Token: a.token(receipt.Position), Location: o.locate(r, receipt.ID)}
	if r.key != "" {
		if receipt.Replayed {
			out.Replay = "true"
		}
		a.keep(ctx, call, answers.Answer{
			RequestHash: call.RequestHash, Status: cmp.Or(o.status, http.StatusOK),
			Resource: receipt.ID, Revision: receipt.Revision, Token: out.Token,
		})
	}
	return out, a.inForce(ctx, o, out.Token)
}

// firstAnswer is the answer that was kept for the call, nil when there is none
// or when its text has to be read from the streams again.
func firstAnswer[A any](ctx context.Context, a *api, o operation, r *request, call commands.Call) (*written[A], error) {
	kept, ok, err := a.Answers.Find(ctx, call.CommandID)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, nil //nolint:nilnil // none is a fine outcome
	case kept.RequestHash != call.RequestHash:
		return nil, commands.ErrKeyReused
	}
	out := &written[A]{ETag: etag(kept.Revision), Token: kept.Token, Location: o.locate(r, kept.Resource), Replay: "true"}
	ref, simple := any(&out.Body).(*Ref)
	if !simple {
		return nil, nil //nolint:nilnil // Execute finds the command in its stream
	}
	ref.ID = kept.Resource
	return out, nil
}

// keep remembers an answer. It is a convenience: the write stands without it.
func (a *api) keep(ctx context.Context, call commands.Call, answer answers.Answer) {
	if err := a.Answers.Keep(ctx, call.CommandID, answer, a.Clock()); err != nil {
		a.Log.WarnContext(ctx, "an answer is not kept", "error", err)
	}
}

// call says who asks, for whom, and how the request is recognised when it
// comes again.
func (a *api) call(o operation, r *request, body []byte) commands.Call {
	call := commands.Call{
		CommandID:     a.NewID(),
		RequestHash:   a.Vault.Pepper().Request(body),
		Actor:         r.caller.actor(),
		Account:       r.account,
		Grants:        r.caller.Grants,
		IfMatch:       r.ifMatch,
		CorrelationID: RequestID(r.raw.Context()),
		TraceParent:   traceParent(r.raw.Header.Get("Traceparent")),
	}
	if r.caller.Grants.User != "" {
		call.Asked, call.Again = r.caller.asked, func(ctx context.Context) (delegation.Grants, error) {
			again := *r
			again.raw = r.raw.WithContext(ctx)
			err := a.identify(&again, o)
			return again.caller.Grants, err
		}
	}
	if r.account != "" && !r.caller.Grants.Accounts[r.account].Owner {
		call.OnBehalfOf = r.account
	}
	if r.account != "" {
		grant := r.caller.Grants.Accounts[r.account]
		call.Delegation, call.Impersonation = grant.Delegation, grant.Impersonation
	}
	if r.key != "" {
		principal := cmp.Or(r.caller.Grants.Token, r.caller.Grants.User, call.RequestHash)
		call.CommandID = commands.CommandID(principal, o.method, o.path, r.pathIDs(o.path), r.key)
	}
	return call
}

// traceParent is the W3C trace context of the caller, "" when it has none or
// one that is not well formed.
func traceParent(header string) string {
	if len(header) != len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") {
		return ""
	}
	for i, c := range []byte(header) {
		dash := i == 2 || i == 35 || i == 52
		hexadecimal := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash && c != '-' || !dash && !hexadecimal {
			return ""
		}
	}
	return header
}

func (c Caller) actor() domain.Actor {
	switch {
	case c.Grants.Role != "":
		return domain.Actor{Kind: domain.ActorStaff, ID: c.Grants.User}
	default:
		return domain.Actor{Kind: domain.ActorUser, ID: c.Grants.User, Token: c.Grants.Token}
	}
}

// hasFields reports whether a command has any field that a client sends.
func hasFields(t reflect.Type) bool {
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && !f.Anonymous && f.Tag.Get("json") != "-" {
			return true
		}
	}
	return false
}
