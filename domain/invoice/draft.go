package invoice

import (
	"fmt"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// Drafted says that a bill for an account was begun. Customers never see drafts.
type Drafted struct {
	Account  string      `json:"account"`
	Currency string      `json:"currency"`
	DueOn    domain.Date `json:"due_on,omitempty"`
}

// EventType is the name on disk.
func (Drafted) EventType() string { return "invoice.drafted.v1" }

func (e Drafted) apply(Invoice) Invoice {
	return Invoice{Account: e.Account, Status: StatusDraft, Currency: e.Currency, WantedDueOn: e.DueOn, NextLine: 1}
}

// Draft begins an invoice in the account's currency, with its first lines. A
// due date may be given; without one the seller's payment days decide.
func (inv Invoice) Draft(account, currency string, dueOn domain.Date, lines []NewLine) ([]Event, error) {
	if inv.Status != StatusNone {
		return nil, ErrExists
	}
	var c domain.Check
	c.That(account != "", "account", "must not be empty")
	c.That(money.IsCurrency(currency), "currency", "must be an ISO 4217 code such as EUR")
	c.That(dueOn == "" || dueOn.Valid(), "due_on", "must be a date")
	c.That(len(lines) <= maxLines, "lines", "are too many")
	if err := c.Err(); err != nil {
		return nil, err
	}
	events := []Event{Drafted{Account: account, Currency: currency, DueOn: dueOn}}
	inv = Decider.Evolve(inv, events[0])
	for i, line := range lines {
		added, err := inv.addLine(fmt.Sprintf("lines[%d].", i), line)
		if err != nil {
			return nil, err
		}
		inv = Decider.Evolve(inv, added)
		events = append(events, added)
	}
	return events, nil
}
