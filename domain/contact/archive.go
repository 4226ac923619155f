package contact

import "time"

// Archived says that the contact is used no more. It is for good.
type Archived struct{}

// EventType is the name on disk.
func (Archived) EventType() string { return "contact.archived.v1" }

// Public is the new state.
func (Archived) Public() any {
	return struct {
		Status Status `json:"status"`
	}{StatusArchived}
}

func (Archived) apply(c Contact) Contact {
	c.Status = StatusArchived
	return c
}

// Archive ends the contact, unless a domain name has it or is about to. has
// says of a name that claimed it how often that name's contacts were set and
// whether the contact is one of them now, as read after this contact's facts.
func (c Contact) Archive(now time.Time, has func(domainID string) (set int, uses bool)) ([]Event, error) {
	switch c.Status {
	case StatusNone:
		return nil, ErrMissing
	case StatusArchived:
		return nil, nil
	case StatusActive:
	}
	for id, claim := range c.Claims {
		if set, uses := has(id); uses || claim.open(set, now) {
			return nil, ErrInUse
		}
	}
	return []Event{Archived{}}, nil
}
