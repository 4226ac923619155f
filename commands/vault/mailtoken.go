package vault

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Purpose is what a mailed link is good for.
type Purpose string

// The purposes of a mailed link.
const (
	VerifyEmail   Purpose = "verify_email"
	ChangeEmail   Purpose = "change_email"
	ResetPassword Purpose = "reset_password"
	// Invitation is of a delegation: Credential is the delegation, UserID the
	// invitation.
	Invitation Purpose = "invitation"
	// OwnershipTransfer is of an account: Credential is the account, UserID the
	// offer.
	OwnershipTransfer Purpose = "ownership_transfer"
	// ContactEmail verifies a domain contact's address: UserID is the contact.
	ContactEmail Purpose = "contact_email"
	// CancelFactorReset keeps a user's second factors: Credential is the reset.
	CancelFactorReset Purpose = "cancel_factor_reset"
)

// MailToken is a mailed link. Its id is that of the mail, whose stream says to
// which address it went: who has the secret reads that address's mail.
//
// The secret is an HMAC of the id under the pepper. So it needs no place of its
// own: not in an event, where it would stand for ever, and not in a job. The
// job that sends the mail derives it, again after a crash, and always the same.
// The row holds nothing that opens anything; without the key file a copy of
// the database is of no use.
type MailToken struct {
	ID      string
	Purpose Purpose
	UserID  string
	// Credential is the one that a reset is to replace.
	Credential string
	ExpiresAt  time.Time
}

// AddMailToken makes a link that holds until it expires or is used. A repeat
// changes nothing.
func (v *Vault) AddMailToken(ctx context.Context, t MailToken) error {
	_, err := v.pool.Exec(ctx, `
		INSERT INTO vault.mail_token (id, purpose, user_id, credential, expires_at)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO NOTHING`, t.ID, t.Purpose, t.UserID, t.Credential, t.ExpiresAt)
	return away("make a mailed link", err)
}

// MailSecret is the secret of a mail's link. Found is false when it holds no
// more, or never was.
func (v *Vault) MailSecret(ctx context.Context, id string) (secret string, found bool, err error) {
	if _, err := v.mailToken(ctx, id); errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	} else if err != nil {
		return "", false, err
	}
	name, err := hex.DecodeString(strings.TrimPrefix(id, mailPrefix))
	if err != nil {
		return "", false, errors.New("a mailed link has an id of an unknown form")
	}
	return base64.RawURLEncoding.EncodeToString(append(name, v.pepper.sum("mail token", id)...)), true, nil
}

// MailToken is the link of a secret. Found is false for one that was never
// mailed, was used or has expired.
func (v *Vault) MailToken(ctx context.Context, secret string) (t MailToken, found bool, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(b) != mailName+keySize {
		return MailToken{}, false, nil //nolint:nilerr // it is no secret of ours
	}
	id := mailPrefix + hex.EncodeToString(b[:mailName])
	if !hmac.Equal(b[mailName:], v.pepper.sum("mail token", id)) {
		return MailToken{}, false, nil
	}
	t, err = v.mailToken(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return MailToken{}, false, nil
	}
	return t, err == nil, err
}

const (
	mailPrefix = "msg_"
	mailName   = 16
)

func (v *Vault) mailToken(ctx context.Context, id string) (MailToken, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT id, purpose, user_id, credential, expires_at
		FROM vault.mail_token
		WHERE id = $1 AND spent_at IS NULL AND expires_at > $2`, id, v.clock())
	if err != nil {
		return MailToken{}, away("read a mailed link", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[MailToken])
	return t, away("read a mailed link", err)
}

// SpendMailToken ends a link that was used.
func (v *Vault) SpendMailToken(ctx context.Context, id string) error {
	_, err := v.pool.Exec(ctx, `UPDATE vault.mail_token SET spent_at = $2 WHERE id = $1 AND spent_at IS NULL`, id, v.clock())
	return away("end a mailed link", err)
}

// EndMailTokens ends a user's links for some purposes.
func (v *Vault) EndMailTokens(ctx context.Context, userID string, purposes ...Purpose) error {
	_, err := v.pool.Exec(ctx, `
		UPDATE vault.mail_token
		SET spent_at = $3
		WHERE user_id = $1 AND purpose = ANY($2) AND spent_at IS NULL`, userID, purposes, v.clock())
	return away("end mailed links", err)
}
