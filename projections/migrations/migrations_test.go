package migrations_test

import (
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

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
