package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/projections"
)

func (p *pages) tickets(v *visit) error {
	list, err := p.Reader.Tickets(v.r.Context(), v.caller.Grants, v.account, v.from())
	if err != nil {
		return err
	}
	if err := p.followList(v, "tickets", list); err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "tickets", "tickets", v.title("menu.support"), listed(v, list))
}

// ticketPage is what the page of one ticket shows.
type ticketPage struct {
	Ticket projections.TicketDetail
	// Customer names the customer's side.
	Customer                              string
	Closed, MayReply, MayClose, MayReopen bool
}

func (p *pages) ticket(v *visit) error { return p.showTicket(v, http.StatusOK) }

func (p *pages) showTicket(v *visit, status int) error {
	row, err := p.Reader.Ticket(v.r.Context(), v.caller.Grants, v.account, v.id())
	if err != nil {
		return err
	}
	if err := p.follow(v, "ticket", row.ID, row); err != nil {
		return err
	}
	customer := v.board.Profile.Name
	if v.page.Staff != nil && v.can(delegation.ProfileRead, "account", v.account) {
		account, err := p.Reader.Account(v.r.Context(), v.caller.Grants, v.account)
		if err != nil {
			return err
		}
		customer = account.Name
	}
	writes := v.can(delegation.TicketsWrite, "ticket", row.ID)
	closed := row.Status == ticket.StatusClosed
	return p.show(v, status, "ticket", "tickets", "#"+row.Number+" - "+row.Subject, ticketPage{
		Ticket: row, Customer: customer, Closed: closed, MayReply: writes && !closed, MayClose: writes && !closed,
		MayReopen: writes && closed && row.ReopenUntil != nil && !p.Clock().After(*row.ReopenUntil),
	})
}

// newTicketPage is what the form of a new ticket offers.
type newTicketPage struct {
	Departments []ticket.Department
	Priorities  []ticket.Priority
	Services    []projections.ServiceRow
}

func (p *pages) newTicket(v *visit) error { return p.showNewTicket(v, http.StatusOK) }

func (p *pages) showNewTicket(v *visit, status int) error {
	content := newTicketPage{
		Departments: []ticket.Department{ticket.Technical, ticket.Billing, ticket.Sales},
		Priorities:  []ticket.Priority{ticket.Low, ticket.Normal, ticket.High},
	}
	if v.can(delegation.ServicesRead, "hosting", "") {
		list, err := p.Reader.Services(v.r.Context(), v.caller.Grants, v.account, projections.Page{Limit: projections.MaxLimit})
		if err != nil {
			return err
		}
		content.Services = list.Items
	}
	return p.show(v, status, "ticket_new", "tickets", v.title("ticket.new"), content)
}

func (p *pages) openTicket(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	open := commands.OpenTicket{
		AccountID:  v.account,
		Department: ticket.Department(in.value("department")), Priority: ticket.Priority(in.value("priority")),
		Subject: in.value("subject"), Message: in.value("message"),
	}
	if id := in.value("service"); id != "" {
		open.Related = &ticket.Related{Kind: "service", ID: id}
	}
	call, err := p.call(v, in, open)
	if err != nil {
		return err
	}
	receipt, err := p.Dispatcher.OpenTicket(v.r.Context(), call, open)
	if err != nil {
		status, err := p.refused(v, in, err, "department", "priority", "subject", "message")
		if err != nil {
			return err
		}
		return p.showNewTicket(v, status)
	}
	return p.written(v, receipt.Position, v.path("tickets", receipt.ID), "ticket_opened", "tickets", "dashboard")
}

func (p *pages) replyTicket(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.ReplyTicket{TicketID: v.id(), Message: in.value("message")})
	return p.ticketWritten(v, in, receipt, err, "ticket_replied", "message")
}

func (p *pages) closeTicket(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.CloseTicket{TicketID: v.id()})
	return p.ticketWritten(v, in, receipt, err, "ticket_closed")
}

func (p *pages) reopenTicket(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.ReopenTicket{TicketID: v.id()})
	return p.ticketWritten(v, in, receipt, err, "ticket_reopened")
}

func (p *pages) ticketWritten(v *visit, in input, receipt commands.Receipt, err error, done string, fields ...string) error {
	if err != nil {
		status, err := p.refused(v, in, err, fields...)
		if err != nil {
			return err
		}
		return p.showTicket(v, status)
	}
	return p.written(v, receipt.Position, v.path("tickets", v.id()), done, "tickets", "dashboard")
}
