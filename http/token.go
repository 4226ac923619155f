package http

import (
	"context"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/projections"
)

// token is the Consistency-Token of a position.
func (a *api) token(p eventstore.Position) string { return a.Reader.Token(p).String() }

// await waits until the read model shows the write whose token the request
// sends. It answers "true" for the Stale header when that did not come in time.
// After a wait the caller is asked for again: what was written meanwhile is for
// those who may see it by then.
func (a *api) await(ctx context.Context, r *request, o operation) (stale string, err error) {
	t, err := projections.ParseToken(r.token)
	if err != nil || o.model == "" {
		return "", err
	}
	at, cancel := context.WithCancel(ctx)
	cancel() // a look does not wait
	if shown, err := a.Reader.Wait(at, o.model, t); err != nil || shown {
		return "", err
	}
	ctx, cancel = context.WithTimeout(ctx, r.wait)
	defer cancel()
	fresh, err := a.Reader.Wait(ctx, o.model, t)
	if err != nil {
		return "", err
	}
	if !fresh {
		stale = "true"
	}
	return stale, a.identify(r, o)
}

// rightsWait is how long a write's answer is held back.
const rightsWait = 10 * time.Second

// errNotInForce says that a write stands, but not yet for everybody.
var errNotInForce = &domain.Error{
	Kind: domain.KindUnavailable, Code: "not_in_force",
	Detail: "The change is written, but the rights that it changes are not in force yet; ask again shortly.",
}

// inForce holds the answer of a write that changes rights back.
func (a *api) inForce(ctx context.Context, o operation, token string) error {
	if !o.rights {
		return nil
	}
	t, err := projections.ParseToken(token)
	if err != nil {
		return err
	}
	return a.InForce(ctx, t)
}

// InForce waits until the rights that a write has changed are in force for the
// next request, in every process. Should that not come, the lane of rights has
// halted or is slow, and the write does not say that it is done.
func (c Config) InForce(ctx context.Context, t projections.Token) error {
	ctx, cancel := context.WithTimeout(ctx, rightsWait)
	defer cancel()
	fresh, err := c.Reader.Wait(ctx, projections.RightsModel, t)
	if err == nil && !fresh {
		err = errNotInForce
	}
	return err
}
