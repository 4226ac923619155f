package subjectkey

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// Destroyed says that the key's material is gone from the vault, and with it
// the data under it. Reason is "erasure", "retention" or "repair".
type Destroyed struct {
	Reason string `json:"reason"`
}

// EventType is the name on disk.
func (Destroyed) EventType() string { return "subjectkey.destroyed.v1" }

func (Destroyed) apply(k Key) Key {
	k.Status = StatusDestroyed
	return k
}

// reasons are words, since a text of somebody's own could name the person.
var reasons = []string{"erasure", "retention", "repair"}

// Destroy notes that a key is gone; a repeat has nothing to do.
func (k Key) Destroy(reason string) ([]Event, error) {
	if !slices.Contains(reasons, reason) {
		return nil, domain.Invalid("reason", "must be erasure, retention or repair")
	}
	switch k.Status {
	case StatusDestroyed:
		return nil, nil
	case StatusLive:
		return []Event{Destroyed{Reason: reason}}, nil
	case StatusAbsent:
	}
	return nil, ErrMissing
}
