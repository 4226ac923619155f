package commands

import (
	"context"
	"slices"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// RequestClosing asks to close an account. Whether it may be is answered by
// AnswerClosing, which a process manager calls.
type RequestClosing struct {
	AccountID string `json:"-"`
}

// RequestClosing is for the owner, who has proven lately who it is.
func (d *Dispatcher) RequestClosing(ctx context.Context, call Call, cmd RequestClosing) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := d.freshOwner(ctx, call, cmd.AccountID); err != nil {
		return Receipt{}, err
	}
	// Each request is mailed, and its answer reads the log.
	attempt, err := d.Vault.Try(ctx, vault.OwnMail, call.Actor.ID)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := Execute(ctx, d, call, requestClosing{cmd})
	return receipt, d.unanswered(ctx, attempt, err)
}

// freshOwner refuses who does not own the account, or has not proven lately who
// it is.
func (d *Dispatcher) freshOwner(ctx context.Context, call Call, accountID string) error {
	err := authorise(call, delegation.Owner, delegation.Resource{Kind: account.Decider.Category, ID: accountID})
	if err != nil {
		return err
	}
	return d.requireFresh(ctx, call)
}

type requestClosing struct{ RequestClosing }

func (c requestClosing) Target() account.Target      { return account.Decider.At(c.AccountID) }
func (requestClosing) Permission() domain.Permission { return delegation.Owner }

func (c requestClosing) Decide(a account.Account, env Env) ([]account.Event, error) {
	return a.RequestClosing(env.NewID("clo"))
}

// WithdrawClosing keeps an account that was to be closed.
type WithdrawClosing struct {
	AccountID string `json:"-"`
}

// Target is the account.
func (c WithdrawClosing) Target() account.Target { return account.Decider.At(c.AccountID) }

// Permission is the owner's.
func (WithdrawClosing) Permission() domain.Permission { return delegation.Owner }

// Decide takes the request back.
func (WithdrawClosing) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.WithdrawClosing()
}

// ReopenAccount opens a closed account again.
type ReopenAccount struct {
	AccountID string `json:"-"`
	// gone is true when the owner can no longer log in.
	gone bool
}

// Target is the account.
func (c ReopenAccount) Target() account.Target { return account.Decider.At(c.AccountID) }

// Permission is staff's.
func (ReopenAccount) Permission() domain.Permission { return delegation.StaffAccounts }

// Gather looks after the owner.
func (c ReopenAccount) Gather(ctx context.Context, s Streams) (ReopenAccount, error) {
	a, err := Load(ctx, s, c.Target())
	if err != nil || !a.Exists() {
		return c, err
	}
	u, err := Load(ctx, s, user.Decider.At(a.Owner))
	c.gone = u.IsClosed || u.Email == eventstore.Erased
	return c, err
}

// Decide opens it.
func (c ReopenAccount) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.Reopen(c.gone)
}

// AnswerClosing closes an account, or refuses to with every reason. It reads
// the log from end to end. Commands that saw the account before the request are
// over by the time that it is called, so that it misses nothing.
func (d *Dispatcher) AnswerClosing(ctx context.Context, call Call, accountID, request string) error {
	a, err := Load(ctx, d.Streams(), account.Decider.At(accountID))
	if err != nil || a.Status != account.StatusClosing || a.Closing != request {
		return err
	}
	call.Account = accountID
	streams, err := d.streamsOf(ctx, []string{accountID}, []string{
		hosting.Decider.Category, domainname.Decider.Category, invoice.Decider.Category, ticket.Decider.Category,
	}, nil)
	if err != nil {
		return err
	}
	now := d.Clock().UTC()
	why, err := d.unsettled(ctx, streams, domain.DateOf(now.Year(), now.Month(), now.Day()))
	if err != nil {
		return err
	}
	if len(why) == 0 {
		if err := d.endDelegations(ctx, call, accountID); err != nil {
			return err
		}
	}
	_, err = Execute(ctx, d, call, answerClosing{id: accountID, request: request, why: why})
	return err
}

// unsettled are the reasons for which what some accounts hold, the ids of
// streams by category, cannot come to its end today.
func (d *Dispatcher) unsettled(ctx context.Context, streams map[string][]string, today domain.Date) ([]account.Reason, error) {
	var found []account.Reason
	add := func(r account.Reason) {
		if !slices.Contains(found, r) {
			found = append(found, r)
		}
	}
	for range streams[hosting.Decider.Category] {
		add(account.LiveServices) // a service that was made has no end yet
	}
	for _, id := range streams[domainname.Decider.Category] {
		n, err := Load(ctx, d.Streams(), domainname.Decider.At(id))
		if err != nil {
			return nil, err
		}
		if n.Status == domainname.StatusActive && !n.ExpiresOn.Before(today) {
			add(account.LiveDomains)
		}
	}
	for _, id := range streams[invoice.Decider.Category] {
		inv, err := Load(ctx, d.Streams(), invoice.Decider.At(id))
		if err != nil {
			return nil, err
		}
		switch inv.Status {
		case invoice.StatusDraft, invoice.StatusIssuing, invoice.StatusUnpaid, invoice.StatusPartiallyPaid:
			add(account.UnpaidInvoices)
		case invoice.StatusNone, invoice.StatusPaid, invoice.StatusCredited, invoice.StatusDiscarded:
		}
	}
	for _, id := range streams[ticket.Decider.Category] {
		t, err := Load(ctx, d.Streams(), ticket.Decider.At(id))
		if err != nil {
			return nil, err
		}
		if t.Status != ticket.StatusClosed {
			add(account.OpenTickets)
		}
	}
	return found, nil
}

// endDelegations ends all delegations and invitations of an account.
func (d *Dispatcher) endDelegations(ctx context.Context, call Call, accountID string) error {
	streams, err := d.streamsOf(ctx, []string{accountID}, []string{delegation.Decider.Category}, nil)
	if err != nil {
		return err
	}
	call.Account = accountID
	for _, id := range streams[delegation.Decider.Category] {
		if _, err := Execute(ctx, d, call.Step("end "+id), RevokeDelegation{DelegationID: id}); err != nil {
			return err
		}
	}
	return nil
}

type answerClosing struct {
	id, request string
	why         []account.Reason
}

func (c answerClosing) Target() account.Target      { return account.Decider.At(c.id) }
func (answerClosing) Permission() domain.Permission { return delegation.System }

func (c answerClosing) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.AnswerClosing(c.request, c.why)
}

// closeErased closes the account of an owner who is erased: nobody acts for it
// any more.
func (d *Dispatcher) closeErased(ctx context.Context, call Call, accountID string) error {
	call.Account = accountID
	if _, err := Execute(ctx, d, call.Step("close "+accountID), closeErased{accountID}); err != nil {
		return err
	}
	return d.endDelegations(ctx, call, accountID)
}

type closeErased struct{ id string }

func (c closeErased) Target() account.Target      { return account.Decider.At(c.id) }
func (closeErased) Permission() domain.Permission { return delegation.System }

func (closeErased) Decide(a account.Account, _ Env) ([]account.Event, error) { return a.CloseErased() }
