package user

import "github.com/hostfold/hostfold/domain"

// PasswordChanged says that another credential of the vault holds from now on;
// the user's other sessions end with it, and so do all mailed links that would
// set a password.
type PasswordChanged struct {
	Credential string `json:"credential"`
}

// EventType is the name on disk.
func (PasswordChanged) EventType() string { return "user.password_changed.v1" }

func (e PasswordChanged) apply(u User) User {
	u.Credential = e.Credential
	return u
}

// ChangePassword makes the vault's row credential the current one, if the
// current one is still that whose password the caller has checked.
func (u User) ChangePassword(checked, credential string) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	switch u.Credential {
	case credential:
		return nil, nil
	case checked:
		return []Event{PasswordChanged{Credential: credential}}, nil
	}
	return nil, ErrPasswordMoved
}

// ErrPasswordMoved says that the password was changed by somebody else between
// its check and its change.
var ErrPasswordMoved = domain.Conflict("password_changed", "The password was changed meanwhile; log in with the new one.")

// PasswordResetRequested says that somebody asked for a mail with which to set
// a new password. It is written at most once per quarter of an hour.
type PasswordResetRequested struct{}

// EventType is the name on disk.
func (PasswordResetRequested) EventType() string { return "user.password_reset_requested.v1" }

func (PasswordResetRequested) apply(u User) User { return u }

// RequestPasswordReset notes that a mail is wanted. Whom it is refused to, a
// stranger must not learn; the caller swallows it.
func (u User) RequestPasswordReset() ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	return []Event{PasswordResetRequested{}}, nil
}

// ResetPassword makes the vault's row credential the current one for who reads
// the mail of an address. The mail counts while the credential that was
// current when it was written still is, and while the address still is the
// user's. Reading the mail verifies the address, too. If nobody has shown before
// to read it and to know the password, what there is may be of a stranger who
// registered the address: the log-in is taken over without second factors. Those
// that came after somebody had shown to read the mail stay: mail alone does not
// take them away. The address is not proven whole then, since they may be a
// stranger's yet.
func (u User) ResetPassword(mailedTo, while, credential string) ([]Event, error) {
	if u.live() != nil || u.Credential != while || NormalEmail(u.Email) != NormalEmail(mailedTo) {
		return nil, ErrToken
	}
	events := []Event{PasswordChanged{Credential: credential}}
	if u.Proven() || u.Verified && u.HasSecondFactor() {
		return events, nil
	}
	if u.Verified || u.HasSecondFactor() || u.PendingTOTP != "" {
		events = append(events, FactorsReset{})
	}
	return append(events, EmailVerified{Email: u.Email}), nil
}
