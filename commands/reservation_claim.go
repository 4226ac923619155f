package commands

import (
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/reservation"
)

// claim carries out the creation of something with a value that nothing else
// may have: hold the value, create, take it. A repeat finishes what a crash
// broke off; reservation.ErrTaken when somebody else has the value.
func claim[C Command[S, E], S any, E domain.Event](ctx context.Context, d *Dispatcher, call Call, cmd C, kind reservation.Kind, value string) (Receipt, error) {
	target := cmd.Target()
	if err := authorise(call, cmd.Permission(), delegation.Resource{Kind: target.Decider.Category, ID: target.ID}); err != nil {
		return Receipt{}, err
	}
	f, err := fold(ctx, d.Streams(), target, call.CommandID, folded[S]{})
	if err != nil {
		return Receipt{}, err
	}
	if f.own == nil {
		if err := d.hold(ctx, call, kind, value, target.ID); err != nil {
			return Receipt{}, err
		}
	}
	receipt, err := Execute(ctx, d, call, cmd)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.take(ctx, call, kind, value, target.ID)
}
