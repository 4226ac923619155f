// Package subjectkey holds the facts about the keys that personal data in
// events is encrypted with: that one came to be and that one was destroyed.
// Erasing a person is destroying keys.
//
// The key's material is never here: it is a row of commands/vault. A stream is
// one key; its id is the key's id.
package subjectkey

import "github.com/hostfold/hostfold/domain"

// Event is a fact about a key.
type Event interface {
	domain.Event
	apply(Key) Key
}

// Target is one key.
type Target = domain.Target[Key, Event]

// Decider folds a key's facts.
var Decider = domain.Decider[Key, Event]{
	Category: "subjectkey",
	Evolve:   func(k Key, e Event) Key { return e.apply(k) },
	Types: []domain.Type{
		domain.TypeOf[Created](),
		domain.TypeOf[Destroyed](),
	},
}

// Purpose is what the data under a key is kept for; each has its own date of
// erasure.
type Purpose string

// The purposes. Network keys belong to a month instead of a person.
const (
	Profile  Purpose = "profile"
	Fiscal   Purpose = "fiscal"
	Identity Purpose = "identity"
	Network  Purpose = "network"
)

// Status is where a key stands.
type Status string

// A key is absent, then live, then destroyed for ever.
const (
	StatusAbsent    Status = ""
	StatusLive      Status = "live"
	StatusDestroyed Status = "destroyed"
)

// Key is the state of one key.
type Key struct {
	// Subject is the user, account or contact whose data it protects, or a
	// month such as "2026-01" for network data.
	Subject string
	Purpose Purpose
	Status  Status
}

// ErrMissing says that there never was such a key.
var ErrMissing = domain.Missing("key")

// ErrDestroyed says that the key is gone: it cannot come back.
var ErrDestroyed = domain.Conflict("key_destroyed", "This key was destroyed.")
