package ticket

import "github.com/hostfold/hostfold/domain"

// Opened says that a customer asked for help.
type Opened struct {
	Account    string     `json:"account"`
	Number     string     `json:"number"`
	Department Department `json:"department"`
	Priority   Priority   `json:"priority"`
	Subject    string     `json:"subject" personal:"account,profile"`
	Message    string     `json:"message" personal:"account,profile"`
	Related    *Related   `json:"related,omitempty"`
}

// EventType is the name on disk.
func (Opened) EventType() string { return "ticket.opened.v1" }

// Public is the ticket as its account sees it.
func (e Opened) Public() any {
	return struct {
		Number     string     `json:"number"`
		Status     Status     `json:"status"`
		Department Department `json:"department"`
		Priority   Priority   `json:"priority"`
		Subject    string     `json:"subject"`
		Message    string     `json:"message"`
		Related    *Related   `json:"related,omitempty"`
	}{e.Number, StatusOpen, e.Department, e.Priority, e.Subject, e.Message, e.Related}
}

// Link is what it is about.
func (e Opened) Link() (kind, id string) {
	if e.Related == nil {
		return "", ""
	}
	return e.Related.Kind, e.Related.ID
}

// Unlinked is the event without what it is about.
func (e Opened) Unlinked() domain.Public {
	e.Related = nil
	return e
}

func (e Opened) apply(Ticket) Ticket {
	return Ticket{Account: e.Account, Number: e.Number, Status: StatusOpen}
}

// Open begins a ticket with what the customer wrote and a number that is held
// for it.
func (t Ticket) Open(asked Opened) ([]Event, error) {
	if t.Status != StatusNone {
		return nil, ErrExists
	}
	var c domain.Check
	asked.Subject = c.Line("subject", asked.Subject, 200)
	asked.Message = c.Text("message", asked.Message, messageLimit)
	c.That(asked.Account != "", "account", "must not be empty")
	c.That(IsNumber(asked.Number), "number", "must be three letters, a hyphen and six digits")
	switch asked.Department {
	case Technical, Billing, Sales:
	default:
		c.That(false, "department", "must be technical, billing or sales")
	}
	switch asked.Priority {
	case Low, Normal, High:
	default:
		c.That(false, "priority", "must be low, normal or high")
	}
	if r := asked.Related; r != nil {
		c.That(r.Kind == "service" || r.Kind == "domain" || r.Kind == "invoice", "related.kind", "must be service, domain or invoice")
		c.Line("related.id", r.ID, 100)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{asked}, nil
}
