package hosting_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/product"
)

type events = []hosting.Event

func created() hosting.Created {
	return hosting.Created{Account: "acc_1", Product: "prd_1", ProductVersion: 2, Name: "VPS-5", Label: "hst-test.eu", Cycle: product.Monthly}
}

func active() []hosting.Event {
	return events{created(), hosting.ProvisioningStarted{}, hosting.Provisioned{ActiveFrom: "2026-01-31", RenewsOn: "2026-02-28"}}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	sold := product.Product{
		Code: "vps-5", Name: "VPS-5", Version: 2, Published: []product.Price{{Cycle: product.Monthly, Price: money.EUR(1200)}},
	}
	create := func(p product.Product, label string, cycle product.Cycle) func(hosting.Hosting) (events, error) {
		return func(h hosting.Hosting) (events, error) { return h.Create("acc_1", "prd_1", p, label, cycle) }
	}
	t.Run("pins the version that is on sale", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, hosting.Decider).When(create(sold, " hst-test.eu ", product.Monthly)).Then(created())
	})
	t.Run("refuses a product that is not on sale for the cycle", func(t *testing.T) {
		t.Parallel()
		retired := sold
		retired.Retired = true
		domaintest.For(t, hosting.Decider).When(create(sold, "a", product.Yearly)).Refused(product.ErrNotOnSale)
		domaintest.For(t, hosting.Decider).When(create(retired, "a", product.Monthly)).Refused(product.ErrNotOnSale)
	})
	t.Run("names wrong fields", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, hosting.Decider).When(create(product.Product{}, "", "weekly")).RefusedField("label", "cycle", "product")
	})
	t.Run("happens once", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, hosting.Decider).Given(created()).When(create(sold, "a", product.Monthly)).Refused(hosting.ErrExists)
	})
}

func TestActivate(t *testing.T) {
	t.Parallel()
	activate := func(h hosting.Hosting) (events, error) { return h.Activate("2026-01-31") }
	domaintest.For(t, hosting.Decider).Given(created()).When(activate).Then(active()[1:]...)
	domaintest.For(t, hosting.Decider).Given(active()[:2]...).When(activate).Then(active()[2])
	domaintest.For(t, hosting.Decider).Given(active()...).When(activate).Refused(hosting.ErrActive)
	domaintest.For(t, hosting.Decider).When(activate).Refused(hosting.ErrMissing)
}

func TestSuspend(t *testing.T) {
	t.Parallel()
	suspend := func(r hosting.Reason) func(hosting.Hosting) (events, error) {
		return func(h hosting.Hosting) (events, error) { return h.Suspend(r) }
	}
	lift := func(r hosting.Reason) func(hosting.Hosting) (events, error) {
		return func(h hosting.Hosting) (events, error) { return h.Lift(r) }
	}
	overdue := hosting.Suspended{Reason: hosting.Overdue, Reasons: []hosting.Reason{hosting.Overdue}}

	t.Run("runs again only without any reason", func(t *testing.T) {
		t.Parallel()
		done := domaintest.For(t, hosting.Decider).Given(active()...).
			When(suspend(hosting.Overdue)).Then(overdue).
			When(suspend("abuse")).Then(hosting.Suspended{Reason: "abuse", Reasons: []hosting.Reason{"abuse", hosting.Overdue}}).
			When(lift(hosting.Overdue)).Then(hosting.SuspensionLifted{Reason: hosting.Overdue, Reasons: []hosting.Reason{"abuse"}, Status: hosting.StatusSuspended}).
			When(lift("abuse")).Then(hosting.SuspensionLifted{Reason: "abuse", Reasons: []hosting.Reason{}, Status: hosting.StatusActive})
		if got := done.State().Status; got != hosting.StatusActive {
			t.Errorf("status %s", got)
		}
		done.When(lift("abuse")).Refused(hosting.ErrNotSuspended)
	})
	t.Run("counts the same reason once", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, hosting.Decider).Given(active()...).Given(overdue).When(suspend(hosting.Overdue)).ThenNothing()
	})
	t.Run("needs an active service and a word as reason", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, hosting.Decider).Given(created()).When(suspend(hosting.Overdue)).Refused(hosting.ErrNotActive)
		domaintest.For(t, hosting.Decider).When(suspend(hosting.Overdue)).Refused(hosting.ErrMissing)
		domaintest.For(t, hosting.Decider).When(lift(hosting.Overdue)).Refused(hosting.ErrMissing)
		domaintest.For(t, hosting.Decider).Given(active()...).When(suspend("not Paid")).RefusedField("reason")
		domaintest.For(t, hosting.Decider).Given(active()...).When(lift("")).RefusedField("reason")
	})
}

func TestRename(t *testing.T) {
	t.Parallel()
	rename := func(label string) func(hosting.Hosting) (events, error) {
		return func(h hosting.Hosting) (events, error) { return h.Rename(label) }
	}
	domaintest.For(t, hosting.Decider).Given(created()).When(rename(" hst-test.fr ")).Then(hosting.Renamed{Label: "hst-test.fr"}).
		When(rename("hst-test.fr")).ThenNothing()
	domaintest.For(t, hosting.Decider).Given(created()).When(rename(" \n")).RefusedField("label")
	domaintest.For(t, hosting.Decider).When(rename("a")).Refused(hosting.ErrMissing)
}
