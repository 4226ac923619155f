package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/projections"
)

func (a *api) catalogue() {
	list(a, operation{
		method: http.MethodGet, path: "/v1/products", summary: "List products", model: "products", public: true,
	}, func(ctx context.Context, r *request, in *Paging) (projections.List[projections.ProductRow], error) {
		return a.Reader.Products(ctx, r.caller.Grants, in.page())
	})
	single(a, operation{
		method: http.MethodGet, path: "/v1/products/{id}", summary: "Read a product", model: "products", public: true,
	}, func(ctx context.Context, r *request) (projections.ProductRow, uint64, error) {
		row, err := a.Reader.Product(ctx, r.caller.Grants, r.path("id"))
		return row, row.StreamRevision, err
	})
	list(a, operation{
		method: http.MethodGet, path: "/v1/news", summary: "List news", model: "news", public: true,
	}, func(ctx context.Context, r *request, in *Paging) (projections.List[projections.NewsRow], error) {
		return a.Reader.News(ctx, r.caller.Grants, in.page())
	})
	single(a, operation{
		method: http.MethodGet, path: "/v1/news/{id}", summary: "Read a news item", model: "news", public: true,
	}, func(ctx context.Context, r *request) (projections.NewsRow, uint64, error) {
		row, err := a.Reader.NewsItem(ctx, r.caller.Grants, r.path("id"))
		return row, row.StreamRevision, err
	})
}
