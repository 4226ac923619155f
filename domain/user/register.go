package user

import (
	"net/mail"
	"strings"

	"github.com/hostfold/hostfold/domain"
)

// Registered says that a person asked for a log-in and got it. The e-mail
// address is not verified by that.
type Registered struct {
	Email      string `json:"email" personal:"self,profile"`
	Name       string `json:"name" personal:"self,profile"`
	Locale     Locale `json:"locale"`
	Credential string `json:"credential"`
	// Kept is left out of events of version 1.
	Kept Identity `json:"kept,omitzero"`
}

// EventType is the name on disk.
func (Registered) EventType() string { return "user.registered.v2" }

func (e Registered) apply(User) User {
	return User{Email: e.Email, Name: e.Name, Locale: e.Locale, Credential: e.Credential}
}

// Register makes a new user whose password hash is the vault's row credential.
func (u User) Register(email, name string, locale Locale, credential string) ([]Event, error) {
	if u.Exists() {
		return nil, ErrExists
	}
	var c domain.Check
	e := Registered{Email: checkEmail(&c, email), Name: c.Line("name", name, 100), Locale: locale, Credential: credential}
	c.That(locale.Valid(), "locale", `must be "fr" or "en"`)
	if err := c.Err(); err != nil {
		return nil, err
	}
	e.Kept = Identity{Name: e.Name, Email: e.Email}
	return []Event{e}, nil
}

// CheckEmail is the trimmed address, or a refusal of the field email.
func CheckEmail(email string) (string, error) {
	var c domain.Check
	email = checkEmail(&c, email)
	return email, c.Err()
}

func checkEmail(c *domain.Check, email string) string {
	email = c.Line("email", email, 254)
	if email == "" {
		return email
	}
	a, err := mail.ParseAddress(email)
	plain := err == nil && a.Name == "" && a.Address == email
	_, host, _ := strings.Cut(email, "@")
	c.That(plain && strings.Contains(host, ".") && !strings.Contains(host, "["), "email", "must be an address such as name@example.com")
	return email
}
