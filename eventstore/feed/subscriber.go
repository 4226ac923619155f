package feed

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// subscriber gives Watermill's router the batches of one lane as messages: the
// message is the batch, and the next comes only after the Ack.
type subscriber struct{ lane *lane }

// Subscribe starts the lane. The channel is closed after the last outcome is
// known, once ctx has ended.
func (s *subscriber) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		s.lane.run(ctx, out)
	}()
	return out, nil
}

// Close has nothing to do: the router ends the subscription's context as well.
func (s *subscriber) Close() error { return nil }
