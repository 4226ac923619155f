package user

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// RecoveryCodes is how many codes a user gets at once.
const RecoveryCodes = 10

// Recovery is the user's present set of recovery codes. Each opens the door
// once, for whoever lost every other second factor.
type Recovery struct {
	// Codes is the id of the vault row that keeps their hashes, "" for none.
	Codes string
	// Used are the numbers of the codes that were used, 0 to 9.
	Used []int
}

// Left is how many codes can still be used.
func (r Recovery) Left() int {
	if r.Codes == "" {
		return 0
	}
	return RecoveryCodes - len(r.Used)
}

// RecoveryCodesRegenerated says that the user was shown new recovery codes;
// those before hold no more.
type RecoveryCodesRegenerated struct {
	// Codes is the id of the vault row that keeps their hashes.
	Codes string `json:"codes"`
	// Replaced is the row before, "" for the first.
	Replaced string `json:"replaced,omitempty"`
}

// EventType is the name on disk.
func (RecoveryCodesRegenerated) EventType() string { return "user.recovery_codes_regenerated.v1" }

func (e RecoveryCodesRegenerated) apply(u User) User {
	u.Recovery = Recovery{Codes: e.Codes}
	return u
}

func (u User) newCodes(codes string) Event {
	return RecoveryCodesRegenerated{Codes: codes, Replaced: u.Recovery.Codes}
}

// RegenerateRecoveryCodes makes the vault's row codes the present set.
func (u User) RegenerateRecoveryCodes(codes string) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	if !u.HasSecondFactor() {
		return nil, ErrNoSecondFactor
	}
	return []Event{u.newCodes(codes)}, nil
}

// RecoveryCodeUsed says that one of the codes was used up.
type RecoveryCodeUsed struct {
	Codes  string `json:"codes"`
	Number int    `json:"number"`
	// Left is how many are left.
	Left int `json:"left"`
}

// EventType is the name on disk.
func (RecoveryCodeUsed) EventType() string { return "user.recovery_code_used.v1" }

func (e RecoveryCodeUsed) apply(u User) User {
	u.Recovery.Used = append(slices.Clip(u.Recovery.Used), e.Number)
	return u
}

// UseRecoveryCode uses up the code of a number that was found in the vault's
// row codes. Of two uses at once the stream lets one win.
func (u User) UseRecoveryCode(codes string, number int) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	r := u.Recovery
	if r.Codes == "" || r.Codes != codes || number < 0 || number >= RecoveryCodes || slices.Contains(r.Used, number) {
		return nil, ErrWrongCode
	}
	return []Event{RecoveryCodeUsed{Codes: codes, Number: number, Left: r.Left() - 1}}, nil
}

// HasSecondFactor reports whether logging in with the password needs something
// more: a one-time code, a passkey, or a recovery code in their place.
func (u User) HasSecondFactor() bool { return u.TOTP != "" || len(u.Passkeys) > 0 }

// withoutIdleCodes forgets recovery codes that stand for no factor any more.
func (u User) withoutIdleCodes() User {
	if !u.HasSecondFactor() {
		u.Recovery = Recovery{}
	}
	return u
}

// Refusals about second factors.
var (
	// ErrWrongCode does not say why: who types it may be a stranger.
	ErrWrongCode = &domain.Error{
		Kind: domain.KindUnauthenticated, Code: "wrong_code",
		Detail: "This second factor is wrong, or was used before; try again with a new one.",
	}
	ErrNoSecondFactor = domain.Conflict("second_factor_off", "No second factor is on; set one up first.")
)
