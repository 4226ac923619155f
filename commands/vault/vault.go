// Package vault keeps what must never be in an event: the keys of personal
// data, password hashes, sessions, counters of failed attempts, and the pepper
// of every HMAC. It owns the Postgres schema vault and its migrations. Key
// material is wrapped by a key that Postgres never sees (kek.go).
//
// It must not decide who may do what, and holds no fact about the business:
// which credential is current, and that a key exists, is in the log. Whoever
// loses the vault loses everybody's personal data, so it is backed up after
// the log, and compare.go checks the two against each other at start.
package vault

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the files that Migrate runs, for whoever keeps a migrated
// database.
func Migrations() fs.FS { return migrations }

// Config is what a vault needs.
type Config struct {
	Pool *pgxpool.Pool
	// Wrapper keeps key material unreadable in Postgres.
	Wrapper Wrapper
	// Store gets the facts about keys.
	Store eventstore.Store
	Clock func() time.Time
	// Hashing is the cost of a password hash; the zero value is the default.
	Hashing Hashing
	// AcceptLost serves a log with what people log in with missing here.
	AcceptLost bool
}

// Vault is an open vault. All methods may be called from many goroutines.
type Vault struct {
	pool    *pgxpool.Pool
	wrapper Wrapper
	store   eventstore.Store
	codec   *eventstore.Codec
	clock   func() time.Time
	pepper  Pepper
	keys    keyCache
	hasher  *hasher
	// whiles has room for the sessions that are kept from ending at once.
	whiles chan struct{}
	// acceptLost is Config's.
	acceptLost bool
}

// Migrate brings the schema vault to the newest version, under a lock that
// other processes wait for.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return migrate(ctx, pool, func(ctx context.Context, p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
}

// migrateTo brings the schema vault to an older version's tables.
func migrateTo(ctx context.Context, pool *pgxpool.Pool, version int64) error {
	return migrate(ctx, pool, func(ctx context.Context, p *goose.Provider) error {
		sources := p.ListSources()
		if newest := sources[len(sources)-1].Version; version > newest {
			return fmt.Errorf("the vault was kept by a newer hostfold (version %d of its tables, this one knows %d); use that one", version, newest)
		}
		_, err := p.UpTo(ctx, version)
		return err
	})
}

func migrate(ctx context.Context, pool *pgxpool.Pool, up func(context.Context, *goose.Provider) error) error {
	if _, err := pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS vault`); err != nil {
		return fmt.Errorf("make the schema vault: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open the vault's migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID))
	if err != nil {
		return fmt.Errorf("lock the vault's migrations: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName("vault.goose_version"), goose.WithSessionLocker(locker))
	if err == nil {
		err = up(ctx, p)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("migrate the vault: %w", err)
	}
	return nil
}

// lockID is the advisory lock of the vault's migrations.
const lockID = 0x686f7374766c74

// Open opens a migrated vault and makes its pepper when there is none.
func Open(ctx context.Context, c Config) (*Vault, error) {
	codec, err := keyCodec()
	if err != nil {
		return nil, err
	}
	v := &Vault{
		whiles: make(chan struct{}, 2),
		pool:   c.Pool, wrapper: c.Wrapper, store: c.Store, codec: codec,
		clock: func() time.Time { return c.Clock().UTC().Truncate(time.Microsecond) },
		keys:  keyCache{clock: c.Clock}, acceptLost: c.AcceptLost,
	}
	if v.hasher, err = newHasher(c.Hashing); err != nil {
		return nil, err
	}
	v.pepper, err = v.openPepper(ctx)
	return v, err
}

// Used reports whether a migrated vault holds anything under a master key.
func Used(ctx context.Context, pool *pgxpool.Pool) (used bool, err error) {
	err = pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM vault.secret)`).Scan(&used)
	return used, away("look into the vault", err)
}

// Pepper is the key of every HMAC that is stored.
func (v *Vault) Pepper() Pepper { return v.pepper }

// away puts the refusal that people understand beside a database error, and
// says what was attempted.
func away(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%s: %w", doing, err)
	default:
		return fmt.Errorf("%s: %w (%w)", doing, domain.ErrUnavailable, err)
	}
}
