package commands

import (
	"context"
	"time"
)

// evenTime is above what a password's hash and the appends of a registration
// take on a machine that is not overloaded.
const evenTime = 250 * time.Millisecond

// even begins to level the time of an answer that must not tell whether an
// address is known: the two outcomes do nearly the same work, and the function
// answered waits for the rest of evenTime, so that a stopwatch sees none of
// the difference.
func even(ctx context.Context) func() {
	rest := time.NewTimer(evenTime)
	return func() {
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
	}
}
