package logcopy

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
)

// InBulk makes a copy's appends over one call of the target, many under way at
// once, for Config.Write.
//
// They reach the target in their order, so whenever the copy is cut short the
// target holds a beginning of the log, from which the next one goes on. It ends
// with the first append that is refused. The one thing that breaks the order is
// a target that gives up on an append, such as after its deadline, and takes
// one that was sent later: that is seen at once, by the positions, and answered
// with ErrDiffers. Give the target a deadline that its queues cannot reach.
func InBulk(to *esdb.Store) func(ctx context.Context, appends iter.Seq[Append]) error {
	return func(ctx context.Context, appends iter.Seq[Append]) error {
		last := eventstore.Start
		return to.AppendAll(ctx, appends, func(o esdb.Outcome) error {
			if o.Err != nil {
				return o.Err
			}
			// A store need not know where a repeated append went.
			if o.Position == eventstore.Start || o.Position.Commit > math.MaxInt64 {
				return nil
			}
			if !last.Before(o.Position) {
				return fmt.Errorf("%w: the target put an append to %s before one that comes earlier in the log", ErrDiffers, o.Stream)
			}
			last = o.Position
			return nil
		})
	}
}
