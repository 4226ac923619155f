package notification

import "github.com/hostfold/hostfold/domain"

// Notified says that an account was told something.
type Notified struct {
	Account string `json:"account"`
	Class   Class  `json:"class"`
	Title   string `json:"title" personal:"account,profile"`
	Body    string `json:"body,omitempty" personal:"account,profile"`
	// Related is what it is about, if anything.
	Related *Related `json:"related,omitempty"`
}

// Related is the thing that a notification is about.
type Related struct {
	// Kind is service, domain, invoice or ticket.
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// EventType is the name on disk.
func (Notified) EventType() string { return "notification.notified.v1" }

// Public is the notification as its account sees it.
func (e Notified) Public() any {
	return struct {
		Class   Class    `json:"class"`
		Title   string   `json:"title"`
		Body    string   `json:"body,omitempty"`
		Related *Related `json:"related,omitempty"`
	}{e.Class, e.Title, e.Body, e.Related}
}

// Link is what it is about.
func (e Notified) Link() (kind, id string) {
	if e.Related == nil {
		return "", ""
	}
	return e.Related.Kind, e.Related.ID
}

// Unlinked is the event without what it is about.
func (e Notified) Unlinked() domain.Public {
	e.Related = nil
	return e
}

func (e Notified) apply(Notification) Notification { return Notification{Account: e.Account} }

// Read says that somebody who acts for the account has seen it.
type Read struct{}

// EventType is the name on disk.
func (Read) EventType() string { return "notification.read.v1" }

// Public says that it was read.
func (Read) Public() any {
	return struct {
		Read bool `json:"read"`
	}{true}
}

func (Read) apply(n Notification) Notification {
	n.Read = true
	return n
}

// Notify tells the account something.
func (n Notification) Notify(told Notified) ([]Event, error) {
	if n.Account != "" {
		return nil, ErrExists
	}
	var c domain.Check
	told.Title = c.Line("title", told.Title, 200)
	told.Body = c.OptionalText("body", told.Body, 5_000)
	c.That(told.Account != "", "account", "must not be empty")
	switch told.Class {
	case Billing, Service, Support, Security, Legal, Info:
	default:
		c.That(false, "class", "must be billing, service, support, security, legal or info")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{told}, nil
}

// MarkRead notes that it was seen; a repeat needs nothing.
func (n Notification) MarkRead() ([]Event, error) {
	switch {
	case n.Account == "":
		return nil, ErrMissing
	case n.Read:
		return nil, nil
	}
	return []Event{Read{}}, nil
}
