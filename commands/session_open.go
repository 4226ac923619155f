package commands

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/demo"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
)

// OpenSession logs a user in.
type OpenSession struct {
	Email    string `json:"email,omitempty"`
	Password string `json:"password,omitempty"`
	// Challenge is what a second factor answers, or a passkey alone.
	Challenge string `json:"challenge,omitempty" maxLength:"100" doc:"Of the refusal second_factor_required, or of the options of a passkey. It comes with totp, recovery_code or passkey, and without email and password."`
	Factor
	// From is where the log-in comes from.
	From vault.Client `json:"-"`
}

// OpenedSession is a log-in; the token is told this once.
type OpenedSession struct {
	Token     string
	ExpiresAt time.Time
	SessionID string
	UserID    string
	User      user.User
	// WantsFactor is true for staff whose rights wait for a second factor.
	WantsFactor bool
}

// ErrWrongLogin says that e-mail and password do not belong together, and not
// which of them is wrong.
var ErrWrongLogin = &domain.Error{Kind: domain.KindUnauthenticated, Code: "wrong_credentials", Detail: "This e-mail address and password do not belong together."}

// check refuses what is neither a password nor the answer to a challenge.
func (c OpenSession) check() error {
	var wrong domain.Check
	if c.Challenge == "" {
		wrong.That(c.Email != "", "email", "must not be empty")
		wrong.That(c.Password != "", "password", "must not be empty")
		wrong.That(c.given() == 0, "challenge", "must come with a second factor")
		return wrong.Err()
	}
	wrong.That(c.Email == "" && c.Password == "", "email", "must not come with a challenge")
	wrong.That(c.given() == 1, "totp", "send one of totp, recovery_code and passkey")
	return wrong.Err()
}

// OpenSession checks a password, or what answers a challenge, and opens a
// session. A user with a second factor gets a *ChallengeError for its password.
// It reads the reservation
// of the address and the user's stream, never a projection, and does the same
// work for an unknown address. Sessions are rows of the vault: no event.
func (d *Dispatcher) OpenSession(ctx context.Context, call Call, cmd OpenSession) (OpenedSession, error) {
	if err := cmd.check(); err != nil {
		return OpenedSession{}, err
	}
	if cmd.Challenge != "" {
		return d.answer(ctx, call, cmd)
	}
	asked := ctx
	ctx, cancel := d.bound(ctx)
	defer cancel()
	// While the store is away nothing can be learnt: that is said first, so that
	// those who try again and again meanwhile do not use their attempts up.
	if _, err := d.Store.Head(ctx); err != nil {
		return OpenedSession{}, storeError("look for the store", err)
	}
	email := user.NormalEmail(cmd.Email)
	attempt, err := d.Vault.TryLogin(ctx, cmd.From, email)
	if err != nil {
		return OpenedSession{}, err
	}
	var opened OpenedSession
	proven, err := d.provePassword(ctx, email, cmd)
	switch {
	case err != nil:
	case proven.user.HasSecondFactor():
		err = d.askFactor(ctx, proven, attempt)
	default:
		opened, err = d.admit(ctx, call, proven, cmd.From, attempt)
	}
	return opened, d.unanswered(asked, attempt, err)
}

// unanswered takes an attempt back that failed because a part was away.
func (d *Dispatcher) unanswered(ctx context.Context, attempt vault.Attempt, err error) error {
	if !errors.Is(err, domain.ErrUnavailable) {
		return err
	}
	ctx, cancel := d.bound(context.WithoutCancel(ctx))
	defer cancel()
	return errors.Join(err, d.Vault.TakeBack(ctx, attempt))
}

// login is a user that has proven who it is.
type login struct {
	id   string
	user user.User
	// factor is true when a second factor was shown; passkey is the one that
	// was used, "" for another way.
	factor  bool
	passkey string
}

// holds reports whether what was proven still counts for the user.
func (l login) holds(u user.User) bool {
	return u.MayEnter() == nil && u.Credential == l.user.Credential && l.factor == u.HasSecondFactor() &&
		(l.passkey == "" || u.HasPasskey(l.passkey))
}

// proof is what the session keeps of it. Staff without a second factor get no
// rights of theirs, but in a store that is the demo's; nor does who is no staff,
// so that a session has none of a role that comes later.
func (d *Dispatcher) proof(ctx context.Context, l login, member staff.Member) (vault.Proof, error) {
	var p vault.Proof
	if !l.factor {
		now := d.Clock()
		p.PasswordAt = &now
	}
	if member.Role == "" {
		return p, nil
	}
	if l.factor {
		p.StaffRights = true
		return p, nil
	}
	shown, err := Load(ctx, d.Streams(), demo.Decider.At(demo.ID))
	p.StaffRights = shown.IsStarted
	return p, err
}

// provePassword finds the user of an address and checks its password.
func (d *Dispatcher) provePassword(ctx context.Context, email string, cmd OpenSession) (login, error) {
	level := even(ctx)
	id, u, err := d.userOf(ctx, email)
	if err != nil {
		return login{}, err
	}
	ok, err := d.Vault.CheckPassword(ctx, u.Credential, cmd.Password)
	if err != nil {
		return login{}, err
	}
	refused := u.MayEnter()
	switch {
	case !ok || errors.Is(refused, user.ErrClosed):
		if err := d.Vault.NoteLogin(ctx, id, cmd.From, vault.LoginWrongPassword); err != nil {
			return login{}, err
		}
		level()
		return login{}, ErrWrongLogin
	case refused != nil:
		return login{}, errors.Join(refused, d.Vault.NoteLogin(ctx, id, cmd.From, vault.LoginLocked))
	}
	return login{id: id, user: u}, nil
}

// userOf is the user that has an address, nobody with the id "" when none has.
// The work is the same for both. A held address counts: the user may be
// registered and a crash have come before the address was taken.
func (d *Dispatcher) userOf(ctx context.Context, email string) (string, user.User, error) {
	held, err := Load(ctx, d.Streams(), d.Reserved(reservation.Email, email))
	if err != nil {
		return "", user.User{}, err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(cmp.Or(held.By, "usr_nobody")))
	if err != nil || user.NormalEmail(u.Email) != email {
		return "", user.User{}, err
	}
	return held.By, u, nil
}

// admit opens the session of a user that has proven all it has to.
func (d *Dispatcher) admit(ctx context.Context, call Call, who login, from vault.Client, attempt vault.Attempt) (OpenedSession, error) {
	if err := d.Vault.Succeeded(ctx, attempt); err != nil {
		return OpenedSession{}, err
	}
	if err := d.noteDevice(ctx, call, who.id, from, attempt); err != nil {
		return OpenedSession{}, err
	}
	if err := d.Vault.NoteLogin(ctx, who.id, from, vault.LoginSuccess); err != nil {
		return OpenedSession{}, err
	}
	member, err := Load(ctx, d.Streams(), staff.Decider.At(who.id))
	if err != nil {
		return OpenedSession{}, err
	}
	proof, err := d.proof(ctx, who, member)
	if err != nil {
		return OpenedSession{}, err
	}
	token, s, err := d.Vault.OpenSession(ctx, who.id, from, vault.LifeOf(member.Role != ""), proof)
	if err != nil {
		return OpenedSession{}, err
	}
	// Who changed the password, locked or closed the user meanwhile has ended
	// the sessions that there were, but not this one.
	u, err := Load(ctx, d.Streams(), user.Decider.At(who.id))
	if err == nil && !who.holds(u) {
		err = ErrWrongLogin
	}
	if err != nil {
		return OpenedSession{}, errors.Join(err, d.Vault.EndSession(ctx, who.id, s.ID))
	}
	return OpenedSession{
		Token: token, ExpiresAt: s.ExpiresAt, SessionID: s.ID, UserID: who.id, User: u,
		WantsFactor: member.Role != "" && !proof.StaffRights,
	}, nil
}

// noteDevice remembers what a user logs in from, and tells the log of what is
// new, a few times a day at most: its owner gets a mail.
func (d *Dispatcher) noteDevice(ctx context.Context, call Call, id string, from vault.Client, attempt vault.Attempt) error {
	isNew, err := d.Vault.IsNewDevice(ctx, attempt, id)
	if err != nil {
		return err
	}
	if isNew {
		_, err = d.Vault.Try(ctx, vault.NewDevice, id)
		if err == nil {
			_, err = Execute(ctx, d, call.as(id).Step("device"), seeDevice{id, from})
		}
		if err != nil && domain.KindOf(err) != domain.KindLimited {
			return err
		}
	}
	return d.Vault.KnowDevice(ctx, attempt, id)
}

type seeDevice struct {
	user string
	from vault.Client
}

func (c seeDevice) Target() user.Target         { return user.Decider.At(c.user) }
func (seeDevice) Permission() domain.Permission { return delegation.System }

func (c seeDevice) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.SeeDevice(c.from.Browser, c.from.System, c.from.IP)
}

// EndSession ends one session of the caller: a log-out, or a revocation.
type EndSession struct {
	SessionID string `json:"-"`
	// Current is the one that asks.
	Current string `json:"-"`
}

// EndSession deletes the session before it answers; the next request with its
// token is refused in every process. Another one than that which asks is ended
// after a confirmation: who stole a session must not keep the owner out.
func (d *Dispatcher) EndSession(ctx context.Context, call Call, cmd EndSession) error {
	if call.Grants.User == "" {
		return vault.ErrNoSession
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if cmd.SessionID != cmd.Current {
		if err := d.requireFresh(ctx, call); err != nil {
			return err
		}
	}
	acting, err := d.Vault.Impersonations(ctx, call.Grants.User, cmd.SessionID)
	if err != nil {
		return err
	}
	if err := d.Vault.EndSession(ctx, call.Grants.User, cmd.SessionID); err != nil {
		return err
	}
	return d.noteEnded(ctx, call, acting, impersonation.ByLogOut)
}
