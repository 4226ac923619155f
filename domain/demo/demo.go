// Package demo holds how far the demonstration data has come: begun first,
// loaded last. A store without these facts but with others is not a demo, and
// the demo keeps away from it.
package demo

import "github.com/hostfold/hostfold/domain"

// ID is the id of the one demo.
const ID = "main"

// Event is a fact about the demo.
type Event interface {
	domain.Event
	apply(Demo) Demo
}

// Target is the demo.
type Target = domain.Target[Demo, Event]

// Decider folds the demo's facts.
var Decider = domain.Decider[Demo, Event]{
	Category: "demo",
	Evolve:   func(d Demo, e Event) Demo { return e.apply(d) },
	Types: []domain.Type{
		domain.TypeOf[Started](),
		domain.TypeOf[Loaded](),
	},
}

// Demo is the state of the demo.
type Demo struct {
	IsStarted bool
	IsLoaded  bool
}

// ErrNotStarted says that the demo has not begun here.
var ErrNotStarted = domain.Conflict("demo_not_started", "The demo has not been started here.")

// Started says that this store is for the demo; it is the store's first fact.
type Started struct{}

// EventType is the name on disk.
func (Started) EventType() string { return "demo.started.v1" }

func (Started) apply(d Demo) Demo {
	d.IsStarted = true
	return d
}

// Loaded says that all of the demo's data is there.
type Loaded struct{}

// EventType is the name on disk.
func (Loaded) EventType() string { return "demo.loaded.v1" }

func (Loaded) apply(d Demo) Demo {
	d.IsLoaded = true
	return d
}

// Start begins the demo; a repeat needs nothing.
func (d Demo) Start() ([]Event, error) {
	if d.IsStarted {
		return nil, nil
	}
	return []Event{Started{}}, nil
}

// Load notes that the demo is complete; a repeat needs nothing.
func (d Demo) Load() ([]Event, error) {
	switch {
	case !d.IsStarted:
		return nil, ErrNotStarted
	case d.IsLoaded:
		return nil, nil
	}
	return []Event{Loaded{}}, nil
}
