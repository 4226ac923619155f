package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// ProposeTransfer offers an account to another user.
type ProposeTransfer struct {
	AccountID string `json:"-"`
	Email     string `json:"email" doc:"Of the user who is to own the account; whether there is one is not told."`
	// Keep is what the owner keeps as a delegate.
	Keep *delegation.Terms `json:"keep,omitempty" doc:"What I keep as a delegate; nothing without it. Who accepts sees it before."`
}

// ProposeTransfer is for the owner, who has proven lately who it is. It does the
// same whether or not the address belongs to a user.
func (d *Dispatcher) ProposeTransfer(ctx context.Context, call Call, cmd ProposeTransfer) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := d.freshOwner(ctx, call, cmd.AccountID); err != nil {
		return Receipt{}, err
	}
	email, err := user.CheckEmail(cmd.Email)
	if err != nil {
		return Receipt{}, err
	}
	cmd.Email = email
	if cmd.Keep != nil {
		keep := *cmd.Keep
		if keep.Scope, err = d.scope(ctx, call, cmd.AccountID, keep.Scope); err != nil {
			return Receipt{}, under("keep.", err)
		}
		cmd.Keep = &keep
	}
	propose := proposeTransfer{ProposeTransfer: cmd}
	receipt, err := d.inviting(ctx, call, cmd.AccountID, email, func() (Receipt, error) { return Execute(ctx, d, call, propose) })
	receipt.ID = NewID(call.CommandID, transferKind)
	return receipt, err
}

// transferKind begins the ids of offers.
const transferKind = "otr"

// under is a refusal of fields that stand within another one.
func under(prefix string, err error) error {
	var e *domain.Error
	if !errors.As(err, &e) {
		return err
	}
	within := *e
	within.Fields = slices.Clone(e.Fields)
	for i := range within.Fields {
		within.Fields[i].Field = prefix + within.Fields[i].Field
	}
	return &within
}

type proposeTransfer struct {
	ProposeTransfer
	own bool
}

func (c proposeTransfer) Target() account.Target      { return account.Decider.At(c.AccountID) }
func (proposeTransfer) Permission() domain.Permission { return delegation.Owner }

// NeedsVerifiedEmail bars who has not shown to read mail from having some sent.
func (proposeTransfer) NeedsVerifiedEmail() {}

// Gather looks whether the address is the owner's, and whether the owner is to
// be erased.
func (c proposeTransfer) Gather(ctx context.Context, s Streams) (proposeTransfer, error) {
	a, err := Load(ctx, s, c.Target())
	if err != nil || !a.Exists() {
		return c, err
	}
	owner, err := Load(ctx, s, user.Decider.At(a.Owner))
	if err != nil {
		return c, err
	}
	c.own = user.NormalEmail(owner.Email) == user.NormalEmail(c.Email)
	return c, mayNotBeErased(ctx, s, a.Owner)
}

func (c proposeTransfer) Decide(a account.Account, env Env) ([]account.Event, error) {
	return a.ProposeTransfer(env.Grants.User, env.NewID(transferKind), c.Email, c.own, c.Keep, env.Now)
}

// mayNotBeErased refuses a user whose erasure was asked for and not refused.
func mayNotBeErased(ctx context.Context, s Streams, userID string) error {
	data, err := Load(ctx, s, privacy.Decider.At(userID))
	if err == nil && data.UnderWay() {
		err = privacy.ErrErased
	}
	return err
}

// WithdrawTransfer takes an offer back.
type WithdrawTransfer struct {
	AccountID string `json:"-"`
	// TransferID is the offer, "" the open one, if any.
	TransferID string `json:"-"`
}

// Target is the account.
func (c WithdrawTransfer) Target() account.Target { return account.Decider.At(c.AccountID) }

// Permission is the owner's.
func (WithdrawTransfer) Permission() domain.Permission { return delegation.Owner }

// Decide takes it back.
func (c WithdrawTransfer) Decide(a account.Account, env Env) ([]account.Event, error) {
	return a.WithdrawTransfer(env.Grants.User, c.TransferID, env.Now)
}

// ExpireTransfer notes that the time of an offer is over, if it is.
type ExpireTransfer struct {
	AccountID, TransferID string
}

// Target is the account.
func (c ExpireTransfer) Target() account.Target { return account.Decider.At(c.AccountID) }

// Permission is that of the system.
func (ExpireTransfer) Permission() domain.Permission { return delegation.System }

// Decide looks at the time.
func (c ExpireTransfer) Decide(a account.Account, env Env) ([]account.Event, error) {
	return a.ExpireTransfer(c.TransferID, env.Now)
}

// MailTransfer mails the link of an offer, because of an event. One that is over
// by now gets no mail.
func (d *Dispatcher) MailTransfer(ctx context.Context, call Call, cause uuid.UUID, accountID, transfer string) error {
	a, err := Load(ctx, d.Streams(), account.Decider.At(accountID))
	if err != nil || !a.Offers(transfer, d.Clock()) || a.Transfer.Email == eventstore.Erased {
		return err
	}
	owner, err := Load(ctx, d.Streams(), user.Decider.At(a.Owner))
	if err != nil || !reachable(owner) {
		return err
	}
	mail, err := d.Mails.OwnershipTransfer(accountID, *a.Transfer, owner, a.Name)
	if err != nil {
		return err
	}
	return d.mailLink(ctx, call, cause, vault.MailToken{Purpose: vault.OwnershipTransfer, Credential: accountID, ExpiresAt: a.Transfer.OpenUntil}, mail)
}

// ReadTransfer looks at what a mailed link offers.
type ReadTransfer struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// TransferOffer is what is read before it is answered.
type TransferOffer struct {
	Account     string `json:"account"`
	AccountName string `json:"account_name"`
	OfferedBy   Person `json:"offered_by"`
	// Keep is what the owner of now keeps, nil for nothing.
	Keep      *delegation.Terms `json:"keep,omitempty" doc:"What the present owner keeps as a delegate; nothing without it."`
	OpenUntil time.Time         `json:"open_until" doc:"Until when it can be accepted."`
}

// ReadTransfer shows an open offer to whom AcceptTransfer would let accept it,
// and to nobody else.
func (d *Dispatcher) ReadTransfer(ctx context.Context, call Call, cmd ReadTransfer) (TransferOffer, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	call, transfer, err := d.offered(ctx, call, cmd.Token, cmd.IP)
	if err != nil {
		return TransferOffer{}, err
	}
	accept, err := acceptTransfer{id: call.Account, transfer: transfer, user: call.Grants.User}.Gather(ctx, d.Streams())
	if err != nil {
		return TransferOffer{}, err
	}
	a := accept.account
	if _, err := accept.Decide(a, Env{Now: d.Clock()}); err != nil {
		return TransferOffer{}, err
	}
	if !a.Offers(transfer, d.Clock()) { // it was accepted by the caller
		return TransferOffer{}, account.ErrTransferOver
	}
	return TransferOffer{
		Account: call.Account, AccountName: a.Name, OfferedBy: Person{accept.owner.Name, accept.owner.Email}, Keep: a.Transfer.Keep, OpenUntil: a.Transfer.OpenUntil,
	}, nil
}

// AcceptTransfer makes the caller the owner of an account.
type AcceptTransfer struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// AcceptTransfer follows a mailed link. The caller has to have the address that
// the account was offered to, verified. The former owner has no right to
// anything from the answer on, and staff act for the account no more; what it
// keeps it gets from FinishTransfer. A repeat answers the same.
func (d *Dispatcher) AcceptTransfer(ctx context.Context, call Call, cmd AcceptTransfer) (Receipt, string, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	call, transfer, err := d.offered(ctx, call, cmd.Token, cmd.IP)
	if err != nil {
		return Receipt{}, "", err
	}
	accept := acceptTransfer{id: call.Account, transfer: transfer, user: call.Grants.User}
	claim := claimOwnership{accept.user, user.OwnershipClaimed{Account: call.Account, Transfer: transfer}}
	if err := claimFor(ctx, d, call, accept, claim); err != nil {
		return Receipt{}, "", err
	}
	receipt, err := Execute(ctx, d, call, accept)
	if err != nil {
		return Receipt{}, "", err
	}
	receipt.ID = transfer
	return receipt, call.Account, d.stopActingFor(ctx, call.Step("end acting"), call.Account, impersonation.ByTransfer)
}

// DeclineTransfer turns an offer down.
type DeclineTransfer struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// DeclineTransfer follows a mailed link as AcceptTransfer does.
func (d *Dispatcher) DeclineTransfer(ctx context.Context, call Call, cmd DeclineTransfer) (Receipt, string, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	call, transfer, err := d.offered(ctx, call, cmd.Token, cmd.IP)
	if err != nil {
		return Receipt{}, "", err
	}
	receipt, err := Execute(ctx, d, call, declineTransfer{id: call.Account, transfer: transfer})
	receipt.ID = transfer
	return receipt, call.Account, err
}

// offered finds what a link offers to the caller. The call is that of the
// account, of which nobody else gets to know.
func (d *Dispatcher) offered(ctx context.Context, call Call, token, ip string) (_ Call, transfer string, err error) {
	followed, err := d.followed(ctx, call, vault.OwnershipTransfer, token, ip)
	call.Account = followed.Credential
	return call, followed.UserID, err
}

type acceptTransfer struct {
	id, transfer, user string
	account            account.Account
	owner              user.User
	refusal            error
}

func (c acceptTransfer) Target() account.Target      { return account.Decider.At(c.id) }
func (acceptTransfer) Permission() domain.Permission { return delegation.SignedIn }

// Gather looks who hands the account over and who takes it: neither may be
// about to be erased, who is locked or under a legal hold hands nothing over,
// and staff take nothing over. That there is a hold shows nowhere.
func (c acceptTransfer) Gather(ctx context.Context, s Streams) (acceptTransfer, error) {
	var err error
	if c.account, err = Load(ctx, s, c.Target()); err != nil {
		return c, err
	}
	if c.owner, err = Load(ctx, s, user.Decider.At(c.account.Owner)); err != nil {
		return c, err
	}
	member, err := Load(ctx, s, staff.Decider.At(c.user))
	if err != nil {
		return c, err
	}
	taker, err := Load(ctx, s, user.Decider.At(c.user))
	if err != nil {
		return c, err
	}
	c.refusal = nil
	for _, id := range []string{c.account.Owner, c.user} {
		data, err := Load(ctx, s, privacy.Decider.At(id))
		if err != nil {
			return c, err
		}
		if data.UnderWay() || id == c.account.Owner && data.Hold != "" {
			c.refusal = account.ErrTransferHeld
		}
	}
	switch {
	case c.owner.MayEnter() != nil, taker.MayEnter() != nil:
		c.refusal = account.ErrTransferHeld
	case member.Role != "":
		c.refusal = account.ErrTransferStaff
	}
	return c, nil
}

func (c acceptTransfer) Decide(a account.Account, env Env) ([]account.Event, error) {
	if c.refusal != nil && a.Offers(c.transfer, env.Now) {
		return nil, c.refusal
	}
	return a.AcceptTransfer(c.transfer, c.user, env.Now)
}

type declineTransfer struct{ id, transfer string }

func (c declineTransfer) Target() account.Target      { return account.Decider.At(c.id) }
func (declineTransfer) Permission() domain.Permission { return delegation.SignedIn }

func (c declineTransfer) Decide(a account.Account, env Env) ([]account.Event, error) {
	return a.DeclineTransfer(c.transfer, env.Now)
}

// FinishTransfer does what follows from another owner: the API tokens that the
// former one had on the account are revoked, what either had as a delegate ends,
// and then the former one gets what it keeps, in this order, so that no token
// outlives the hand-over. A process manager calls it because of the event, and
// may again at any time.
func (d *Dispatcher) FinishTransfer(ctx context.Context, call Call, accountID string, cause uuid.UUID) error {
	fact, meta, err := eventOf[account.OwnershipTransferred](ctx, d.Streams(), account.Decider.At(accountID), cause)
	if err != nil {
		return err
	}
	call.Account = accountID
	if meta.RecordedAt.Add(impersonation.Longest).After(d.Clock()) {
		if err := d.stopActingFor(ctx, call.Step("end acting"), accountID, impersonation.ByTransfer); err != nil {
			return err
		}
	}
	if err := d.revokeTokens(ctx, call, accountID, fact.From, meta.Position); err != nil {
		return err
	}
	for _, id := range []string{fact.From, fact.To} {
		if err := d.endDelegation(ctx, call, accountID, id, meta.Position); err != nil {
			return err
		}
	}
	if fact.Keep == nil {
		return nil
	}
	former, err := Load(ctx, d.Streams(), user.Decider.At(fact.From))
	if err != nil || !reachable(former) {
		return err
	}
	now, err := Load(ctx, d.Streams(), account.Decider.At(accountID))
	if err != nil || now.Owner != fact.To || now.MayChange() != nil {
		return err // it has gone on, or there is nothing to act for
	}
	_, err = Execute(ctx, d, call.Step("keep"), keepDelegation{
		id: d.keptID(accountID, fact.Transfer), account: accountID, user: fact.From, email: former.Email, terms: *fact.Keep,
	})
	return err
}

// keptID is the id of the delegation that a former owner gets: that of the
// hand-over, whatever address it has by now, and never that of another delegate.
func (d *Dispatcher) keptID(account, transfer string) string {
	return "dlg_" + d.Pepper.Reservation("kept "+account, transfer)
}

// revokeTokens revokes the API tokens that a user made on an account, on all of
// them for "", before a position of the log: if it comes back, they do not come
// back with it.
func (d *Dispatcher) revokeTokens(ctx context.Context, call Call, accountID, userID string, before eventstore.Position) error {
	var tokens []string
	var err error
	if accountID == "" {
		tokens, err = d.about(ctx, apitoken.Decider.Category, userID)
	} else {
		var held map[string][]string
		held, err = d.holdings.of(ctx, d, accountID)
		tokens = held[apitoken.Decider.Category]
	}
	if err != nil {
		return err
	}
	for _, id := range tokens {
		issued, meta, err := factOf[apitoken.Issued](ctx, d.Streams(), apitoken.Decider.At(id), nil)
		if err != nil {
			return err
		}
		if issued.User != userID || !meta.Position.Before(before) {
			continue
		}
		call.Account = issued.Account
		if _, err := d.RevokeToken(ctx, call.Step("revoke "+id), RevokeToken{TokenID: id}); err != nil {
			return err
		}
	}
	return nil
}

// endDelegation ends what a user held on an account as a delegate at a position
// of the log: as its owner it holds everything, and hands on everything.
func (d *Dispatcher) endDelegation(ctx context.Context, call Call, accountID, userID string, at eventstore.Position) error {
	held := map[string]string{} // by the delegation, its invitation
	last := map[string]string{}
	err := d.eachEvent(ctx, []string{delegation.Decider.Category}, func(r eventstore.Recorded) error {
		m, err := eventstore.MetaOf(r)
		if err != nil || m.Account != accountID || !r.Position.Before(at) {
			return err
		}
		e, _, err := d.Codec.Decode(ctx, r)
		if err != nil {
			return storeError("read the log", err)
		}
		switch fact := e.(type) {
		case delegation.DelegateInvited:
			last[m.AggregateID] = fact.Invitation
			delete(held, m.AggregateID)
		case delegation.Kept:
			last[m.AggregateID] = fact.Invitation
			if fact.User == userID {
				held[m.AggregateID] = fact.Invitation
			}
		case delegation.InvitationAccepted:
			if fact.User == userID {
				held[m.AggregateID] = last[m.AggregateID]
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, invitation := range held {
		if _, err := Execute(ctx, d, call.Step("end "+id), endDelegation{id, invitation}); err != nil {
			return err
		}
	}
	return nil
}

type endDelegation struct{ id, invitation string }

func (c endDelegation) Target() delegation.Target   { return delegation.Decider.At(c.id) }
func (endDelegation) Permission() domain.Permission { return delegation.System }

func (c endDelegation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	if d.Invitation != c.invitation {
		return nil, nil // another one by now
	}
	return d.Revoke(env.Grants)
}

type keepDelegation struct {
	id, account, user, email string
	terms                    delegation.Terms
}

func (c keepDelegation) Target() delegation.Target   { return delegation.Decider.At(c.id) }
func (keepDelegation) Permission() domain.Permission { return delegation.System }

func (c keepDelegation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	return d.Keep(c.account, env.NewID("ivt"), c.email, c.user, c.terms, env.Now)
}

// mailTransferred tells both the former and the new owner.
func (d *Dispatcher) mailTransferred(ctx context.Context, call Call, m AccountMail) error {
	fact, _, err := eventOf[account.OwnershipTransferred](ctx, d.Streams(), account.Decider.At(m.Account), m.Cause)
	if err != nil {
		return err
	}
	a, err := Load(ctx, d.Streams(), account.Decider.At(m.Account))
	if err != nil {
		return err
	}
	of := mailtext.About{Account: m.Account, Name: a.Name}
	for _, part := range []struct {
		step mailtext.TransferStep
		user string
	}{{mailtext.TransferGiven, fact.From}, {mailtext.TransferTaken, fact.To}} {
		u, err := Load(ctx, d.Streams(), user.Decider.At(part.user))
		if err != nil {
			return err
		}
		if !reachable(u) {
			continue
		}
		mail, err := d.Mails.TransferNotice(part.user, u, of, part.step, mailtext.TransferFacts{Keeps: fact.Keep != nil})
		if err != nil {
			return err
		}
		if err := d.queue(ctx, call.Step(m.Account+" "+string(part.step)), MessageID(m.Cause, mail.Template, string(part.step)), mail); err != nil {
			return err
		}
	}
	return nil
}

// queue queues a mail, unless its reader is erased meanwhile.
func (d *Dispatcher) queue(ctx context.Context, call Call, id string, mail message.Queued) error {
	_, err := Execute(ctx, d, call, QueueMessage{MessageID: id, Mail: mail})
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return nil
	}
	return err
}
