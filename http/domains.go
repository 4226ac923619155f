package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/projections"
)

func (a *api) domains() {
	list(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/domains", summary: "List domains", model: "domain_names",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[projections.DomainNameRow], error) {
		return a.Reader.DomainNames(ctx, r.caller.Grants, r.account, in.page())
	})
	resource(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/domains/{name}", summary: "Read a domain", model: "domain_names",
	}, func(ctx context.Context, r *request) (projections.DomainNameRow, uint64, error) {
		row, err := a.Reader.DomainName(ctx, r.caller.Grants, r.account, r.path("name"))
		return row, row.StreamRevision, err
	})
}
