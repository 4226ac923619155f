package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
)

// UpdateAccount changes what is given of an account's profile and of the mail
// that it gets.
type UpdateAccount struct {
	AccountID string           `json:"-"`
	Name      *string          `json:"name,omitempty"`
	Country   *string          `json:"country,omitempty"`
	Address   *account.Address `json:"address,omitempty"`
	// Communication switches classes of mail on and off.
	Communication *account.Choice `json:"communication,omitempty"`
}

// Target is the account.
func (c UpdateAccount) Target() account.Target { return account.Decider.At(c.AccountID) }

// Permission is that of writing the profile.
func (UpdateAccount) Permission() domain.Permission { return delegation.ProfileWrite }

// Decide changes the profile and the choice of mail, both or none.
func (c UpdateAccount) Decide(a account.Account, _ Env) ([]account.Event, error) {
	changed, err := a.ChangeProfile(c.Name, c.Country, c.Address)
	if err != nil || c.Communication == nil {
		return changed, err
	}
	chosen, err := a.ChooseCommunication(*c.Communication)
	if err != nil {
		return nil, err
	}
	return append(changed, chosen...), nil
}
