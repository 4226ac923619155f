package commands

import (
	"context"
	"errors"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
)

// holdFor is how long a value is kept for a command that does not finish.
const holdFor = 10 * time.Minute

// Reserved is the reservation of a normalised value; its id does not tell it.
func (d *Dispatcher) Reserved(kind reservation.Kind, value string) reservation.Target {
	return reservation.Decider.At(d.Pepper.Reservation(string(kind), value))
}

// hold keeps a value for by until take; reservation.ErrTaken when it is
// somebody else's. It is decided anew every time: that an earlier try of the
// same command held the value says nothing once that hold has expired.
func (d *Dispatcher) hold(ctx context.Context, call Call, kind reservation.Kind, value, by string) error {
	step := "hold " + string(kind) + " " + d.Clock().UTC().Format(time.RFC3339Nano)
	_, err := Execute(ctx, d, call.Step(step), holdValue{at: d.Reserved(kind, value), kind: kind, by: by, pepper: d.Pepper})
	return err
}

// take makes a held value by's for good.
func (d *Dispatcher) take(ctx context.Context, call Call, kind reservation.Kind, value, by string) error {
	_, err := Execute(ctx, d, call.Step("take "+string(kind)), takeValue{at: d.Reserved(kind, value), by: by})
	return err
}

// FinishHold takes a held value for its holder, when the holder's own stream is
// there: a crash came between the two. A hold whose command never got that far
// is left to expire. While the command may still come to write its stream, open
// is true and the hold has to be looked at again: else it would expire under
// its holder, and somebody else could get the value as well.
func (d *Dispatcher) FinishHold(ctx context.Context, call Call, id string) (open bool, err error) {
	at := reservation.Decider.At(id)
	held, err := Load(ctx, d.Streams(), at)
	if err != nil || held.Until.IsZero() {
		return false, err
	}
	there, err := d.Streams().has(ctx, d.Pepper, held, id)
	if err != nil || !there {
		// No command runs for half as long as a hold lasts.
		return d.Clock().Before(held.Until.Add(-holdFor / 2)), err
	}
	_, err = Execute(ctx, d, call.Step("take "+string(held.Kind)), takeValue{at: at, by: held.By})
	return false, err
}

// holders are the categories of the streams that values are held for.
var holders = map[reservation.Kind]string{
	reservation.Email:        user.Decider.Category,
	reservation.DomainName:   domainname.Decider.Category,
	reservation.TicketNumber: ticket.Decider.Category,
	reservation.ProductCode:  product.Decider.Category,
}

// has reports whether the holder of a value, kept for it or once kept, has come
// to have it. A user has one address at a time: that its stream is there says
// nothing of another one.
func (s Streams) has(ctx context.Context, pepper vault.Pepper, held reservation.Reservation, id string) (bool, error) {
	if held.Kind != reservation.Email {
		return s.exists(ctx, holders[held.Kind]+"-"+held.By)
	}
	u, err := Load(ctx, s, user.Decider.At(held.By))
	return u.Exists() && !u.IsClosed && pepper.Reservation(string(held.Kind), user.NormalEmail(u.Email)) == id, err
}

func (s Streams) exists(ctx context.Context, stream string) (bool, error) {
	for _, err := range s.store.ReadStream(ctx, stream, 0) {
		return err == nil, storeError("look for "+stream, err)
	}
	return false, nil
}

type holdValue struct {
	at   reservation.Target
	kind reservation.Kind
	by   string

	pepper vault.Pepper
	// owned is true when another holder has come to have the value: that its
	// hold has expired says only that nobody has taken the value for it yet.
	owned bool
}

func (c holdValue) Target() reservation.Target  { return c.at }
func (holdValue) Permission() domain.Permission { return delegation.System }

// Gather looks whether another holder has come to be.
func (c holdValue) Gather(ctx context.Context, s Streams) (holdValue, error) {
	r, err := Load(ctx, s, c.at)
	if err == nil && r.By != "" && r.By != c.by {
		c.owned, err = s.has(ctx, c.pepper, r, c.at.ID)
	}
	return c, err
}

func (c holdValue) Decide(r reservation.Reservation, env Env) ([]reservation.Event, error) {
	if c.owned {
		return nil, reservation.ErrTaken
	}
	return r.Hold(c.kind, c.by, env.Now.Add(holdFor), env.Now)
}

type takeValue struct {
	at reservation.Target
	by string
}

func (c takeValue) Target() reservation.Target  { return c.at }
func (takeValue) Permission() domain.Permission { return delegation.System }

func (c takeValue) Decide(r reservation.Reservation, _ Env) ([]reservation.Event, error) {
	return r.Take(c.by)
}

// free gives an e-mail address up. That somebody else has it by now is as good.
func (d *Dispatcher) free(ctx context.Context, call Call, email, by string) error {
	_, err := Execute(ctx, d, call.Step("free "+string(reservation.Email)), freeValue{at: d.Reserved(reservation.Email, email), by: by})
	if errors.Is(err, reservation.ErrTaken) {
		return nil
	}
	return err
}

type freeValue struct {
	at reservation.Target
	by string
}

func (c freeValue) Target() reservation.Target  { return c.at }
func (freeValue) Permission() domain.Permission { return delegation.System }

func (c freeValue) Decide(r reservation.Reservation, _ Env) ([]reservation.Event, error) {
	return r.Free(c.by)
}
