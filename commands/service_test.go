package commands_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/product"
)

func aService() hosting.Created {
	return hosting.Created{Account: "acc_1", Product: "prd_1", ProductVersion: 1, Name: "VPS-5", Label: "hst-test.eu", Cycle: product.Monthly}
}

func TestCreateService(t *testing.T) {
	t.Parallel()
	create := commands.CreateService{
		ServiceID: "hst_1", AccountID: "acc_1", Product: "prd_1", Label: "hst-test.eu", Cycle: product.Monthly,
		Sold: product.Product{Code: "vps-5", Name: "VPS-5", Version: 1, Published: []product.Price{{Cycle: product.Monthly, Price: money.EUR(1200)}}},
	}
	t.Run("pins what is on sale", func(t *testing.T) {
		t.Parallel()
		commandtest.For(t, hosting.Decider).When(create).Then(aService())
	})
	t.Run("refuses a cycle without a price", func(t *testing.T) {
		t.Parallel()
		yearly := create
		yearly.Cycle = product.Yearly
		commandtest.For(t, hosting.Decider).When(yearly).Refused(product.ErrNotOnSale)
	})
}

func TestActivateService(t *testing.T) {
	t.Parallel()
	lateInParis := time.Date(2026, time.March, 10, 23, 30, 0, 0, time.UTC)
	commandtest.For(t, hosting.Decider).Given(aService()).At(lateInParis).
		When(commands.ActivateService{ServiceID: "hst_1", Zone: "Europe/Paris"}).
		Then(hosting.ProvisioningStarted{}, hosting.Provisioned{ActiveFrom: "2026-03-11", RenewsOn: "2026-04-11"})
}

func TestSuspendAndLiftService(t *testing.T) {
	t.Parallel()
	active := hosting.Provisioned{ActiveFrom: "2026-03-10", RenewsOn: "2026-04-10"}
	suspended := hosting.Suspended{Reason: hosting.Overdue, Reasons: []hosting.Reason{hosting.Overdue}}
	commandtest.For(t, hosting.Decider).Given(aService(), active).
		When(commands.SuspendService{ServiceID: "hst_1", Reason: hosting.Overdue}).Then(suspended)
	commandtest.For(t, hosting.Decider).Given(aService()).
		When(commands.SuspendService{ServiceID: "hst_1", Reason: hosting.Overdue}).Refused(hosting.ErrNotActive)
	commandtest.For(t, hosting.Decider).Given(aService(), active, suspended).
		When(commands.LiftService{ServiceID: "hst_1", Reason: hosting.Overdue}).
		Then(hosting.SuspensionLifted{Reason: hosting.Overdue, Reasons: []hosting.Reason{}, Status: hosting.StatusActive})
	commandtest.For(t, hosting.Decider).Given(aService(), active).
		When(commands.LiftService{ServiceID: "hst_1", Reason: "abuse"}).Refused(hosting.ErrNotSuspended)
}

func TestRenameService(t *testing.T) {
	t.Parallel()
	rename := commands.RenameService{ServiceID: "hst_1", Label: "hst-test.fr"}
	commandtest.For(t, hosting.Decider).Given(aService()).When(rename).Then(hosting.Renamed{Label: "hst-test.fr"})
	commandtest.For(t, hosting.Decider).Given(aService(), hosting.Renamed{Label: "hst-test.fr"}).When(rename).Then()
	commandtest.For(t, hosting.Decider).When(rename).Refused(hosting.ErrMissing)
}

func TestAServiceOfAnotherAccountIsMissing(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	aProduct(t, d)

	receipt, err := commands.Execute(t.Context(), d, commandtest.StaffCall("acc_1"), commands.CreateService{
		AccountID: "acc_1", Product: "prd_1", Label: "hst-test.eu", Cycle: product.Monthly,
	})
	if err != nil {
		t.Fatal(err)
	}
	rename := commands.RenameService{ServiceID: receipt.ID, Label: "mine"}
	if _, err := commands.Execute(t.Context(), d, ownerCall("acc_2"), rename); !errors.Is(err, hosting.ErrMissing) {
		t.Errorf("another account renames it: %v", err)
	}
	if _, err := commands.Execute(t.Context(), d, ownerCall("acc_1"), rename); err != nil {
		t.Errorf("its account does not rename it: %v", err)
	}
	_, err = commands.Execute(t.Context(), d, ownerCall("acc_1"), commands.ActivateService{ServiceID: receipt.ID})
	if domain.KindOf(err) != domain.KindDenied {
		t.Errorf("a customer activates it: %v", err)
	}
}

func TestAServiceNeedsAnAccountAndAProduct(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	create := commands.CreateService{AccountID: "acc_1", Product: "prd_none", Label: "a", Cycle: product.Monthly}
	if _, err := commands.Execute(t.Context(), d, commandtest.StaffCall("acc_1"), create); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("no product: %v", err)
	}
	create.AccountID = "acc_none"
	if _, err := commands.Execute(t.Context(), d, commandtest.StaffCall("acc_none"), create); !errors.Is(err, account.ErrMissing) {
		t.Errorf("no account: %v", err)
	}
}
