package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

func (a *api) services() {
	list(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/services", summary: "List services", model: "services",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[projections.ServiceRow], error) {
		return a.Reader.Services(ctx, r.caller.Grants, r.account, in.page())
	})
	resource(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/services/{id}", summary: "Read a service", model: "services",
	}, func(ctx context.Context, r *request) (projections.ServiceRow, uint64, error) {
		row, err := a.Reader.Service(ctx, r.caller.Grants, r.account, r.path("id"))
		return row, row.StreamRevision, err
	})
	command(a, operation{method: http.MethodPatch, path: "/v1/accounts/{account}/services/{id}", summary: "Rename a service"},
		func(r *request, c *commands.RenameService) { c.ServiceID = r.path("id") })
}
