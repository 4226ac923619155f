package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// AnswerErasure accepts the erasure that was asked for, or refuses it with
// every reason. It reads the log from end to end, and changes nothing but the
// request: until it is answered it may be withdrawn. With the acceptance the
// log-in is closed.
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
	// Whoever accepts an account hears that its owner is to be erased, or was
	// through before the log was read.
	for _, id := range h.accounts {
		a, err := Load(ctx, d.Streams(), account.Decider.At(id))
		if err != nil {
			return Receipt{}, err
		}
		if a.Owner != userID {
			return d.AnswerErasure(ctx, call, userID)
		}
	}
	if h.contacts, err = d.unused(ctx, h.contacts, now); err != nil {
		return Receipt{}, err
	}
	receipt, err := Execute(ctx, d, call, answerErasure{user: userID, reasons: reasons, accounts: h.accounts, keys: h.keys(now)})
	if err != nil {
		return receipt, err
	}
	// Who is erased is out at once, however long EraseSubject has to wait.
	if s, err = Load(ctx, d.Streams(), privacy.Decider.At(userID)); err == nil && s.Status == privacy.StatusAccepted {
		_, err = Execute(ctx, d, call.Step("close"), closeErasedUser(userID))
	}
	return receipt, err
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
// the user is closed and acts for nobody, its accounts are closed, contacts
// elsewhere are archived, the address is free again, everything in the vault about
// the user and the keys are gone, and the log says so. It may be repeated, and has
// to be until CompleteErasure.
func (d *Dispatcher) EraseSubject(ctx context.Context, call Call, userID string) error {
	s, err := Load(ctx, d.Streams(), privacy.Decider.At(userID))
	if err != nil || s.Status != privacy.StatusAccepted {
		return err
	}
	if err := d.leaveAll(ctx, call, userID); err != nil {
		return err
	}
	// Closed, the accounts take on nothing more: what they took on since the
	// request was answered is found here or, from commands that had not seen the
	// closing, by CompleteErasure.
	if err := d.closeErased(ctx, call, s.Accounts); err != nil {
		return err
	}
	if _, err := d.widen(ctx, call, userID); err != nil {
		return err
	}
	if s, err = Load(ctx, d.Streams(), privacy.Decider.At(userID)); err != nil {
		return err
	}
	// The address can be read as long as its key is there.
	if err := d.letGo(ctx, call, userID, s); err != nil {
		return err
	}
	if err := d.freeAddress(ctx, call, userID); err != nil {
		return err
	}
	if err := d.Vault.Forget(ctx, userID); err != nil {
		return err
	}
	// The user's own goes last, so that who begins again after a crash still finds
	// what others keep of the address.
	for _, own := range []bool{false, true} {
		for _, k := range s.Keys {
			if k.After != "" || (k.Subject == userID) != own {
				continue
			}
			if err := d.eraseKey(ctx, call, userID, s, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseKey destroys a key that is to be destroyed at once, unless it is spared or,
// since it was looked for, kept by another's legal hold: then it gets a day, which
// the erasure does not wait for.
func (d *Dispatcher) eraseKey(ctx context.Context, call Call, userID string, s privacy.Subject, k privacy.Key) error {
	spared, err := d.spared(ctx, s, k.Subject)
	if err != nil || spared {
		return err
	}
	kept, err := d.onHold(ctx, k.Account)
	if err != nil {
		return err
	}
	if kept {
		k.After = privacy.HoldEnd(d.Clock())
		_, err := Execute(ctx, d, call.Step("keep "+k.Subject+" "+string(k.Purpose)), widenErasure{user: userID, keys: []privacy.Key{k}})
		return err
	}
	return d.destroyKey(ctx, call, userID, k, "erasure")
}

// widen reads the log again for an accepted erasure, and notes the keys that it
// does not know of. It answers whether there were any.
func (d *Dispatcher) widen(ctx context.Context, call Call, userID string) (bool, error) {
	h, err := d.heldOf(ctx, userID)
	if err != nil {
		return false, err
	}
	now := d.Clock().UTC()
	if h.contacts, err = d.unused(ctx, h.contacts, now); err != nil {
		return false, err
	}
	s, err := Load(ctx, d.Streams(), privacy.Decider.At(userID))
	if err != nil {
		return false, err
	}
	more, err := s.Widen(h.keys(now))
	if err != nil || len(more) == 0 {
		return false, err
	}
	// What is noted is not noted again, so that its text tells this step from others.
	_, err = Execute(ctx, d, call.Step(fmt.Sprint("widen ", more)), widenErasure{user: userID, keys: h.keys(now)})
	return true, err
}

type widenErasure struct {
	user string
	keys []privacy.Key
}

func (c widenErasure) Target() privacy.Target      { return privacy.Decider.At(c.user) }
func (widenErasure) Permission() domain.Permission { return delegation.System }

func (c widenErasure) Decide(s privacy.Subject, _ Env) ([]privacy.Event, error) {
	return s.Widen(c.keys)
}

// leaveAll closes a user that is erased, and ends what it holds: its delegations,
// and its API tokens on any account. From the first step on none of them opens
// anything; they end so that nobody lists them as live.
func (d *Dispatcher) leaveAll(ctx context.Context, call Call, userID string) error {
	if _, err := Execute(ctx, d, call.Step("close"), closeErasedUser(userID)); err != nil {
		return err
	}
	held, err := d.about(ctx, delegation.Decider.Category, userID)
	if err != nil {
		return err
	}
	for _, id := range held {
		_, err := Execute(ctx, d, call.Step("leave "+id), leaveAccount{id: id, user: userID})
		if err != nil && !errors.Is(err, delegation.ErrMissing) { // another's by now
			return err
		}
	}
	tokens, err := d.about(ctx, apitoken.Decider.Category, userID)
	if err != nil {
		return err
	}
	for _, id := range tokens {
		if _, err := d.RevokeToken(ctx, call.Step("revoke "+id), RevokeToken{TokenID: id}); err != nil {
			return err
		}
	}
	return nil
}

type closeErasedUser string

func (c closeErasedUser) Target() user.Target         { return user.Decider.At(string(c)) }
func (closeErasedUser) Permission() domain.Permission { return delegation.System }

func (closeErasedUser) Decide(u user.User, _ Env) ([]user.Event, error) { return u.CloseErased() }

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

// eraseAgain is how soon an erasure is gone through again that was widened.
const eraseAgain = time.Second

// CompleteErasure ends an erasure once no process holds one of its keys any
// more, and the log holds nothing else of it; before, it answers after how long
// to begin again with EraseSubject.
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
	// Commands that had not seen the closing of the accounts are over by now, of
	// which one may have opened an account again.
	if err := d.closeErased(ctx, call, s.Accounts); err != nil {
		return 0, err
	}
	if widened, err := d.widen(ctx, call, userID); err != nil || widened {
		return eraseAgain, err
	}
	complete := completeErasure{user: userID}
	for _, k := range s.Keys {
		spared, err := d.spared(ctx, s, k.Subject)
		if err != nil {
			return 0, err
		}
		if spared {
			complete.spared = append(complete.spared, k)
		}
	}
	_, err = Execute(ctx, d, call.Step("complete"), complete)
	return 0, err
}

type completeErasure struct {
	user   string
	spared []privacy.Key
}

func (c completeErasure) Target() privacy.Target      { return privacy.Decider.At(c.user) }
func (completeErasure) Permission() domain.Permission { return delegation.System }

func (c completeErasure) Decide(s privacy.Subject, _ Env) ([]privacy.Event, error) {
	return s.Complete(c.spared)
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
	if kept, err := d.onHold(ctx, k.Account); err != nil || kept {
		return holdPause, err
	}
	if spared, err := d.spared(ctx, s, k.Subject); err != nil || spared {
		return 0, err
	}
	return 0, d.destroyKey(ctx, call, userID, k, "retention")
}
