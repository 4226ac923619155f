package commands

import (
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/ticket"
)

// CloseTicket settles a ticket for the customer.
type CloseTicket struct {
	TicketID string `json:"-"`
}

// Target is the ticket.
func (c CloseTicket) Target() ticket.Target { return ticket.Decider.At(c.TicketID) }

// Permission is the account's.
func (CloseTicket) Permission() domain.Permission { return delegation.TicketsWrite }

// Decide closes the ticket.
func (CloseTicket) Decide(t ticket.Ticket, env Env) ([]ticket.Event, error) { return t.Close(env.Now) }

// StaffCloseTicket settles a ticket for staff.
type StaffCloseTicket struct {
	TicketID string `json:"-"`
}

// Target is the ticket.
func (c StaffCloseTicket) Target() ticket.Target { return ticket.Decider.At(c.TicketID) }

// Permission is staff's.
func (StaffCloseTicket) Permission() domain.Permission { return delegation.StaffSupport }

// Decide closes the ticket.
func (StaffCloseTicket) Decide(t ticket.Ticket, env Env) ([]ticket.Event, error) {
	return t.Close(env.Now)
}

// ReopenTicket takes a closed ticket up again.
type ReopenTicket struct {
	TicketID string `json:"-"`
	refusal  error
}

// Target is the ticket.
func (c ReopenTicket) Target() ticket.Target { return ticket.Decider.At(c.TicketID) }

// Permission is the account's.
func (ReopenTicket) Permission() domain.Permission { return delegation.TicketsWrite }

// Gather looks whether the account takes on anything.
func (c ReopenTicket) Gather(ctx context.Context, s Streams) (ReopenTicket, error) {
	t, err := Load(ctx, s, c.Target())
	if err != nil || t.Account == "" {
		return c, err
	}
	a, err := Load(ctx, s, account.Decider.At(t.Account))
	c.refusal = a.MayTakeOn()
	return c, err
}

// Decide reopens the ticket.
func (c ReopenTicket) Decide(t ticket.Ticket, env Env) ([]ticket.Event, error) {
	if c.refusal != nil && t.Status == ticket.StatusClosed {
		return nil, c.refusal
	}
	return t.Reopen(env.Now)
}
