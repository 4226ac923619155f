package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
)

// SetBillingIdentity says whom an account's invoices are made out to.
type SetBillingIdentity struct {
	AccountID string `json:"-"`
	account.BillingIdentity
}

// Target is the account.
func (c SetBillingIdentity) Target() account.Target { return account.Decider.At(c.AccountID) }

// Permission is that of writing the profile.
func (SetBillingIdentity) Permission() domain.Permission { return delegation.ProfileWrite }

// Decide sets it.
func (c SetBillingIdentity) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.SetBillingIdentity(c.BillingIdentity)
}
