package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

const ticketPath = "/v1/accounts/{account}/tickets"

func (a *api) tickets() {
	list(a, operation{
		method: http.MethodGet, path: ticketPath, summary: "List tickets", model: "tickets",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[projections.TicketRow], error) {
		return a.Reader.Tickets(ctx, r.caller.Grants, r.account, in.page())
	})
	resource(a, operation{
		method: http.MethodGet, path: ticketPath + "/{id}", summary: "Read a ticket", model: "tickets",
	}, func(ctx context.Context, r *request) (projections.TicketDetail, uint64, error) {
		row, err := a.Reader.Ticket(ctx, r.caller.Grants, r.account, r.path("id"))
		return row, row.StreamRevision, err
	})
	write(a, operation{
		method: http.MethodPost, path: ticketPath, summary: "Open a ticket", status: http.StatusCreated, location: ticketPath + "/{id}",
	}, func(r *request, c *commands.OpenTicket) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.OpenTicket) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.OpenTicket(ctx, call, c))
		})
	command(a, operation{method: http.MethodPost, path: ticketPath + "/{id}/replies", summary: "Reply to a ticket", status: http.StatusCreated, location: ticketPath + "/{id}"},
		func(r *request, c *commands.ReplyTicket) { c.TicketID = r.path("id") })
	command(a, operation{method: http.MethodPost, path: ticketPath + "/{id}/close", summary: "Close a ticket"},
		func(r *request, c *commands.CloseTicket) { c.TicketID = r.path("id") })
	command(a, operation{
		method: http.MethodPost, path: ticketPath + "/{id}/reopen", summary: "Reopen a ticket",
		notes: "Within a week after it was closed.",
	}, func(r *request, c *commands.ReopenTicket) { c.TicketID = r.path("id") })
}
