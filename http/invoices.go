package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/projections"
)

// invoiceList adds a filter to the list of invoices.
type invoiceList struct {
	Owned
	Status string `query:"status" enum:"draft,unpaid,partially_paid,paid,credited,discarded" doc:"unpaid includes what is paid in part."`
}

func (a *api) invoices() {
	list(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/invoices", summary: "List invoices", model: "invoices",
		notes: "Newest first. Customers never see drafts.",
	}, func(ctx context.Context, r *request, in *invoiceList) (projections.List[projections.InvoiceRow], error) {
		return a.Reader.Invoices(ctx, r.caller.Grants, r.account, in.Status, in.page())
	})
	resource(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/invoices/{id}", summary: "Read an invoice", model: "invoices",
	}, func(ctx context.Context, r *request) (projections.InvoiceRow, uint64, error) {
		row, err := a.Reader.Invoice(ctx, r.caller.Grants, r.account, r.path("id"))
		return row, row.StreamRevision, err
	})
	list(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/credit-notes", summary: "List credit notes", model: "credit_notes",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[projections.CreditNoteRow], error) {
		return a.Reader.CreditNotes(ctx, r.caller.Grants, r.account, in.page())
	})
	resource(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/credit-notes/{id}", summary: "Read a credit note", model: "credit_notes",
	}, func(ctx context.Context, r *request) (projections.CreditNoteRow, uint64, error) {
		row, err := a.Reader.CreditNote(ctx, r.caller.Grants, r.account, r.path("id"))
		return row, row.StreamRevision, err
	})
}
