package user

import "github.com/hostfold/hostfold/domain"

// EmailVerified says that somebody has shown to read the mail of the user's
// address, or that who made the user vouches for it.
type EmailVerified struct {
	Email string `json:"email" personal:"self,profile"`
	// Apart is true when that was shown outside of the user's sessions: who reads
	// the mail may be another than who knows the password.
	Apart bool `json:"apart,omitempty"`
}

// EventType is the name on disk.
func (EmailVerified) EventType() string { return "user.email_verified.v2" }

func (e EmailVerified) apply(u User) User {
	u.Verified, u.Apart = true, e.Apart
	return u
}

// ErrToken says that a mailed link does nothing any more. It does not say why,
// since whoever has no link that holds is a stranger.
var ErrToken = &domain.Error{
	Kind: domain.KindInvalid, Code: "invalid_token",
	Detail: "This link was used before or has expired; ask for a new mail.",
	Fields: []domain.FieldError{{Field: "token", Message: "is used, expired or wrong"}},
}

// VerifyEmail notes that a mail to an address was read, in a session of the user
// or apart from it. One to an address that the user has no more does nothing.
// Second factors that there are before anybody has shown to read the mail may be
// of a stranger who registered the address: who reads it apart removes them.
func (u User) VerifyEmail(mailedTo string, apart bool) ([]Event, error) {
	switch {
	case u.live() != nil, NormalEmail(u.Email) != NormalEmail(mailedTo):
		return nil, ErrToken
	case u.Proven(), u.Verified && apart:
		return nil, nil
	}
	var events []Event
	if apart && (u.HasSecondFactor() || u.PendingTOTP != "") {
		events = append(events, FactorsReset{})
	}
	return append(events, EmailVerified{Email: u.Email, Apart: apart}), nil
}

// EmailChanged says that the user has another address, which is verified: the
// change was confirmed by a mail to it, whose link was followed in a session.
type EmailChanged struct {
	Email    string `json:"email" personal:"self,profile"`
	Previous string `json:"previous" personal:"self,profile"`
	// Kept is left out of events of version 1.
	Kept Identity `json:"kept,omitzero"`
}

// EventType is the name on disk.
func (EmailChanged) EventType() string { return "user.email_changed.v2" }

func (e EmailChanged) apply(u User) User {
	u.Email, u.Verified, u.Apart = e.Email, true, false
	return u
}

// ChangeEmail makes an address whose mail was read the user's.
func (u User) ChangeEmail(mailedTo string) ([]Event, error) {
	switch {
	case u.live() != nil:
		return nil, ErrToken
	case u.Email == mailedTo && u.Verified:
		return nil, nil
	}
	return []Event{EmailChanged{Email: mailedTo, Previous: u.Email, Kept: Identity{Name: u.Name, Email: mailedTo}}}, nil
}
