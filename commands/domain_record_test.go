package commands_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/eventstore"
)

func aName(owner, name string) commands.RecordDomain {
	return commands.RecordDomain{AccountID: owner, Name: name, RegisteredOn: "2025-02-01", ExpiresOn: "2027-02-01"}
}

func TestRecordDomain(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	anAccount(t, d, "acc_2")
	receipt, err := d.RecordDomain(t.Context(), commandtest.StaffCall("acc_1"), aName("acc_1", " Café.FR. "))
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := commands.Load(t.Context(), d.Streams(), domainname.Decider.At(receipt.ID))
	if err != nil || recorded.Name != "xn--caf-dma.fr" || recorded.OwnerAccount() != "acc_1" {
		t.Errorf("recorded %+v, %v", recorded, err)
	}
	for _, name := range []string{"café.fr", "xn--caf-dma.fr", "CAFÉ.fr"} {
		if _, err := d.RecordDomain(t.Context(), commandtest.StaffCall("acc_2"), aName("acc_2", name)); !errors.Is(err, domainname.ErrTaken) {
			t.Errorf("%s again: %v", name, err)
		}
	}
	for _, name := range []string{"", "fr", "a b.fr", "192.0.2.1", "-a.fr", "a_b.fr"} {
		if _, err := d.RecordDomain(t.Context(), commandtest.StaffCall("acc_1"), aName("acc_1", name)); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := d.RecordDomain(t.Context(), ownerCall("acc_1"), aName("acc_1", "a.fr")); !errors.Is(err, domain.ErrDenied) {
		t.Errorf("a customer: %v", err)
	}
	if _, err := d.RecordDomain(t.Context(), commandtest.StaffCall("acc_3"), aName("acc_3", "a.fr")); !errors.Is(err, account.ErrMissing) {
		t.Errorf("an account that does not exist: %v", err)
	}
}

func TestRecordDomainAtOnceRecordsOne(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() {
			_, errs[i] = d.RecordDomain(t.Context(), commandtest.StaffCall("acc_1"), aName("acc_1", "hst-test.fr"))
		})
	}
	all.Wait()
	done := 0
	for _, err := range errs {
		switch {
		case err == nil:
			done++
		case !errors.Is(err, domainname.ErrTaken):
			t.Errorf("refused with %v", err)
		}
	}
	if done != 1 {
		t.Errorf("%d of them recorded the name", done)
	}
}

// TestAnExpiredHoldIsNoClaim repeats a command that broke off after its hold,
// when somebody else has the name by now.
func TestAnExpiredHoldIsNoClaim(t *testing.T) {
	t.Parallel()
	store := &commandtest.Faulty{Store: commandtest.Engine(t)}
	d := commandtest.Dispatcher(t, store, catalog.Types()...)
	anAccount(t, d, "acc_1")
	anAccount(t, d, "acc_2")
	gone := errors.New("the machine is gone")
	store.Fail(commandtest.Fault{Times: 1, Fails: func(_ string, events []eventstore.NewEvent) error {
		if events[0].Type == (domainname.Registered{}).EventType() {
			return gone
		}
		return nil
	}})
	call := commandtest.StaffCall("acc_1")
	if _, err := d.RecordDomain(t.Context(), call, aName("acc_1", "hst-test.fr")); !errors.Is(err, gone) {
		t.Fatalf("the crash: %v", err)
	}
	d.Clock = func() time.Time { return commandtest.Noon.Add(time.Hour) }
	if _, err := d.RecordDomain(t.Context(), commandtest.StaffCall("acc_2"), aName("acc_2", "hst-test.fr")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RecordDomain(t.Context(), call, aName("acc_1", "hst-test.fr")); !errors.Is(err, domainname.ErrTaken) {
		t.Errorf("the repeat: %v", err)
	}
	mine := domainname.Decider.At(commands.NewID(call.CommandID, "dom"))
	if twin, err := commands.Load(t.Context(), d.Streams(), mine); err != nil || twin.Name != "" {
		t.Errorf("the name has a second stream: %+v, %v", twin, err)
	}
}
