package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/user"
)

// ErrNoPasskeys says that browsers make no passkeys for this address.
var ErrNoPasskeys = domain.Conflict("passkeys_not_available",
	"Passkeys need a public URL that begins with https:// and a host name, or http://localhost; set HOSTFOLD_PUBLIC_URL.")

// RelyingParty checks what passkeys sign (W3C Web Authentication). For whom they
// sign is the public URL's host, and the origin is the public URL's, whatever
// a request says of itself. It keeps nothing. A nil one has no passkeys.
type RelyingParty struct{ web *webauthn.WebAuthn }

// NewRelyingParty is the party of a public URL, by a name that devices show. It
// is nil where no browser makes passkeys: for an address of digits, or without
// TLS.
func NewRelyingParty(publicURL, name string) (*RelyingParty, error) {
	at, err := url.Parse(publicURL)
	if err != nil {
		return nil, fmt.Errorf("read the public URL: %w", err)
	}
	host := at.Hostname()
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if _, err := netip.ParseAddr(host); err == nil || host == "" || at.Scheme != "https" && !local {
		return nil, nil //nolint:nilnil // having none is a fine outcome
	}
	life := webauthn.TimeoutConfig{Timeout: vault.ChallengeLife, TimeoutUVD: vault.ChallengeLife}
	web, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: name, RPOrigins: []string{at.Scheme + "://" + at.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: life, Registration: life},
	})
	if err != nil {
		return nil, fmt.Errorf("be the relying party of passkeys: %w", err)
	}
	return &RelyingParty{web}, nil
}

// holder is a user as the library asks for it.
type holder struct {
	id   string
	user user.User
	keys []webauthn.Credential
	rows []vault.PasskeyRow
}

// holderOf reads the public keys that were kept.
func holderOf(id string, u user.User, rows []vault.PasskeyRow) (holder, error) {
	h := holder{id: id, user: u, rows: rows, keys: make([]webauthn.Credential, len(rows))}
	for i, row := range rows {
		if err := json.Unmarshal(row.Record, &h.keys[i]); err != nil {
			return h, fmt.Errorf("read passkey %s: %w", row.ID, err)
		}
		h.keys[i].Authenticator.SignCount = row.Signed
	}
	return h, nil
}

// WebAuthnID is the user's id: it tells nothing of the person.
func (h holder) WebAuthnID() []byte { return []byte(h.id) }

// WebAuthnName is what devices show to tell log-ins apart.
func (h holder) WebAuthnName() string { return h.user.Email }

// WebAuthnDisplayName is what devices call the person.
func (h holder) WebAuthnDisplayName() string { return h.user.Name }

// WebAuthnCredentials are the user's passkeys.
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// beginAdd is what a browser needs to make a passkey, and what its answer is
// checked against.
func (p *RelyingParty) beginAdd(h holder) (options, ceremony []byte, err error) {
	if p == nil {
		return nil, nil, ErrNoPasskeys
	}
	o, session, err := p.web.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.keys).CredentialDescriptors()))
	if err != nil {
		return nil, nil, fmt.Errorf("begin to add a passkey: %w", err)
	}
	return pack(o.Response, session)
}

// madePasskey is a passkey that a browser made.
type madePasskey struct {
	key, record []byte
	signed      uint32
}

func (p *RelyingParty) finishAdd(h holder, ceremony, answer []byte) (madePasskey, error) {
	if p == nil {
		return madePasskey{}, ErrNoPasskeys
	}
	session, err := unpack(ceremony)
	if err != nil {
		return madePasskey{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return madePasskey{}, errors.Join(errPasskeyAnswer, err)
	}
	made, err := p.web.CreateCredential(h, session, parsed)
	if err != nil {
		return madePasskey{}, errors.Join(errPasskeyAnswer, err)
	}
	record, err := json.Marshal(made)
	if err != nil {
		return madePasskey{}, fmt.Errorf("write a passkey down: %w", err)
	}
	return madePasskey{key: made.ID, record: record, signed: made.Authenticator.SignCount}, nil
}

// beginUse is what a browser needs to sign with one of the holder's passkeys,
// or with any when there is no holder.
func (p *RelyingParty) beginUse(h *holder) (options, ceremony []byte, err error) {
	if p == nil {
		return nil, nil, ErrNoPasskeys
	}
	var o *protocol.CredentialAssertion
	var session *webauthn.SessionData
	if h == nil {
		o, session, err = p.web.BeginDiscoverableLogin()
	} else {
		o, session, err = p.web.BeginLogin(*h)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("begin to use a passkey: %w", err)
	}
	return pack(o.Response, session)
}

// errCopied says that a passkey's counter did not go on.
var errCopied = fmt.Errorf("the counter did not go on: %w", user.ErrWrongCode)

// finishUse is the passkey that has signed, and the counter of its signature.
// Whatever is wrong is user.ErrWrongCode, with errCopied also the passkey.
func (p *RelyingParty) finishUse(h holder, ceremony, answer []byte) (id string, signed uint32, err error) {
	if p == nil {
		return "", 0, ErrNoPasskeys
	}
	session, err := unpack(ceremony)
	if err != nil {
		return "", 0, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return "", 0, errors.Join(user.ErrWrongCode, err)
	}
	var used *webauthn.Credential
	if len(session.UserID) == 0 {
		used, err = p.web.ValidateDiscoverableLogin(func(_, _ []byte) (webauthn.User, error) { return h, nil }, session, parsed)
	} else {
		used, err = p.web.ValidateLogin(h, session, parsed)
	}
	if err != nil {
		return "", 0, errors.Join(user.ErrWrongCode, err)
	}
	for i, key := range h.keys {
		switch {
		case string(key.ID) != string(used.ID):
		case used.Authenticator.CloneWarning:
			return h.rows[i].ID, 0, errCopied
		default:
			return h.rows[i].ID, used.Authenticator.SignCount, nil
		}
	}
	return "", 0, user.ErrWrongCode
}

// handleOf is the user that a passkey's answer says to be of, "" when it does
// not say.
func handleOf(answer []byte) string {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return ""
	}
	return string(parsed.Response.UserHandle)
}

var errPasskeyAnswer = domain.Invalid("passkey", "is not the answer that was asked for; ask for new options and try again")

func pack(options any, session *webauthn.SessionData) (o, ceremony []byte, err error) {
	if o, err = json.Marshal(options); err == nil {
		ceremony, err = json.Marshal(session)
	}
	if err != nil {
		err = fmt.Errorf("write a passkey's ceremony down: %w", err)
	}
	return o, ceremony, err
}

func unpack(ceremony []byte) (session webauthn.SessionData, err error) {
	if len(ceremony) == 0 {
		return session, user.ErrWrongCode
	}
	if err := json.Unmarshal(ceremony, &session); err != nil {
		return session, fmt.Errorf("read a passkey's ceremony: %w", err)
	}
	session.Expires = time.Time{} // the challenge's row expires
	return session, nil
}
