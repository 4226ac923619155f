package hosting

import "github.com/hostfold/hostfold/domain"

// ProvisioningStarted says that the service is being set up.
type ProvisioningStarted struct{}

// EventType is the name on disk.
func (ProvisioningStarted) EventType() string { return "hosting.provisioning_started.v1" }

func (ProvisioningStarted) apply(h Hosting) Hosting {
	h.Status = StatusProvisioning
	return h
}

// Provisioned says that the service runs, and until when its first period goes.
type Provisioned struct {
	ActiveFrom domain.Date `json:"active_from"`
	RenewsOn   domain.Date `json:"renews_on"`
}

// EventType is the name on disk.
func (Provisioned) EventType() string { return "hosting.provisioned.v1" }

// Public is the new status and the renewal date.
func (e Provisioned) Public() any {
	return struct {
		Status   Status      `json:"status"`
		RenewsOn domain.Date `json:"renews_on"`
	}{StatusActive, e.RenewsOn}
}

func (e Provisioned) apply(h Hosting) Hosting {
	h.Status, h.RenewsOn = StatusActive, e.RenewsOn
	return h
}

// Activate notes that staff have set the service up; its first period begins today.
func (h Hosting) Activate(today domain.Date) ([]Event, error) {
	switch h.Status {
	case StatusNone:
		return nil, ErrMissing
	case StatusActive, StatusSuspended:
		return nil, ErrActive
	case StatusPending, StatusProvisioning:
	}
	provisioned := Provisioned{ActiveFrom: today, RenewsOn: today.AddMonths(h.Cycle.Months())}
	if h.Status == StatusProvisioning {
		return []Event{provisioned}, nil
	}
	return []Event{ProvisioningStarted{}, provisioned}, nil
}
