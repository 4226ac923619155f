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
	admin(tb, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()+` TEMPLATE `+from)
		return err
	})
	tb.Cleanup(func() {
		admin(tb, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `DROP DATABASE `+pgx.Identifier{name}.Sanitize()+` WITH (FORCE)`)
			return err
		})
	})
	target := within(tb, name)
	db, err := projections.Connect(tb.Context(), few(tb, target))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db, target
}

// few is a database's URL for a pool that is enough for one test. To begin and to
// warm up as many connections as there are lanes costs the server more than all
// that a test asks of it.
func few(tb testing.TB, target string) string {
	tb.Helper()
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	with := u.Query()
	with.Set("pool_max_conns", "8")
	u.RawQuery = with.Encode()
	return u.String()
}

// template is the name of a migrated database that others are copied from. All
// test binaries of one server share it.
func template(tb testing.TB) string {
	tb.Helper()
	sum, err := migrations.Sum()
	if err != nil {
		tb.Fatal(err)
	}
	name := "hostfold_template_" + sum
	if beside.up != nil {
		if sum, err = migrations.SumOf(beside.files); err != nil {
			tb.Fatal(err)
		}
		name += "_" + sum
	}
	admin(tb, func(ctx context.Context, conn *pgx.Conn) (err error) {
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('hostfold template'))`); err != nil {
			return err
		}
		var done bool
		err = conn.QueryRow(ctx, `SELECT coalesce((SELECT datistemplate FROM pg_database WHERE datname = $1), false)`, name).Scan(&done)
		if done || err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `CREATE DATABASE `+name+` TEMPLATE template0`); err != nil {
			return err
		}
		if err := migrate(ctx, within(tb, name)); err != nil {
			return err
		}
		_, err = conn.Exec(ctx, `ALTER DATABASE `+name+` IS_TEMPLATE true ALLOW_CONNECTIONS false`)
		return err
	})
	return name
}

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

// within is the test server's URL with another database.
func within(tb testing.TB, name string) string {
	tb.Helper()
	u, err := url.Parse(serverURL(tb))
	if err != nil {
		tb.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func serverURL(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv(variable)
	if server == "" {
		tb.Fatalf("no Postgres: the package's TestMain must call projectiontest.Main, or %s be set", variable)
	}
	return server
}

// admin runs statements on the server's own database.
func admin(tb testing.TB, do func(ctx context.Context, conn *pgx.Conn) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, serverURL(tb))
	if err != nil {
		tb.Fatalf("connect to the test server: %v", err)
	}
	err = do(ctx, conn)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		tb.Fatal(err)
	}
}
