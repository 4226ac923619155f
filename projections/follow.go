package projections

import (
	"context"

	"github.com/hostfold/hostfold/eventstore"
)

// Passed is how far a read model has come.
func (r *Reader) Passed(model string) (Token, error) {
	s, err := r.lanes.LaneStatus(model)
	return r.Token(s.Position), err
}

// Follow waits until a read model has passed more than t. It answers ctx's
// error when nothing came before ctx's end.
func (r *Reader) Follow(ctx context.Context, model string, t Token) error {
	next := eventstore.Position{Commit: t.Position.Commit, Prepare: t.Position.Prepare + 1}
	return r.lanes.Wait(ctx, model, next)
}
