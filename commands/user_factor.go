package commands

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
)

// Factor is one second factor: a one-time code, or a recovery code in its
// place, or what a passkey answered to the options that were asked for.
type Factor struct {
	TOTP         string          `json:"totp,omitempty" maxLength:"20" doc:"The code that the app shows."`
	RecoveryCode string          `json:"recovery_code,omitempty" maxLength:"40" doc:"One of the codes kept for an emergency; it is used up."`
	Passkey      json.RawMessage `json:"passkey,omitempty" doc:"What the browser answered to the options, as PublicKeyCredential.toJSON makes it."`
}

// given is how many of the ways are there.
func (f Factor) given() (n int) {
	for _, there := range []bool{f.TOTP != "", f.RecoveryCode != "", len(f.Passkey) > 0} {
		if there {
			n++
		}
	}
	return n
}

// FactorOf is the factor that a person typed into one field.
func FactorOf(code string) Factor {
	code = strings.TrimSpace(code)
	if len(code) == 6 {
		return Factor{TOTP: code}
	}
	return Factor{RecoveryCode: code}
}

// prove checks a user's second factor and uses it up. Ceremony is what a
// passkey's answer is checked against. It answers the id of the passkey that
// was used, "" for another way; user.ErrWrongCode when it is wrong. A factor
// that is there was not lost: a reset that waits is cancelled.
func (d *Dispatcher) prove(ctx context.Context, call Call, id string, u user.User, f Factor, ceremony []byte) (passkey string, err error) {
	passkey, err = d.checkFactor(ctx, call, id, u, f, ceremony)
	if err == nil && u.Reset.ID != "" {
		err = d.keepFactors(ctx, call, id, u.Reset.ID)
	}
	return passkey, err
}

func (d *Dispatcher) checkFactor(ctx context.Context, call Call, id string, u user.User, f Factor, ceremony []byte) (passkey string, err error) {
	switch {
	case f.TOTP != "":
		ok, err := d.Vault.CheckTOTP(ctx, u.TOTP, f.TOTP)
		if err == nil && !ok {
			err = user.ErrWrongCode
		}
		return "", err
	case f.RecoveryCode != "":
		number, found, err := d.Vault.FindRecoveryCode(ctx, u.Recovery.Codes, f.RecoveryCode)
		if err == nil && !found {
			err = user.ErrWrongCode
		}
		if err == nil {
			_, err = Execute(ctx, d, call.as(id).Step("recovery code"), useRecoveryCode{id, u.Recovery.Codes, number})
		}
		return "", err
	}
	h, err := d.holder(ctx, id, u)
	if err != nil {
		return "", err
	}
	passkey, signed, err := d.Passkeys.finishUse(h, ceremony, f.Passkey)
	if err != nil && !errors.Is(err, errCopied) {
		return "", err
	}
	ok := err == nil
	if ok {
		ok, err = d.Vault.UsePasskey(ctx, passkey, signed)
		if err != nil {
			return "", err
		}
	}
	if !ok {
		_, err = Execute(ctx, d, call.as(id).Step("passkey copy"), suspectPasskey{id, passkey})
		return "", errors.Join(user.ErrWrongCode, err)
	}
	return passkey, nil
}

type suspectPasskey struct{ user, passkey string }

func (c suspectPasskey) Target() user.Target         { return user.Decider.At(c.user) }
func (suspectPasskey) Permission() domain.Permission { return delegation.System }

func (c suspectPasskey) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.SuspectPasskey(c.passkey)
}

type useRecoveryCode struct {
	user, codes string
	number      int
}

func (c useRecoveryCode) Target() user.Target         { return user.Decider.At(c.user) }
func (useRecoveryCode) Permission() domain.Permission { return delegation.System }

func (c useRecoveryCode) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.UseRecoveryCode(c.codes, c.number)
}

// ErrConfirm says that the caller has to prove again who it is.
var ErrConfirm = &domain.Error{
	Kind: domain.KindDenied, Code: "confirmation_required",
	Detail: "Prove again that it is you: send your second factor, or without one your password, to /v1/me/confirmations, then repeat this within ten minutes.",
}

// RequireFresh refuses what a stolen session must not do. The caller must have
// confirmed its session lately (Confirm): with a second factor if it has one,
// else with the password, for which the log-in itself counts.
func RequireFresh(call Call, u user.User) error {
	if call.Grants.System || call.Grants.Fresh.Enough(u.HasSecondFactor()) {
		return nil
	}
	return ErrConfirm
}

// Confirm proves once more, in a session, who the caller is.
type Confirm struct {
	UserID string `json:"-"`
	// Session is the one that asks.
	Session  string `json:"-"`
	Password string `json:"password,omitempty" doc:"For who has no second factor."`
	Factor
	Challenge string `json:"challenge,omitempty" maxLength:"100" doc:"That of the options, with a passkey."`
}

// Confirmed is a session that was confirmed: it goes on under another token,
// told once.
type Confirmed struct {
	Token     string    `json:"token" doc:"The session's from now on, in place of that which asked. It is told this once."`
	ExpiresAt time.Time `json:"expires_at"`
}

// Confirm marks the session for RequireFresh. Whoever has a second factor
// proves that one: a password does not stand for it.
func (d *Dispatcher) Confirm(ctx context.Context, call Call, cmd Confirm) (Confirmed, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return Confirmed{}, err
	}
	var c domain.Check
	switch {
	case !u.HasSecondFactor():
		c.That(cmd.Password != "" && cmd.given() == 0, "password", "send your password: no second factor is on")
	case cmd.Password != "":
		c.That(false, "password", "send your second factor instead")
	default:
		c.That(cmd.given() == 1, "totp", "send one of totp, recovery_code and passkey")
	}
	if err := c.Err(); err != nil {
		return Confirmed{}, err
	}
	if !u.HasSecondFactor() {
		_, _, err = d.provenSelf(ctx, call, cmd.UserID, "password", cmd.Password)
	} else {
		err = d.proveOwn(ctx, call, cmd.UserID, u, cmd.Factor, cmd.Challenge, "")
	}
	if err != nil {
		return Confirmed{}, err
	}
	member, err := Load(ctx, d.Streams(), staff.Decider.At(cmd.UserID))
	if err != nil {
		return Confirmed{}, err
	}
	token, expires, err := d.Vault.RenewSession(ctx, cmd.UserID, cmd.Session, u.HasSecondFactor(), member.Role != "")
	return Confirmed{Token: token, ExpiresAt: expires}, err
}

// confirmed notes that a session's user has shown a second factor that it has
// just set up. It gives staff their rights; who is no staff gets none of a role
// that comes later.
func (d *Dispatcher) confirmed(ctx context.Context, id, session string, factor bool) error {
	member, err := Load(ctx, d.Streams(), staff.Decider.At(id))
	if err != nil {
		return err
	}
	return d.Vault.ConfirmSession(ctx, id, session, factor, member.Role != "")
}

// whileSession gives a user other second factors, as long as the session that
// asks is open: who ends it, with a reset or without, ends all that it does.
func (d *Dispatcher) whileSession(ctx context.Context, call Call, id, session string, change func(Call) (Receipt, error)) (receipt Receipt, err error) {
	if call.Grants.System {
		return change(call)
	}
	err = d.Vault.WhileSession(ctx, id, session, func() (err error) {
		receipt, err = change(call.letIn()) // to look again would take a second connection
		return err
	})
	return receipt, err
}

// requireFresh is RequireFresh for what is not about the caller's own user.
func (d *Dispatcher) requireFresh(ctx context.Context, call Call) error {
	if call.Grants.System {
		return nil
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(known(call.Grants.User)))
	if err != nil {
		return err
	}
	return RequireFresh(call, u)
}

// proveOwn checks a second factor of a logged-in user. Who guesses codes has to
// wait. Field is the one that is refused, "" for the factor's own.
func (d *Dispatcher) proveOwn(ctx context.Context, call Call, id string, u user.User, f Factor, challenge, field string) error {
	var ceremony []byte
	var attempt vault.Attempt
	var err error
	switch {
	case f.TOTP != "":
		attempt, err = d.Vault.Try(ctx, vault.OwnFactor, id)
	case len(f.Passkey) > 0:
		ceremony, err = d.takeCeremony(ctx, challenge, vault.PasskeyConfirm, id)
	}
	if err != nil {
		return err
	}
	_, err = d.prove(ctx, call, id, u, f, ceremony)
	switch {
	case err == nil && f.TOTP != "":
		return d.Vault.Succeeded(ctx, attempt)
	case errors.Is(err, user.ErrWrongCode):
		return wrongCode(f, field)
	case f.TOTP != "":
		return d.unanswered(ctx, attempt, err)
	}
	return err
}

// wrongCode refuses the field that a factor came in.
func wrongCode(f Factor, field string) error {
	var c domain.Check
	switch {
	case field != "":
	case f.TOTP != "":
		field = "totp"
	case f.RecoveryCode != "":
		field = "recovery_code"
	default:
		field = "passkey"
	}
	c.Because(false, field, "wrong_code", "is wrong, or was used before")
	return c.Err()
}

// takeCeremony takes a passkey's ceremony of a logged-in user out of its
// challenge, which is over with that.
func (d *Dispatcher) takeCeremony(ctx context.Context, token string, purpose vault.ChallengePurpose, id string) ([]byte, error) {
	c, found, err := d.Vault.TryChallenge(ctx, token, true)
	if err != nil {
		return nil, err
	}
	if !found || c.Purpose != purpose || c.UserID != id {
		return nil, errPasskeyAnswer
	}
	first, err := d.Vault.SpendChallenge(ctx, token)
	if err == nil && !first {
		err = errPasskeyAnswer
	}
	return c.Ceremony, err
}

// holder is a user with the passkeys that its stream names.
func (d *Dispatcher) holder(ctx context.Context, id string, u user.User) (holder, error) {
	ids := make([]string, len(u.Passkeys))
	for i, p := range u.Passkeys {
		ids[i] = p.ID
	}
	rows, err := d.Vault.Passkeys(ctx, ids)
	if err != nil {
		return holder{}, err
	}
	return holderOf(id, u, rows)
}

// FactorRows are the vault rows of second factors that a user's stream names.
func FactorRows(u user.User) []string {
	var ids []string
	for _, id := range []string{u.TOTP, u.PendingTOTP, u.Recovery.Codes} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	for _, p := range u.Passkeys {
		ids = append(ids, p.ID)
	}
	return ids
}
