package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// RequestFactorReset begins the way back for a user who lost every second
// factor. Mail alone never opens it: staff have made sure who asks, the user is
// told at all its addresses, and nothing happens for a day.
type RequestFactorReset struct {
	UserID string `json:"-"`
	Reason string `json:"reason" doc:"How you made sure that it is this person, for the record; the user is not told of it, but finds it in its export."`
}

// AwaitedFactorReset is a reset that waits.
type AwaitedFactorReset struct {
	ID            string    `json:"id"`
	TakesEffectAt time.Time `json:"takes_effect_at" doc:"When the second factors are removed, unless somebody cancels it."`
}

// ErrStaffFactors says that staff's second factors are not reset from afar:
// else one stolen session of staff would open the others.
var ErrStaffFactors = domain.Conflict("staff_factors", "This is a staff member: reset its second factors on the machine, with hostfold staff reset-factor.")

// RequestFactorReset is for staff who have proven themselves lately.
func (d *Dispatcher) RequestFactorReset(ctx context.Context, call Call, cmd RequestFactorReset) (Receipt, AwaitedFactorReset, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	request := requestFactorReset{user: cmd.UserID, reset: NewID(call.CommandID, "rst"), reason: cmd.Reason}
	target := request.Target()
	if err := authorise(call, request.Permission(), delegation.Resource{Kind: target.Decider.Category, ID: target.ID}); err != nil {
		return Receipt{}, AwaitedFactorReset{}, err
	}
	if err := d.requireFresh(ctx, call); err != nil {
		return Receipt{}, AwaitedFactorReset{}, err
	}
	receipt, err := Execute(ctx, d, call, request)
	if err != nil {
		return Receipt{}, AwaitedFactorReset{}, err
	}
	fact, _, err := eventOf[user.FactorResetRequested](ctx, d.Streams(), target, eventID(call.CommandID, receipt.Stream, 0))
	return receipt, AwaitedFactorReset{ID: fact.Reset, TakesEffectAt: fact.TakesEffectAt}, err
}

type requestFactorReset struct {
	user, reset, reason string
	worker
}

func (c requestFactorReset) Target() user.Target         { return user.Decider.At(c.user) }
func (requestFactorReset) Permission() domain.Permission { return delegation.StaffAccounts }

// Gather looks whether the user is staff.
func (c requestFactorReset) Gather(ctx context.Context, s Streams) (requestFactorReset, error) {
	var err error
	c.worker, err = workerOf(ctx, s, c.user)
	return c, err
}

func (c requestFactorReset) Decide(u user.User, env Env) ([]user.Event, error) {
	if c.of(u, env.Now) {
		return nil, ErrStaffFactors
	}
	return u.RequestFactorReset(c.reset, c.reason, env.Now, user.FactorResetWait)
}

// CancelFactorReset lets a user keep its second factors, for staff.
type CancelFactorReset struct {
	UserID string `json:"-"`
}

// Target is the user.
func (c CancelFactorReset) Target() user.Target { return user.Decider.At(c.UserID) }

// Permission is staff's.
func (CancelFactorReset) Permission() domain.Permission { return delegation.StaffAccounts }

// Decide cancels the reset.
func (CancelFactorReset) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.CancelFactorReset("", user.CancelledByStaff)
}

// KeepOwnFactors cancels the reset of the caller's own second factors. It needs
// no confirmation: it only keeps a door shut.
type KeepOwnFactors struct {
	UserID string `json:"-"`
}

// Target is the caller.
func (c KeepOwnFactors) Target() user.Target { return user.Decider.At(c.UserID) }

// Permission is being that user.
func (KeepOwnFactors) Permission() domain.Permission { return delegation.Self }

// Decide cancels the reset.
func (KeepOwnFactors) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.CancelFactorReset("", user.CancelledByUser)
}

// StopFactorReset follows the link of a mail that warned of a reset.
type StopFactorReset struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// StopFactorReset cancels the reset that the mail warned of, and no later one.
func (d *Dispatcher) StopFactorReset(ctx context.Context, call Call, cmd StopFactorReset) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	followed, err := d.follow(ctx, cmd.Token, cmd.IP)
	if err == nil && followed.Purpose != vault.CancelFactorReset {
		err = user.ErrToken
	}
	if err != nil {
		return Receipt{}, err
	}
	id := followed.UserID
	receipt, err := Execute(ctx, d, call.as(id).Step("stop reset"), cancelReset{id, followed.Credential, user.CancelledByLink})
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.Vault.EndMailTokens(ctx, id, vault.CancelFactorReset)
}

type cancelReset struct {
	user, reset string
	by          user.Canceller
}

func (c cancelReset) Target() user.Target         { return user.Decider.At(c.user) }
func (cancelReset) Permission() domain.Permission { return delegation.System }

func (c cancelReset) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.CancelFactorReset(c.reset, c.by)
}

// keepFactors cancels a reset because a second factor was shown.
func (d *Dispatcher) keepFactors(ctx context.Context, call Call, id, reset string) error {
	_, err := Execute(ctx, d, call.as(id).Step("factor shown"), cancelReset{id, reset, user.CancelledByFactor})
	if errors.Is(err, user.ErrNoReset) {
		return nil
	}
	return err
}

// FinishFactorReset carries a reset out whose time has come: second factors
// and sessions are gone. One that was cancelled does nothing. A process manager
// calls it at its time.
func (d *Dispatcher) FinishFactorReset(ctx context.Context, call Call, id, reset string) error {
	u, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err != nil {
		return err
	}
	finish, err := finishFactorReset{user: id, reset: reset}.Gather(ctx, d.Streams())
	if err != nil {
		return err
	}
	events, err := finish.Decide(u, Env{Now: d.Clock()})
	if err == nil && len(events) > 0 {
		_, err = d.withoutFactors(ctx, id, u, events, func() (Receipt, error) { return Execute(ctx, d, call, finish) })
	}
	if errors.Is(err, ErrStaffFactors) { // who was hired meanwhile is reset on the machine alone
		_, err = Execute(ctx, d, call.Step("hired meanwhile"), cancelReset{id, reset, user.CancelledByStaff})
	}
	return err
}

// withoutFactors makes a change after which a user has no sessions, nor the
// second factors that the events take away.
func (d *Dispatcher) withoutFactors(ctx context.Context, id string, u user.User, events []user.Event, change func() (Receipt, error)) (Receipt, error) {
	return endingSessions(ctx, d, id, "", func() (Receipt, error) { return d.giveUp(ctx, id, u, events, change) })
}

// FinishTakeOver revokes the API tokens that a user had when its second factors
// were removed and its address was not proven whole, as who takes a log-in over
// has it: a stranger may have made them. A process manager calls it because of
// the event, and may again at any time.
func (d *Dispatcher) FinishTakeOver(ctx context.Context, call Call, id string, cause uuid.UUID) error {
	_, meta, err := eventOf[user.FactorsReset](ctx, d.Streams(), user.Decider.At(id), cause)
	if err != nil {
		return err
	}
	then, err := loadBefore(ctx, d.Streams(), user.Decider.At(id), func(m eventstore.Meta) bool { return m.EventID == cause })
	if err != nil || !then.Apart {
		return err
	}
	return d.revokeTokens(ctx, call, "", id, meta.Position)
}

type finishFactorReset struct {
	user, reset string
	worker
}

func (c finishFactorReset) Target() user.Target         { return user.Decider.At(c.user) }
func (finishFactorReset) Permission() domain.Permission { return delegation.System }

// Gather looks whether the user is staff.
func (c finishFactorReset) Gather(ctx context.Context, s Streams) (finishFactorReset, error) {
	var err error
	c.worker, err = workerOf(ctx, s, c.user)
	return c, err
}

func (c finishFactorReset) Decide(u user.User, env Env) ([]user.Event, error) {
	events, err := u.ResetFactors(c.reset, env.Now)
	if err == nil && len(events) > 0 && c.of(u, env.Now) {
		return nil, ErrStaffFactors
	}
	return events, err
}

// ResetStaffFactors removes every second factor of a staff member at once, for
// who runs the system: the way back when the last admin lost everything.
type ResetStaffFactors struct {
	UserID string
	Reason string
}

// ErrNoStaff says that a user is no staff member.
var ErrNoStaff = domain.Conflict("not_staff", "This user is no staff member: staff reset its second factors, and the user is told a day before.")

// ResetStaffFactors ends the member's sessions, too.
func (d *Dispatcher) ResetStaffFactors(ctx context.Context, call Call, cmd ResetStaffFactors) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	reset := resetStaffFactors{cmd.UserID, NewID(call.CommandID, "rst"), cmd.Reason}
	err := authorise(call, reset.Permission(), delegation.Resource{Kind: user.Decider.Category, ID: cmd.UserID})
	if err != nil {
		return Receipt{}, err
	}
	member, err := Load(ctx, d.Streams(), staff.Decider.At(cmd.UserID))
	if err == nil && member.Role == "" {
		err = ErrNoStaff
	}
	if err != nil {
		return Receipt{}, err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(cmd.UserID))
	if err != nil {
		return Receipt{}, err
	}
	events, err := reset.Decide(u, Env{Now: d.Clock()})
	if err != nil {
		return Receipt{}, err
	}
	return d.withoutFactors(ctx, cmd.UserID, u, events, func() (Receipt, error) { return Execute(ctx, d, call, reset) })
}

type resetStaffFactors struct{ user, reset, reason string }

func (c resetStaffFactors) Target() user.Target         { return user.Decider.At(c.user) }
func (resetStaffFactors) Permission() domain.Permission { return delegation.System }

func (c resetStaffFactors) Decide(u user.User, env Env) ([]user.Event, error) {
	return u.ResetFactorsNow(c.reset, c.reason, env.Now)
}

// addressesKept is how long an address that a user had is warned, too: whoever
// took a log-in over may have changed the address first.
const addressesKept = 90 * 24 * time.Hour

// MailFactorReset warns every known address of a user of a reset that waits.
// Each mail has a link that cancels it, until it takes effect.
func (d *Dispatcher) MailFactorReset(ctx context.Context, call Call, id string, event uuid.UUID) error {
	target := user.Decider.At(id)
	fact, meta, err := eventOf[user.FactorResetRequested](ctx, d.Streams(), target, event)
	if err != nil {
		return err
	}
	u, err := Load(ctx, d.Streams(), target)
	if err != nil || !reachable(u) || u.Reset.ID != fact.Reset {
		return err
	}
	addresses := []string{u.Email}
	_, _, err = factOf(ctx, d.Streams(), target, func(e user.EmailChanged, m eventstore.Meta) bool {
		had := cmp.Or(e.Previous, eventstore.Erased)
		if had != eventstore.Erased && meta.OccurredAt.Sub(m.OccurredAt) < addressesKept && !slices.Contains(addresses, had) {
			addresses = append(addresses, had)
		}
		return false // all of them
	})
	if err != nil {
		return err
	}
	for i, address := range addresses {
		mail, err := d.Mails.FactorReset(id, u, address, fact.TakesEffectAt)
		if err != nil {
			return err
		}
		token := vault.MailToken{
			ID: MessageID(event, mailtext.FactorReset, fmt.Sprint(id, " ", i)), Purpose: vault.CancelFactorReset,
			UserID: id, Credential: fact.Reset, ExpiresAt: fact.TakesEffectAt,
		}
		if err := d.Vault.AddMailToken(ctx, token); err != nil {
			return err
		}
		if _, err := Execute(ctx, d, call.Step(fmt.Sprint("mail ", i)), QueueMessage{MessageID: token.ID, Mail: mail}); err != nil {
			return err
		}
	}
	return nil
}
