package commands

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// MailInvitation mails the link of an invitation, because of an event. An
// invitation that is over by now, or was sent again, gets no mail.
func (d *Dispatcher) MailInvitation(ctx context.Context, call Call, cause uuid.UUID, id, invitation, inviter string) error {
	at, err := Load(ctx, d.Streams(), delegation.Decider.At(id))
	open := at.Status == delegation.StatusInvited && at.Invitation == invitation && d.Clock().Before(at.OpenUntil)
	if err != nil || !open || at.Email == eventstore.Erased {
		return err
	}
	a, err := Load(ctx, d.Streams(), account.Decider.At(at.Account))
	if err != nil {
		return err
	}
	by, err := d.inviter(ctx, inviter, a)
	if err != nil {
		return err
	}
	mail, err := d.Mails.DelegationInvitation(invitationMail(cause, invitation), at, by, a.Name)
	if err != nil {
		return err
	}
	return d.mailLink(ctx, call, cause, vault.MailToken{
		Purpose: vault.Invitation, UserID: invitation, Credential: id, ExpiresAt: at.OpenUntil,
	}, mail)
}

// invitationMail is the id of the mail of an invitation, because of the event
// that invited. It is the subject of the mail's key, too: the mail names who
// invites beside who is invited, and is erased with either (privacy_held.go).
func invitationMail(cause uuid.UUID, invitation string) string {
	return MessageID(cause, mailtext.DelegationInvitation, invitation)
}

// ReadInvitation looks at what a mailed link invites to.
type ReadInvitation struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// Invitation is what is read before it is answered.
type Invitation struct {
	Account     string `json:"account"`
	AccountName string `json:"account_name"`
	InvitedBy   Person `json:"invited_by"`
	delegation.Terms
	OpenUntil time.Time `json:"open_until" doc:"Until when it can be accepted."`
}

// Person is somebody who wrote, as the user is now.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// ReadInvitation shows an open invitation to whom AcceptInvitation would let
// accept it, and to nobody else.
func (d *Dispatcher) ReadInvitation(ctx context.Context, call Call, cmd ReadInvitation) (Invitation, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	call, invitation, id, err := d.invited(ctx, call, cmd.Token, cmd.IP)
	if err != nil {
		return Invitation{}, err
	}
	accept, err := accepting(call, invitation, id).Gather(ctx, d.Streams())
	if err != nil {
		return Invitation{}, err
	}
	target := accept.Target()
	at, err := Load(ctx, d.Streams(), target)
	if err == nil {
		_, err = accept.Decide(at, Env{Now: d.Clock()})
	}
	if err == nil && !at.Offers(invitation, d.Clock()) { // it was accepted by the caller
		err = delegation.ErrInvitationOver
	}
	if err != nil {
		return Invitation{}, err
	}
	a, err := Load(ctx, d.Streams(), account.Decider.At(at.Account))
	if err != nil {
		return Invitation{}, err
	}
	_, meta, err := factOf(ctx, d.Streams(), target, func(e delegation.DelegateInvited, _ eventstore.Meta) bool { return e.Invitation == invitation })
	if err != nil {
		return Invitation{}, err
	}
	by, err := d.inviter(ctx, meta.Actor.ID, a)
	return Invitation{
		Account: at.Account, AccountName: a.Name, InvitedBy: Person{by.Name, by.Email}, Terms: at.Terms, OpenUntil: at.OpenUntil,
	}, err
}

// inviter is the user who invited or, where that was a part of the system, the
// account's owner.
func (d *Dispatcher) inviter(ctx context.Context, id string, a account.Account) (user.User, error) {
	by, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err == nil && !by.Exists() {
		by, err = Load(ctx, d.Streams(), user.Decider.At(a.Owner))
	}
	return by, err
}

// AcceptInvitation makes the caller a delegate.
type AcceptInvitation struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// AcceptInvitation follows a mailed link. The caller has to have the address
// that was invited, verified: who was sent the link by somebody else does not
// act for the account. A repeat answers the same.
func (d *Dispatcher) AcceptInvitation(ctx context.Context, call Call, cmd AcceptInvitation) (Receipt, string, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	call, invitation, id, err := d.invited(ctx, call, cmd.Token, cmd.IP)
	if err != nil {
		return Receipt{}, "", err
	}
	receipt, err := Execute(ctx, d, call, accepting(call, invitation, id))
	return receipt, call.Account, err
}

// DeclineInvitation turns an invitation down.
type DeclineInvitation struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// DeclineInvitation follows a mailed link as AcceptInvitation does.
func (d *Dispatcher) DeclineInvitation(ctx context.Context, call Call, cmd DeclineInvitation) (Receipt, string, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	call, invitation, id, err := d.invited(ctx, call, cmd.Token, cmd.IP)
	if err != nil {
		return Receipt{}, "", err
	}
	receipt, err := Execute(ctx, d, call, declineInvitation{id: id, invitation: invitation})
	return receipt, call.Account, err
}

// invited finds what a link invites the caller to. The call is that of the
// account, of which nobody else gets to know.
func (d *Dispatcher) invited(ctx context.Context, call Call, token, ip string) (_ Call, invitation, id string, err error) {
	followed, err := d.followed(ctx, call, vault.Invitation, token, ip)
	if err != nil {
		return call, "", "", err
	}
	at, err := Load(ctx, d.Streams(), delegation.Decider.At(followed.Credential))
	call.Account = at.Account
	return call, followed.UserID, followed.Credential, err
}

// followed is the link that the caller was mailed: who was sent it by somebody
// else, and has not the address that its mail went to, verified, is refused.
func (d *Dispatcher) followed(ctx context.Context, call Call, p vault.Purpose, token, ip string) (link, error) {
	if err := authorise(call, delegation.SignedIn, delegation.Resource{Kind: delegation.Decider.Category}); err != nil {
		return link{}, err
	}
	to, err := d.follow(ctx, token, ip)
	if err != nil {
		return link{}, err
	}
	if to.Purpose != p {
		return link{}, user.ErrToken
	}
	if err := RequireVerified(ctx, d.Streams(), call.Actor); err != nil {
		return link{}, err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(call.Grants.User))
	if err != nil {
		return link{}, err
	}
	if user.NormalEmail(u.Email) != user.NormalEmail(to.mailedTo) {
		return link{}, delegation.ErrOtherAddress
	}
	return to, nil
}

type acceptInvitation struct {
	id, invitation, user string
	holds                bool
	refusal              error
}

// accepting is the caller's acceptance of an invitation to the call's account.
func accepting(call Call, invitation, id string) acceptInvitation {
	_, holds := call.Grants.Accounts[call.Account]
	return acceptInvitation{id: id, invitation: invitation, user: call.Grants.User, holds: holds}
}

func (c acceptInvitation) Target() delegation.Target   { return delegation.Decider.At(c.id) }
func (acceptInvitation) Permission() domain.Permission { return delegation.SignedIn }

// Gather looks whether the caller has become the account's owner, and whether
// the account closes.
func (c acceptInvitation) Gather(ctx context.Context, s Streams) (acceptInvitation, error) {
	d, err := Load(ctx, s, c.Target())
	if err != nil {
		return c, err
	}
	a, err := Load(ctx, s, account.Decider.At(d.Account))
	c.holds = c.holds || a.Owner == c.user
	c.refusal = a.MayTakeOn()
	return c, err
}

func (c acceptInvitation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	if c.refusal != nil && d.Status == delegation.StatusInvited {
		return nil, c.refusal
	}
	return d.Accept(c.invitation, c.user, c.holds, env.Now)
}

type declineInvitation struct{ id, invitation string }

func (c declineInvitation) Target() delegation.Target   { return delegation.Decider.At(c.id) }
func (declineInvitation) Permission() domain.Permission { return delegation.SignedIn }

func (c declineInvitation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	return d.Decline(c.invitation, env.Now)
}

// VouchDelegation makes a user a delegate without a mail: of the demo.
type VouchDelegation struct {
	DelegationID string
	UserID       string
}

// Target is the delegation.
func (c VouchDelegation) Target() delegation.Target { return delegation.Decider.At(c.DelegationID) }

// Permission is that of the system.
func (VouchDelegation) Permission() domain.Permission { return delegation.System }

// Decide accepts the open invitation for the user.
func (c VouchDelegation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	return d.Accept(d.Invitation, c.UserID, false, env.Now)
}
