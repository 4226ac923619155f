package commands

import (
	"context"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// AnswerErasure accepts the erasure that was asked for, or refuses it with
// every reason. It reads the log from end to end.
func (d *Dispatcher) AnswerErasure(ctx context.Context, call Call, userID string) (Receipt, error) {
	s, err := Load(ctx, d.Streams(), privacy.Decider.At(userID))
	if err != nil || s.Status != privacy.StatusSubmitted {
		return Receipt{}, err
	}
	h, err := d.heldOf(ctx, userID)
	if err != nil {
		return Receipt{}, err
	}
	now := d.Clock().UTC()
	reasons, err := d.obstacles(ctx, h, domain.DateOf(now.Year(), now.Month(), now.Day()))
	if err != nil {
		return Receipt{}, err
	}
	answer, err := answerErasure{user: userID, reasons: reasons, accounts: h.accounts}.Gather(ctx, d.Streams())
	if err != nil {
		return Receipt{}, err
	}
	// It may have been withdrawn, or held, while the log was read.
	if s, err = Load(ctx, d.Streams(), privacy.Decider.At(userID)); err != nil {
		return Receipt{}, err
	}
	if len(reasons) == 0 && s.Hold == "" && s.Status == privacy.StatusSubmitted && !answer.of(answer.who, now) {
		// From here on none of them changes hands: nothing is offered, and who
		// proposes or accepts meanwhile is refused, since the erasure was asked for.
		given, err := d.keepAccounts(ctx, call, h)
		if err != nil {
			return Receipt{}, err
		}
		if given {
			return d.AnswerErasure(ctx, call, userID)
		}
		if h.contacts, err = d.letGo(ctx, call, h.contacts); err != nil {
			return Receipt{}, err
		}
	}
	answer.keys = h.keys(now)
	return Execute(ctx, d, call, answer)
}

// keepAccounts takes back what a user offers of its accounts; given is true when
// one has another owner by now.
func (d *Dispatcher) keepAccounts(ctx context.Context, call Call, h held) (given bool, err error) {
	for _, id := range h.accounts {
		step := call.Step("keep " + id)
		step.Account = id
		if _, err := Execute(ctx, d, step, WithdrawTransfer{AccountID: id}); err != nil {
			return false, err
		}
		a, err := Load(ctx, d.Streams(), account.Decider.At(id))
		if err != nil {
			return false, err
		}
		given = given || a.Owner != h.user
	}
	return given, nil
}

type answerErasure struct {
	user     string
	reasons  []privacy.Reason
	accounts []string
	keys     []privacy.Key
	// who is the user; one that was hired since it asked stays. Whoever hires
	// later sees the request.
	who user.User
	worker
}

func (c answerErasure) Target() privacy.Target      { return privacy.Decider.At(c.user) }
func (answerErasure) Permission() domain.Permission { return delegation.System }

// Gather looks whether the user is staff.
func (c answerErasure) Gather(ctx context.Context, s Streams) (answerErasure, error) {
	var err error
	if c.who, err = Load(ctx, s, user.Decider.At(c.user)); err != nil {
		return c, err
	}
	c.worker, err = workerOf(ctx, s, c.user)
	return c, err
}

func (c answerErasure) Decide(s privacy.Subject, env Env) ([]privacy.Event, error) {
	reasons := c.reasons
	if c.of(c.who, env.Now) {
		reasons = append(slices.Clone(reasons), privacy.StaffMember)
	}
	return s.Answer(reasons, c.accounts, c.keys)
}

// EraseSubject carries out what can be erased at once of an accepted erasure:
// the address is free again, everything in the vault about the user and the
// keys are gone, the accounts are closed, and the log says so. It may be repeated, and has to be until
// CompleteErasure.
func (d *Dispatcher) EraseSubject(ctx context.Context, call Call, userID string) error {
	s, err := Load(ctx, d.Streams(), privacy.Decider.At(userID))
	if err != nil || s.Status != privacy.StatusAccepted {
		return err
	}
	// The address can be read as long as its key is there.
	if err := d.freeAddress(ctx, call, userID); err != nil {
		return err
	}
	if err := d.Vault.Forget(ctx, userID); err != nil {
		return err
	}
	for _, k := range s.Keys {
		if k.After != "" {
			continue
		}
		if err := d.destroyKey(ctx, call, userID, k, "erasure"); err != nil {
			return err
		}
	}
	return d.closeErased(ctx, call, s.Accounts)
}

func (d *Dispatcher) freeAddress(ctx context.Context, call Call, userID string) error {
	u, err := Load(ctx, d.Streams(), user.Decider.At(userID))
	if err != nil || u.Email == "" || u.Email == eventstore.Erased {
		return err
	}
	return d.free(ctx, call, user.NormalEmail(u.Email), userID)
}

// destroyKey destroys a key and then says that what it encrypted is erased.
func (d *Dispatcher) destroyKey(ctx context.Context, call Call, userID string, k privacy.Key, reason string) error {
	err := d.Vault.DestroyKey(ctx, k.Subject, eventstore.Purpose(k.Purpose), reason, call.Actor)
	if err != nil {
		return err
	}
	_, err = Execute(ctx, d, call.Step("destroyed "+k.Subject+" "+string(k.Purpose)), noteDestroyed{user: userID, key: k})
	return err
}

type noteDestroyed struct {
	user string
	key  privacy.Key
}

func (c noteDestroyed) Target() privacy.Target      { return privacy.Decider.At(c.user) }
func (noteDestroyed) Permission() domain.Permission { return delegation.System }

func (c noteDestroyed) Decide(s privacy.Subject, env Env) ([]privacy.Event, error) {
	return s.Destroy(c.key, env.Now)
}

// CompleteErasure ends an erasure once no process holds one of its keys any
// more; before, it answers how long that still takes.
func (d *Dispatcher) CompleteErasure(ctx context.Context, call Call, userID string) (wait time.Duration, err error) {
	s, err := Load(ctx, d.Streams(), privacy.Decider.At(userID))
	if err != nil || s.Status != privacy.StatusAccepted {
		return 0, err
	}
	var subjects []string
	for _, gone := range s.Destroyed {
		subjects = append(subjects, gone.Subject)
	}
	forgotten, err := d.Vault.ForgottenAt(ctx, subjects)
	if err != nil {
		return 0, err
	}
	if wait := forgotten.Sub(d.Clock()); wait > 0 {
		return wait, nil
	}
	_, err = Execute(ctx, d, call.Step("complete"), completeErasure{user: userID})
	return 0, err
}

type completeErasure struct{ user string }

func (c completeErasure) Target() privacy.Target      { return privacy.Decider.At(c.user) }
func (completeErasure) Permission() domain.Permission { return delegation.System }

func (c completeErasure) Decide(s privacy.Subject, _ Env) ([]privacy.Event, error) {
	return s.Complete()
}

// holdPause is how often a key that a legal hold keeps is looked at again.
const holdPause = 24 * time.Hour

// EndRetention destroys a key whose day has come; before, or while a legal
// hold forbids it, it answers when to look again.
func (d *Dispatcher) EndRetention(ctx context.Context, call Call, userID string, k privacy.Key) (wait time.Duration, err error) {
	s, err := Load(ctx, d.Streams(), privacy.Decider.At(userID))
	if err != nil {
		return 0, err
	}
	now := d.Clock()
	switch {
	case !s.Awaits(k):
		return 0, nil
	case s.Hold != "":
		return holdPause, nil
	case !s.Due(k, now):
		return k.Day().Sub(now), nil
	}
	return 0, d.destroyKey(ctx, call, userID, k, "retention")
}
