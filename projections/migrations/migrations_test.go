package migrations_test

import (
	"embed"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/hostfold/hostfold/projections/migrations"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func TestUp(t *testing.T) {
	t.Parallel()
	db, _ := projectiontest.Empty(t)

	// Given an empty database and several processes that start at once.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := migrations.Up(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()

	// Then everything is in the four schemas, and nothing in public.
	rows, _ := db.Query(t.Context(), `
		SELECT DISTINCT schemaname
		FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
		ORDER BY schemaname`)
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range schemas {
		if s != "feed" && s != "read" && s != "river" && s != "web" {
			t.Errorf("there are tables in schema %s", s)
		}
	}

	// And when all of them are dropped, the next start makes them again.
	if _, err := db.Exec(t.Context(), `DROP SCHEMA read, feed, river, web CASCADE`); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
}

//go:embed *.sql
var files embed.FS

// TestClosedAccountsAreTheRightsOwn: the lane of the accounts, which may be
// behind or ahead, has no say in who only reads.
func TestClosedAccountsAreTheRightsOwn(t *testing.T) {
	t.Parallel()
	db, _ := projectiontest.Empty(t)
	if _, err := db.Exec(t.Context(), `CREATE SCHEMA feed`); err != nil {
		t.Fatal(err)
	}
	std := stdlib.OpenDBFromPool(db)
	t.Cleanup(func() { _ = std.Close() })
	all, err := goose.NewProvider(goose.DialectPostgres, std, files,
		goose.WithTableName("feed.goose_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.UpTo(t.Context(), 190); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `
		INSERT INTO read.rights (holder, role, accounts) VALUES
			('usr_1', '', '{"acc_closed": {"owner": true, "closed": true}, "acc_open": {"owner": true}}'),
			('usr_2', '', '{"acc_open": {"delegation": "dlg_1"}}'),
			('usr_3', 'admin', 'null')`); err != nil {
		t.Fatal(err)
	}
	if _, err := all.UpTo(t.Context(), 200); err != nil {
		t.Fatal(err)
	}
	rows, _ := db.Query(t.Context(), `SELECT account FROM read.closed_account`)
	closed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !slices.Equal(closed, []string{"acc_closed"}) {
		t.Errorf("closed are %v, %v", closed, err)
	}
	var flags int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM read.rights WHERE accounts::text LIKE '%"closed"%'`).Scan(&flags); err != nil || flags > 0 {
		t.Errorf("%d rows say it too, %v", flags, err)
	}
}
