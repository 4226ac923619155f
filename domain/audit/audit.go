// Package audit holds who took history out of the system in clear: an export
// that decrypts personal data is a fact of its own, written before the first
// line leaves.
package audit

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about an export.
type Event interface {
	domain.Event
	apply(Export) Export
}

// Target is one export.
type Target = domain.Target[Export, Event]

// Decider folds an export's facts.
var Decider = domain.Decider[Export, Event]{
	Category: "audit",
	Evolve:   func(x Export, e Event) Export { return e.apply(x) },
	Types:    []domain.Type{domain.PublicTypeOf[DecryptionStarted](delegation.UsersManage)},
}

// Export is the state of one export.
type Export struct {
	// What says what was read in clear: all of history, or one stream.
	What string
}

// DecryptionStarted says that personal data are about to be read in clear.
type DecryptionStarted struct {
	// What is "all", or the name of a stream.
	What string `json:"what"`
}

// EventType is the name on disk.
func (DecryptionStarted) EventType() string { return "audit.decryption_started.v1" }

// Public tells no more than that: the account whose stream it was sees it.
func (DecryptionStarted) Public() any { return struct{}{} }

func (e DecryptionStarted) apply(x Export) Export {
	x.What = e.What
	return x
}

// Decrypt begins to read personal data in clear.
func (x Export) Decrypt(what string) ([]Event, error) {
	switch {
	case what == "":
		return nil, domain.Invalid("what", "Say what is to be read.")
	case x.What != "":
		return nil, domain.Conflict("export_started", "This export has begun already.")
	}
	return []Event{DecryptionStarted{What: what}}, nil
}
