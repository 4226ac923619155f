package commands

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// RegisterUser asks for a log-in.
type RegisterUser struct {
	Email    string      `json:"email"`
	Password string      `json:"password"`
	Name     string      `json:"name"`
	Locale   user.Locale `json:"locale"`
	// IP is where the request comes from.
	IP string `json:"-"`
	// Vouched is set where no mail has to prove the address: by the demo, and by
	// who hires staff.
	Vouched bool `json:"-"`
}

// RegisterUser makes a new user: the address is held, the credential kept, the
// user registered, the address taken. For an address that belongs to somebody
// the work and the answer are the same, under a fresh id, and its owner gets a
// mail: whoever asks does not learn that the address is known.
func (d *Dispatcher) RegisterUser(ctx context.Context, call Call, cmd RegisterUser) (Receipt, error) {
	asked := ctx
	var attempt vault.Attempt
	if !call.Grants.System {
		var err error
		if attempt, err = d.Vault.TrySource(ctx, vault.Register, cmd.IP); err != nil {
			return Receipt{}, err
		}
		defer even(ctx)()
	}
	receipt, owner, err := d.register(ctx, call, cmd)
	receipt.Replayed = false // the stream tells it of new users only
	if err != nil || owner == "" {
		return receipt, d.unanswered(asked, attempt, err)
	}
	notice, err := d.warnOfRegistration(ctx, call, owner)
	receipt.Position = notice.Position
	return receipt, err
}

// register makes a user, or names the user that the address belongs to.
func (d *Dispatcher) register(ctx context.Context, call Call, cmd RegisterUser) (receipt Receipt, owner string, err error) {
	target := user.Decider.At(NewID(call.CommandID, "usr"))
	credential := NewID(call.CommandID, "cred")
	if err := cmd.check(call.Actor, credential, d.Passwords); err != nil {
		return Receipt{}, "", err
	}
	email := user.NormalEmail(cmd.Email)
	held := d.hold(ctx, call, reservation.Email, email, target.ID)
	if held != nil && !errors.Is(held, reservation.ErrTaken) {
		return Receipt{}, "", held
	}
	if err := d.Vault.AddCredential(ctx, credential, target.ID, cmd.Password); err != nil {
		return Receipt{}, "", err
	}
	if held != nil {
		r, err := Load(ctx, d.Streams(), d.Reserved(reservation.Email, email))
		return Receipt{ID: target.ID, Stream: target.Stream()}, r.By, err
	}
	receipt, err = Execute(ctx, d, call.Step("register"), registerUser{RegisterUser: cmd, target: target, credential: credential})
	if err != nil {
		return Receipt{}, "", err
	}
	return receipt, "", d.take(ctx, call, reservation.Email, email, target.ID)
}

// check refuses what the rule would refuse, before an address is held.
func (c RegisterUser) check(by domain.Actor, credential string, passwords Passwords) error {
	_, err := user.User{}.Register(c.Email, c.Name, c.Locale, credential)
	var refused *domain.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	var weak domain.Check
	if !by.MaySetFacts() {
		if err := passwords.check(&weak, "password", c.Password, c.Email, c.Name); err != nil {
			return err
		}
	}
	weak.That(c.Password != "", "password", "must not be empty")
	if refused == nil {
		return weak.Err()
	}
	if also := weak.Err(); also != nil {
		if e, ok := errors.AsType[*domain.Error](also); ok {
			both := *refused
			both.Fields = append(slices.Clip(both.Fields), e.Fields...)
			return &both
		}
	}
	return refused
}

// warnOfRegistration tells the owner of an address, once a day at most, that
// somebody tried to register with it.
func (d *Dispatcher) warnOfRegistration(ctx context.Context, call Call, owner string) (Receipt, error) {
	u, err := Load(ctx, d.Streams(), user.Decider.At(owner))
	if err != nil || !u.Exists() || u.Email == eventstore.Erased {
		return Receipt{}, err
	}
	mail, err := d.Mails.RegistrationNotice(owner, u)
	if err != nil {
		return Receipt{}, err
	}
	today := derive(uuid.Nil, "registration", d.Clock().UTC().Format(time.DateOnly))
	return Execute(ctx, d, call.Step("warn"), QueueMessage{MessageID: MessageID(today, mail.Template, owner), Mail: mail})
}

type registerUser struct {
	RegisterUser
	target     user.Target
	credential string
}

func (c registerUser) Target() user.Target         { return c.target }
func (registerUser) Permission() domain.Permission { return delegation.System }

func (c registerUser) Decide(u user.User, _ Env) ([]user.Event, error) {
	events, err := u.Register(c.Email, c.Name, c.Locale, c.credential)
	if err == nil && c.Vouched {
		events = append(events, user.EmailVerified{Email: strings.TrimSpace(c.Email)})
	}
	return events, err
}
