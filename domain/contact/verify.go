package contact

import "github.com/hostfold/hostfold/domain/user"

// EmailVerified says that somebody has shown to read the mail of the contact's
// address, and wants to be a contact.
type EmailVerified struct {
	Email string `json:"email" personal:"self,profile"`
}

// EventType is the name on disk.
func (EmailVerified) EventType() string { return "contact.email_verified.v1" }

// Public leaves the address to the list of contacts.
func (EmailVerified) Public() any { return struct{}{} }

func (EmailVerified) apply(c Contact) Contact {
	c.Verified = true
	return c
}

// VerifyEmail notes that a mail to an address was read. One to an address that
// the contact has no more does nothing.
func (c Contact) VerifyEmail(mailedTo string) ([]Event, error) {
	switch {
	case c.live() != nil, !c.reads(mailedTo):
		return nil, user.ErrToken
	case c.Verified:
		return nil, nil
	}
	return []Event{EmailVerified{Email: c.Details.Email}}, nil
}

// reads reports whether the address is the contact's.
func (c Contact) reads(email string) bool {
	return user.NormalEmail(c.Details.Email) == user.NormalEmail(email)
}
