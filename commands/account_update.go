package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
)

// UpdateAccount changes what is given of an account's profile.
type UpdateAccount struct {
	AccountID string           `json:"-"`
	Name      *string          `json:"name,omitempty"`
	Country   *string          `json:"country,omitempty"`
	Address   *account.Address `json:"address,omitempty"`
}

// Target is the account.
func (c UpdateAccount) Target() account.Target { return account.Decider.At(c.AccountID) }

// Permission is that of writing the profile.
func (UpdateAccount) Permission() domain.Permission { return delegation.ProfileWrite }

// Decide changes the profile.
func (c UpdateAccount) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.ChangeProfile(c.Name, c.Country, c.Address)
}
