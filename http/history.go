package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/projections"
)

// historyInput chooses what was done.
type historyInput struct {
	Owned
	Actor string `query:"actor" maxLength:"128" doc:"The id of who acted."`
	Since string `query:"since" format:"date-time" doc:"Done at this time or later."`
	Until string `query:"until" format:"date-time" doc:"Done before this time."`
}

func (in historyInput) query() (q projections.HistoryQuery, err error) {
	q.Actor = in.Actor
	if q.Since, err = timeOf("since", in.Since); err != nil {
		return q, err
	}
	q.Until, err = timeOf("until", in.Until)
	return q, err
}

func (a *api) history() {
	list(a, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/history", summary: "Read the history", model: projections.HistoryModel,
		notes: "Who did what, when, on whose behalf and by what right, newest first. The rights are those that the actor had then.",
	}, func(ctx context.Context, r *request, in *historyInput) (projections.List[projections.Act], error) {
		q, err := in.query()
		if err != nil {
			return projections.List[projections.Act]{}, err
		}
		return a.Feed.History(ctx, r.caller.Grants, r.account, q, in.page())
	})
}
