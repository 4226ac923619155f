package projections

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// Handler handles one kind of event for rows of type R.
type Handler[R any] struct {
	event string
	keys  func(domain.Event, Meta) []string
	apply func(context.Context, *feed.Tx, *Rows[R], domain.Event, Meta) error
}

// On handles one kind of event; the name comes from E's zero value. It may get
// the row of the table's own key.
func On[R any, E domain.Event](fn func(*Rows[R], E, Meta)) Handler[R] {
	return OnKey(nil, fn)
}

// OnKey is On for events that touch rows of other keys, which it names.
func OnKey[R any, E domain.Event](keys func(E, Meta) []string, fn func(*Rows[R], E, Meta)) Handler[R] {
	h := Handler[R]{
		event: nameOf[E](),
		apply: func(_ context.Context, _ *feed.Tx, rows *Rows[R], e domain.Event, m Meta) error {
			typed, err := as[E](e)
			if err == nil {
				fn(rows, typed, m)
			}
			return err
		},
	}
	if keys != nil {
		h.keys = func(e domain.Event, m Meta) []string {
			typed, ok := e.(E)
			if !ok {
				return nil
			}
			return keys(typed, m)
		}
	}
	return h
}

// OnTx handles one kind of event with SQL of its own, for what rows by key
// cannot say; the code that uses it says why. The database does not yet show
// the rows that other handlers changed in the same batch.
func OnTx[R any, E domain.Event](fn func(context.Context, pgx.Tx, E, Meta) error) Handler[R] {
	return Handler[R]{
		event: nameOf[E](),
		keys:  func(domain.Event, Meta) []string { return nil },
		apply: func(ctx context.Context, tx *feed.Tx, _ *Rows[R], e domain.Event, m Meta) error {
			typed, err := as[E](e)
			if err != nil {
				return err
			}
			return fn(ctx, tx, typed, m)
		},
	}
}

func nameOf[E domain.Event]() string {
	var zero E
	return zero.EventType()
}

func as[E domain.Event](e domain.Event) (E, error) {
	typed, ok := e.(E)
	if !ok {
		return typed, fmt.Errorf("event %s was decoded as %T", nameOf[E](), e)
	}
	return typed, nil
}

// anyVersion is the prefix of an event's name that all its versions share:
// older ones reach the handler through upcasters.
func anyVersion(event string) string {
	return event[:strings.LastIndex(event, ".")+1]
}
