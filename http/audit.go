package http

import (
	"context"
	"net/http"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/projections"
)

// auditInput chooses events of the log.
type auditInput struct {
	Paging
	Type    string `query:"type" maxLength:"128" doc:"The name of an event."`
	Actor   string `query:"actor" maxLength:"128" doc:"The id of who acted."`
	Account string `query:"account" maxLength:"64" doc:"The account that owns the stream."`
	Since   string `query:"since" format:"date-time" doc:"Recorded at this time or later."`
	Until   string `query:"until" format:"date-time" doc:"Recorded before this time."`
}

func (in auditInput) query() (q projections.AuditQuery, err error) {
	q = projections.AuditQuery{Type: in.Type, Actor: in.Actor, Account: in.Account}
	if q.Since, err = timeOf("since", in.Since); err != nil {
		return q, err
	}
	q.Until, err = timeOf("until", in.Until)
	return q, err
}

func timeOf(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, domain.Invalid(name, "must be a time such as 2026-01-31T12:00:00Z")
	}
	return t, nil
}

func (a *api) audit() {
	list(a, operation{
		method: http.MethodGet, path: "/v1/audit/streams/{stream}", summary: "Read a stream",
		notes: "Raw history, oldest first, as it is stored: personal fields stay encrypted.",
	}, func(ctx context.Context, r *request, in *Paging) (projections.List[projections.AuditEvent], error) {
		return a.Audit.Stream(ctx, r.caller.Grants, r.path("stream"), in.page())
	})
	list(a, operation{
		method: http.MethodGet, path: "/v1/audit/events", summary: "Search the log",
		notes: "Oldest first. A page may hold fewer events than asked for and still have a next one.",
	}, func(ctx context.Context, r *request, in *auditInput) (projections.List[projections.AuditEvent], error) {
		q, err := in.query()
		if err != nil {
			return projections.List[projections.AuditEvent]{}, err
		}
		return a.Audit.Events(ctx, r.caller.Grants, q, in.page())
	})
}
