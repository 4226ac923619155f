// Package announcement holds the news of the hosting company: drafted,
// published at a time, amended. What an amended one said before stays in its
// stream.
package announcement

import (
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about an announcement.
type Event interface {
	domain.Event
	apply(Announcement) Announcement
}

// Target is one announcement.
type Target = domain.Target[Announcement, Event]

// Decider folds an announcement's facts.
var Decider = domain.Decider[Announcement, Event]{
	Category: "announcement",
	Evolve:   func(a Announcement, e Event) Announcement { return e.apply(a) },
	Types: []domain.Type{
		domain.TypeOf[Drafted](),
		domain.PublicTypeOf[Published](delegation.Anyone),
		domain.TypeOf[Amended](),
	},
}

// Announcement is the state of an announcement.
type Announcement struct {
	Title string
	Body  string
	// PublishedAt is zero for a draft.
	PublishedAt time.Time
}

// Exists reports whether the announcement was drafted.
func (a Announcement) Exists() bool { return a.Title != "" }

// Errors of this aggregate.
var (
	ErrExists  = domain.Conflict("announcement_exists", "This announcement exists already.")
	ErrMissing = domain.Missing("announcement")
)

func check(title, body string) (string, string, error) {
	var c domain.Check
	title, body = c.Line("title", title, 200), c.Text("body", body, 20_000)
	return title, body, c.Err()
}
