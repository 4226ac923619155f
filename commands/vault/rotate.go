package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// sealedTable is a table with a column of what was wrapped, each under the
// row's key column as its name.
type sealedTable struct{ name, key, column string }

// sealedTables are all of them, which a test compares with the schema. A new
// table writes through seal.
var sealedTables = []sealedTable{
	{"vault.secret", "name", "wrapped"},
	{"vault.subject_key", "id", "wrapped"},
	{"vault.factor", "id", "sealed"},
}

// The advisory locks of the rotation of the master key.
const (
	// rotateLock is held by the one rotation that runs.
	rotateLock = 0x686f737476726f
	// sealLock is shared by who wraps and writes; the rotation takes it alone
	// for a moment after the new key is there.
	sealLock = 0x686f737476736c
)

// seal wraps material and has insert write it, in one transaction that a
// rotation of the master key waits for: so nothing is written under a key
// after the rotation has looked for what stands under it.
func (v *Vault) seal(ctx context.Context, name string, material []byte, insert func(tx pgx.Tx, wrapped []byte) error) error {
	return pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1)`, sealLock); err != nil {
			return err
		}
		wrapped, err := v.wrapper.Wrap(ctx, name, material)
		if err != nil {
			return err
		}
		return insert(tx, wrapped)
	})
}

// ErrRotating says that another rotation of the master key is at work.
var ErrRotating = errors.New("a rotation of the master key is at work already; wait until it is done")

// Rotated says what a rotation did.
type Rotated struct {
	// Rows were wrapped anew.
	Rows int64
}

// Rotate brings everything in the vault under a new master key while the vault
// is in use, and removes the older keys when nothing is under them any more.
// With a Wrapper that is no Rotator it brings everything under the key that is
// current. One that was broken off is gone on with. Step, which may be nil, is
// told how many rows are done of how many.
func (v *Vault) Rotate(ctx context.Context, step func(done, total uint64)) (done Rotated, err error) {
	conn, err := v.pool.Acquire(ctx)
	if err != nil {
		return done, away("begin to rotate the master key", err)
	}
	defer conn.Release()
	held := conn.Conn()
	var alone bool
	if err := held.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, rotateLock).Scan(&alone); err != nil {
		return done, away("begin to rotate the master key", err)
	}
	if !alone {
		return done, ErrRotating
	}
	defer func() {
		// A connection that cannot give the lock back is closed with it.
		if _, e := held.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, rotateLock); e != nil {
			err = errors.Join(err, held.Close(context.WithoutCancel(ctx)))
		}
	}()
	rotator, own := v.wrapper.(Rotator)
	if own {
		if err := rotator.Begin(ctx); err != nil {
			return done, err
		}
	}
	current, err := v.wrapper.Current(ctx)
	if err != nil {
		return done, err
	}
	if err := v.settleSeals(ctx); err != nil {
		return done, err
	}
	if done.Rows, err = v.rewrapAll(ctx, current, step); err != nil || !own {
		return done, err
	}
	if err := v.noneForgotten(ctx, current); err != nil {
		return done, err
	}
	return done, rotator.End(ctx)
}

// settleSeals waits for those who began to write under an older key.
func (v *Vault) settleSeals(ctx context.Context) error {
	return away("wait for writers of the vault", pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, sealLock)
		return err
	}))
}

// noneForgotten refuses to remove an older key as long as any column of the
// vault, listed or not, holds something that is under it.
func (v *Vault) noneForgotten(ctx context.Context, current []byte) error {
	rows, err := v.pool.Query(ctx, `
		SELECT table_name::text, column_name::text
		FROM information_schema.columns
		WHERE table_schema = 'vault' AND data_type = 'bytea'`)
	if err != nil {
		return away("look through the vault", err)
	}
	type column struct{ Table, Column string }
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		return away("look through the vault", err)
	}
	for _, c := range all {
		var found bool
		name := pgx.Identifier{c.Column}.Sanitize()
		err := v.pool.QueryRow(ctx, `
			SELECT EXISTS (
				SELECT 1 FROM `+pgx.Identifier{"vault", c.Table}.Sanitize()+`
				WHERE substring(`+name+` FROM 1 FOR $2) = $1 AND substring(`+name+` FROM 1 FOR $4) <> $3)`,
			[]byte(keyMark), len(keyMark), current, len(current)).Scan(&found)
		if err != nil {
			return away("look through the vault", err)
		}
		if found {
			return fmt.Errorf("vault.%s.%s holds what is under an older master key, and the rotation does not know it: the older key is kept", c.Table, c.Column)
		}
	}
	return nil
}

func (v *Vault) rewrapAll(ctx context.Context, current []byte, step func(done, total uint64)) (rows int64, err error) {
	total := int64(0)
	for _, t := range sealedTables {
		n, err := v.underOlder(ctx, t, current)
		if err != nil {
			return 0, err
		}
		total += n
	}
	for _, t := range sealedTables {
		for after := ""; ; {
			n, last, err := v.rewrap(ctx, t, current, after)
			if err != nil {
				return rows, err
			}
			if n == 0 {
				break
			}
			rows, after = rows+n, last
			if step != nil {
				step(uint64(rows), uint64(max(rows, total))) //nolint:gosec // counts
			}
		}
		left, err := v.underOlder(ctx, t, current)
		if err != nil {
			return rows, err
		}
		if left > 0 {
			return rows, fmt.Errorf("%d rows of %s are still under an older master key, which is kept; run the rotation again", left, t.name)
		}
	}
	return rows, nil
}

func (v *Vault) underOlder(ctx context.Context, t sealedTable, current []byte) (n int64, err error) {
	err = v.pool.QueryRow(ctx, `
		SELECT count(*)
		FROM `+t.name+`
		WHERE `+t.column+` IS NOT NULL AND substring(`+t.column+` FROM 1 FOR $2) <> $1`, current, len(current)).Scan(&n)
	return n, away("count what is under older master keys", err)
}

// rewrapBatch is how many rows are wrapped anew in one transaction.
const rewrapBatch = 500

// rewrap wraps the next rows of a table anew. A row that changed meanwhile,
// such as a key that was destroyed, is left alone.
func (v *Vault) rewrap(ctx context.Context, t sealedTable, current []byte, after string) (n int64, last string, err error) {
	type row struct {
		Key     string
		Wrapped []byte
	}
	rows, err := v.pool.Query(ctx, `
		SELECT `+t.key+` AS key, `+t.column+` AS wrapped
		FROM `+t.name+`
		WHERE `+t.column+` IS NOT NULL AND substring(`+t.column+` FROM 1 FOR $2) <> $1 AND `+t.key+` > $3
		ORDER BY `+t.key+`
		LIMIT $4`, current, len(current), after, rewrapBatch)
	if err != nil {
		return 0, "", away("read what is under older master keys", err)
	}
	old, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	if err != nil || len(old) == 0 {
		return 0, "", away("read what is under older master keys", err)
	}
	b := &pgx.Batch{}
	for _, r := range old {
		material, err := v.wrapper.Unwrap(ctx, r.Key, r.Wrapped)
		if err != nil {
			return 0, "", err
		}
		wrapped, err := v.wrapper.Wrap(ctx, r.Key, material)
		if err != nil {
			return 0, "", err
		}
		b.Queue(`UPDATE `+t.name+` SET `+t.column+` = $3 WHERE `+t.key+` = $1 AND `+t.column+` = $2`, r.Key, r.Wrapped, wrapped)
	}
	err = pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() })
	return int64(len(old)), old[len(old)-1].Key, away("write under the new master key", err)
}
