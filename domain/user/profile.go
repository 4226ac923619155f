package user

import "github.com/hostfold/hostfold/domain"

// ProfileUpdated says how the user is called and in which language from now on.
type ProfileUpdated struct {
	Name   string `json:"name" personal:"self,profile"`
	Locale Locale `json:"locale"`
	// Kept is left out of events of version 1.
	Kept Identity `json:"kept,omitzero"`
}

// EventType is the name on disk.
func (ProfileUpdated) EventType() string { return "user.profile_updated.v2" }

func (e ProfileUpdated) apply(u User) User {
	u.Name, u.Locale = e.Name, e.Locale
	return u
}

// ChangeProfile changes what is given; nil leaves a field as it is.
func (u User) ChangeProfile(name *string, locale *Locale) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	var c domain.Check
	e := ProfileUpdated{Name: u.Name, Locale: u.Locale}
	if name != nil {
		e.Name = c.Line("name", *name, 100)
	}
	if locale != nil {
		e.Locale = *locale
		c.That(e.Locale.Valid(), "locale", `must be "fr" or "en"`)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if e.Name == u.Name && e.Locale == u.Locale {
		return nil, nil
	}
	e.Kept = Identity{Name: e.Name, Email: u.Email}
	return []Event{e}, nil
}
