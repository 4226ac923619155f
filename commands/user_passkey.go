package commands

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
)

// PasskeyOptions is what a browser needs for a passkey, and the challenge to
// send back with its answer.
type PasskeyOptions struct {
	Challenge string          `json:"challenge" doc:"Send it back with the browser's answer, within five minutes; it can be answered once."`
	Options   json.RawMessage `json:"options" doc:"For PublicKeyCredential.parseCreationOptionsFromJSON or parseRequestOptionsFromJSON."`
}

// BeginPasskey asks for the options with which a browser makes a passkey.
type BeginPasskey struct {
	UserID string `json:"-"`
}

// BeginPasskey is for a caller that has proven itself lately.
func (d *Dispatcher) BeginPasskey(ctx context.Context, call Call, cmd BeginPasskey) (PasskeyOptions, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return PasskeyOptions{}, err
	}
	if err := RequireFresh(call, u); err != nil {
		return PasskeyOptions{}, err
	}
	h, err := d.holder(ctx, cmd.UserID, u)
	if err != nil {
		return PasskeyOptions{}, err
	}
	options, ceremony, err := d.Passkeys.beginAdd(h)
	return d.challenge(ctx, vault.Challenge{Purpose: vault.PasskeyAdd, UserID: cmd.UserID, Ceremony: ceremony}, options, err)
}

// challenge keeps a ceremony that was begun.
func (d *Dispatcher) challenge(ctx context.Context, c vault.Challenge, options []byte, err error) (PasskeyOptions, error) {
	if err != nil {
		return PasskeyOptions{}, err
	}
	token, err := d.Vault.AddChallenge(ctx, c)
	return PasskeyOptions{Challenge: token, Options: options}, err
}

// AddPasskey registers a passkey that a browser made.
type AddPasskey struct {
	UserID string `json:"-"`
	// Session is the one that asks: it has proven the factor with this.
	Session   string          `json:"-"`
	Challenge string          `json:"challenge" maxLength:"100" doc:"That of the options."`
	Name      string          `json:"name" doc:"What you call it."`
	Passkey   json.RawMessage `json:"passkey" doc:"What the browser answered, as PublicKeyCredential.toJSON makes it."`
}

// AddedPasskey is a passkey that was registered.
type AddedPasskey struct {
	ID            string   `json:"id"`
	RecoveryCodes []string `json:"recovery_codes,omitempty" doc:"With the first second factor: codes for whoever loses it, told this once."`
}

// AddPasskey keeps the passkey's public key. If it is the user's first second
// factor, recovery codes come with it.
func (d *Dispatcher) AddPasskey(ctx context.Context, call Call, cmd AddPasskey) (Receipt, AddedPasskey, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return Receipt{}, AddedPasskey{}, err
	}
	add := addPasskey{user: cmd.UserID, passkey: NewID(call.CommandID, "psk"), name: cmd.Name, codes: NewID(call.CommandID, "rcs")}
	if _, err := add.Decide(u, Env{}); err != nil {
		return Receipt{}, AddedPasskey{}, err
	}
	if err := RequireFresh(call, u); err != nil {
		return Receipt{}, AddedPasskey{}, err
	}
	ceremony, err := d.takeCeremony(ctx, cmd.Challenge, vault.PasskeyAdd, cmd.UserID)
	if err != nil {
		return Receipt{}, AddedPasskey{}, err
	}
	h, err := d.holder(ctx, cmd.UserID, u)
	if err != nil {
		return Receipt{}, AddedPasskey{}, err
	}
	made, err := d.Passkeys.finishAdd(h, ceremony, cmd.Passkey)
	if err != nil {
		return Receipt{}, AddedPasskey{}, err
	}
	if err := d.Vault.AddPasskey(ctx, add.passkey, cmd.UserID, made.key, made.record, made.signed); err != nil {
		return Receipt{}, AddedPasskey{}, err
	}
	added := AddedPasskey{ID: add.passkey}
	if !u.HasSecondFactor() {
		if added.RecoveryCodes, err = d.Vault.AddRecoveryCodes(ctx, add.codes, cmd.UserID); err != nil {
			return Receipt{}, AddedPasskey{}, err
		}
	}
	receipt, err := d.whileSession(ctx, call, cmd.UserID, cmd.Session, func(call Call) (Receipt, error) { return Execute(ctx, d, call, add) })
	if err != nil {
		return Receipt{}, AddedPasskey{}, err
	}
	if after, err := Load(ctx, d.Streams(), user.Decider.At(cmd.UserID)); err != nil || after.Recovery.Codes != add.codes {
		added.RecoveryCodes = nil // another factor came first, with its own
	}
	return receipt, added, d.confirmed(ctx, cmd.UserID, cmd.Session, true)
}

type addPasskey struct{ user, passkey, name, codes string }

func (c addPasskey) Target() user.Target         { return user.Decider.At(c.user) }
func (addPasskey) Permission() domain.Permission { return delegation.Self }

func (c addPasskey) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.AddPasskey(c.passkey, c.name, c.codes)
}

// RenamePasskey gives one of the caller's passkeys another name. It needs no
// confirmation: it opens nothing and takes nothing away.
type RenamePasskey struct {
	UserID    string `json:"-"`
	PasskeyID string `json:"-"`
	Name      string `json:"name" doc:"What you call it."`
}

// RenamePasskey refuses a passkey that is not the caller's before it looks at
// what the caller has seen.
func (d *Dispatcher) RenamePasskey(ctx context.Context, call Call, cmd RenamePasskey) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err == nil && !u.HasPasskey(cmd.PasskeyID) {
		err = user.ErrNoPasskey
	}
	if err != nil {
		return Receipt{}, err
	}
	return Execute(ctx, d, call, renamePasskey{cmd.UserID, cmd.PasskeyID, cmd.Name})
}

type renamePasskey struct{ user, passkey, name string }

func (c renamePasskey) Target() user.Target         { return user.Decider.At(c.user) }
func (renamePasskey) Permission() domain.Permission { return delegation.Self }

func (c renamePasskey) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.RenamePasskey(c.passkey, c.name)
}

// RemovePasskey takes a passkey away.
type RemovePasskey struct {
	UserID    string `json:"-"`
	PasskeyID string `json:"-"`
}

// RemovePasskey is for a caller that has proven a second factor lately. With
// the last one, staff's rights go from the user's sessions.
func (d *Dispatcher) RemovePasskey(ctx context.Context, call Call, cmd RemovePasskey) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return Receipt{}, err
	}
	events, err := u.RemovePasskey(cmd.PasskeyID)
	if err != nil {
		return Receipt{}, err
	}
	if err := RequireFresh(call, u); err != nil {
		return Receipt{}, err
	}
	return d.giveUp(ctx, cmd.UserID, u, events, func() (Receipt, error) {
		return Execute(ctx, d, call, removePasskey{cmd.UserID, cmd.PasskeyID})
	})
}

type removePasskey struct{ user, passkey string }

func (c removePasskey) Target() user.Target         { return user.Decider.At(c.user) }
func (removePasskey) Permission() domain.Permission { return delegation.Self }

func (c removePasskey) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.RemovePasskey(c.passkey)
}

// BeginConfirm asks for the options with which a passkey confirms a session.
type BeginConfirm struct {
	UserID string `json:"-"`
}

// BeginConfirm is for a caller that has a passkey.
func (d *Dispatcher) BeginConfirm(ctx context.Context, call Call, cmd BeginConfirm) (PasskeyOptions, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return PasskeyOptions{}, err
	}
	options, ceremony, err := d.beginUse(ctx, cmd.UserID, u)
	return d.challenge(ctx, vault.Challenge{Purpose: vault.PasskeyConfirm, UserID: cmd.UserID, Ceremony: ceremony}, options, err)
}

// beginUse asks one of a user's passkeys to sign.
func (d *Dispatcher) beginUse(ctx context.Context, id string, u user.User) (options, ceremony []byte, err error) {
	h, err := d.holder(ctx, id, u)
	if err != nil {
		return nil, nil, err
	}
	if len(h.keys) == 0 {
		return nil, nil, errNoOwnPasskey
	}
	return d.Passkeys.beginUse(&h)
}

var errNoOwnPasskey = domain.Conflict("no_passkey", "You have no passkey here; use a code.")

// BeginPasskeyLogin asks for the options with which a passkey logs in.
type BeginPasskeyLogin struct {
	Challenge string `json:"challenge,omitempty" maxLength:"100" doc:"That of a log-in whose password was right: the passkey is its second factor. Without it the passkey is all that is needed."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// BeginPasskeyLogin is for anybody: any passkey may answer, or, with the
// challenge of a password that was right, one of that user.
func (d *Dispatcher) BeginPasskeyLogin(ctx context.Context, _ Call, cmd BeginPasskeyLogin) (PasskeyOptions, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if _, err := d.Vault.TrySource(ctx, vault.PasskeyOptions, cmd.IP); err != nil {
		return PasskeyOptions{}, err
	}
	if cmd.Challenge == "" {
		options, ceremony, err := d.Passkeys.beginUse(nil)
		return d.challenge(ctx, vault.Challenge{Purpose: vault.PasskeyLogin, Ceremony: ceremony}, options, err)
	}
	c, found, err := d.Vault.Challenge(ctx, cmd.Challenge)
	if err == nil && (!found || c.Purpose != vault.SecondFactor) {
		err = ErrChallenge
	}
	if err != nil {
		return PasskeyOptions{}, err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(c.UserID))
	if err != nil {
		return PasskeyOptions{}, err
	}
	options, ceremony, err := d.beginUse(ctx, c.UserID, u)
	if err != nil {
		return PasskeyOptions{}, err
	}
	return PasskeyOptions{Challenge: cmd.Challenge, Options: options}, d.Vault.SetCeremony(ctx, cmd.Challenge, ceremony)
}

// ErrSecondFactor says that the password was right and is not enough.
var ErrSecondFactor = &domain.Error{
	Kind: domain.KindUnauthenticated, Code: "second_factor_required",
	Detail: "Send the challenge back with your second factor: totp, recovery_code or passkey.",
}

// ErrChallenge says that a challenge cannot be answered any more.
var ErrChallenge = &domain.Error{
	Kind: domain.KindUnauthenticated, Code: "invalid_challenge",
	Detail: "This log-in took too long, or too many tries; begin again.",
}

// ChallengeError is ErrSecondFactor with the challenge to answer.
type ChallengeError struct {
	Challenge string
	// Factors are the ways to answer it: "totp", "passkey", "recovery_code".
	Factors []string
}

// Error is the refusal's text.
func (e *ChallengeError) Error() string { return ErrSecondFactor.Error() }

// Unwrap is ErrSecondFactor.
func (e *ChallengeError) Unwrap() error { return ErrSecondFactor }

// askFactor answers a right password of a user that has a second factor.
func (d *Dispatcher) askFactor(ctx context.Context, who login, password vault.Attempt) error {
	token, err := d.Vault.AddChallenge(ctx, vault.Challenge{
		Purpose: vault.SecondFactor, UserID: who.id, Credential: who.user.Credential, Attempt: password,
	})
	if err != nil {
		return err
	}
	e := &ChallengeError{Challenge: token}
	for _, way := range []struct {
		name string
		open bool
	}{
		{"totp", who.user.TOTP != ""},
		{"passkey", len(who.user.Passkeys) > 0 && d.Passkeys != nil},
		{"recovery_code", who.user.Recovery.Left() > 0},
	} {
		if way.open {
			e.Factors = append(e.Factors, way.name)
		}
	}
	return e
}

// answer logs in with a second factor after the password, or with a passkey
// alone.
func (d *Dispatcher) answer(ctx context.Context, call Call, cmd OpenSession) (OpenedSession, error) {
	asked := ctx
	ctx, cancel := d.bound(ctx)
	defer cancel()
	c, found, err := d.Vault.Challenge(ctx, cmd.Challenge)
	if err != nil {
		return OpenedSession{}, err
	}
	who := login{id: c.UserID, factor: true}
	switch {
	case found && c.Purpose == vault.PasskeyLogin && len(cmd.Passkey) > 0:
		who.id = handleOf(cmd.Passkey)
	case !found || c.Purpose != vault.SecondFactor:
		return OpenedSession{}, ErrChallenge
	}
	if who.user, err = Load(ctx, d.Streams(), user.Decider.At(known(who.id))); err != nil {
		return OpenedSession{}, err
	}
	attempt, err := d.Vault.TryFactor(ctx, cmd.From, user.NormalEmail(who.user.Email), who.id, cmd.TOTP != "")
	if err != nil {
		return OpenedSession{}, err
	}
	if c.Purpose == vault.SecondFactor {
		attempt = attempt.After(c.Attempt)
	} else {
		who.user.Passkeys = who.user.LogInAlone()
	}
	opened, err := d.answered(ctx, call, cmd, who, attempt)
	return opened, d.unanswered(asked, attempt, err)
}

// known is the id of a user to load; somebody's that is none is nobody's.
func known(id string) string {
	if len(id) != len("usr_")+32 || id[:4] != "usr_" {
		return "usr_nobody"
	}
	return id
}

func (d *Dispatcher) answered(ctx context.Context, call Call, cmd OpenSession, who login, attempt vault.Attempt) (OpenedSession, error) {
	c, found, err := d.Vault.TryChallenge(ctx, cmd.Challenge, len(cmd.Passkey) > 0)
	if err != nil {
		return OpenedSession{}, err
	}
	if !found || c.Purpose == vault.SecondFactor && c.Credential != who.user.Credential {
		return OpenedSession{}, ErrChallenge
	}
	refused := who.user.MayEnter()
	if refused != nil && !errors.Is(refused, user.ErrLocked) {
		return OpenedSession{}, user.ErrWrongCode
	}
	who.passkey, err = d.prove(ctx, call, who.id, who.user, cmd.Factor, c.Ceremony)
	if errors.Is(err, user.ErrWrongCode) {
		return OpenedSession{}, errors.Join(user.ErrWrongCode, d.Vault.NoteLogin(ctx, who.id, cmd.From, vault.LoginWrongFactor))
	}
	if err != nil {
		return OpenedSession{}, err
	}
	if refused != nil { // a lock is told to who has proven the log-in
		return OpenedSession{}, errors.Join(refused, d.Vault.NoteLogin(ctx, who.id, cmd.From, vault.LoginLocked))
	}
	first, err := d.Vault.SpendChallenge(ctx, cmd.Challenge)
	if err == nil && !first {
		err = ErrChallenge
	}
	if err != nil {
		return OpenedSession{}, err
	}
	return d.admit(ctx, call, who, cmd.From, attempt)
}
