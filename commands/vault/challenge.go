package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// ChallengePurpose is what a challenge is good for.
type ChallengePurpose string

// The purposes of a challenge.
const (
	// SecondFactor follows a password that was right.
	SecondFactor ChallengePurpose = "second factor"
	// PasskeyLogin logs in whoever has a passkey; it is for no user yet.
	PasskeyLogin ChallengePurpose = "passkey log-in"
	// PasskeyConfirm proves a logged-in user once more.
	PasskeyConfirm ChallengePurpose = "passkey confirmation"
	// PasskeyAdd registers a passkey.
	PasskeyAdd ChallengePurpose = "passkey registration"
)

const (
	// ChallengeLife is how long a challenge can be answered.
	ChallengeLife = 5 * time.Minute
	// challengeTries is how often.
	challengeTries = 5
)

// Challenge is something to be answered, once.
type Challenge struct {
	Purpose ChallengePurpose
	// UserID is whose answer is wanted, "" for anybody's.
	UserID string
	// Credential is the password that was right, by its vault row.
	Credential string
	// Ceremony is what the answer of a passkey is checked against.
	Ceremony []byte
	// Attempt is that at the password, which counts until the challenge is answered.
	Attempt Attempt
}

// AddChallenge makes a challenge. Its token is told this once: only its hash
// is kept.
func (v *Vault) AddChallenge(ctx context.Context, c Challenge) (token string, err error) {
	secret, err := draw(32)
	if err != nil {
		return "", err
	}
	token = base64.RawURLEncoding.EncodeToString(secret)
	_, err = v.pool.Exec(ctx, `
		INSERT INTO vault.challenge (token_hash, purpose, user_id, credential, ceremony, attempt, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		hashToken(token), c.Purpose, c.UserID, c.Credential, c.Ceremony, c.Attempt, v.clock().Add(ChallengeLife))
	return token, away("make a challenge", err)
}

// Challenge is an open challenge, to be looked at and not answered. Found is
// false for one that never was, was answered, tried too often or has expired.
func (v *Vault) Challenge(ctx context.Context, token string) (c Challenge, found bool, err error) {
	return v.challenge(ctx, `
		SELECT purpose, user_id, credential, ceremony, attempt
		FROM vault.challenge
		WHERE token_hash = $1 AND expires_at > $2 AND tries < $3`, hashToken(token), v.clock(), challengeTries)
}

// TryChallenge counts a try at a challenge, before it is made. One with a
// passkey takes the ceremony out: what a device has signed counts once, also
// when it was refused.
func (v *Vault) TryChallenge(ctx context.Context, token string, passkey bool) (c Challenge, found bool, err error) {
	return v.challenge(ctx, `
		WITH open AS (
			SELECT token_hash, ceremony
			FROM vault.challenge
			WHERE token_hash = $1 AND expires_at > $2 AND tries < $3
			FOR UPDATE)
		UPDATE vault.challenge AS c
		SET tries = tries + 1, ceremony = CASE WHEN $4 THEN NULL ELSE c.ceremony END
		FROM open
		WHERE c.token_hash = open.token_hash
		RETURNING c.purpose, c.user_id, c.credential, open.ceremony, c.attempt`, hashToken(token), v.clock(), challengeTries, passkey)
}

func (v *Vault) challenge(ctx context.Context, sql string, args ...any) (c Challenge, found bool, err error) {
	rows, err := v.pool.Query(ctx, sql, args...)
	if err != nil {
		return c, false, away("read a challenge", err)
	}
	c, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Challenge])
	if errors.Is(err, pgx.ErrNoRows) {
		return c, false, nil
	}
	return c, err == nil, away("read a challenge", err)
}

// SetCeremony begins a passkey's answer to an open challenge; one begun before
// is given up.
func (v *Vault) SetCeremony(ctx context.Context, token string, ceremony []byte) error {
	_, err := v.pool.Exec(ctx, `UPDATE vault.challenge SET ceremony = $2 WHERE token_hash = $1`, hashToken(token), ceremony)
	return away("begin a passkey's answer", err)
}

// SpendChallenge ends a challenge that was answered. Of two answers at once,
// one is first.
func (v *Vault) SpendChallenge(ctx context.Context, token string) (first bool, err error) {
	tag, err := v.pool.Exec(ctx, `DELETE FROM vault.challenge WHERE token_hash = $1`, hashToken(token))
	return tag.RowsAffected() == 1, away("end a challenge", err)
}
