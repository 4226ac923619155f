package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/ticket"
)

// ReplyTicket adds a customer's message to a ticket.
type ReplyTicket struct {
	TicketID string `json:"-"`
	Message  string `json:"message"`
}

// Target is the ticket.
func (c ReplyTicket) Target() ticket.Target { return ticket.Decider.At(c.TicketID) }

// Permission is the account's.
func (ReplyTicket) Permission() domain.Permission { return delegation.TicketsWrite }

// Decide adds the message.
func (c ReplyTicket) Decide(t ticket.Ticket, _ Env) ([]ticket.Event, error) {
	return t.Reply(c.Message)
}

// StaffReplyTicket answers a ticket.
type StaffReplyTicket struct {
	TicketID string `json:"-"`
	Message  string `json:"message"`
}

// Target is the ticket.
func (c StaffReplyTicket) Target() ticket.Target { return ticket.Decider.At(c.TicketID) }

// Permission is staff's.
func (StaffReplyTicket) Permission() domain.Permission { return delegation.StaffSupport }

// Decide adds the answer.
func (c StaffReplyTicket) Decide(t ticket.Ticket, _ Env) ([]ticket.Event, error) {
	return t.StaffReply(c.Message)
}
