package hosting

import "slices"

// SuspensionLifted says that one reason is gone. The service runs again when
// none is left.
type SuspensionLifted struct {
	Reason Reason `json:"reason"`
	// Reasons are those that are left, sorted.
	Reasons []Reason `json:"reasons"`
	// Status is what follows: active or still suspended.
	Status Status `json:"status"`
}

// EventType is the name on disk.
func (SuspensionLifted) EventType() string { return "hosting.suspension_lifted.v1" }

// Public is the new status and the reasons that are left.
func (e SuspensionLifted) Public() any { return publicStatus{e.Status, e.Reasons} }

func (e SuspensionLifted) apply(h Hosting) Hosting {
	h.Status, h.Reasons = e.Status, e.Reasons
	return h
}

// Lift takes one reason away.
func (h Hosting) Lift(reason Reason) ([]Event, error) {
	switch {
	case h.Status == StatusNone:
		return nil, ErrMissing
	case reason.check() != nil:
		return nil, reason.check()
	case !h.has(reason):
		return nil, ErrNotSuspended
	}
	left := slices.DeleteFunc(slices.Clone(h.Reasons), func(r Reason) bool { return r == reason })
	status := StatusSuspended
	if len(left) == 0 {
		status = StatusActive
	}
	return []Event{SuspensionLifted{Reason: reason, Reasons: left, Status: status}}, nil
}
