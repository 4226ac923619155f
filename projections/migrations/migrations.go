// Package migrations brings a database to the shape this binary needs: the
// schemas read (read models), feed (lanes and their checkpoints), web
// (idempotency answers) and river (jobs). Everything in them can be dropped
// and is built again from the event store.
//
// It must not touch the schema vault, which commands/vault owns, nor put
// anything into public.
package migrations

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

// lockID is the advisory lock under which one process migrates at a time.
const lockID = 0x686f7374666f6c64 >> 1

// Up brings the database to the newest version. Several processes may call it
// at once; the first migrates and the others find nothing to do.
func Up(ctx context.Context, db *pgxpool.Pool) (err error) {
	conn, err := db.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to migrate: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(lockID)); err != nil {
		return fmt.Errorf("lock the migrations: %w", err)
	}
	defer func() {
		_, unlockErr := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(lockID))
		err = errors.Join(err, unlockErr)
	}()
	if _, err := conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS feed`); err != nil {
		return fmt.Errorf("create schema feed: %w", err)
	}
	if err := upOwn(ctx, db); err != nil {
		return fmt.Errorf("migrate read side: %w", err)
	}
	river, err := rivermigrate.New(riverpgxv5.New(db), &rivermigrate.Config{Schema: "river"})
	if err != nil {
		return fmt.Errorf("prepare river's migrations: %w", err)
	}
	if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate river: %w", err)
	}
	return nil
}

func upOwn(ctx context.Context, db *pgxpool.Pool) (err error) {
	std := stdlib.OpenDBFromPool(db)
	defer func() { err = errors.Join(err, std.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, std, files,
		goose.WithTableName("feed.goose_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Sum identifies the migrations, for whoever keeps a migrated database.
func Sum() (string, error) { return SumOf(files) }

// SumOf is Sum of the files in a folder.
func SumOf(folder fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(folder, name)
		sum.Write(content)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}
