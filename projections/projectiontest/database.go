// Package projectiontest gives a test its own database and a real read side:
// an engine in memory, lanes that run, rows in Postgres. A package that uses it
// calls Main from its TestMain.
//
// It must not know any read model; it is for tests only.
package projectiontest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/migrations"
	"github.com/hostfold/hostfold/projections/postgres"
)

// variable names the server that tests use; Main sets it when nobody has.
const variable = "HOSTFOLD_TEST_DATABASE_URL"

// Main runs a package's tests beside a Postgres: that of
// HOSTFOLD_TEST_DATABASE_URL, or a private one for this package alone.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (status int) {
	if os.Getenv(variable) != "" {
		return m.Run()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := postgres.StartTemp(ctx, os.Getenv("HOSTFOLD_POSTGRES"))
	if err == nil {
		err = os.Setenv(variable, server.URL())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "start a Postgres for tests:", err)
		return 1
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := server.Stop(stopCtx); err != nil {
			fmt.Fprintln(os.Stderr, "stop the Postgres for tests:", err)
			status = max(status, 1)
		}
	}()
	return m.Run()
}

// Empty is a new database without anything in it, dropped after the test, and
// its URL.
func Empty(tb testing.TB) (*pgxpool.Pool, string) {
	tb.Helper()
	return database(tb, "template0")
}

// beside is what Beside was told.
var beside struct {
	files fs.FS
	up    func(ctx context.Context, db *pgxpool.Pool) error
}

// Beside has Database migrate another schema, too, by up from these files. It is
// called once, before tests run.
func Beside(files fs.FS, up func(ctx context.Context, db *pgxpool.Pool) error) {
	beside.files, beside.up = files, up
}

// Database is a new database with every migration of the read side, and of what
// Beside was told, dropped after the test, and its URL.
func Database(tb testing.TB) (*pgxpool.Pool, string) {
	tb.Helper()
	return database(tb, template(tb))
}

func database(tb testing.TB, from string) (*pgxpool.Pool, string) {
	tb.Helper()
	name := "test_" + rand.Text()
	admin(tb, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()+` TEMPLATE `+from)
	tb.Cleanup(func() { admin(tb, `DROP DATABASE `+pgx.Identifier{name}.Sanitize()+` WITH (FORCE)`) })
	target := within(tb, name)
	db, err := projections.Connect(tb.Context(), target)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db, target
}

// template is the name of a migrated database that others are copied from. All
// test binaries of one server share it.
func template(tb testing.TB) string {
	tb.Helper()
	name, err := migrated()
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

var migrated = sync.OnceValues(func() (name string, err error) {
	sum, err := migrations.Sum()
	if err != nil {
		return "", err
	}
	name = "hostfold_template_" + sum
	if beside.up != nil {
		if sum, err = migrations.SumOf(beside.files); err != nil {
			return "", err
		}
		name += "_" + sum
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, os.Getenv(variable)) // its end unlocks
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('hostfold template'))`); err != nil {
		return "", err
	}
	var done bool
	err = conn.QueryRow(ctx, `SELECT coalesce((SELECT datistemplate FROM pg_database WHERE datname = $1), false)`, name).Scan(&done)
	if done || err != nil {
		return name, err
	}
	if _, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+name+` TEMPLATE template0`); err != nil {
		return "", err
	}
	target, err := named(os.Getenv(variable), name)
	if err != nil {
		return "", err
	}
	if err := migrate(ctx, target); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE `+name+` IS_TEMPLATE true ALLOW_CONNECTIONS false`)
	return name, err
})

func migrate(ctx context.Context, target string) error {
	db, err := projections.Connect(ctx, target)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrations.Up(ctx, db); err != nil || beside.up == nil {
		return err
	}
	return beside.up(ctx, db)
}

// conns is how many connections the pool of a test's database has: a quarter of
// the processor time of tests went into what pools of 32 opened.
const conns = "6"

// within is the test server's URL with another database.
func within(tb testing.TB, name string) string {
	tb.Helper()
	target, err := named(serverURL(tb), name)
	if err != nil {
		tb.Fatal(err)
	}
	return target
}

func named(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	q := u.Query()
	q.Set("pool_max_conns", conns)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func serverURL(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv(variable)
	if server == "" {
		tb.Fatalf("no Postgres: the package's TestMain must call projectiontest.Main, or %s be set", variable)
	}
	return server
}

// admins are connections to the server's own database, for all tests of a process.
var admins = sync.OnceValues(func() (*pgxpool.Pool, error) {
	return pgxpool.New(context.Background(), os.Getenv(variable))
})

// admin runs a statement on the server's own database.
func admin(tb testing.TB, statement string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	serverURL(tb)
	db, err := admins()
	if err == nil {
		_, err = db.Exec(ctx, statement)
	}
	if err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}
