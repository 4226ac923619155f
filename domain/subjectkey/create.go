package subjectkey

import "github.com/hostfold/hostfold/domain"

// Created says that a key is durable in the vault; it is written before the
// key is first used.
type Created struct {
	Subject string  `json:"subject"`
	Purpose Purpose `json:"purpose"`
}

// EventType is the name on disk.
func (Created) EventType() string { return "subjectkey.created.v1" }

func (e Created) apply(Key) Key {
	return Key{Subject: e.Subject, Purpose: e.Purpose, Status: StatusLive}
}

// Create notes a new key; a repeat has nothing to do.
func (k Key) Create(subject string, purpose Purpose) ([]Event, error) {
	switch {
	case k.Status == StatusDestroyed:
		return nil, ErrDestroyed
	case k.Status == StatusLive && (k.Subject != subject || k.Purpose != purpose):
		return nil, domain.Conflict("key_exists", "This key belongs to another subject or purpose.")
	case k.Status == StatusLive:
		return nil, nil
	}
	return []Event{Created{Subject: subject, Purpose: purpose}}, nil
}
