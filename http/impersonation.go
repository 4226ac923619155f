package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

const impersonationPath = "/v1/staff/accounts/{account}/impersonation"

func (a *api) impersonation() {
	write(a, operation{
		method: http.MethodPost, path: impersonationPath, summary: "Act for an account", status: http.StatusCreated, location: impersonationPath,
		notes: "This session sees the account and acts on it with what its owner may hand on, but for the account's users, API tokens and passwords, until the time is over, it is ended, or the session is. " +
			"The owner is told by mail and reads all of it in the account's history. A session acts for one account at a time. " + confirmed,
	}, func(r *request, c *commands.StartImpersonation) {
		c.AccountID, c.Session = r.account, r.caller.Session
	}, func(ctx context.Context, call commands.Call, c commands.StartImpersonation) (commands.Receipt, Ref, error) {
		return ref(a.Dispatcher.StartImpersonation(ctx, call, c))
	})
	resource(a, operation{method: http.MethodGet, path: impersonationPath, summary: "Read for whom I act"},
		func(ctx context.Context, r *request) (projections.ActImpersonation, uint64, error) {
			on, err := a.Feed.Impersonation(ctx, r.caller.Grants, r.account)
			return on, 0, err // its stream has begun, and no more
		})
	write(a, operation{method: http.MethodDelete, path: impersonationPath, summary: "Stop acting for an account", notes: "It holds from the next request on."},
		func(r *request, c *commands.StopImpersonation) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.StopImpersonation) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.StopImpersonation(ctx, call, c))
		})
}
