package commands

import (
	"context"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// self is the caller's own user, and the receipt of having changed nothing.
func (d *Dispatcher) self(ctx context.Context, call Call, id string) (user.User, Receipt, error) {
	target := user.Decider.At(id)
	if err := authorise(call, delegation.Self, delegation.Resource{Kind: target.Decider.Category, ID: id}); err != nil {
		return user.User{}, Receipt{}, err
	}
	f, err := fold(ctx, d.Streams(), target, uuid.Nil, folded[user.User]{})
	if err == nil && f.state.MayEnter() != nil {
		err = f.state.MayEnter()
	}
	return f.state, Receipt{ID: id, Stream: target.Stream(), Revision: max(f.count, 1) - 1, Position: f.last}, err
}

// provenSelf is self for what a stolen session must not do: the caller proves
// its password once more, and a second factor if it has one. Who guesses has to
// wait, and nobody else does.
func (d *Dispatcher) provenSelf(ctx context.Context, call Call, id, field, password string) (user.User, Receipt, error) {
	u, receipt, err := d.self(ctx, call, id)
	if err == nil && u.HasSecondFactor() {
		err = RequireFresh(call, u)
	}
	if err != nil {
		return u, receipt, err
	}
	attempt, err := d.Vault.Try(ctx, vault.OwnPassword, id)
	if err != nil {
		return u, receipt, err
	}
	ok, err := d.Vault.CheckPassword(ctx, u.Credential, password)
	switch {
	case err != nil:
		return u, receipt, d.unanswered(ctx, attempt, err)
	case !ok:
		var c domain.Check
		c.Because(false, field, "wrong", "is not your password")
		return u, receipt, c.Err()
	}
	return u, receipt, d.Vault.Succeeded(ctx, attempt)
}

// ChangePassword gives the caller another password.
type ChangePassword struct {
	UserID  string `json:"-"`
	Current string `json:"current"`
	New     string `json:"new"`
	// Session is the one that asks, which goes on.
	Session string `json:"-"`
}

// ChangePassword ends the caller's other sessions, and every mailed link that
// would set a password or an address.
func (d *Dispatcher) ChangePassword(ctx context.Context, call Call, cmd ChangePassword) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if again, err := d.changedPassword(ctx, call, cmd); again.Replayed || err != nil {
		return again, err
	}
	u, _, err := d.provenSelf(ctx, call, cmd.UserID, "current", cmd.Current)
	if err != nil {
		return Receipt{}, err
	}
	var c domain.Check
	if err := d.Passwords.check(&c, "new", cmd.New, u.Email, u.Name); err != nil {
		return Receipt{}, err
	}
	c.Because(cmd.New != cmd.Current, "new", "unchanged", "must be another than the current one")
	if err := c.Err(); err != nil {
		return Receipt{}, err
	}
	change := changePassword{user: cmd.UserID, checked: u.Credential, credential: NewID(call.CommandID, "cred")}
	if err := d.Vault.AddCredential(ctx, change.credential, cmd.UserID, cmd.New); err != nil {
		return Receipt{}, err
	}
	return endingSessions(ctx, d, cmd.UserID, cmd.Session, func() (Receipt, error) { return Execute(ctx, d, call, change) })
}

// changedPassword is the receipt of a change that was made before.
func (d *Dispatcher) changedPassword(ctx context.Context, call Call, cmd ChangePassword) (Receipt, error) {
	target := user.Decider.At(cmd.UserID)
	f, err := fold(ctx, d.Streams(), target, call.CommandID, folded[user.User]{})
	switch {
	case err != nil || f.own == nil || call.Grants.User != cmd.UserID:
		return Receipt{}, err
	case f.own.RequestHash != call.RequestHash:
		return Receipt{}, ErrKeyReused
	}
	receipt := Receipt{ID: target.ID, Stream: target.Stream(), Revision: f.own.Revision, Position: f.own.Position, Replayed: true}
	return receipt, d.Vault.EndSessions(ctx, cmd.UserID, cmd.Session)
}

// endingSessions makes a change after which a user's sessions are over, except
// one, and so are mailed links that would set a password or an address.
func endingSessions(ctx context.Context, d *Dispatcher, id, except string, change func() (Receipt, error)) (Receipt, error) {
	receipt, err := exceptSession(ctx, d, id, except, change)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.Vault.EndMailTokens(ctx, id, vault.ChangeEmail, vault.ResetPassword)
}

// exceptSession makes a change after which a user's sessions are over, except
// one. They end before it and again after it: a crash between the two leaves
// none that was open before, and one that is opened meanwhile looks at the
// user again.
func exceptSession(ctx context.Context, d *Dispatcher, id, except string, change func() (Receipt, error)) (Receipt, error) {
	if err := d.Vault.EndSessions(ctx, id, except); err != nil {
		return Receipt{}, err
	}
	receipt, err := change()
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.Vault.EndSessions(ctx, id, except)
}

type changePassword struct{ user, checked, credential string }

func (c changePassword) Target() user.Target         { return user.Decider.At(c.user) }
func (changePassword) Permission() domain.Permission { return delegation.Self }

func (c changePassword) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.ChangePassword(c.checked, c.credential)
}

// RequestPasswordReset asks for a mail with which to set a new password.
type RequestPasswordReset struct {
	Email string `json:"email"`
	// From is where the request comes from.
	From vault.Client `json:"-"`
}

// RequestPasswordReset answers the same, after the same time, whether a user
// has the address or not. An address gets one such mail in a quarter of an
// hour: whoever asked for it, its owner has a link that holds.
func (d *Dispatcher) RequestPasswordReset(ctx context.Context, call Call, cmd RequestPasswordReset) error {
	asked := ctx
	ctx, cancel := d.bound(ctx)
	defer cancel()
	address, err := user.CheckEmail(cmd.Email)
	if err != nil {
		return err
	}
	email := user.NormalEmail(address)
	source, err := d.Vault.TryReset(ctx, cmd.From, email)
	if err != nil {
		return err
	}
	level := even(ctx)
	if err := d.requestReset(ctx, call, email); err != nil {
		return d.unanswered(asked, source, err)
	}
	level()
	return nil
}

func (d *Dispatcher) requestReset(ctx context.Context, call Call, email string) error {
	id, u, err := d.userOf(ctx, email)
	if err != nil {
		return err
	}
	attempt, limited := d.Vault.Try(ctx, vault.ResetMail, email)
	if domain.KindOf(limited) == domain.KindLimited {
		return nil
	}
	if limited != nil || !reachable(u) {
		return limited
	}
	_, err = Execute(ctx, d, call.Step("request reset"), requestReset{id})
	return d.unanswered(ctx, attempt, err)
}

type requestReset struct{ user string }

func (c requestReset) Target() user.Target         { return user.Decider.At(c.user) }
func (requestReset) Permission() domain.Permission { return delegation.System }

func (c requestReset) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.RequestPasswordReset()
}

// ResetPassword follows the link of such a mail.
type ResetPassword struct {
	Token    string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	Password string `json:"password"`
	// From is where the request comes from. That device may log in from then
	// on, whatever strangers have tried with the address.
	From vault.Client `json:"-"`
}

// ResetPassword sets the password and ends all sessions. It opens none: a
// second factor is asked for at the next log-in as at any, unless nobody had
// shown to read the mail when it was set up (user.ResetPassword).
func (d *Dispatcher) ResetPassword(ctx context.Context, call Call, cmd ResetPassword) error {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	followed, err := d.follow(ctx, cmd.Token, cmd.From.IP)
	if err == nil && followed.Purpose != vault.ResetPassword {
		err = user.ErrToken
	}
	if err != nil {
		return err
	}
	id := followed.UserID
	u, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err != nil {
		return err
	}
	reset := resetPassword{user: id, mailedTo: followed.mailedTo, while: followed.Credential, credential: NewID(call.CommandID, "cred")}
	events, err := reset.Decide(u, Env{})
	if err != nil {
		return err
	}
	var c domain.Check
	if err := d.Passwords.check(&c, "password", cmd.Password, u.Email, u.Name); err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return err
	}
	if err := d.Vault.AddCredential(ctx, reset.credential, id, cmd.Password); err != nil {
		return err
	}
	_, err = d.withoutFactors(ctx, id, u, events, func() (Receipt, error) { return Execute(ctx, d, call.as(id).Step("reset"), reset) })
	if err != nil {
		return err
	}
	return d.Vault.OnlyKnow(ctx, cmd.From, user.NormalEmail(u.Email), id)
}

type resetPassword struct{ user, mailedTo, while, credential string }

func (c resetPassword) Target() user.Target         { return user.Decider.At(c.user) }
func (resetPassword) Permission() domain.Permission { return delegation.System }

func (c resetPassword) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.ResetPassword(c.mailedTo, c.while, c.credential)
}

// MailNotice tells a user of what happened to its log-in: the event is one of
// its stream. To tell nothing is right where nothing can be told any more.
func (d *Dispatcher) MailNotice(ctx context.Context, call Call, id string, event uuid.UUID) error {
	fact, meta, err := eventOf[user.Event](ctx, d.Streams(), user.Decider.At(id), event)
	if err != nil {
		return err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err != nil || !reachable(u) {
		return err
	}
	mail, err := d.Mails.PasswordChanged(id, u, meta.OccurredAt)
	if seen, ok := fact.(user.NewDeviceSeen); ok {
		if seen.IP == eventstore.Erased {
			seen.IP = ""
		}
		mail, err = d.Mails.NewDevice(id, u, seen, meta.OccurredAt)
	}
	if n, ok := factorNotice(fact); ok {
		mail, err = d.Mails.SecondFactor(id, u, n, meta.OccurredAt)
	}
	if err != nil {
		return err
	}
	_, err = Execute(ctx, d, call.Step("notice"), QueueMessage{MessageID: MessageID(event, mail.Template, id), Mail: mail})
	return err
}
