package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
)

// AmendContact changes what is given of a contact. Another address gets a mail
// and has to be verified anew.
type AmendContact struct {
	ContactID string `json:"-"`
	contact.Amendment
}

// Target is the contact.
func (c AmendContact) Target() contact.Target { return contact.Decider.At(c.ContactID) }

// Permission is that of managing contacts.
func (AmendContact) Permission() domain.Permission { return delegation.ContactsManage }

// NeedsVerifiedEmail is as for a new contact.
func (AmendContact) NeedsVerifiedEmail() {}

// Decide changes the contact.
func (c AmendContact) Decide(at contact.Contact, _ Env) ([]contact.Event, error) {
	if contactErased(at) {
		return nil, eventstore.ErrSubjectErased
	}
	return at.Amend(c.Amendment)
}

// contactErased reports whether the contact's data are gone.
func contactErased(c contact.Contact) bool { return c.Details.Email == eventstore.Erased }
