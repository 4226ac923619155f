package projections_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// owner is the grants of an account's owner.
func owner(account string) delegation.Grants {
	return delegation.Grants{User: "usr_1", Accounts: map[string]delegation.Grant{account: {Owner: true}}}
}

func start(t *testing.T, types []domain.Type, models ...string) *projectiontest.Side {
	t.Helper()
	var chosen []projections.Model
	for _, name := range models {
		m, err := projections.ModelNamed(projections.Models(), name)
		if err != nil {
			t.Fatal(err)
		}
		chosen = append(chosen, m)
	}
	return projectiontest.Start(t, types, chosen...)
}

func TestServices(t *testing.T) {
	t.Parallel()
	side := start(t, hosting.Decider.Types, "services")
	side.Given("acc_1", "hosting-hst_1",
		hosting.Created{Account: "acc_1", Product: "prd_1", Name: "VPS-5", Label: "hst-test.eu", Cycle: product.Monthly},
		hosting.ProvisioningStarted{},
		hosting.Provisioned{ActiveFrom: "2026-11-23", RenewsOn: "2026-12-23"},
		hosting.Suspended{Reason: hosting.Overdue, Reasons: []hosting.Reason{hosting.Overdue}},
	)
	side.Given("acc_1", "hosting-hst_2", hosting.Created{Account: "acc_1", Product: "prd_1", Name: "VPS-5", Label: "hst-test.fr", Cycle: product.Monthly})
	side.Settle()

	t.Run("show what happened to a service", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Service(t.Context(), owner("acc_1"), "acc_1", "hst_1")
		want := projections.ServiceRow{
			ID: "hst_1", Account: "acc_1", Name: "VPS-5", Label: "hst-test.eu", Status: hosting.StatusSuspended,
			Product: "prd_1", Cycle: product.Monthly, RenewsOn: "2026-12-23", SuspensionReasons: []string{"overdue"},
			CreatedAt: projectiontest.Noon(), StreamRevision: 3,
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
	t.Run("are listed newest first, page by page", func(t *testing.T) {
		t.Parallel()
		first, err := side.Reader.Services(t.Context(), owner("acc_1"), "acc_1", projections.Page{Limit: 1})
		if err != nil || len(first.Items) != 1 || first.Items[0].ID != "hst_2" || first.NextCursor == nil {
			t.Fatal(first, err)
		}
		second, err := side.Reader.Services(t.Context(), owner("acc_1"), "acc_1", projections.Page{Limit: 1, Cursor: *first.NextCursor})
		if err != nil || len(second.Items) != 1 || second.Items[0].ID != "hst_1" || second.NextCursor != nil {
			t.Fatal(second, err)
		}
	})
	t.Run("are nobody else's", func(t *testing.T) {
		t.Parallel()
		if _, err := side.Reader.Service(t.Context(), owner("acc_2"), "acc_2", "hst_1"); !errors.Is(err, domain.Missing("service")) {
			t.Error(err)
		}
		if _, err := side.Reader.Services(t.Context(), owner("acc_2"), "acc_1", projections.Page{}); !errors.Is(err, domain.Missing("account")) {
			t.Error(err)
		}
	})
}

func TestServicesAfterARebuild(t *testing.T) {
	t.Parallel()
	side := start(t, hosting.Decider.Types, "services")
	for i := range 50 {
		id := "hosting-hst_" + time.Duration(i).String()
		side.Given("acc_1", id, hosting.Created{Account: "acc_1", Label: "a", Cycle: product.Monthly}, hosting.Renamed{Label: "b"})
	}
	side.RebuildsEqual()
}
