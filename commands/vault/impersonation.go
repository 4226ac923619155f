package vault

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Impersonation is as whom a session acts.
type Impersonation struct {
	// ID is that of the impersonation in the log, "" for none.
	ID string `db:"impersonation"`
	// Account is acted for, until a time.
	Account string     `db:"acts_for"`
	Until   *time.Time `db:"acts_until"`
}

// On reports whether the session acts as somebody at a time.
func (i Impersonation) On(now time.Time) bool {
	return i.ID != "" && i.Until != nil && now.Before(*i.Until)
}

// Impersonate lets a session act for an account until a time. It answers false
// when there is no such session any more, when it acts as somebody already, or
// when another one does so by this id.
func (v *Vault) Impersonate(ctx context.Context, userID, session, id, account string, until time.Time) (bool, error) {
	tag, err := v.pool.Exec(ctx, `
		UPDATE vault.session
		SET impersonation = $3, acts_for = $4, acts_until = $5
		WHERE id = $1 AND user_id = $2 AND expires_at > $6 AND used_at + idle_for > $6
		  AND (impersonation IN ('', $3) OR acts_until <= $6)
		  AND NOT EXISTS (SELECT FROM vault.session WHERE user_id = $2 AND impersonation = $3 AND id <> $1)`, session, userID, id, account, until, v.clock())
	return tag.RowsAffected() > 0, away("let a session act for an account", err)
}

// StopImpersonating ends an impersonation, in every process from the next
// request on.
func (v *Vault) StopImpersonating(ctx context.Context, userID, id string) error {
	_, err := v.pool.Exec(ctx, `
		UPDATE vault.session
		SET impersonation = '', acts_for = '', acts_until = NULL
		WHERE user_id = $1 AND impersonation = $2`, userID, id)
	return away("end an impersonation", err)
}

// Impersonations are those that are on in a user's sessions, or in one of them,
// or were until their end.
func (v *Vault) Impersonations(ctx context.Context, userID, session string) ([]Impersonation, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT impersonation, acts_for, acts_until
		FROM vault.session
		WHERE user_id = $1 AND ($2 = '' OR id = $2) AND impersonation <> ''`, userID, session)
	if err != nil {
		return nil, away("look for impersonations", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Impersonation])
	return found, away("look for impersonations", err)
}

// StopActingFor ends every impersonation for an account, in every process from
// the next request on, and answers them. A repeat answers them again: what
// follows may have been cut off.
func (v *Vault) StopActingFor(ctx context.Context, account string) ([]Impersonation, error) {
	rows, err := v.pool.Query(ctx, `
		UPDATE vault.session
		SET acts_until = 'epoch'
		WHERE acts_for = $1
		RETURNING impersonation, acts_for, acts_until`, account)
	if err != nil {
		return nil, away("end impersonations for an account", err)
	}
	ended, err := pgx.CollectRows(rows, pgx.RowToStructByName[Impersonation])
	return ended, away("end impersonations for an account", err)
}
