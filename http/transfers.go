package http

import (
	"context"
	"net/http"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

const transferPath = "/v1/accounts/{account}/ownership-transfers"

// OfferedAccount is what whom an account is offered to sees before the answer:
// what comes with it, and who acts for it and goes on doing so.
type OfferedAccount struct {
	commands.TransferOffer
	Counts      projections.Counts `json:"counts"`
	Delegations []OfferedDelegate  `json:"delegations" doc:"Who acts for the account, or was asked to; the newest hundred."`
	// MoreDelegations is true when those are not all.
	MoreDelegations bool `json:"more_delegations,omitempty" doc:"True when there are others."`
}

// OfferedDelegate is one who acts for an account that is offered.
type OfferedDelegate struct {
	Email       string              `json:"email"`
	Status      delegation.Status   `json:"status" enum:"invited,active"`
	Permissions []domain.Permission `json:"permissions"`
	Scope       delegation.Scope    `json:"scope"`
	ExpiresAt   *time.Time          `json:"expires_at"`
}

// ReadTransfer is the offer that a mailed link leads to, with what comes with
// the account. Who holds the link's secret and the address sees it; the reads
// are not by rights on the account, which there are none of yet.
func (c Config) ReadTransfer(ctx context.Context, call commands.Call, cmd commands.ReadTransfer) (OfferedAccount, error) {
	offer, err := c.Dispatcher.ReadTransfer(ctx, call, cmd)
	if err != nil {
		return OfferedAccount{}, err
	}
	shown := delegation.Grants{System: true}
	board, err := c.Reader.Dashboard(ctx, shown, offer.Account)
	if err != nil {
		return OfferedAccount{}, err
	}
	board.Counts.UnreadNotifications = nil // not before it is the reader's
	rows, more, err := c.Reader.Acting(ctx, shown, offer.Account)
	out := OfferedAccount{TransferOffer: offer, Counts: board.Counts, Delegations: []OfferedDelegate{}, MoreDelegations: more}
	for _, row := range rows {
		out.Delegations = append(out.Delegations, OfferedDelegate{row.Email, row.Status, row.Permissions, row.Scope, row.ExpiresAt})
	}
	return out, err
}

// transfers adds how an account gets another owner.
func (a *api) transfers() {
	list(a, operation{
		method: http.MethodGet, path: transferPath, summary: "List open ownership transfers", model: "accounts",
		notes: "One at most: the offer that waits for its answer. The history shows those that have ended.",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[projections.TransferRow], error) {
		return a.Reader.Transfers(ctx, r.caller.Grants, r.account, in.page())
	})
	write(a, operation{
		method: http.MethodPost, path: transferPath, summary: "Offer an account to another owner", status: http.StatusCreated,
		location: transferPath, refuses: []int{http.StatusTooManyRequests},
		notes: "For the owner, who has confirmed its session lately. The address gets a mail with a link that holds for a week; nothing changes before that person accepts. " +
			"Then I have no right to the account any more, but for what I keep, and my API tokens on it are revoked. Services, invoices, billing identity, contacts and delegations stay with the account.",
	}, func(r *request, c *commands.ProposeTransfer) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.ProposeTransfer) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.ProposeTransfer(ctx, call, c))
		})
	command(a, operation{
		method: http.MethodDelete, path: transferPath + "/{id}", summary: "Take the offer of an account back",
		notes: "Its link is void.",
	}, func(r *request, c *commands.WithdrawTransfer) { c.AccountID, c.TransferID = r.account, r.path("id") })
	askWith(a, operation{
		method: http.MethodPost, path: "/v1/ownership-transfers/preview", summary: "Read the offer of an account",
		notes: "Before I answer it: what comes with the account, and who acts for it. I have to have the address that it was offered to.",
	}, func(r *request, c *commands.ReadTransfer) { c.IP = a.Source(r.raw).IP }, a.ReadTransfer)
	write(a, operation{
		method: http.MethodPost, path: "/v1/ownership-transfers/accept", summary: "Accept an account", rights: true,
		refuses: []int{http.StatusTooManyRequests},
		notes:   "I own it from the answer on, and the former owner does not. I have to have the address that it was offered to.",
	}, func(r *request, c *commands.AcceptTransfer) { c.IP = a.Source(r.raw).IP },
		func(ctx context.Context, call commands.Call, c commands.AcceptTransfer) (commands.Receipt, Joined, error) {
			receipt, account, err := a.Dispatcher.AcceptTransfer(ctx, call, c)
			return receipt, Joined{ID: receipt.ID, Account: account}, err
		})
	write(a, operation{
		method: http.MethodPost, path: "/v1/ownership-transfers/decline", summary: "Decline an account",
		refuses: []int{http.StatusTooManyRequests},
	}, func(r *request, c *commands.DeclineTransfer) { c.IP = a.Source(r.raw).IP },
		func(ctx context.Context, call commands.Call, c commands.DeclineTransfer) (commands.Receipt, Joined, error) {
			receipt, account, err := a.Dispatcher.DeclineTransfer(ctx, call, c)
			return receipt, Joined{ID: receipt.ID, Account: account}, err
		})
}
