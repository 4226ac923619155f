package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

func (a *api) accounts() {
	write(a, operation{
		method: http.MethodPost, path: "/v1/accounts", summary: "Open an account", status: http.StatusCreated,
		location: "/v1/accounts/{id}", rights: true,
		notes: "The caller becomes its owner.",
	}, nil, func(ctx context.Context, call commands.Call, c commands.OpenAccount) (commands.Receipt, Ref, error) {
		return ref(a.Dispatcher.OpenAccount(ctx, call, c))
	})
	resource(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}", summary: "Read an account", model: "accounts",
	}, func(ctx context.Context, r *request) (projections.AccountRow, uint64, error) {
		row, err := a.Reader.Account(ctx, r.caller.Grants, r.account)
		return row, row.StreamRevision, err
	})
	command(a, operation{
		method: http.MethodPatch, path: "/v1/accounts/{account}", summary: "Update an account",
		notes: "Fields that are left out stay as they are. communication switches classes of mail on and off; legal and security mail cannot be switched off (mail_compulsory).",
	}, func(r *request, c *commands.UpdateAccount) { c.AccountID = r.account })
	resource(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/billing-identity", summary: "Read whom invoices are made out to", model: "accounts",
		notes: "It is the profile as long as no billing identity was given.",
	}, func(ctx context.Context, r *request) (projections.BillTo, uint64, error) {
		return a.Reader.BillTo(ctx, r.caller.Grants, r.account)
	})
	command(a, operation{
		method: http.MethodPut, path: "/v1/accounts/{account}/billing-identity", summary: "Say whom invoices are made out to",
		notes: "As a whole: a field that is left out is empty. Invoices that are issued keep what they say. " +
			"A French company number is a SIREN or SIRET, a VAT number has the form of its country; both are checked for slips, not asked for at the register or VIES.",
	}, func(r *request, c *commands.SetBillingIdentity) { c.AccountID = r.account })
	write(a, operation{
		method: http.MethodPost, path: "/v1/accounts/{account}/closing", summary: "Ask to close an account", status: http.StatusAccepted,
		notes: "For the owner, who has confirmed its session lately. From here on the account takes on nothing new. A little later its status is closed, or it is open again and close_refused says why. A closed account is only read, and its delegations end.",
	}, func(r *request, c *commands.RequestClosing) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.RequestClosing) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.RequestClosing(ctx, call, c))
		})
	command(a, operation{
		method: http.MethodDelete, path: "/v1/accounts/{account}/closing", summary: "Keep an account that was to be closed",
	}, func(r *request, c *commands.WithdrawClosing) { c.AccountID = r.account })
	write(a, operation{
		method: http.MethodPost, path: "/v1/staff/accounts/{account}/reopen", summary: "Open a closed account again", rights: true,
	}, func(r *request, c *commands.ReopenAccount) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.ReopenAccount) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.ReopenAccount(ctx, call, c))
		})
	read(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/dashboard", summary: "Read the dashboard", model: "dashboard",
		notes: "Counts that the caller may not see are absent.",
	}, func(ctx context.Context, r *request, in *AsOf) (*found[projections.Dashboard], error) {
		if err := in.now(); err != nil {
			return nil, err
		}
		board, err := a.Reader.Dashboard(ctx, r.caller.Grants, r.account)
		return &found[projections.Dashboard]{Body: board}, err
	})
}
