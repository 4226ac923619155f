package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// StartImpersonation lets a staff member act for an account in its session.
type StartImpersonation struct {
	AccountID string `json:"-"`
	// Session is the one that asks, and the only one that acts.
	Session string `json:"-"`
	Reason  string `json:"reason" maxLength:"300" doc:"What the customer reads."`
	Ticket  string `json:"ticket,omitempty" maxLength:"64" doc:"The id of the account's ticket that asks for it."`
	Consent bool   `json:"consent,omitempty" doc:"The customer has agreed otherwise; needed without a ticket."`
	Minutes int    `json:"minutes,omitempty" doc:"1 to 60; 30 without it."`
}

// StartImpersonation writes the fact, which the customer is told, and lets the
// session act then.
func (d *Dispatcher) StartImpersonation(ctx context.Context, call Call, cmd StartImpersonation) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := authorise(call, delegation.StaffImpersonate, delegation.Resource{Kind: account.Decider.Category, ID: cmd.AccountID}); err != nil {
		return Receipt{}, err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(call.Grants.User))
	if err != nil {
		return Receipt{}, err
	}
	if err := RequireFresh(call, u); err != nil {
		return Receipt{}, err
	}
	now := call.Grants.Impersonation
	switch grant, own := call.Grants.Accounts[cmd.AccountID]; {
	case now != nil && now.ID != NewID(call.CommandID, "imp"):
		return Receipt{}, impersonation.ErrOn
	case own && grant.Impersonation == "":
		return Receipt{}, impersonation.ErrOwn
	case cmd.Session == "":
		return Receipt{}, domain.ErrDenied // a session is what acts
	}
	receipt, err := Execute(ctx, d, call, startImpersonation{StartImpersonation: cmd})
	if err != nil {
		return Receipt{}, err
	}
	begun, err := Load(ctx, d.Streams(), impersonation.Decider.At(receipt.ID))
	if err != nil || !begun.On(d.Clock()) {
		return receipt, err // a repeat of one that is over
	}
	acts, err := d.Vault.Impersonate(ctx, call.Grants.User, cmd.Session, receipt.ID, cmd.AccountID, begun.Until)
	if err == nil && !acts {
		on, err := d.Vault.Impersonations(ctx, call.Grants.User, "")
		if err != nil || slices.ContainsFunc(on, func(i vault.Impersonation) bool { return i.ID == receipt.ID }) {
			return Receipt{}, errors.Join(err, impersonation.ErrOn) // in another session, which began it
		}
	}
	if err != nil {
		// It may have been done without an answer. The end is written when the
		// rights are gone for sure, else it is on until its time.
		stopped := d.Vault.StopImpersonating(ctx, call.Grants.User, receipt.ID)
		if stopped != nil {
			return Receipt{}, errors.Join(err, stopped)
		}
	}
	if err == nil && !acts {
		err = impersonation.ErrOn
	}
	if err != nil {
		_, failed := Execute(ctx, d, call.Step("broken start"), endImpersonation{receipt.ID, impersonation.ByBrokenStart})
		return Receipt{}, errors.Join(err, failed)
	}
	// Who closed the account meanwhile has ended those that there were, but not
	// this one.
	a, err := Load(ctx, d.Streams(), account.Decider.At(cmd.AccountID))
	if err == nil {
		err = a.MayChange()
	}
	if err != nil {
		return Receipt{}, errors.Join(err, d.stopActingFor(ctx, call, cmd.AccountID, impersonation.ByClosing))
	}
	return receipt, nil
}

type startImpersonation struct {
	StartImpersonation
	id string
	// account and ticket are what the ids stand for.
	account account.Account
	ticket  ticket.Ticket
}

func (c startImpersonation) Target() impersonation.Target { return impersonation.Decider.At(c.id) }
func (startImpersonation) Permission() domain.Permission  { return delegation.StaffImpersonate }

func (c startImpersonation) life() time.Duration { return time.Duration(c.Minutes) * time.Minute }

// Identify draws the impersonation's id.
func (c startImpersonation) Identify(newID func(string) string) startImpersonation {
	c.id = newID("imp")
	return c
}

// Gather reads the account and the ticket.
func (c startImpersonation) Gather(ctx context.Context, s Streams) (startImpersonation, error) {
	var err error
	if c.account, err = Load(ctx, s, account.Decider.At(c.AccountID)); err != nil || c.Ticket == "" {
		return c, err
	}
	c.ticket, err = Load(ctx, s, ticket.Decider.At(c.Ticket))
	return c, err
}

func (c startImpersonation) Decide(i impersonation.Impersonation, env Env) ([]impersonation.Event, error) {
	switch {
	case c.account.Owner == "":
		return nil, domain.Missing("account")
	case c.account.MayChange() != nil: // there is nothing to do for a closed one
		return nil, c.account.MayChange()
	case c.Ticket != "" && c.ticket.OwnerAccount() != c.AccountID:
		return nil, domain.Invalid("ticket", "must be a ticket of the account")
	}
	return i.Start(impersonation.Started{
		Account: c.AccountID, Staff: env.Actor.ID, Reason: c.Reason, Ticket: c.Ticket, Consent: c.Consent,
	}, c.life(), env.Now)
}

// StopImpersonation ends what the session does for an account.
type StopImpersonation struct {
	AccountID string `json:"-"`
}

// StopImpersonation takes the rights first and writes the fact then.
func (d *Dispatcher) StopImpersonation(ctx context.Context, call Call, cmd StopImpersonation) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := authorise(call, delegation.StaffImpersonate, delegation.Resource{Kind: account.Decider.Category, ID: cmd.AccountID}); err != nil {
		return Receipt{}, err
	}
	on := call.Grants.Impersonation
	if on == nil || on.Account != cmd.AccountID {
		return Receipt{}, impersonation.ErrMissing
	}
	end := endImpersonation{on.ID, impersonation.ByStaff}
	f, err := fold(ctx, d.Streams(), end.Target(), uuid.Nil, folded[impersonation.Impersonation]{})
	if err != nil {
		return Receipt{}, err
	}
	if call.stale(f.count) {
		return Receipt{}, domain.ErrStale // before the session acts no more
	}
	if err := d.Vault.StopImpersonating(ctx, call.Grants.User, on.ID); err != nil {
		return Receipt{}, err
	}
	return Execute(ctx, d, call, end)
}

type endImpersonation struct {
	id string
	by impersonation.By
}

func (c endImpersonation) Target() impersonation.Target { return impersonation.Decider.At(c.id) }

// Permission is staff's where a staff member ends it, and the system's else.
func (c endImpersonation) Permission() domain.Permission {
	if c.by == impersonation.ByStaff {
		return delegation.StaffImpersonate
	}
	return delegation.System
}

func (c endImpersonation) Decide(i impersonation.Impersonation, env Env) ([]impersonation.Event, error) {
	return i.End(c.by, env.Now)
}

// stopActingFor ends what staff do for an account that is closed, or another's.
func (d *Dispatcher) stopActingFor(ctx context.Context, call Call, accountID string, by impersonation.By) error {
	ended, err := d.Vault.StopActingFor(ctx, accountID)
	if err != nil {
		return err
	}
	return d.noteEnded(ctx, call, ended, by)
}

// noteEnded writes that impersonations of sessions which have ended are over.
func (d *Dispatcher) noteEnded(ctx context.Context, call Call, ended []vault.Impersonation, by impersonation.By) error {
	for _, on := range ended {
		end := call.Step("end " + on.ID)
		end.Account, end.OnBehalfOf = on.Account, on.Account
		if _, err := Execute(ctx, d, end, endImpersonation{on.ID, by}); err != nil {
			return err
		}
	}
	return nil
}

// ExpireImpersonation notes that an impersonation's time is over. A process
// manager calls it at that time; nobody had the rights from then on anyway.
func (d *Dispatcher) ExpireImpersonation(ctx context.Context, call Call, id string) error {
	i, err := Load(ctx, d.Streams(), impersonation.Decider.At(id))
	if err != nil {
		return err
	}
	call.Account = i.Account
	_, err = Execute(ctx, d, call, endImpersonation{id, impersonation.ByTime})
	return err
}

// MailImpersonation tells an account's owner, by mail and under the bell, that
// staff have begun to act for the account.
func (d *Dispatcher) MailImpersonation(ctx context.Context, call Call, cause uuid.UUID, id string) error {
	begun, meta, err := factOf(ctx, d.Streams(), impersonation.Decider.At(id), func(impersonation.Started, eventstore.Meta) bool { return true })
	if err != nil || begun.Reason == eventstore.Erased {
		return err
	}
	a, err := Load(ctx, d.Streams(), account.Decider.At(begun.Account))
	if err != nil {
		return err
	}
	owner, err := Load(ctx, d.Streams(), user.Decider.At(a.Owner))
	if err != nil || !owner.Exists() || owner.IsClosed || owner.Email == eventstore.Erased {
		return err
	}
	mail, err := d.Mails.Impersonation(a.Owner, owner, a.Name, begun, meta.OccurredAt)
	if err != nil {
		return err
	}
	if _, err := Execute(ctx, d, call.Step("mail"), QueueMessage{MessageID: MessageID(cause, mail.Template, a.Owner), Mail: mail}); err != nil {
		return err
	}
	title, body := d.Mails.ImpersonationNotice(owner, begun)
	bell := call.Step("bell")
	bell.Account = begun.Account
	_, err = Execute(ctx, d, bell, Notify{AccountID: begun.Account, Class: notification.Security, Title: title, Body: body})
	return err
}
