package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

const staffUser = "/v1/staff/users/{id}"

func (a *api) privacy() {
	write(a, operation{
		method: http.MethodPost, path: "/v1/me/erasure", summary: "Ask for the erasure of my data", status: http.StatusAccepted,
		location: "/v1/me/erasure", refuses: []int{http.StatusTooManyRequests},
		notes: "All that is held about me is erased, and the accounts that I own with it, but for what the law wants kept until its own date. The answer comes a little later: read it where Location says. It is refused while services or domains are live or invoices unpaid.",
	}, func(r *request, c *commands.RequestErasure) { c.UserID = r.caller.Grants.User },
		func(ctx context.Context, call commands.Call, c commands.RequestErasure) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.RequestErasure(ctx, call, c))
		})
	single(a, operation{
		method: http.MethodGet, path: "/v1/me/erasure", summary: "Read where the erasure of my data stands", model: "erasures",
		refuses: []int{http.StatusNotFound},
	}, func(ctx context.Context, r *request) (projections.ErasureRow, uint64, error) {
		row, err := a.Reader.Erasure(ctx, r.caller.Grants)
		return row, row.StreamRevision, err
	})
	command(a, operation{
		method: http.MethodDelete, path: "/v1/me/erasure", summary: "Withdraw my request for erasure",
		notes: "Until it is answered, also one that staff made for me. From then on keys are destroyed, and nothing brings them back.",
	}, func(r *request, c *commands.WithdrawErasure) { c.UserID = r.caller.Grants.User })
	write(a, operation{
		method: http.MethodPost, path: staffUser + "/erasure", summary: "Ask for the erasure of a user's data", status: http.StatusAccepted,
		location: staffUser + "/erasure", notes: "For a person who asked otherwise. You have made sure that it is that person.",
	}, func(r *request, c *commands.RequestErasureFor) { c.UserID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.RequestErasureFor) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.RequestErasureFor(ctx, call, c))
		})
	single(a, operation{
		method: http.MethodGet, path: staffUser + "/erasure", summary: "Read where the erasure of a user's data stands", model: "erasures",
	}, func(ctx context.Context, r *request) (projections.ErasureRow, uint64, error) {
		row, err := a.Reader.StaffErasure(ctx, r.caller.Grants, r.path("id"))
		return row, row.StreamRevision, err
	})
	command(a, operation{
		method: http.MethodPost, path: staffUser + "/legal-hold", summary: "Set a legal hold on a user's data",
		notes: "Nothing of the user and of the accounts that it owns is destroyed until it is lifted.",
	}, func(r *request, c *commands.SetLegalHold) { c.UserID = r.path("id") })
	write(a, operation{
		method: http.MethodDelete, path: staffUser + "/legal-hold", summary: "Lift the legal hold on a user's data", notes: confirmed,
	}, func(r *request, c *commands.LiftLegalHold) { c.UserID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.LiftLegalHold) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.LiftLegalHold(ctx, call, c))
		})
}
