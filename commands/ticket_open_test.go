package commands_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/eventstore"
)

func ask() commands.OpenTicket {
	return commands.OpenTicket{
		AccountID: "acc_1", Department: ticket.Technical, Priority: ticket.Normal, Subject: "Test de ticket", Message: "Bonjour",
	}
}

// ticketOf opens a ticket and reads it back.
func ticketOf(t *testing.T, d *commands.Dispatcher, call commands.Call) ticket.Ticket {
	t.Helper()
	receipt, err := d.OpenTicket(t.Context(), call, ask())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := commands.Load(t.Context(), d.Streams(), ticket.Decider.At(receipt.ID))
	if err != nil {
		t.Fatal(err)
	}
	held, err := commands.Load(t.Context(), d.Streams(), d.Reserved(reservation.TicketNumber, opened.Number))
	if err != nil || held.HolderOf() != receipt.ID {
		t.Errorf("the number %s belongs to %q, %v", opened.Number, held.HolderOf(), err)
	}
	return opened
}

func TestOpenTicketDrawsItsNumber(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	lot := func(last byte) []byte { return []byte{0, 0, 0, 0, last} }
	d.Rand = bytes.NewReader(append(append(lot(7), lot(7)...), lot(9)...))

	if first := ticketOf(t, d, ownerCall("acc_1")); first.Number != "AAA-000007" || first.Status != ticket.StatusOpen {
		t.Errorf("the first is %s, %s", first.Number, first.Status)
	}
	if second := ticketOf(t, d, ownerCall("acc_1")); second.Number != "AAA-000009" {
		t.Errorf("the second drew %s, not again after a number that was taken", second.Number)
	}
}

func TestOpenTicketRepeatsItsAnswer(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	call := ownerCall("acc_1")
	first, err := d.OpenTicket(t.Context(), call, ask())
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.OpenTicket(t.Context(), call, ask())
	if err != nil || !again.Replayed || again.ID != first.ID || again.Position != first.Position {
		t.Errorf("the repeat answers %+v, %v, the first %+v", again, err, first)
	}
	call.RequestHash = "another body"
	if _, err := d.OpenTicket(t.Context(), call, ask()); !errors.Is(err, commands.ErrKeyReused) {
		t.Errorf("another request under its key: %v", err)
	}
}

func TestOpenTicketAtOnceUnderOneKeyOpensOne(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	call := ownerCall("acc_1")
	var twins sync.WaitGroup
	receipts := make([]commands.Receipt, 8)
	for i := range receipts {
		twins.Go(func() {
			var err error
			if receipts[i], err = d.OpenTicket(t.Context(), call, ask()); err != nil {
				t.Errorf("twin %d: %v", i, err)
			}
		})
	}
	twins.Wait()
	for _, r := range receipts {
		if r.Revision != 0 || r.ID != receipts[0].ID || r.Position != receipts[0].Position {
			t.Errorf("a twin got %+v, the first %+v", r, receipts[0])
		}
	}
}

func TestOpenTicketFinishesWhatACrashBrokeOff(t *testing.T) {
	t.Parallel()
	store := &commandtest.Faulty{Store: commandtest.Engine(t)}
	d := commandtest.Dispatcher(t, store, catalog.Types()...)
	anAccount(t, d, "acc_1")
	gone := errors.New("the machine is gone")
	store.Fail(commandtest.Fault{Fails: func(_ string, events []eventstore.NewEvent) error {
		if events[0].Type == (reservation.Taken{}).EventType() {
			return gone
		}
		return nil
	}})
	call := ownerCall("acc_1")
	if _, err := d.OpenTicket(t.Context(), call, ask()); !errors.Is(err, gone) {
		t.Fatalf("the crash: %v", err)
	}
	store.Heal()
	ticketOf(t, d, call)
}

func TestOpenTicketTakesGivenFactsFromTheDemoOnly(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	given := func(by domain.ActorKind, number string) commands.Call {
		call := ownerCall("acc_1")
		call.Actor = domain.Actor{Kind: by, ID: "usr_1"}
		call.Number, call.At = number, time.Date(2022, time.November, 20, 12, 0, 0, 0, time.UTC)
		return call
	}
	if _, err := d.OpenTicket(t.Context(), given(domain.ActorUser, "HPJ-613904"), ask()); !errors.Is(err, commands.ErrGivenFact) {
		t.Errorf("a customer gives a number: %v", err)
	}
	if got := ticketOf(t, d, given(domain.ActorDemo, "HPJ-613904")); got.Number != "HPJ-613904" {
		t.Errorf("the demo's number is %s", got.Number)
	}
	if _, err := d.OpenTicket(t.Context(), given(domain.ActorDemo, "HPJ-613904"), ask()); !errors.Is(err, reservation.ErrTaken) {
		t.Errorf("a number twice: %v", err)
	}
	if _, err := d.OpenTicket(t.Context(), given(domain.ActorDemo, "13"), ask()); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("a number that is none: %v", err)
	}
}

func TestOpenTicketIsForThoseOfTheAccount(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	anAccount(t, d, "acc_1")
	theirs := aService()
	theirs.Account = "acc_2"
	happened(t, d, "acc_2", hosting.Decider.At("hst_2"), []hosting.Event{theirs}...)
	happened(t, d, "acc_1", hosting.Decider.At("hst_1"), []hosting.Event{aService()}...)

	about := func(id string) commands.OpenTicket {
		asked := ask()
		asked.Related = &ticket.Related{Kind: "service", ID: id}
		return asked
	}
	if _, err := d.OpenTicket(t.Context(), ownerCall("acc_1"), about("hst_1")); err != nil {
		t.Errorf("about its service: %v", err)
	}
	for _, id := range []string{"hst_2", "hst_none"} {
		if _, err := d.OpenTicket(t.Context(), ownerCall("acc_1"), about(id)); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("about %s: %v", id, err)
		}
	}
	if _, err := d.OpenTicket(t.Context(), ownerCall("acc_2"), ask()); !errors.Is(err, account.ErrMissing) {
		t.Errorf("under another account's path: %v", err)
	}
	nobody := commands.Call{CommandID: ownerCall("acc_1").CommandID, Account: "acc_1"}
	if _, err := d.OpenTicket(t.Context(), nobody, ask()); !errors.Is(err, domain.ErrUnauthenticated) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := d.OpenTicket(t.Context(), ownerCall("acc_1"), commands.OpenTicket{AccountID: "acc_1"}); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("nothing asked: %v", err)
	}
}
