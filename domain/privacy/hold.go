package privacy

import (
	"strings"

	"github.com/hostfold/hostfold/domain"
)

// LegalHoldSet says that a case forbids to destroy a person's data.
type LegalHoldSet struct {
	// Reference is the case's, never a name: it stays when all else is erased.
	Reference string `json:"reference"`
}

// EventType is the name on disk.
func (LegalHoldSet) EventType() string { return "privacy.legal_hold_set.v1" }

func (e LegalHoldSet) apply(s Subject) Subject {
	s.Hold = e.Reference
	return s
}

// LegalHoldLifted says that the case is over.
type LegalHoldLifted struct {
	Reference string `json:"reference"`
}

// EventType is the name on disk.
func (LegalHoldLifted) EventType() string { return "privacy.legal_hold_lifted.v1" }

func (LegalHoldLifted) apply(s Subject) Subject {
	s.Hold = ""
	return s
}

// SetHold forbids to destroy anything. The same hold again needs nothing; a
// second one is refused, since lifting it would end the first.
func (s Subject) SetHold(reference string) ([]Event, error) {
	switch {
	case !IsReference(reference):
		return nil, domain.Invalid("reference", "must be the number of a case: 1 to 64 letters, digits, points, slashes, hyphens or underscores")
	case s.Hold == reference:
		return nil, nil
	case s.Hold != "":
		return nil, domain.Conflict("legal_hold", "There is a legal hold already: "+s.Hold+".")
	case s.Status == StatusAccepted:
		return nil, ErrErased
	}
	return []Event{LegalHoldSet{Reference: reference}}, nil
}

// LiftHold ends the hold.
func (s Subject) LiftHold() ([]Event, error) {
	if s.Hold == "" {
		return nil, ErrNoHold
	}
	return []Event{LegalHoldLifted{Reference: s.Hold}}, nil
}

// IsReference reports whether a text can be the number of a case.
func IsReference(s string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./-_"
	return s != "" && len(s) <= 64 && strings.Trim(s, letters) == ""
}
