package vault

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// orphanAge is how long a credential that no event names is kept: a
// registration or a change of password is long over by then.
const orphanAge = 24 * time.Hour

// AddCredential keeps the hash of a password under a new id. The row stands for
// that password for good; it holds once an event of the user names it.
func (v *Vault) AddCredential(ctx context.Context, id, userID, password string) error {
	hash, err := v.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	_, err = v.pool.Exec(ctx, `
		INSERT INTO vault.credential (id, user_id, hash, created_at)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO NOTHING`, id, userID, hash, v.clock())
	return away("keep a credential", err)
}

// CheckPassword reports whether the password is the credential's. An empty or
// unknown id takes as long and is false. A hash that was made at a lower cost
// than today's is made anew; it is the same password, so no event tells it.
func (v *Vault) CheckPassword(ctx context.Context, id, password string) (bool, error) {
	hash := v.hasher.dummy
	err := v.pool.QueryRow(ctx, `SELECT hash FROM vault.credential WHERE id = $1`, id).Scan(&hash)
	known := err == nil
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, away("read a credential", err)
	}
	ok, outdated, err := v.hasher.check(ctx, hash, password)
	if err != nil || !ok || !known || !outdated {
		return ok && known, err
	}
	better, err := v.hasher.hash(ctx, password)
	if err == nil {
		_, err = v.pool.Exec(ctx, `UPDATE vault.credential SET hash = $3 WHERE id = $1 AND hash = $2`, id, hash, better)
	}
	return true, away("strengthen a credential", err)
}

// CleanCredentials deletes the credentials that no user's stream names a day
// after they were made, older ones of the same user included. Current answers
// which credential a user's stream names, "" for none.
func (v *Vault) CleanCredentials(ctx context.Context, current func(ctx context.Context, userID string) (string, error)) (deleted int64, err error) {
	rows, err := v.pool.Query(ctx, `
		SELECT DISTINCT user_id
		FROM vault.credential
		WHERE NOT kept AND created_at < $1
		LIMIT 1000`, v.clock().Add(-orphanAge))
	if err != nil {
		return 0, away("look for orphaned credentials", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, away("look for orphaned credentials", err)
	}
	for _, user := range users {
		named, err := current(ctx, user)
		if err != nil {
			return deleted, err
		}
		tag, err := v.pool.Exec(ctx, `
			DELETE FROM vault.credential
			WHERE user_id = $1 AND id <> $2 AND created_at < $3`, user, named, v.clock().Add(-orphanAge))
		if err == nil {
			deleted += tag.RowsAffected()
			_, err = v.pool.Exec(ctx, `UPDATE vault.credential SET kept = true WHERE id = $1`, named)
		}
		if err != nil {
			return deleted, away("delete orphaned credentials", err)
		}
	}
	return deleted, nil
}
