package vault

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Pepper makes HMACs of values that must be recognised again and never be
// read: e-mail addresses, request bodies, sources. It is kept in the vault.
type Pepper struct{ key []byte }

// NewPepper is a pepper with a given key, for tests without a vault.
func NewPepper(key []byte) Pepper { return Pepper{key: key} }

// Reservation is the id of the reservation of a normalised value: its stream
// does not tell the value.
func (p Pepper) Reservation(kind, value string) string {
	return hex.EncodeToString(p.sum("reservation", kind, value)[:16])
}

// Request is the hash by which a repeated request is recognised.
func (p Pepper) Request(body []byte) string {
	return hex.EncodeToString(p.sum("request", string(body)))
}

// sum is the HMAC of the fields for one use; each goes in with its length.
func (p Pepper) sum(use string, fields ...string) []byte {
	mac := hmac.New(sha256.New, p.key)
	for _, f := range append([]string{use}, fields...) {
		mac.Write(binary.AppendUvarint(nil, uint64(len(f))))
		mac.Write([]byte(f))
	}
	return mac.Sum(nil)
}

// openPepper reads the pepper, or makes it when the vault is new. Of two
// processes that make one at the same time, the first wins.
func (v *Vault) openPepper(ctx context.Context) (Pepper, error) {
	material, err := draw(keySize)
	if err != nil {
		return Pepper{}, err
	}
	err = v.seal(ctx, "pepper", material, func(tx pgx.Tx, wrapped []byte) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO vault.secret (name, wrapped, created_at)
			VALUES ('pepper', $1, $2)
			ON CONFLICT (name) DO NOTHING`, wrapped, v.clock())
		return err
	})
	var wrapped []byte
	if err == nil {
		err = v.pool.QueryRow(ctx, `SELECT wrapped FROM vault.secret WHERE name = 'pepper'`).Scan(&wrapped)
	}
	if err != nil {
		return Pepper{}, away("read the pepper", err)
	}
	if material, err = v.wrapper.Unwrap(ctx, "pepper", wrapped); err != nil {
		return Pepper{}, err
	}
	if len(material) != keySize {
		return Pepper{}, errors.New("the pepper in the vault is damaged; restore the vault from a backup")
	}
	return NewPepper(material), nil
}
