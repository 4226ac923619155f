package privacy

import (
	"maps"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// SubjectKeyDestroyed says that what one key encrypted reads as erased: whoever
// keeps a copy in clear redacts it.
type SubjectKeyDestroyed struct {
	Subject string             `json:"subject"`
	Purpose subjectkey.Purpose `json:"purpose"`
}

// EventType is the name on disk.
func (SubjectKeyDestroyed) EventType() string { return "privacy.subject_key_destroyed.v1" }

func (e SubjectKeyDestroyed) apply(s Subject) Subject {
	s.Destroyed = append(slices.Clone(s.Destroyed), Gone(e))
	return s
}

// Destroy notes that a key which was due is gone. A repeat needs nothing.
func (s Subject) Destroy(k Key, now time.Time) ([]Event, error) {
	switch {
	case s.Status != StatusAccepted && s.Status != StatusCompleted, !slices.Contains(s.Keys, k):
		return nil, ErrNotAccepted
	case !s.Awaits(k):
		return nil, nil
	case s.Hold != "":
		return nil, ErrHold
	case !s.Due(k, now):
		return nil, domain.Conflict("key_not_due", "The law wants these data kept until "+string(k.After)+".")
	}
	return []Event{SubjectKeyDestroyed{Subject: k.Subject, Purpose: k.Purpose}}, nil
}

// ErasureCompleted says that all that was to be erased at once is erased, and
// that no process holds one of the keys any more. It names the keys, since a
// process that still held one may have made a copy in clear meanwhile.
type ErasureCompleted struct {
	Keys []Gone `json:"keys"`
}

// EventType is the name on disk.
func (ErasureCompleted) EventType() string { return "privacy.erasure_completed.v1" }

func (ErasureCompleted) apply(s Subject) Subject {
	s.Status = StatusCompleted
	return s
}

// Complete ends an erasure of which nothing is left to do at once. Keys that are
// spared stay: what they encrypt is needed again since the request was accepted.
func (s Subject) Complete(spared []Key) ([]Event, error) {
	switch s.Status {
	case StatusNone, StatusSubmitted, StatusWithdrawn, StatusRefused:
		return nil, ErrNotAccepted
	case StatusCompleted:
		return nil, nil
	case StatusAccepted:
	}
	for _, k := range s.Keys {
		if k.After == "" && s.Awaits(k) && !slices.Contains(spared, k) {
			return nil, domain.Conflict("erasure_under_way", "Not every key is destroyed.")
		}
	}
	return []Event{ErasureCompleted{Keys: s.Destroyed}}, nil
}

// ExportProduced says that a copy of the data left the system.
type ExportProduced struct {
	// Account is the account whose data were exported, "" for the user's own.
	Account string    `json:"account,omitempty"`
	At      time.Time `json:"at"`
}

// EventType is the name on disk.
func (ExportProduced) EventType() string { return "privacy.export_produced.v1" }

func (e ExportProduced) apply(s Subject) Subject {
	s.Exported = maps.Clone(s.Exported)
	if s.Exported == nil {
		s.Exported = map[string]time.Time{}
	}
	s.Exported[e.Account] = e.At
	return s
}

// exportsNoted is how long one fact stands for the exports of the same data,
// so that nobody can write facts without end.
const exportsNoted = 10 * time.Minute

// Export notes an export of the user's data, or of an account that is its own.
func (s Subject) Export(account string, now time.Time) ([]Event, error) {
	if at, ok := s.Exported[account]; ok && now.Sub(at) < exportsNoted {
		return nil, nil
	}
	return []Event{ExportProduced{Account: account, At: now}}, nil
}
