package http

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/projections"
)

// found is the answer of a read.
type found[A any] struct {
	ETag  string `header:"ETag" doc:"The revision of the stream that the row shows; lists have none."`
	Stale string `header:"Stale" enum:"true" doc:"Set when the read does not show the Consistency-Token's write yet."`
	Body  A
}

// AsOf is the time in the past that a read of an account may ask for.
type AsOf struct {
	Then string `query:"as_of" format:"date-time" doc:"The answer as it would have been given then."`
}

// now refuses what is not built yet.
func (in AsOf) now() error {
	if in.Then == "" {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, in.Then); err != nil {
		return domain.Invalid("as_of", "must be a time such as 2026-01-31T12:00:00Z")
	}
	return errNotAvailable
}

// Paging asks for a page of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"25" doc:"How many items at most."`
	Cursor string `query:"cursor" maxLength:"512" doc:"The next_cursor of the page before."`
}

func (in Paging) page() projections.Page { return projections.Page{Limit: in.Limit, Cursor: in.Cursor} }

// Owned is the input of a list that belongs to an account. It is exported, as
// what it embeds is, because huma passes over embedded types that are not.
type Owned struct {
	Paging
	AsOf
}

// none is the input of a read without parameters.
type none struct{}

// resource adds a route that reads one thing of an account; get answers the
// row and the revision of its stream.
func resource[A any](a *api, o operation, get func(context.Context, *request) (A, uint64, error)) {
	read(a, o, func(ctx context.Context, r *request, in *AsOf) (*found[A], error) {
		if err := in.now(); err != nil {
			return nil, err
		}
		body, revision, err := get(ctx, r)
		return &found[A]{Body: body, ETag: etag(revision)}, err
	})
}

// single is resource for what no account owns.
func single[A any](a *api, o operation, get func(context.Context, *request) (A, uint64, error)) {
	read(a, o, func(ctx context.Context, r *request, _ *none) (*found[A], error) {
		body, revision, err := get(ctx, r)
		return &found[A]{Body: body, ETag: etag(revision)}, err
	})
}

// view adds a route that reads something that is no account's or no single
// stream's; get fills what it answers.
func view[A any](a *api, o operation, get func(context.Context, *request) (A, error)) {
	read(a, o, func(ctx context.Context, r *request, _ *none) (*found[A], error) {
		body, err := get(ctx, r)
		return &found[A]{Body: body}, err
	})
}

// list adds a route that reads a list page by page. I holds its query
// parameters: Paging, and what the list adds to it.
func list[I, A any](a *api, o operation, get func(context.Context, *request, *I) (projections.List[A], error)) {
	read(a, o, func(ctx context.Context, r *request, in *I) (*found[projections.List[A]], error) {
		if past, ok := any(in).(interface{ now() error }); ok {
			if err := past.now(); err != nil {
				return nil, err
			}
		}
		body, err := get(ctx, r, in)
		return &found[projections.List[A]]{Body: body}, err
	})
}

// read adds a route that first waits for the write that the request has seen.
func read[I, A any](a *api, o operation, get func(context.Context, *request, *I) (*found[A], error)) {
	huma.Register(a.huma, a.document(o), func(ctx context.Context, in *I) (*found[A], error) {
		r := requestOf(ctx)
		stale, err := a.await(ctx, r, o)
		if err != nil {
			return nil, fail(ctx, err)
		}
		out, err := get(ctx, r, in)
		if err != nil {
			return nil, fail(ctx, err)
		}
		out.Stale = stale
		return out, nil
	})
}
