// Package vaulttest opens a real vault for tests of what needs one.
package vaulttest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// Main runs a package's tests beside a Postgres, in databases that have the
// vault's tables, too; call it from TestMain.
func Main(m *testing.M) {
	projectiontest.Beside(vault.Migrations(), vault.Migrate)
	projectiontest.Main(m)
}

// Database is a new database with the vault's tables, dropped after the test.
func Database(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, _ := projectiontest.Database(tb)
	return pool
}

// Cheap makes password hashes quick; their form is that of production.
var Cheap = vault.Hashing{KiB: 64, Passes: 1, Threads: 1, AtOnce: 2}

// Open migrates a database and opens its vault, with a new key file.
func Open(tb testing.TB, pool *pgxpool.Pool, store eventstore.Store) *vault.Vault {
	tb.Helper()
	return OpenWith(tb, pool, store, filepath.Join(tb.TempDir(), "kek"), time.Now)
}

// OpenWith is Open with a given key file and clock.
func OpenWith(tb testing.TB, pool *pgxpool.Pool, store eventstore.Store, keyFile string, clock func() time.Time) *vault.Vault {
	tb.Helper()
	if err := vault.Migrate(tb.Context(), pool); err != nil {
		tb.Fatalf("migrate: %v", err)
	}
	wrapper, err := vault.OpenKeyFile(keyFile)
	if err != nil {
		tb.Fatalf("open the key file: %v", err)
	}
	v, err := vault.Open(tb.Context(), vault.Config{Pool: pool, Wrapper: wrapper, Store: store, Clock: clock, Hashing: Cheap})
	if err != nil {
		tb.Fatalf("open the vault: %v", err)
	}
	return v
}
