package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/jackc/pgx/v5"
)

// Client is where a request comes from.
type Client struct {
	// Device is the secret of the device cookie, "" without one.
	Device string
	// Browser and System are the device in words, "" for what is not known.
	Browser, System string
	IP              string
}

// deviceText is the length of a device's secret as text: 256 bits.
const deviceText = 64

// NewDeviceSecret is the secret of a device that has none yet. The cookie
// carries it and tells nobody anything; what has logged in from it is kept as
// an HMAC of both.
func NewDeviceSecret() string {
	b := make([]byte, deviceText/2)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// IsDeviceSecret reports whether a text may be a device's secret.
func IsDeviceSecret(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == deviceText/2
}

// IsNewDevice reports whether an attempt comes from something that its user has
// never logged in from: neither the device nor this browser at this source is
// known, and the user has logged in before.
func (v *Vault) IsNewDevice(ctx context.Context, a Attempt, userID string) (isNew bool, err error) {
	err = v.pool.QueryRow(ctx, `
		SELECT NOT EXISTS (SELECT 1 FROM vault.known_device WHERE who = ANY($1) AND seen_at > $3)
			AND (EXISTS (SELECT 1 FROM vault.known_device WHERE user_id = $2)
				OR EXISTS (SELECT 1 FROM vault.login WHERE user_id = $2 AND outcome = 'success'))`,
		[][]byte{a.device, a.agent}, userID, v.clock().Add(-knownFor)).Scan(&isNew)
	return isNew, away("look for a known device", err)
}

// KnowDevice remembers what a user logged in from.
func (v *Vault) KnowDevice(ctx context.Context, a Attempt, userID string) error {
	_, err := v.pool.Exec(ctx, knowDevice, [][]byte{a.device, a.agent}, userID, v.clock())
	return away("remember a device", err)
}

const knowDevice = `
	INSERT INTO vault.known_device (who, user_id, seen_at)
	SELECT unnest($1::bytea[]), $2, $3
	ON CONFLICT (who) DO UPDATE SET user_id = excluded.user_id, seen_at = excluded.seen_at`

// OnlyKnow forgets all devices of a user but the one that a mailed link was
// followed on, which passes by what strangers have done to the address.
func (v *Vault) OnlyKnow(ctx context.Context, from Client, email, userID string) error {
	a := v.visitOf(from, email)
	return away("remember a device", pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM vault.known_device WHERE user_id = $1`, userID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, knowDevice, [][]byte{a.device, a.agent}, userID, v.clock())
		return err
	}))
}

// ForgetDevices forgets every device of a user.
func (v *Vault) ForgetDevices(ctx context.Context, userID string) error {
	_, err := v.pool.Exec(ctx, `DELETE FROM vault.known_device WHERE user_id = $1`, userID)
	return away("forget devices", err)
}
