package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/hostfold/hostfold/eventstore"
)

// EventConfig is what an EventSubscriber needs.
type EventConfig struct {
	Store eventstore.Store
	Codec *eventstore.Codec
	// From is after which position a topic's messages begin; nil is the start.
	From func(topic string) eventstore.Position
	// Acked is told of each position in order, by whoever keeps it; nil when
	// nobody does. While it fails, the message comes again.
	Acked func(ctx context.Context, topic string, p eventstore.Position) error
	// MaxPause bounds the pause before a nacked message comes again (30 s).
	MaxPause time.Duration
}

// EventSubscriber is Watermill's Subscriber over the log, for handlers written
// in Watermill's usual way: one message per event, in order, the next only
// after the Ack of the one before. A topic is an event's name, or the beginning
// of names when it ends in a point. The payload is the event's JSON with
// personal fields readable; the metadata are the event's own and the Meta keys.
// Delivery is at least once; a Lane is exactly once.
type EventSubscriber struct {
	cfg     EventConfig
	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
}

// Keys of a message's metadata beside those of the event's.
const (
	MetaType       = "event_type"
	MetaStream     = "stream"
	MetaRevision   = "revision"
	MetaPosition   = "position"
	MetaRecordedAt = "recorded_at"
)

var _ message.Subscriber = (*EventSubscriber)(nil)

// errClosed refuses a subscription to what was closed.
var errClosed = errors.New("the subscriber is closed")

// NewEventSubscriber makes an EventSubscriber.
func NewEventSubscriber(cfg EventConfig) *EventSubscriber {
	cfg.MaxPause = orElse(cfg.MaxPause, maxBackoff)
	if cfg.From == nil {
		cfg.From = func(string) eventstore.Position { return eventstore.Start }
	}
	if cfg.Acked == nil {
		cfg.Acked = func(context.Context, string, eventstore.Position) error { return nil }
	}
	s := &EventSubscriber{cfg: cfg}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// Subscribe delivers a topic's messages until ctx ends or Close.
func (s *EventSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return nil, errClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	out := make(chan *message.Message)
	s.running.Go(func() {
		defer close(out)
		defer cancel()
		defer stop()
		s.run(ctx, topic, out)
	})
	return out, nil
}

// Close ends every subscription; messages that are not acked come again to
// another one. It may be called more than once.
func (s *EventSubscriber) Close() error {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// run reads on from the last acked position, after every failure anew.
func (s *EventSubscriber) run(ctx context.Context, topic string, out chan<- *message.Message) {
	after, pause := s.cfg.From(topic), backoff{}
	for ctx.Err() == nil {
		before := after
		// What failed is tried again for ever: there is nobody to tell but the
		// handler, which gets no message meanwhile.
		_ = s.read(ctx, topic, &after, out)
		if after != before {
			pause = backoff{}
		}
		rest(ctx, min(pause.next(true), s.cfg.MaxPause))
	}
}

func (s *EventSubscriber) read(ctx context.Context, topic string, after *eventstore.Position, out chan<- *message.Message) error {
	sub, err := s.cfg.Store.Subscribe(ctx, *after, eventstore.Filter{Types: []string{topic}})
	if err != nil {
		return err
	}
	defer func() {
		// Closing frees the subscription; there is nothing left to lose.
		_ = sub.Close()
	}()
	for {
		batch, err := sub.Next(ctx, 100)
		if err != nil {
			return err
		}
		for _, r := range batch.Events {
			if (r.Type == topic || strings.HasSuffix(topic, ".")) && !eventstore.Foreign(r) {
				if err := s.deliver(ctx, topic, r, out); err != nil {
					return err
				}
			}
			*after = r.Position
		}
		*after = batch.Through
	}
}

// deliver sends an event until it is acked.
func (s *EventSubscriber) deliver(ctx context.Context, topic string, r eventstore.Recorded, out chan<- *message.Message) error {
	payload, err := s.cfg.Codec.Decrypt(ctx, r)
	if err != nil {
		return err
	}
	for pause := (backoff{}); ; {
		acked, err := s.send(ctx, message.NewMessage(r.ID.String(), payload), r, out)
		if err == nil && acked {
			if err = s.cfg.Acked(ctx, topic, r.Position); err == nil {
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rest(ctx, min(pause.next(false), s.cfg.MaxPause))
	}
}

// send sends one message; its context ends with the outcome.
func (s *EventSubscriber) send(ctx context.Context, msg *message.Message, r eventstore.Recorded, out chan<- *message.Message) (acked bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg.SetContext(ctx)
	if err := describe(msg.Metadata, r); err != nil {
		return false, err
	}
	select {
	case out <- msg:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case <-msg.Acked():
		return true, nil
	case <-msg.Nacked():
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// describe turns an event's metadata into a message's: texts as they are,
// anything else as its JSON.
func describe(to message.Metadata, r eventstore.Recorded) error {
	if len(r.Metadata) > 0 {
		var own map[string]json.RawMessage
		if err := json.Unmarshal(r.Metadata, &own); err != nil {
			return fmt.Errorf("metadata of event %s at %s: %w", r.ID, r.Position, err)
		}
		for key, value := range own {
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				text = string(value)
			}
			to.Set(key, text)
		}
	}
	to.Set(MetaType, r.Type)
	to.Set(MetaStream, r.Stream)
	to.Set(MetaRevision, strconv.FormatUint(r.Revision, 10))
	to.Set(MetaPosition, r.Position.String())
	to.Set(MetaRecordedAt, r.RecordedAt.UTC().Format(time.RFC3339Nano))
	if id := to.Get("$correlationId"); id != "" {
		to.Set(middleware.CorrelationIDMetadataKey, id)
	}
	return nil
}

// rest waits, at most until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
