package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

const delegationPath = "/v1/accounts/{account}/delegations"

// Joined is the answer to an invitation: the account that it was for.
type Joined struct {
	ID      string `json:"id"`
	Account string `json:"account" doc:"The account that the invitation is for."`
}

func (a *api) delegations() {
	list(a, operation{
		method: http.MethodGet, path: delegationPath, summary: "List delegations", model: "delegations",
		notes: "Who may act for the account, was asked to, or once did.",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[projections.DelegationRow], error) {
		return a.Reader.Delegations(ctx, r.caller.Grants, r.account, in.page())
	})
	resource(a, operation{
		method: http.MethodGet, path: delegationPath + "/{id}", summary: "Read a delegation", model: "delegations",
	}, func(ctx context.Context, r *request) (projections.DelegationRow, uint64, error) {
		row, err := a.Reader.Delegation(ctx, r.caller.Grants, r.account, r.path("id"))
		return row, row.StreamRevision, err
	})
	write(a, operation{
		method: http.MethodPost, path: delegationPath, summary: "Invite a delegate", status: http.StatusCreated,
		location: delegationPath + "/{id}", refuses: []int{http.StatusTooManyRequests},
		notes: "The person gets a mail with a link that holds for a week. Permissions bring those along that they need. " +
			"The scope limits what is done with services, domains, certificates and tickets; under a limited one \"*\" is all that can be done with those, " +
			"and a permission on the account as a whole, as invoices.read, has to be named. Nobody grants more than it holds. " +
			"Everything, or users.manage, is granted in a session that was confirmed in the last ten minutes.",
	}, func(r *request, c *commands.InviteDelegate) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.InviteDelegate) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.InviteDelegate(ctx, call, c))
		})
	write(a, operation{
		method: http.MethodPatch, path: delegationPath + "/{id}", summary: "Change a delegation", rights: true,
		notes: "Fields that are left out stay as they are. What is granted is in force from the answer on.",
	}, func(r *request, c *commands.ChangeDelegation) { c.DelegationID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.ChangeDelegation) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.ChangeDelegation(ctx, call, c))
		})
	command(a, operation{
		method: http.MethodDelete, path: delegationPath + "/{id}", summary: "Revoke a delegation", rights: true,
		notes: "Or withdraw an invitation. The delegate is refused from the answer on.",
	}, func(r *request, c *commands.RevokeDelegation) { c.DelegationID = r.path("id") })
	write(a, operation{
		method: http.MethodPost, path: delegationPath + "/{id}/resend", summary: "Send an invitation again",
		refuses: []int{http.StatusTooManyRequests}, notes: "The link that was sent before is void.",
	}, func(r *request, c *commands.ResendInvitation) { c.DelegationID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.ResendInvitation) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.ResendInvitation(ctx, call, c))
		})
	write(a, operation{
		method: http.MethodPost, path: "/v1/accounts/{account}/leave", summary: "Give up what I hold as a delegate", rights: true,
		notes: "I have no right to the account from the answer on, nor have my API tokens. The owner is told. An owner hands the account over instead, or closes it (owner_stays).",
	}, func(r *request, c *commands.LeaveAccount) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.LeaveAccount) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.LeaveAccount(ctx, call, c))
		})
	askWith(a, operation{
		method: http.MethodPost, path: "/v1/delegations/preview", summary: "Read an invitation",
		notes: "Before I answer it. I have to have the address that was invited.",
	}, func(r *request, c *commands.ReadInvitation) { c.IP = a.Source(r.raw).IP }, a.Dispatcher.ReadInvitation)
	write(a, operation{
		method: http.MethodPost, path: "/v1/delegations/accept", summary: "Accept an invitation", rights: true,
		refuses: []int{http.StatusTooManyRequests},
		notes:   "I have to have the address that was invited.",
	}, func(r *request, c *commands.AcceptInvitation) { c.IP = a.Source(r.raw).IP },
		func(ctx context.Context, call commands.Call, c commands.AcceptInvitation) (commands.Receipt, Joined, error) {
			receipt, account, err := a.Dispatcher.AcceptInvitation(ctx, call, c)
			return receipt, Joined{ID: receipt.ID, Account: account}, err
		})
	write(a, operation{
		method: http.MethodPost, path: "/v1/delegations/decline", summary: "Decline an invitation",
		refuses: []int{http.StatusTooManyRequests},
	}, func(r *request, c *commands.DeclineInvitation) { c.IP = a.Source(r.raw).IP },
		func(ctx context.Context, call commands.Call, c commands.DeclineInvitation) (commands.Receipt, Joined, error) {
			receipt, account, err := a.Dispatcher.DeclineInvitation(ctx, call, c)
			return receipt, Joined{ID: receipt.ID, Account: account}, err
		})
}
