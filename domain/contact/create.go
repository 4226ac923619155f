package contact

import "github.com/hostfold/hostfold/domain"

// Created says that an account has a contact, whose address is not verified.
type Created struct {
	Account string `json:"account"`
	Details
}

// EventType is the name on disk.
func (Created) EventType() string { return "contact.created.v1" }

// Public leaves everything about the person to the list of contacts.
func (e Created) Public() any {
	return struct {
		Kind   Kind   `json:"kind"`
		Status Status `json:"status"`
	}{e.Kind, StatusActive}
}

func (e Created) apply(Contact) Contact {
	return Contact{Account: e.Account, Status: StatusActive, Details: e.Details}
}

// Create makes the contact.
func (c Contact) Create(account string, d Details) ([]Event, error) {
	if c.Status != StatusNone {
		return nil, ErrExists
	}
	if account == "" {
		return nil, domain.Invalid("account", "must not be empty")
	}
	d, err := d.check()
	if err != nil {
		return nil, err
	}
	return []Event{Created{Account: account, Details: d}}, nil
}
