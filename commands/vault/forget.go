package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/eventstore"
)

// Forget deletes every row about a user: password hashes, sessions, whatever a
// table with a column user_id keeps, but for log-ins, which the law wants kept for
// a year (décret 2021-1362) and Clean deletes. It may be repeated.
func (v *Vault) Forget(ctx context.Context, userID string) error {
	err := pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT table_name::text
			FROM information_schema.columns
			WHERE table_schema = 'vault' AND column_name = 'user_id' AND table_name <> 'login'
			ORDER BY 1`)
		if err != nil {
			return err
		}
		tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, name := range tables {
			if _, err := tx.Exec(ctx, `DELETE FROM `+pgx.Identifier{"vault", name}.Sanitize()+` WHERE user_id = $1`, userID); err != nil {
				return fmt.Errorf("vault.%s: %w", name, err)
			}
		}
		return nil
	})
	return away("forget a user", err)
}

// ForgottenAt is when the last process has forgotten the keys of some subjects
// that were destroyed; the zero time when none was.
func (v *Vault) ForgottenAt(ctx context.Context, subjects []string) (time.Time, error) {
	var last *time.Time
	err := v.pool.QueryRow(ctx, `SELECT max(destroyed_at) FROM vault.subject_key WHERE subject = ANY($1)`, subjects).Scan(&last)
	if err != nil || last == nil {
		return time.Time{}, away("look when keys were destroyed", err)
	}
	return last.Add(keyTrust), nil
}

// forgetErased forgets the user whose profile a destroyed key was for.
func (v *Vault) forgetErased(ctx context.Context, row keyRow) error {
	if row.Purpose != eventstore.Profile {
		return nil
	}
	return v.Forget(ctx, row.Subject)
}
