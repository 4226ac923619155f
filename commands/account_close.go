package commands

import (
	"context"
	"errors"
	"slices"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/privacy"
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
	return a.RequestClosing(env.Grants.User, env.NewID("clo"), env.Now)
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
	// gone is true when the owner is no more, or is to be erased.
	gone bool
}

// ReopenAccount claims the owner first: it is not closed meanwhile.
func (d *Dispatcher) ReopenAccount(ctx context.Context, call Call, cmd ReopenAccount) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := authorise(call, cmd.Permission(), delegation.Resource{Kind: account.Decider.Category, ID: cmd.AccountID}); err != nil {
		return Receipt{}, err
	}
	a, err := Load(ctx, d.Streams(), cmd.Target())
	if err != nil {
		return Receipt{}, err
	}
	err = claimFor(ctx, d, call, cmd, claimOwnership{a.Owner, user.OwnershipClaimed{Account: cmd.AccountID, Reopening: a.Closings}})
	if errors.Is(err, user.ErrClosed) {
		err = account.ErrOwnerGone
	}
	if err != nil {
		return Receipt{}, err
	}
	return Execute(ctx, d, call, cmd)
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
	if err != nil {
		return c, err
	}
	data, err := Load(ctx, s, privacy.Decider.At(a.Owner))
	c.gone = u.IsClosed || data.UnderWay()
	return c, err
}

// Decide opens it.
func (c ReopenAccount) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.Reopen(c.gone)
}

// AnswerClosing closes an account, or refuses to with every reason. What the
// account holds is read from the log, once for all accounts that wait for an
// answer at that moment. Commands that saw the account before the request are
// over by the time that it is called, so that it misses nothing.
func (d *Dispatcher) AnswerClosing(ctx context.Context, call Call, accountID, request string) error {
	a, err := Load(ctx, d.Streams(), account.Decider.At(accountID))
	if err != nil || a.Status != account.StatusClosing || a.Closing != request {
		return err
	}
	call.Account = accountID
	streams, err := d.holdings.of(ctx, d, accountID)
	if err != nil {
		return err
	}
	now := d.Clock().UTC()
	answer := answerClosing{id: accountID, request: request}
	if answer.why, err = d.unsettled(ctx, streams, domain.DateOf(now.Year(), now.Month(), now.Day())); err != nil {
		return err
	}
	if answer.ends, err = d.unended(ctx, streams[delegation.Decider.Category]); err != nil {
		return err
	}
	if _, err := Execute(ctx, d, call, answer); err != nil {
		return err
	}
	return d.FinishClosing(ctx, call, accountID)
}

// unended are those of some delegations that have not ended.
func (d *Dispatcher) unended(ctx context.Context, ids []string) (left []string, err error) {
	for _, id := range ids {
		at, err := Load(ctx, d.Streams(), delegation.Decider.At(id))
		if err != nil {
			return nil, err
		}
		if at.Status == delegation.StatusInvited || at.Status == delegation.StatusActive {
			left = append(left, id)
		}
	}
	return left, nil
}

// FinishClosing ends what ends with a closed account: its delegations and
// invitations, and what staff do for it. From the closing on they give nothing
// but to read. Process managers call it again for every account that was closed.
func (d *Dispatcher) FinishClosing(ctx context.Context, call Call, accountID string) error {
	a, err := Load(ctx, d.Streams(), account.Decider.At(accountID))
	if err != nil || a.Status != account.StatusClosed {
		return err
	}
	var last account.Closed
	_, _, err = factOf(ctx, d.Streams(), account.Decider.At(accountID), func(e account.Closed, _ eventstore.Meta) bool {
		last = e
		return false // there may be a later one
	})
	if err != nil {
		return err
	}
	call.Account = accountID
	for _, id := range last.Delegations {
		if _, err := Execute(ctx, d, call.Step("end "+id), RevokeDelegation{DelegationID: id}); err != nil {
			return err
		}
	}
	return d.stopActingFor(ctx, call, accountID, impersonation.ByClosing)
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

type answerClosing struct {
	id, request string
	why         []account.Reason
	// ends are the delegations that end with the account.
	ends []string
}

func (c answerClosing) Target() account.Target      { return account.Decider.At(c.id) }
func (answerClosing) Permission() domain.Permission { return delegation.System }

func (c answerClosing) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.AnswerClosing(c.request, c.why, c.ends)
}

// closeErased closes the accounts of an owner who is erased: nobody acts for
// them any more. A repeat ends what began while they were closed.
func (d *Dispatcher) closeErased(ctx context.Context, call Call, accounts []string) error {
	found, err := d.streamsByAccount(ctx, accounts, []string{delegation.Decider.Category}, nil)
	if err != nil {
		return err
	}
	for _, id := range accounts {
		ends, err := d.unended(ctx, found[id][delegation.Decider.Category])
		if err != nil {
			return err
		}
		call.Account = id
		if _, err := Execute(ctx, d, call.Step("close "+id), closeErased{id, ends}); err != nil {
			return err
		}
		if err := d.FinishClosing(ctx, call, id); err != nil {
			return err
		}
		for _, late := range ends {
			if _, err := Execute(ctx, d, call.Step("end "+late), RevokeDelegation{DelegationID: late}); err != nil {
				return err
			}
		}
	}
	return nil
}

type closeErased struct {
	id   string
	ends []string
}

func (c closeErased) Target() account.Target      { return account.Decider.At(c.id) }
func (closeErased) Permission() domain.Permission { return delegation.System }

func (c closeErased) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.CloseErased(c.ends)
}
