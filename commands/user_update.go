package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
)

// UpdateUser changes what is given of the caller's own profile.
type UpdateUser struct {
	UserID string       `json:"-"`
	Name   *string      `json:"name,omitempty"`
	Locale *user.Locale `json:"locale,omitempty"`
}

// Target is the user.
func (c UpdateUser) Target() user.Target { return user.Decider.At(c.UserID) }

// Permission is being that user.
func (UpdateUser) Permission() domain.Permission { return delegation.Self }

// Decide changes the profile.
func (c UpdateUser) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.ChangeProfile(c.Name, c.Locale)
}
