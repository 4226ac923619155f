package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/user"
)

// privacyCmd is for those who answer for people's data.
type privacyCmd struct {
	Erase  privacyEraseCmd  `cmd:"" help:"Erase all that is held about a user and the accounts that it owns, but for what the law wants kept. You have made sure that the person asks."`
	Hold   privacyHoldCmd   `cmd:"" help:"Set a legal hold: nothing of the user is destroyed until it is lifted."`
	Lift   privacyLiftCmd   `cmd:"" help:"Lift the legal hold."`
	Logins privacyLoginsCmd `cmd:"" help:"Print the log-ins of a user, of the last twelve months, also of one that was erased. That they are read is recorded."`
	Unused privacyUnusedCmd `cmd:"" help:"Print who has not logged in for years and has nothing live, so that you warn and then erase them. That it is read is recorded."`
}

// Person names a user.
type Person struct {
	User string `arg:"" help:"The user: its id (usr_…) or its e-mail address."`
}

// id is the user's id.
func (n Person) id(ctx context.Context, p *parts) (string, error) {
	if !strings.Contains(n.User, "@") {
		return n.User, nil
	}
	held, err := commands.Load(ctx, p.dispatcher.Streams(), p.dispatcher.Reserved(reservation.Email, user.NormalEmail(n.User)))
	if err == nil && held.By == "" {
		err = errors.New("no user has this e-mail address")
	}
	return held.By, err
}

// privacyEraseCmd erases a user.
type privacyEraseCmd struct {
	Backends `json:"-"`
	Person
}

// Run erases in the running server, or asks it to.
func (e *privacyEraseCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, e.Backends, c, "privacy-erase", e)
}

// erasePatience is how long the command line waits for the answer.
const erasePatience = 10 * time.Minute

func (e *privacyEraseCmd) work(ctx context.Context, p *parts, t terms) error {
	id, err := e.id(ctx, p)
	if err != nil {
		return err
	}
	if _, err := p.dispatcher.RequestErasureFor(ctx, commandLine(), commands.RequestErasureFor{UserID: id}); err != nil {
		return refusal(err)
	}
	if !p.serving {
		_, err := fmt.Fprintf(t, "the erasure of %s is asked for; it is answered and carried out when the server runs\n", id)
		return err
	}
	t.Say("Reading what is held.")
	ctx, cancel := context.WithTimeout(ctx, erasePatience)
	defer cancel()
	s, err := p.answered(ctx, id)
	if err != nil {
		return err
	}
	if s.Status == privacy.StatusWithdrawn {
		return errors.New("nothing is erased: the user has withdrawn the request")
	}
	if s.Status == privacy.StatusRefused {
		row, err := p.reader.StaffErasure(ctx, commandLine().Grants, id)
		if err != nil {
			return err
		}
		return fmt.Errorf("nothing is erased: %v", row.Reasons)
	}
	for _, k := range s.Keys {
		if k.After != "" {
			if _, err := fmt.Fprintf(t, "%s data of %s are kept until %s\n", k.Purpose, k.Subject, k.After); err != nil {
				return err
			}
		}
	}
	_, err = fmt.Fprintf(t, "erased %s and %d accounts; copies in other processes are gone within a minute\n", id, len(s.Accounts))
	return err
}

// answered waits until a request is refused, or its keys are destroyed.
func (p *parts) answered(ctx context.Context, id string) (privacy.Subject, error) {
	for {
		s, err := commands.Load(ctx, p.dispatcher.Streams(), privacy.Decider.At(id))
		if err != nil {
			return s, err
		}
		left := s.Status == privacy.StatusSubmitted
		for _, k := range s.Keys {
			left = left || k.After == "" && s.Awaits(k)
		}
		if !left {
			head, err := p.store.Head(ctx)
			if err == nil {
				err = p.runner.Wait(ctx, "erasures", head)
			}
			return s, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return s, fmt.Errorf("the request is not answered yet; it goes on in the server: %w", ctx.Err())
		}
	}
}

// privacyHoldCmd sets a hold.
type privacyHoldCmd struct {
	Backends `json:"-"`
	Person
	Reference string `help:"Number of the case, never a name." required:"" placeholder:"CASE"`
}

// Run sets the hold here or in the running server.
func (h *privacyHoldCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, h.Backends, c, "privacy-hold", h)
}

func (h *privacyHoldCmd) work(ctx context.Context, p *parts, t terms) error {
	id, err := h.id(ctx, p)
	if err != nil {
		return err
	}
	if _, err := commands.Execute(ctx, p.dispatcher, commandLine(), commands.SetLegalHold{UserID: id, Reference: h.Reference}); err != nil {
		return refusal(err)
	}
	_, err = fmt.Fprintf(t, "nothing of %s is destroyed until the hold %s is lifted\n", id, h.Reference)
	return err
}

// privacyLiftCmd lifts a hold.
type privacyLiftCmd struct {
	Backends `json:"-"`
	Person
}

// Run lifts the hold here or in the running server.
func (l *privacyLiftCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, l.Backends, c, "privacy-lift", l)
}

func (l *privacyLiftCmd) work(ctx context.Context, p *parts, t terms) error {
	id, err := l.id(ctx, p)
	if err != nil {
		return err
	}
	if _, err := commands.Execute(ctx, p.dispatcher, commandLine(), commands.LiftLegalHold{UserID: id}); err != nil {
		return refusal(err)
	}
	_, err = fmt.Fprintf(t, "the hold on %s is lifted\n", id)
	return err
}

// privacyLoginsCmd prints log-ins.
type privacyLoginsCmd struct {
	Backends `json:"-"`
	Person
}

// Run reads here or in the running server.
func (l *privacyLoginsCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, l.Backends, c, "privacy-logins", l)
}

func (l *privacyLoginsCmd) work(ctx context.Context, p *parts, t terms) error {
	id, err := l.id(ctx, p)
	if err != nil {
		return err
	}
	u, err := commands.Load(ctx, p.dispatcher.Streams(), user.Decider.At(id))
	if err == nil && !u.Exists() {
		err = user.ErrMissing
	}
	if err != nil {
		return refusal(err)
	}
	sights := []inspection.Sight{{Person: id, What: delegation.StaffAudit}}
	if err := p.dispatcher.RecordReading(ctx, commandLine(), sights); err != nil {
		return fmt.Errorf("record what is read: %w", err)
	}
	const page = 1000
	out := json.NewEncoder(t)
	for before, beforeID := time.Now().Add(time.Hour), ""; ; {
		some, err := p.vault.Logins(ctx, id, before, beforeID, page)
		if err != nil {
			return err
		}
		for _, one := range some {
			if err := out.Encode(one); err != nil {
				return fmt.Errorf("print the log-ins: %w", err)
			}
			before, beforeID = one.At, one.ID
		}
		if len(some) < page {
			return nil
		}
	}
}

// privacyUnusedCmd prints who does not come any more.
type privacyUnusedCmd struct {
	Backends `json:"-"`
	Years    int `help:"How many years without a log-in, and without a use of an API token." default:"2" placeholder:"N"`
}

// Run reads here or in the running server.
func (u *privacyUnusedCmd) Run(ctx context.Context, g *Globals, c *console) error {
	if u.Years < 1 {
		return fmt.Errorf("%w: --years is %d: give 1 or more", errUsage, u.Years)
	}
	return runTool(ctx, g, u.Backends, c, "privacy-unused", u)
}

func (u *privacyUnusedCmd) work(ctx context.Context, p *parts, t terms) error {
	call := commandLine()
	sights := []inspection.Sight{{Account: inspection.Everybody, What: delegation.StaffAccounts}}
	if err := p.dispatcher.RecordReading(ctx, call, sights); err != nil {
		return fmt.Errorf("record what is read: %w", err)
	}
	now := time.Now().UTC()
	since := now.AddDate(-u.Years, 0, 0)
	gone, err := p.vault.Unused(ctx, since)
	if err != nil {
		return err
	}
	last, ids := map[string]time.Time{}, make([]string, len(gone))
	for i, g := range gone {
		last[g.UserID], ids[i] = g.At, g.UserID
	}
	idle, err := p.reader.IdleUsers(ctx, call.Grants, ids, domain.DateOf(now.Year(), now.Month(), now.Day()))
	if err != nil {
		return err
	}
	for _, one := range idle {
		uses, err := p.vault.APITokenUses(ctx, one.Tokens)
		if err != nil {
			return err
		}
		came := last[one.ID]
		for _, used := range uses {
			if used.After(came) {
				came = used
			}
		}
		if !came.Before(since) {
			continue
		}
		if _, err := fmt.Fprintf(t, "%s %s %s\n", came.UTC().Format(time.DateOnly), one.ID, one.Email); err != nil {
			return err
		}
	}
	return nil
}
