package privacy

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// RequestSubmitted says that somebody asked for the erasure of a person's data.
type RequestSubmitted struct{}

// EventType is the name on disk.
func (RequestSubmitted) EventType() string { return "privacy.request_submitted.v1" }

func (RequestSubmitted) apply(s Subject) Subject {
	s.Status = StatusSubmitted
	return s
}

// Method is how it was made sure that the person asks.
type Method string

// The methods: the person's own password or second factor, or what staff did
// outside the portal.
const (
	ByPassword     Method = "password"
	BySecondFactor Method = "second_factor"
	ByStaff        Method = "staff"
)

// IdentityVerified says how it is known that the person asks.
type IdentityVerified struct {
	Method Method `json:"method"`
}

// EventType is the name on disk.
func (IdentityVerified) EventType() string { return "privacy.identity_verified.v1" }

func (IdentityVerified) apply(s Subject) Subject { return s }

// Ask asks for an erasure. One that is under way needs nothing.
func (s Subject) Ask(by Method) ([]Event, error) {
	switch {
	case by != ByPassword && by != BySecondFactor && by != ByStaff:
		return nil, domain.Invalid("method", "must be password, second_factor or staff")
	case s.Hold != "":
		return nil, ErrHold
	case s.Status == StatusSubmitted, s.Status == StatusAccepted, s.Status == StatusCompleted:
		return nil, nil
	}
	return []Event{RequestSubmitted{}, IdentityVerified{Method: by}}, nil
}

// RequestWithdrawn says that the person wants its data kept after all.
type RequestWithdrawn struct{}

// EventType is the name on disk.
func (RequestWithdrawn) EventType() string { return "privacy.request_withdrawn.v1" }

func (RequestWithdrawn) apply(s Subject) Subject {
	s.Status = StatusWithdrawn
	return s
}

// Withdraw takes a request back that was not answered yet. From the answer on
// keys are destroyed, and nothing brings them back. Where nothing is asked for,
// or what was asked for was refused, there is nothing to do.
func (s Subject) Withdraw() ([]Event, error) {
	switch s.Status {
	case StatusNone:
		return nil, ErrNotAsked
	case StatusAccepted, StatusCompleted:
		return nil, ErrErased
	case StatusRefused, StatusWithdrawn:
		return nil, nil
	case StatusSubmitted:
	}
	return []Event{RequestWithdrawn{}}, nil
}

// Reason is why data cannot be erased yet.
type Reason string

// The reasons; each goes away when what it names has ended.
const (
	LiveServices   Reason = "live_services"
	LiveDomains    Reason = "live_domains"
	UnpaidInvoices Reason = "unpaid_invoices"
	LegalHold      Reason = "legal_hold"
	// StaffMember is who was hired, or is about to be, since the request.
	StaffMember Reason = "staff_member"
)

// RequestRefused says why nothing is erased.
type RequestRefused struct {
	Reasons []Reason `json:"reasons"`
}

// EventType is the name on disk.
func (RequestRefused) EventType() string { return "privacy.request_refused.v1" }

func (RequestRefused) apply(s Subject) Subject {
	s.Status = StatusRefused
	return s
}

// RequestAccepted says that the data are erased: which keys are destroyed, and
// when. From here on there is no way back.
type RequestAccepted struct {
	Accounts []string `json:"accounts"`
	Keys     []Key    `json:"keys"`
}

// EventType is the name on disk.
func (RequestAccepted) EventType() string { return "privacy.request_accepted.v1" }

func (e RequestAccepted) apply(s Subject) Subject {
	s.Status, s.Accounts, s.Keys = StatusAccepted, e.Accounts, e.Keys
	return s
}

// Answer accepts a request, or refuses it for reasons. What was answered
// or withdrawn before needs nothing.
func (s Subject) Answer(reasons []Reason, accounts []string, keys []Key) ([]Event, error) {
	switch s.Status {
	case StatusNone:
		return nil, ErrNotAsked
	case StatusRefused, StatusWithdrawn, StatusAccepted, StatusCompleted:
		return nil, nil
	case StatusSubmitted:
	}
	if s.Hold != "" {
		reasons = append(slices.Clone(reasons), LegalHold)
	}
	if len(reasons) > 0 {
		return []Event{RequestRefused{Reasons: reasons}}, nil
	}
	return []Event{RequestAccepted{Accounts: accounts, Keys: keys}}, nil
}
