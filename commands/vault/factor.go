package vault

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/user"
)

// One-time codes as every app makes them (RFC 6238 with its defaults).
const (
	// TOTPStep is how long a code is shown.
	TOTPStep = 30 * time.Second
	// totpSkew is how many steps a clock may be off.
	totpSkew = 1
	// totpSecret is the length of a secret in bytes, that of its hash.
	totpSecret = 20
)

// readable is the alphabet of what people copy: no 0, 1, 8 or 9.
var readable = base32.StdEncoding.WithPadding(base32.NoPadding)

// AddTOTP draws a secret for one-time codes and keeps it under a new id. It is
// told this once, in base32.
func (v *Vault) AddTOTP(ctx context.Context, id, userID string) (secret string, err error) {
	material, err := draw(totpSecret)
	if err != nil {
		return "", err
	}
	return readable.EncodeToString(material), v.addFactor(ctx, id, userID, material, nil, 0)
}

// TOTPSecret is a secret once more, in base32: as long as no code of it was
// given, who set it up may have another look.
func (v *Vault) TOTPSecret(ctx context.Context, id string) (secret string, found bool, err error) {
	f, err := v.factor(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	return readable.EncodeToString(f.material), err == nil, err
}

// CheckTOTP reports whether a code is one of a secret's at this time, give or
// take a step, and later than every code that was accepted before: of two uses
// of one code, wherever they come, one holds.
func (v *Vault) CheckTOTP(ctx context.Context, id, code string) (bool, error) {
	f, err := v.factor(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	step, ok, err := totpStepOf(readable.EncodeToString(f.material), code, v.clock())
	if err != nil || !ok {
		return false, err
	}
	return v.useFactor(ctx, id, step, false)
}

// totpStepOf is the step around a time to which a code belongs. It compares
// with all of them, whichever fits.
func totpStepOf(secret, code string, now time.Time) (step int64, ok bool, err error) {
	present := now.Unix() / int64(TOTPStep/time.Second)
	for s := present - totpSkew; s <= present+totpSkew; s++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(s), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}) //nolint:gosec // after 1970
		if err != nil {
			return 0, false, fmt.Errorf("make a one-time code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// Recovery codes have 120 bits, in groups that people can copy: 112 are enough
// to need no slow hash (ASVS 5, 6.5.2).
const (
	recoveryBytes = 15
	recoveryGroup = 4
)

// AddRecoveryCodes draws a user's recovery codes and keeps their hashes under a
// new id. The codes are told this once.
func (v *Vault) AddRecoveryCodes(ctx context.Context, id, userID string) ([]string, error) {
	codes, hashes := make([]string, user.RecoveryCodes), []byte(nil)
	for i := range codes {
		material, err := draw(recoveryBytes)
		if err != nil {
			return nil, err
		}
		text := readable.EncodeToString(material)
		hashes = append(hashes, v.recoveryHash(id, text)...)
		var groups []string
		for len(text) > 0 {
			groups, text = append(groups, text[:recoveryGroup]), text[recoveryGroup:]
		}
		codes[i] = strings.Join(groups, "-")
	}
	return codes, v.addFactor(ctx, id, userID, hashes, nil, 0)
}

// FindRecoveryCode is the number of a code in a set; found is false for one
// that is not in it. That it was not used before, the user's stream knows.
func (v *Vault) FindRecoveryCode(ctx context.Context, id, code string) (number int, found bool, err error) {
	f, err := v.factor(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	plain := strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, code))
	hash := v.recoveryHash(id, plain)
	for i := range len(f.material) / len(hash) {
		if hmac.Equal(hash, f.material[i*len(hash):(i+1)*len(hash)]) {
			number, found = i, true
		}
	}
	return number, found, nil
}

// recoveryHash needs no slow hash: nobody guesses 120 bits.
func (v *Vault) recoveryHash(id, code string) []byte { return v.pepper.sum("recovery code", id, code) }

// ErrPasskeyKnown says that a passkey was registered before.
var ErrPasskeyKnown = domain.Conflict("passkey_known", "This passkey is registered already.")

// PasskeyRow is a passkey's public key, as the relying party keeps it.
type PasskeyRow struct {
	ID     string
	Record []byte
	// Signed is the counter of its last signature, UsedAt the time, nil before
	// the first use.
	Signed    uint32
	CreatedAt time.Time
	UsedAt    *time.Time
}

// AddPasskey keeps a passkey's public key under a new id. The name by which
// devices call the key is unique.
func (v *Vault) AddPasskey(ctx context.Context, id, userID string, key, record []byte, signed uint32) error {
	return v.addFactor(ctx, id, userID, record, v.pepper.sum("passkey", string(key)), int64(signed))
}

// Passkeys are those of the ids that are there.
func (v *Vault) Passkeys(ctx context.Context, ids []string) ([]PasskeyRow, error) {
	factors, err := v.factors(ctx, ids)
	if err != nil {
		return nil, err
	}
	keys := make([]PasskeyRow, len(factors))
	for i, f := range factors {
		keys[i] = PasskeyRow{ID: f.ID, Record: f.material, Signed: uint32(f.Counter), CreatedAt: f.CreatedAt, UsedAt: f.UsedAt} //nolint:gosec // it was one
	}
	return keys, nil
}

// UsePasskey notes a signature of a passkey. Ok is false when its counter does
// not go on: there may be a copy of the device. Those that do not count, as
// passkeys that are kept in step by a cloud, stay at 0.
func (v *Vault) UsePasskey(ctx context.Context, id string, signed uint32) (ok bool, err error) {
	return v.useFactor(ctx, id, int64(signed), signed == 0)
}

// factorRow is a row of vault.factor.
type factorRow struct {
	ID        string
	Sealed    []byte
	Counter   int64
	CreatedAt time.Time
	UsedAt    *time.Time
	material  []byte
}

func (v *Vault) addFactor(ctx context.Context, id, userID string, material, lookup []byte, counter int64) error {
	known := false
	err := v.seal(ctx, id, material, func(tx pgx.Tx, sealed []byte) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO vault.factor (id, user_id, sealed, lookup, counter, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT DO NOTHING`, id, userID, sealed, lookup, counter, v.clock())
		known = err == nil && tag.RowsAffected() == 0
		return err
	})
	if known {
		return ErrPasskeyKnown
	}
	return away("keep a second factor", err)
}

// factor is one row, pgx.ErrNoRows without it.
func (v *Vault) factor(ctx context.Context, id string) (factorRow, error) {
	rows, err := v.factors(ctx, []string{id})
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("read a second factor: %w", pgx.ErrNoRows)
	}
	if err != nil {
		return factorRow{}, err
	}
	return rows[0], nil
}

func (v *Vault) factors(ctx context.Context, ids []string) ([]factorRow, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT id, sealed, counter, created_at, used_at
		FROM vault.factor
		WHERE id = ANY($1)
		ORDER BY created_at, id`, ids)
	if err != nil {
		return nil, away("read second factors", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[factorRow])
	if err != nil {
		return nil, away("read second factors", err)
	}
	for i, f := range found {
		if found[i].material, err = v.wrapper.Unwrap(ctx, f.ID, f.Sealed); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// useFactor moves a counter on, in every process at once. Still is for those
// that do not count and stay at 0.
func (v *Vault) useFactor(ctx context.Context, id string, counter int64, still bool) (ok bool, err error) {
	tag, err := v.pool.Exec(ctx, `
		UPDATE vault.factor
		SET counter = $2, used_at = $3
		WHERE id = $1 AND (counter < $2 OR $4 AND counter = 0)`, id, counter, v.clock(), still)
	return tag.RowsAffected() == 1, away("note the use of a second factor", err)
}

// ReleaseFactor lets CleanFactors look at a row again: an event that gives it
// up is about to be written.
func (v *Vault) ReleaseFactor(ctx context.Context, id string) error {
	_, err := v.pool.Exec(ctx, `UPDATE vault.factor SET kept = false WHERE id = $1`, id)
	return away("release a second factor", err)
}

// CleanFactors deletes second factors that no user's stream names a day after
// they were made. Current answers which rows a user's stream names.
func (v *Vault) CleanFactors(ctx context.Context, current func(ctx context.Context, userID string) ([]string, error)) (deleted int64, err error) {
	before := v.clock().Add(-orphanAge)
	rows, err := v.pool.Query(ctx, `
		SELECT DISTINCT user_id
		FROM vault.factor
		WHERE NOT kept AND created_at < $1
		LIMIT 1000`, before)
	if err != nil {
		return 0, away("look for orphaned second factors", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, away("look for orphaned second factors", err)
	}
	for _, user := range users {
		named, err := current(ctx, user)
		if err != nil {
			return deleted, err
		}
		tag, err := v.pool.Exec(ctx, `
			DELETE FROM vault.factor
			WHERE user_id = $1 AND id <> ALL($2) AND created_at < $3`, user, append([]string{}, named...), before)
		if err == nil {
			deleted += tag.RowsAffected()
			_, err = v.pool.Exec(ctx, `UPDATE vault.factor SET kept = true WHERE id = ANY($1)`, named)
		}
		if err != nil {
			return deleted, away("delete orphaned second factors", err)
		}
	}
	return deleted, nil
}
