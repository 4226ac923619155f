package commands

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/ticket"
)

// OpenTicket asks for help.
type OpenTicket struct {
	AccountID  string            `json:"-"`
	Department ticket.Department `json:"department"`
	Priority   ticket.Priority   `json:"priority"`
	Subject    string            `json:"subject"`
	Message    string            `json:"message"`
	Related    *ticket.Related   `json:"related,omitempty"`
}

// errRelated refuses a link to what the account does not have, or what the
// caller may not know of: who asks does not learn which.
var errRelated = domain.Invalid("related.id", "is nothing of this account")

// OpenTicket opens a ticket under a number that is its own: drawn, held and,
// once the ticket stands, taken. Demo and imports give the number.
func (d *Dispatcher) OpenTicket(ctx context.Context, call Call, cmd OpenTicket) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	open := openTicket{OpenTicket: cmd, id: NewID(call.CommandID, "tkt"), number: "AAA-000000"}
	resource := delegation.Resource{Kind: ticket.Decider.Category, ID: open.id}
	if err := mayAdd(call, open.Permission()); err != nil {
		return Receipt{}, err
	}
	if err := authorise(call, open.Permission(), resource); err != nil {
		return Receipt{}, err
	}
	if _, err := open.Decide(ticket.Ticket{}, Env{Account: call.Account}); err != nil {
		return Receipt{}, err
	}
	if r := cmd.Related; r != nil && !delegation.SeesLink(call.Grants, call.Account, r.Kind, r.ID) {
		return Receipt{}, errRelated
	}
	if err := mustBeOpen(ctx, d.Streams(), cmd.AccountID); err != nil {
		return Receipt{}, err
	}
	known, err := Load(ctx, d.Streams(), open.Target())
	if err != nil {
		return Receipt{}, err
	}
	if known.Number == "" {
		if open.number, err = d.holdNumber(ctx, call, open.id); err != nil {
			return Receipt{}, err
		}
	}
	receipt, err := Execute(ctx, d, call, open)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.FinishTicket(ctx, call, open.id)
}

// FinishTicket takes the number of an open ticket, for one whose opening a
// crash broke off.
func (d *Dispatcher) FinishTicket(ctx context.Context, call Call, id string) error {
	t, err := Load(ctx, d.Streams(), ticket.Decider.At(id))
	if err != nil || t.Number == "" {
		return err
	}
	return d.take(ctx, call, reservation.TicketNumber, t.Number, id)
}

// draws is how often a number is drawn before giving up: with a million tickets
// one draw in seventeen thousand meets a number that is taken.
const draws = 20

// holdNumber holds the given number, or draws until one is free.
func (d *Dispatcher) holdNumber(ctx context.Context, call Call, id string) (string, error) {
	env, err := d.env(call)
	if err != nil {
		return "", err
	}
	if env.Number != "" {
		if !ticket.IsNumber(env.Number) {
			return "", domain.Invalid("number", "must be three letters, a hyphen and six digits")
		}
		return env.Number, d.hold(ctx, call, reservation.TicketNumber, env.Number, id)
	}
	for range draws {
		number, err := drawNumber(env.Rand)
		if err != nil {
			return "", err
		}
		err = d.hold(ctx, call, reservation.TicketNumber, number, id)
		if !errors.Is(err, reservation.ErrTaken) {
			return number, err
		}
	}
	return "", fmt.Errorf("no free ticket number in %d draws", draws)
}

// drawNumber is a ticket number by lot: three letters and six digits.
func drawNumber(random io.Reader) (string, error) {
	const numbers, letters = 1_000_000, 26
	lot, err := rand.Int(random, big.NewInt(letters*letters*letters*numbers))
	if err != nil {
		return "", fmt.Errorf("draw a ticket number: %w", err)
	}
	n := lot.Int64()
	letter := func(place int64) rune { return rune('A' + n/numbers/place%letters) }
	return fmt.Sprintf("%c%c%c-%06d", letter(letters*letters), letter(letters), letter(1), n%numbers), nil
}

type openTicket struct {
	OpenTicket
	id, number string
}

func (c openTicket) Target() ticket.Target       { return ticket.Decider.At(c.id) }
func (openTicket) Permission() domain.Permission { return delegation.TicketsWrite }

// Gather refuses a related thing that the account does not have.
func (c openTicket) Gather(ctx context.Context, s Streams) (openTicket, error) {
	if c.Related == nil {
		return c, nil
	}
	var owner string
	switch id := c.Related.ID; c.Related.Kind {
	case "service":
		h, err := Load(ctx, s, hosting.Decider.At(id))
		if err != nil {
			return c, err
		}
		owner = h.Account
	case "domain":
		n, err := Load(ctx, s, domainname.Decider.At(id))
		if err != nil {
			return c, err
		}
		owner = n.Account
	case "invoice":
		inv, err := Load(ctx, s, invoice.Decider.At(id))
		if err != nil {
			return c, err
		}
		if inv.Issued() { // customers do not know of drafts
			owner = inv.Account
		}
	}
	if owner != c.AccountID {
		return c, errRelated
	}
	return c, nil
}

func (c openTicket) Decide(t ticket.Ticket, env Env) ([]ticket.Event, error) {
	if c.AccountID != env.Account {
		return nil, account.ErrMissing
	}
	return t.Open(ticket.Opened{
		Account: c.AccountID, Number: c.number, Department: c.Department, Priority: c.Priority,
		Subject: c.Subject, Message: c.Message, Related: c.Related,
	})
}
