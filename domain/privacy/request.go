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
func (RequestAccepted) EventType() string { return "privacy.request_accepted.v2" }

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

// RequestWidened says that more keys belong to an accepted erasure: of what was
// written while it was answered. A key that was to be destroyed at once may have
// got a day, too.
type RequestWidened struct {
	Keys []Key `json:"keys"`
}

// EventType is the name on disk.
func (RequestWidened) EventType() string { return "privacy.request_widened.v1" }

func (e RequestWidened) apply(s Subject) Subject {
	s.Keys = slices.Clone(s.Keys)
	for _, k := range e.Keys {
		if i := s.listed(k); i >= 0 {
			s.Keys[i] = k
		} else {
			s.Keys = append(s.Keys, k)
		}
	}
	return s
}

// Widen notes those of some keys that an accepted erasure has to destroy and does
// not know of, or that it would destroy at once although they have a day.
func (s Subject) Widen(keys []Key) ([]Event, error) {
	if s.Status != StatusAccepted {
		return nil, nil
	}
	var more []Key
	for _, k := range keys {
		i := s.listed(k)
		if i < 0 || s.Keys[i].After == "" && k.After != "" && s.Awaits(s.Keys[i]) {
			more = append(more, k)
		}
	}
	if len(more) == 0 {
		return nil, nil
	}
	return []Event{RequestWidened{Keys: more}}, nil
}

// listed is where a key stands among those of the request, whatever its day, -1
// when it does not.
func (s Subject) listed(k Key) int {
	return slices.IndexFunc(s.Keys, func(of Key) bool { return of.Subject == k.Subject && of.Purpose == k.Purpose })
}
