package projections_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// TestNobodyWhoActsIsHiddenByThoseWhoDid: the ended ones, by now or by their
// time, count for nothing in the first hundred.
func TestNobodyWhoActsIsHiddenByThoseWhoDid(t *testing.T) {
	t.Parallel()
	db, _ := projectiontest.Database(t)
	put := func(name, status, until string, n int) {
		t.Helper()
		_, err := db.Exec(t.Context(), `
			INSERT INTO read.delegation (id, account, email, holder, status, permissions, scope, scope_ids, expires_at, open_until, created_at, stream_revision)
			SELECT $1 || i, 'acc_1', $1, '', $2, '[]', '{"all": true}', '{}', $3::timestamptz, now() + '1 day', now() + i * interval '1 s', 0
			FROM generate_series(1, $4::int) i`, name, status, until, n)
		if err != nil {
			t.Fatal(err)
		}
	}
	acting := func() ([]projections.DelegationRow, bool) {
		t.Helper()
		rows, more, err := projections.NewReader(db, nil, uuid.New()).Acting(t.Context(), delegation.Grants{System: true}, "acc_1")
		if err != nil {
			t.Fatal(err)
		}
		return rows, more
	}
	put("dan", "active", "2999-01-01", 1)
	put("gone", "revoked", "2999-01-01", 60)
	put("late", "active", "2020-01-01", 60)
	if rows, more := acting(); len(rows) != 1 || rows[0].Email != "dan" || more {
		t.Errorf("acting are %v, more %v", rows, more)
	}
	put("asked", "invited", "2999-01-01", 100)
	if rows, more := acting(); len(rows) != 100 || rows[99].Email != "asked" || !more {
		t.Errorf("acting are %d, more %v", len(rows), more)
	}
}
