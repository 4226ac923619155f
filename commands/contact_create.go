package commands

import (
	"cmp"
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
)

// CreateContact makes a contact of an account; its address gets a mail.
type CreateContact struct {
	ContactID string `json:"-"`
	AccountID string `json:"-"`
	contact.Details
}

// Identify gives the contact its id.
func (c CreateContact) Identify(newID func(kind string) string) CreateContact {
	c.ContactID = cmp.Or(c.ContactID, newID("ctc"))
	return c
}

// Target is the new contact.
func (c CreateContact) Target() contact.Target { return contact.Decider.At(c.ContactID) }

// Permission is that of managing contacts.
func (CreateContact) Permission() domain.Permission { return delegation.ContactsManage }

// NeedsVerifiedEmail bars who has not shown to read mail from having some sent.
func (CreateContact) NeedsVerifiedEmail() {}

// Gather refuses an account that is not there.
func (c CreateContact) Gather(ctx context.Context, s Streams) (CreateContact, error) {
	return c, mustBeOpen(ctx, s, c.AccountID)
}

// Decide makes the contact.
func (c CreateContact) Decide(at contact.Contact, env Env) ([]contact.Event, error) {
	if c.AccountID != env.Account {
		return nil, account.ErrMissing
	}
	return at.Create(c.AccountID, c.Details)
}
