package user

import "github.com/hostfold/hostfold/domain"

// TOTPEnrolled says that the user was shown a secret for an app that makes
// one-time codes (RFC 6238). It is no factor until a code of it was given.
type TOTPEnrolled struct {
	// Secret is the id of the vault row that keeps it.
	Secret string `json:"secret"`
}

// EventType is the name on disk.
func (TOTPEnrolled) EventType() string { return "user.totp_enrolled.v1" }

func (e TOTPEnrolled) apply(u User) User {
	u.PendingTOTP = e.Secret
	return u
}

// EnrolTOTP makes the vault's row secret the one that waits for its first code.
// One that waited before is given up.
func (u User) EnrolTOTP(secret string) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	if u.TOTP != "" {
		return nil, ErrTOTPOn
	}
	return []Event{TOTPEnrolled{Secret: secret}}, nil
}

// TOTPConfirmed says that the user gave a code of the secret: from now on such
// codes are a second factor.
type TOTPConfirmed struct {
	Secret string `json:"secret"`
}

// EventType is the name on disk.
func (TOTPConfirmed) EventType() string { return "user.totp_confirmed.v1" }

func (e TOTPConfirmed) apply(u User) User {
	u.TOTP, u.PendingTOTP = e.Secret, ""
	return u
}

// ConfirmTOTP turns the secret on whose code was checked. New recovery codes,
// the vault's row codes, come with it.
func (u User) ConfirmTOTP(checked, codes string) ([]Event, error) {
	switch err := u.MayEnter(); {
	case err != nil:
		return nil, err
	case u.TOTP != "":
		return nil, ErrTOTPOn
	case checked == "" || u.PendingTOTP != checked:
		return nil, ErrNotEnrolled
	}
	return []Event{TOTPConfirmed{Secret: checked}, u.newCodes(codes)}, nil
}

// TOTPDisabled says that codes of the secret are no factor any more.
type TOTPDisabled struct {
	Secret string `json:"secret"`
}

// EventType is the name on disk.
func (TOTPDisabled) EventType() string { return "user.totp_disabled.v1" }

func (TOTPDisabled) apply(u User) User {
	u.TOTP = ""
	return u.withoutIdleCodes()
}

// DisableTOTP turns one-time codes off. With the last factor the recovery
// codes go, too.
func (u User) DisableTOTP() ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	if u.TOTP == "" {
		return nil, ErrTOTPOff
	}
	return []Event{TOTPDisabled{Secret: u.TOTP}}, nil
}

// Refusals about one-time codes.
var (
	ErrTOTPOn      = domain.Conflict("totp_on", "One-time codes are on already; turn them off first.")
	ErrTOTPOff     = domain.Conflict("totp_off", "One-time codes are not on.")
	ErrNotEnrolled = domain.Conflict("totp_not_enrolled", "Ask for a secret first, then confirm it with a code.")
)
