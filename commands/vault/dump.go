package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/eventstore"
)

// Dump describes a copy of the vault.
type Dump struct {
	// Schema is the version of the vault's tables.
	Schema int64       `json:"schema"`
	Tables []DumpTable `json:"tables"`
	// MasterKeys are the ids of the keys, in a KeyFile, that it is wrapped under.
	MasterKeys []string `json:"master_keys"`
}

// DumpTable describes the copy of one table, in the text form of COPY.
type DumpTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	// Size in bytes and SHA256 in hex are those of the copy.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// passing are tables that are not copied: a session that was ended or a mailed
// link that was used must not come back with a backup, and counters of attempts
// are soon over.
var passing = []string{"session", "mail_token", "attempt", "goose_version"}

// Copy copies the vault as it is at one moment, while it is in use. Create
// opens the place for a table, by its name. It does not run beside a rotation
// of the master key (ErrRotating).
func Copy(ctx context.Context, pool *pgxpool.Pool, create func(table string) (io.WriteCloser, error)) (d Dump, err error) {
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var still bool
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock_shared($1)`, rotateLock).Scan(&still); err != nil {
			return err
		}
		if !still {
			return ErrRotating
		}
		if d.Schema, err = schemaVersion(ctx, tx); err != nil {
			return err
		}
		tables, err := tablesOf(ctx, tx)
		if err != nil {
			return err
		}
		for _, name := range tables {
			if slices.Contains(passing, name) {
				continue
			}
			t, err := copyTable(ctx, tx, name, create)
			if err != nil {
				return fmt.Errorf("copy vault.%s: %w", name, err)
			}
			d.Tables = append(d.Tables, t)
		}
		d.MasterKeys, err = masterKeys(ctx, tx)
		return err
	})
	if err != nil {
		return d, fmt.Errorf("copy the vault: %w", err)
	}
	return d, nil
}

func schemaVersion(ctx context.Context, tx pgx.Tx) (v int64, err error) {
	err = tx.QueryRow(ctx, `SELECT max(version_id) FROM vault.goose_version WHERE is_applied`).Scan(&v)
	return v, err
}

func tablesOf(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT table_name::text
		FROM information_schema.tables
		WHERE table_schema = 'vault' AND table_type = 'BASE TABLE'
		ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func masterKeys(ctx context.Context, tx pgx.Tx) ([]string, error) {
	ids := []string{}
	for _, t := range sealedTables {
		rows, err := tx.Query(ctx, `
			SELECT DISTINCT substring(`+t.column+` FROM 1 FOR $1)
			FROM `+t.name+`
			WHERE `+t.column+` IS NOT NULL`, headSize)
		if err != nil {
			return nil, err
		}
		heads, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if err != nil {
			return nil, err
		}
		for _, head := range heads {
			if id := MasterKeyOf(head); id != "" {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func copyTable(ctx context.Context, tx pgx.Tx, name string, create func(string) (io.WriteCloser, error)) (DumpTable, error) {
	t := DumpTable{Name: name}
	rows, err := tx.Query(ctx, `
		SELECT column_name::text
		FROM information_schema.columns
		WHERE table_schema = 'vault' AND table_name = $1 AND is_generated = 'NEVER'
		ORDER BY ordinal_position`, name)
	if err != nil {
		return t, err
	}
	if t.Columns, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return t, err
	}
	to, err := create(name)
	if err != nil {
		return t, err
	}
	digest := sha256.New()
	size := &sizer{}
	tag, err := tx.Conn().PgConn().CopyTo(ctx, io.MultiWriter(to, digest, size), t.copySQL("TO STDOUT"))
	t.Rows, t.Size, t.SHA256 = tag.RowsAffected(), size.n, hex.EncodeToString(digest.Sum(nil))
	return t, errors.Join(err, to.Close())
}

type sizer struct{ n int64 }

func (c *sizer) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func (t DumpTable) copySQL(direction string) string {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	return `COPY ` + pgx.Identifier{"vault", t.Name}.Sanitize() + ` (` + strings.Join(columns, ", ") + `) ` + direction
}

// Loading is what a copy of the vault is loaded with.
type Loading struct {
	Pool *pgxpool.Pool
	Dump Dump
	// Open opens the copy of a table.
	Open func(table string) (io.ReadCloser, error)
	// Store is the log that the vault is to serve.
	Store eventstore.Store
	// Wrapper opens what is in the copy; nil when the master key is elsewhere.
	Wrapper Wrapper
	// AcceptLost loads a copy that lacks what people log in with.
	AcceptLost bool
}

// ErrInUse refuses a database whose vault holds something already.
var ErrInUse = errors.New("the database has a vault already")

// Load makes an empty database's vault of a copy. All of it is loaded, or
// nothing: the copy has to be what Dump says, to hold every key that the log
// calls live (else *MissingKeysError) and what people log in with (else
// *LostLoginsError), and to be opened by the Wrapper.
func Load(ctx context.Context, l Loading) error {
	if err := clearUnused(ctx, l.Pool); err != nil {
		return err
	}
	codec, err := keyCodec()
	if err != nil {
		return err
	}
	logged, err := (&Vault{store: l.Store, codec: codec}).loggedKeys(ctx)
	if err != nil {
		return err
	}
	if err := migrateTo(ctx, l.Pool, l.Dump.Schema); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, l.Pool, func(tx pgx.Tx) error {
		for _, t := range l.Dump.Tables {
			if err := loadTable(ctx, tx, t, l.Open); err != nil {
				return err
			}
		}
		kept, err := keyRows(ctx, tx)
		if err != nil {
			return err
		}
		if err := missing(logged, kept); err != nil {
			return err
		}
		if !l.AcceptLost {
			if err := lost(ctx, tx, l.Store); err != nil {
				return err
			}
		}
		return opens(ctx, tx, l.Wrapper)
	})
}

// clearUnused drops a vault without content, and refuses one with.
func clearUnused(ctx context.Context, pool *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		tables, err := tablesOf(ctx, tx)
		if err != nil {
			return err
		}
		for _, name := range tables {
			var used bool
			if name == "goose_version" {
				continue
			}
			if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+pgx.Identifier{"vault", name}.Sanitize()+`)`).Scan(&used); err != nil {
				return err
			}
			if used {
				return fmt.Errorf("%w: the table vault.%s holds rows; restore into an empty database, or drop the schema vault if nothing in it is needed", ErrInUse, name)
			}
		}
		_, err = tx.Exec(ctx, `DROP SCHEMA IF EXISTS vault CASCADE`)
		return err
	})
}

// loadTable loads one table and checks that it got what the dump says.
func loadTable(ctx context.Context, tx pgx.Tx, t DumpTable, open func(string) (io.ReadCloser, error)) error {
	from, err := open(t.Name)
	if err != nil {
		return err
	}
	digest := sha256.New()
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, io.TeeReader(from, digest), t.copySQL("FROM STDIN"))
	if err = errors.Join(err, from.Close()); err != nil {
		return fmt.Errorf("load vault.%s: %w", t.Name, err)
	}
	if tag.RowsAffected() != t.Rows || hex.EncodeToString(digest.Sum(nil)) != t.SHA256 {
		return fmt.Errorf("load vault.%s: it is not what the backup's manifest says; use another backup", t.Name)
	}
	return restartSequences(ctx, tx, t)
}

// restartSequences lets columns that number themselves go on after the last row.
func restartSequences(ctx context.Context, tx pgx.Tx, t DumpTable) error {
	table := pgx.Identifier{"vault", t.Name}.Sanitize()
	for _, c := range t.Columns {
		column := pgx.Identifier{c}.Sanitize()
		var sequence *string
		if err := tx.QueryRow(ctx, `SELECT pg_get_serial_sequence($1, $2)`, table, c).Scan(&sequence); err != nil {
			return err
		}
		if sequence == nil {
			continue
		}
		if _, err := tx.Exec(ctx, `SELECT setval($1, (SELECT coalesce(max(`+column+`), 0) + 1 FROM `+table+`), false)`, *sequence); err != nil {
			return err
		}
	}
	return nil
}

// opens checks that the master key belongs to the vault.
func opens(ctx context.Context, tx pgx.Tx, w Wrapper) error {
	if w == nil {
		return nil
	}
	var wrapped []byte
	err := tx.QueryRow(ctx, `SELECT wrapped FROM vault.secret WHERE name = 'pepper'`).Scan(&wrapped)
	if err != nil {
		return fmt.Errorf("read the pepper: %w", err)
	}
	_, err = w.Unwrap(ctx, "pepper", wrapped)
	return err
}
