package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

func (a *api) me() {
	single(a, operation{
		method: http.MethodGet, path: "/v1/me", summary: "Read my profile", model: "logins",
	}, func(ctx context.Context, r *request) (projections.LoginRow, uint64, error) {
		row, err := a.Reader.Login(ctx, r.caller.Grants, r.caller.Grants.User)
		return row, row.StreamRevision, err
	})
	list(a, operation{
		method: http.MethodGet, path: "/v1/me/inspections", summary: "List who looked at my raw history", model: projections.InspectionsModel,
		notes: "What the log holds of me and no account owns: log-in, work as staff, requests about my data. " +
			"What is looked at of an account stands in its history.",
	}, func(ctx context.Context, r *request, in *Paging) (projections.List[projections.InspectionRow], error) {
		return a.Reader.Inspections(ctx, r.caller.Grants, in.page())
	})
	command(a, operation{
		method: http.MethodPatch, path: "/v1/me", summary: "Update my profile", notes: "Fields that are left out stay as they are.",
	}, func(r *request, c *commands.UpdateUser) { c.UserID = r.caller.Grants.User })
	view(a, operation{
		method: http.MethodGet, path: "/v1/me/accounts", summary: "List my accounts", model: "accounts",
		notes: "The accounts that I may act for.",
	}, func(ctx context.Context, r *request) (projections.List[projections.OwnAccount], error) {
		own, err := a.Reader.OwnAccounts(ctx, r.caller.Grants)
		if own == nil {
			own = []projections.OwnAccount{}
		}
		return projections.List[projections.OwnAccount]{Items: own}, err
	})
}
