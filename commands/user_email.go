package commands

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/user"
)

// ErrEmailTaken says that a new address has come to belong to somebody else.
// Only who reads its mail gets to hear it.
var ErrEmailTaken = domain.Conflict("email_taken", "This address belongs to another user by now.")

// VerifyEmail follows a mailed link that proves an address: that of a user, or
// the one that a user wants to change to.
type VerifyEmail struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
	// Together takes a link of the caller's own user only.
	Together bool `json:"-"`
}

// ErrNotYourLink says that a link has to be followed by who is logged in as the
// user whose it is. Else a stranger who registered an address, or wants it,
// would get it by a click of its owner.
var ErrNotYourLink = &domain.Error{
	Kind: domain.KindDenied, Code: "not_your_link",
	Detail: "Log in as the user whose link this is, then follow it again. If somebody else has used your address, set a password by mail instead: that shuts them out.",
}

// VerifyEmail verifies an address, or changes it. The link is used up by it.
// Whoever follows it outside of the user's sessions has shown to read the mail,
// and not to be who registered the address.
func (d *Dispatcher) VerifyEmail(ctx context.Context, call Call, cmd VerifyEmail) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	followed, err := d.follow(ctx, cmd.Token, cmd.IP)
	if err != nil {
		return Receipt{}, err
	}
	apart := call.Grants.User != followed.UserID || call.Grants.Token != ""
	call = call.as(followed.UserID)
	var receipt Receipt
	switch followed.Purpose {
	case vault.VerifyEmail:
		if apart && cmd.Together {
			return Receipt{}, ErrNotYourLink
		}
		receipt, err = d.verify(ctx, call, verifyEmail{followed.UserID, followed.mailedTo, apart})
	case vault.ChangeEmail:
		if apart {
			return Receipt{}, ErrNotYourLink
		}
		receipt, err = d.changeEmail(ctx, call, followed.UserID, followed.mailedTo)
	case vault.ResetPassword, vault.Invitation, vault.OwnershipTransfer, vault.ContactEmail, vault.CancelFactorReset:
		err = user.ErrToken
	}
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.Vault.SpendMailToken(ctx, followed.ID)
}

// verify notes that the mail was read. If second factors go with it, the sessions
// do, too: a stranger may have opened them.
func (d *Dispatcher) verify(ctx context.Context, call Call, verify verifyEmail) (Receipt, error) {
	u, err := Load(ctx, d.Streams(), verify.Target())
	if err != nil {
		return Receipt{}, err
	}
	events, err := verify.Decide(u, Env{})
	if err != nil {
		return Receipt{}, err
	}
	change := func() (Receipt, error) { return Execute(ctx, d, call.Step("verify"), verify) }
	if len(events) < 2 {
		return change()
	}
	return exceptSession(ctx, d, verify.user, "", func() (Receipt, error) { return d.giveUp(ctx, verify.user, u, events, change) })
}

// changeEmail gives a user an address that it has proven. Before that the
// address is not held: else anybody could keep a stranger's address from being
// registered, and learn whether it is.
func (d *Dispatcher) changeEmail(ctx context.Context, call Call, id, email string) (Receipt, error) {
	u, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err != nil {
		return Receipt{}, err
	}
	if u.MayEnter() != nil {
		return Receipt{}, user.ErrToken
	}
	normal, previous := user.NormalEmail(email), user.NormalEmail(u.Email)
	if err := d.hold(ctx, call, reservation.Email, normal, id); err != nil {
		if errors.Is(err, reservation.ErrTaken) {
			err = ErrEmailTaken
		}
		return Receipt{}, err
	}
	receipt, err := Execute(ctx, d, call.Step("change email"), changeEmail{id, email})
	if err == nil {
		err = d.take(ctx, call, reservation.Email, normal, id)
	}
	if err == nil && previous != normal {
		err = d.free(ctx, call, previous, id)
	}
	return receipt, err
}

// FinishEmailChange frees the address that a change left behind, and tells it
// so. Process managers call it for every change.
func (d *Dispatcher) FinishEmailChange(ctx context.Context, call Call, id string, change uuid.UUID) error {
	fact, _, err := eventOf[user.EmailChanged](ctx, d.Streams(), user.Decider.At(id), change)
	if err != nil {
		return err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err != nil || !reachable(u) {
		return err
	}
	// The user may have changed back by now.
	if previous := user.NormalEmail(fact.Previous); previous != user.NormalEmail(u.Email) {
		if err := d.free(ctx, call, previous, id); err != nil {
			return err
		}
	}
	if call.Actor.MaySetFacts() {
		return nil
	}
	mail, err := d.Mails.EmailChanged(id, u, fact.Previous)
	if err != nil {
		return err
	}
	_, err = Execute(ctx, d, call.Step("tell"), QueueMessage{MessageID: MessageID(change, mail.Template, id), Mail: mail})
	return err
}

// ResendVerification mails the link that verifies the caller's address again.
type ResendVerification struct {
	UserID string `json:"-"`
}

// ResendVerification does nothing for an address that its user has proven.
func (d *Dispatcher) ResendVerification(ctx context.Context, call Call, cmd ResendVerification) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, receipt, err := d.self(ctx, call, cmd.UserID)
	if err != nil || u.Proven() {
		return receipt, err
	}
	attempt, err := d.Vault.Try(ctx, vault.OwnMail, cmd.UserID)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.unanswered(ctx, attempt, d.MailVerification(ctx, call, call.CommandID, d.Clock(), cmd.UserID))
}

// ChangeEmail asks for another address for the caller.
type ChangeEmail struct {
	UserID   string `json:"-"`
	Email    string `json:"email"`
	Password string `json:"password" doc:"The caller's password."`
}

// ChangeEmail mails a link to the new address, with which it becomes the
// caller's. One that belongs to somebody else gets the notice that a
// registration brings instead, once a day, and the answer is the same.
func (d *Dispatcher) ChangeEmail(ctx context.Context, call Call, cmd ChangeEmail) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	level := even(ctx)
	email, err := user.CheckEmail(cmd.Email)
	if err != nil {
		return Receipt{}, err
	}
	u, receipt, err := d.provenSelf(ctx, call, cmd.UserID, "password", cmd.Password)
	if err != nil {
		return Receipt{}, err
	}
	attempt, err := d.Vault.Try(ctx, vault.OwnMail, cmd.UserID)
	if err != nil {
		return Receipt{}, err
	}
	err = d.unanswered(ctx, attempt, d.mailChange(ctx, call, cmd.UserID, u, email))
	level()
	return receipt, err
}

func (d *Dispatcher) mailChange(ctx context.Context, call Call, id string, u user.User, email string) error {
	// The newest wish counts, whether its address is known or not: what becomes of
	// the link of before would else tell which.
	if err := d.Vault.EndMailTokens(ctx, id, vault.ChangeEmail); err != nil {
		return err
	}
	held, err := Load(ctx, d.Streams(), d.Reserved(reservation.Email, user.NormalEmail(email)))
	if err != nil {
		return err
	}
	if held.Status(d.Clock()) != reservation.StatusFree && held.By != id {
		_, err := d.warnOfRegistration(ctx, call, held.By)
		return err
	}
	mail, err := d.Mails.ChangeEmail(id, u, email)
	if err != nil {
		return err
	}
	return d.mailLink(ctx, call, call.CommandID, vault.MailToken{Purpose: vault.ChangeEmail, ExpiresAt: d.Clock().Add(verifyFor)}, mail)
}

type verifyEmail struct {
	user, mailedTo string
	apart          bool
}

func (c verifyEmail) Target() user.Target         { return user.Decider.At(c.user) }
func (verifyEmail) Permission() domain.Permission { return delegation.System }

func (c verifyEmail) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.VerifyEmail(c.mailedTo, c.apart)
}

type changeEmail struct{ user, mailedTo string }

func (c changeEmail) Target() user.Target         { return user.Decider.At(c.user) }
func (changeEmail) Permission() domain.Permission { return delegation.System }

func (c changeEmail) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.ChangeEmail(c.mailedTo)
}
