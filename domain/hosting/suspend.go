package hosting

import (
	"slices"
	"strings"

	"github.com/hostfold/hostfold/domain"
)

// Suspended says that the service stopped running for one more reason.
type Suspended struct {
	Reason Reason `json:"reason"`
	// Reasons are all of them now, sorted.
	Reasons []Reason `json:"reasons"`
}

// EventType is the name on disk.
func (Suspended) EventType() string { return "hosting.suspended.v1" }

// Public is the new status and its reasons.
func (e Suspended) Public() any { return publicStatus{StatusSuspended, e.Reasons} }

func (e Suspended) apply(h Hosting) Hosting {
	h.Status, h.Reasons = StatusSuspended, e.Reasons
	return h
}

// Suspend stops the service for a reason. Reasons form a set: the same one
// twice is once.
func (h Hosting) Suspend(reason Reason) ([]Event, error) {
	switch h.Status {
	case StatusNone:
		return nil, ErrMissing
	case StatusPending, StatusProvisioning:
		return nil, ErrNotActive
	case StatusActive, StatusSuspended:
	}
	if err := reason.check(); err != nil {
		return nil, err
	}
	if h.has(reason) {
		return nil, nil
	}
	reasons := append(slices.Clone(h.Reasons), reason)
	slices.Sort(reasons)
	return []Event{Suspended{Reason: reason, Reasons: reasons}}, nil
}

// publicStatus is what the event feed shows of a suspension.
type publicStatus struct {
	Status  Status   `json:"status"`
	Reasons []Reason `json:"suspension_reasons"`
}

func (r Reason) check() error {
	var c domain.Check
	s := c.Line("reason", string(r), 40)
	c.That(s == string(r) && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == "", "reason", `must be a word such as "overdue" or "abuse"`)
	return c.Err()
}
