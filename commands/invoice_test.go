package commands_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/series"
	"github.com/hostfold/hostfold/eventstore"
)

// shop is a dispatcher with a seller and one account, acc_1.
type shop struct {
	*commands.Dispatcher
	store *commandtest.Faulty
	t     *testing.T
	now   time.Time
	mu    sync.Mutex
	from  vault.Client
}

var details = seller.Details{
	Name: "Hostfold SAS", LegalForm: "SAS", SIREN: "123456789", VATNumber: "FR32123456789", RCS: "Lyon",
	Address: seller.Address{Line1: "1 rue de la Paix", PostalCode: "69001", City: "Lyon", Country: "FR"},
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{store: &commandtest.Faulty{Store: commandtest.Engine(t)}, t: t, now: commandtest.Noon}
	s.Dispatcher = commandtest.Dispatcher(t, s.store, catalog.Types()...)
	s.Clock = func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	}
	if _, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.SystemCall(), commands.OpenAccount{
		AccountID: "acc_1", Owner: "usr_1", Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR",
		Address: account.Address{Line1: "2 rue du Lac", PostalCode: "69003", City: "Lyon"},
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) open() *shop {
	s.t.Helper()
	if _, err := commands.Execute(s.t.Context(), s.Dispatcher, commandtest.SystemCall(), commands.SetSeller{Details: details}); err != nil {
		s.t.Fatal(err)
	}
	return s
}

func (s *shop) at(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

var vps = invoice.NewLine{Description: "VPS-5, mars", Quantity: "1", UnitPrice: money.EUR(1000), VATRate: "20"}

func (s *shop) draft(lines ...invoice.NewLine) string {
	s.t.Helper()
	r, err := commands.Execute(s.t.Context(), s.Dispatcher, commandtest.StaffCall("acc_1"), commands.DraftInvoice{AccountID: "acc_1", Lines: lines})
	if err != nil {
		s.t.Fatal(err)
	}
	return r.ID
}

func (s *shop) issued() (string, commands.IssuedInvoice) {
	s.t.Helper()
	id := s.draft(vps)
	got, err := s.IssueInvoice(s.t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: id})
	if err != nil {
		s.t.Fatal(err)
	}
	return id, got
}

func (s *shop) invoice(id string) invoice.Invoice {
	s.t.Helper()
	return load(s, invoice.Decider.At(id))
}

func load[S any, E domain.Event](s *shop, target domain.Target[S, E]) S {
	s.t.Helper()
	state, err := commands.Load(s.t.Context(), s.Streams(), target)
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

// numbers are the numbers of a series, in the order they were given.
func (s *shop) numbers(kind series.Kind, year int) (numbers []string, dates []domain.Date) {
	s.t.Helper()
	for r, err := range s.Store.ReadStream(s.t.Context(), series.Decider.At(series.ID(kind, year)).Stream(), 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		e, _, err := s.Codec.Decode(s.t.Context(), r)
		if err != nil {
			s.t.Fatal(err)
		}
		if n, ok := e.(series.NumberAllocated); ok {
			numbers, dates = append(numbers, n.Number), append(dates, n.IssueDate)
		}
	}
	return numbers, dates
}

func TestIssuingFreezesNumbersAndIssues(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	id, got := s.issued()
	if got.Number != "F2026-000001" || got.IssuedOn != "2026-03-10" || got.DueOn != "2026-04-09" || got.ID != id || got.Replayed {
		t.Errorf("answered %+v", got)
	}
	inv := s.invoice(id)
	if inv.Status != invoice.StatusUnpaid || inv.Content.Buyer.Name != "Zoé Martin" || inv.Content.Buyer.City != "Lyon" || inv.Content.Seller.Name != "Hostfold SAS" || inv.Due != money.EUR(1200) {
		t.Errorf("issued as %+v", inv)
	}
	if got.Revision != 3 {
		t.Errorf("revision %d of drafted, line, requested, issued", got.Revision)
	}
}

func TestIssuedContentDoesNotFollowTheAccount(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	id, _ := s.issued()
	name := "Somebody Else"
	if _, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.Call(), commands.UpdateAccount{AccountID: "acc_1", Name: &name}); err != nil {
		t.Fatal(err)
	}
	if got := s.invoice(id).Content.Buyer.Name; got != "Zoé Martin" {
		t.Errorf("the invoice now names %s", got)
	}
}

func TestTheBillingIdentityIsTheBuyerOfWhatIsIssuedAfterIt(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	before, _ := s.issued()
	drafted := s.draft(vps)
	to := account.BillingIdentity{
		Kind: account.Company, Name: "Martin SARL", CompanyNumber: "732829320", VATNumber: "FR44732829320", Country: "FR",
		Address: account.Address{Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris"},
	}
	if _, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.Call(), commands.SetBillingIdentity{AccountID: "acc_1", BillingIdentity: to}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: drafted}); err != nil {
		t.Fatal(err)
	}
	want := invoice.Buyer{
		Name: "Martin SARL", Kind: "company", Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR",
		VATNumber: "FR44732829320", CompanyNumber: "732829320",
	}
	if diff := cmp.Diff(want, s.invoice(drafted).Content.Buyer); diff != "" {
		t.Error(diff)
	}
	if got := s.invoice(before).Content.Buyer; got.Name != "Zoé Martin" || got.City != "Lyon" || got.CompanyNumber != "" {
		t.Errorf("what was issued before now names %+v", got)
	}
}

func TestARefusedIssueChangesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given func(*shop) string
		call  commands.Call
		want  error
	}{
		"without a seller": {func(s *shop) string { return s.draft(vps) }, commandtest.StaffCall("acc_1"), seller.ErrNotConfigured},
		"without a line":   {func(s *shop) string { return s.open().draft() }, commandtest.StaffCall("acc_1"), invoice.ErrNoLines},
		"that is missing":  {func(s *shop) string { return "inv_0" }, commandtest.StaffCall("acc_1"), invoice.ErrMissing},
		"of another path":  {func(s *shop) string { return s.open().draft(vps) }, commandtest.StaffCall("acc_2"), invoice.ErrMissing},
		"by the customer":  {func(s *shop) string { return s.open().draft(vps) }, commandtest.Call(), domain.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			id := c.given(s)
			before := s.store.Appends()
			_, err := s.IssueInvoice(t.Context(), c.call, commands.IssueInvoice{InvoiceID: id})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if s.store.Appends() != before {
				t.Error("something was written")
			}
		})
	}
}

func TestTwoHundredIssuesAtOnceGetNumbersWithoutGapOrTwin(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	const n = 200
	ids := make([]string, n)
	for i := range ids {
		ids[i] = s.draft(vps)
	}
	// Half of them through another process on the same store.
	other := commandtest.Dispatcher(t, s.store)
	other.Codec = s.Codec
	s.Timeout, other.Timeout = time.Minute, time.Minute // it is about numbers, however slow the machine
	got := make([]commands.IssuedInvoice, n)
	var wg sync.WaitGroup
	for i, id := range ids {
		d := s.Dispatcher
		if i%2 == 0 {
			d = other
		}
		wg.Go(func() {
			var err error
			if got[i], err = d.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: id}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	answered := make([]string, n)
	for i := range got {
		answered[i] = got[i].Number
		if inv := s.invoice(ids[i]); inv.Number != got[i].Number {
			t.Errorf("invoice %s has %s, answered %s", ids[i], inv.Number, got[i].Number)
		}
	}
	slices.Sort(answered)
	numbers, dates := s.numbers(series.Invoice, 2026)
	for i := range n {
		want := fmt.Sprintf("F2026-%06d", i+1)
		if answered[i] != want || numbers[i] != want {
			t.Fatalf("number %d is %s in the answers and %s in the series", i+1, answered[i], numbers[i])
		}
	}
	if len(numbers) != n || !slices.IsSorted(dates) {
		t.Errorf("%d numbers, dates in order: %v", len(numbers), slices.IsSorted(dates))
	}
}

func TestTwinsOfAnIssueAndRepeatsGetOneNumber(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	id := s.draft(vps)
	call := commandtest.StaffCall("acc_1")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			got, err := s.IssueInvoice(t.Context(), call, commands.IssueInvoice{InvoiceID: id})
			if err != nil || got.Number != "F2026-000001" || got.Revision != 3 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	wg.Wait()
	if got, err := s.IssueInvoice(t.Context(), call, commands.IssueInvoice{InvoiceID: id}); err != nil || !got.Replayed || got.Number != "F2026-000001" {
		t.Errorf("a repeat: %+v, %v", got, err)
	}
	if got, err := s.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: id}); err != nil || got.Number != "F2026-000001" {
		t.Errorf("another request: %+v, %v", got, err)
	}
	if numbers, _ := s.numbers(series.Invoice, 2026); len(numbers) != 1 {
		t.Errorf("numbers %v", numbers)
	}
}

// broken lets the store go away at the first append to streams of a category
// after the first n appends.
func (s *shop) breakAt(category string) {
	s.store.Fail(commandtest.Fault{Fails: func(stream string, events []eventstore.NewEvent) error {
		for _, e := range events {
			if strings.HasPrefix(e.Type, category) {
				return eventstore.ErrUnavailable
			}
		}
		return nil
	}})
}

func TestABrokenIssueIsFinishedWithoutAGap(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{
		"before its number": "series.number_allocated",
		"after its number":  "invoice.issued",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t).open()
			id := s.draft(vps)
			s.breakAt(at)
			call := commandtest.StaffCall("acc_1")
			if _, err := s.IssueInvoice(t.Context(), call, commands.IssueInvoice{InvoiceID: id}); domain.KindOf(err) != domain.KindUnavailable {
				t.Fatalf("got %v", err)
			}
			s.store.Heal()
			// What is frozen can no longer be changed, whatever its number.
			if _, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.StaffCall("acc_1"), commands.AddInvoiceLine{InvoiceID: id, NewLine: vps}); !errors.Is(err, invoice.ErrNotDraft) {
				t.Errorf("edited a frozen invoice: %v", err)
			}
			if _, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.StaffCall("acc_1"), commands.DiscardInvoice{InvoiceID: id}); !errors.Is(err, invoice.ErrNotDraft) {
				t.Errorf("discarded a frozen invoice: %v", err)
			}
			s.issued()
			got, err := s.FinishInvoice(t.Context(), commandtest.SystemCall(), id)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"series.number_allocated": "F2026-000002", "invoice.issued": "F2026-000001"}[at]
			if got.Number != want {
				t.Errorf("number %s, want %s", got.Number, want)
			}
			if again, err := s.IssueInvoice(t.Context(), call, commands.IssueInvoice{InvoiceID: id}); err != nil || again.Number != want || !again.Replayed {
				t.Errorf("the client's repeat: %+v, %v", again, err)
			}
			if numbers, _ := s.numbers(series.Invoice, 2026); len(numbers) != 2 {
				t.Errorf("numbers %v", numbers)
			}
		})
	}
}

func TestAnIssueFinishedNextYearKeepsItsSeries(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	// 23:30 in Paris on the last day of the year.
	s.at(time.Date(2026, 12, 31, 22, 30, 0, 0, time.UTC))
	numbered, unnumbered := s.draft(vps), s.draft(vps)
	s.breakAt("invoice.issued")
	if _, err := s.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: numbered}); err == nil {
		t.Fatal("not broken")
	}
	s.breakAt("series.number_allocated")
	if _, err := s.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: unnumbered}); err == nil {
		t.Fatal("not broken")
	}
	s.store.Heal()
	s.at(time.Date(2027, 1, 1, 8, 0, 0, 0, time.UTC))
	for id, want := range map[string]string{numbered: "F2026-000001", unnumbered: "F2026-000002"} {
		got, err := s.FinishInvoice(t.Context(), commandtest.SystemCall(), id)
		if err != nil || got.Number != want || got.IssuedOn != "2026-12-31" {
			t.Errorf("%+v, %v; want %s of the last day", got, err, want)
		}
	}
	if _, got := s.issued(); got.Number != "F2027-000001" || got.IssuedOn != "2027-01-01" {
		t.Errorf("the next one is %s of %s", got.Number, got.IssuedOn)
	}
}

func TestAClockBehindTheSeries(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	s.issued()
	s.at(commandtest.Noon.AddDate(0, 0, -1))
	if _, got := s.issued(); got.IssuedOn != "2026-03-10" {
		t.Errorf("a day behind: issued on %s", got.IssuedOn)
	}
	s.at(commandtest.Noon.AddDate(0, 0, -2))
	id := s.draft(vps)
	if _, err := s.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: id}); !errors.Is(err, series.ErrClockBehind) {
		t.Errorf("two days behind: %v", err)
	}
}

func TestACreditNoteTakesAnInvoiceBack(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	id, _ := s.issued()
	call := commandtest.StaffCall("acc_1")
	got, err := s.CreditInvoice(t.Context(), call, commands.CreditInvoice{InvoiceID: id, Reason: "Billed twice"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Number != "A2026-000001" || got.IssuedOn != "2026-03-10" || got.ID != commands.NewID(call.CommandID, "crn") {
		t.Errorf("answered %+v", got)
	}
	note := load(s, creditnote.Decider.At(got.ID))
	if note.Number != got.Number || note.InvoiceNumber != "F2026-000001" || note.Account != "acc_1" || note.Content.Buyer.Name != "Zoé Martin" {
		t.Errorf("issued as %+v", note)
	}
	if inv := s.invoice(id); inv.Status != invoice.StatusCredited || inv.Due.Sign() != 0 {
		t.Errorf("the invoice is %s with %s due", inv.Status, inv.Due)
	}
	again, err := s.CreditInvoice(t.Context(), call, commands.CreditInvoice{InvoiceID: id, Reason: "Billed twice"})
	if err != nil || again.Number != got.Number || !again.Replayed {
		t.Errorf("a repeat: %+v, %v", again, err)
	}
	if _, err := s.CreditInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.CreditInvoice{InvoiceID: id, Reason: "Again"}); !errors.Is(err, invoice.ErrCredited) {
		t.Errorf("a second credit note: %v", err)
	}
}

func TestABrokenCreditIsFinishedWithItsReason(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"creditnote.issue_requested", "series.", "creditnote.issued", "invoice.credit_applied"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := newShop(t).open()
			id, _ := s.issued()
			call := commandtest.StaffCall("acc_1")
			s.breakAt(at)
			if _, err := s.CreditInvoice(t.Context(), call, commands.CreditInvoice{InvoiceID: id, Reason: "Billed twice"}); domain.KindOf(err) != domain.KindUnavailable {
				t.Fatalf("got %v", err)
			}
			s.store.Heal()
			note := commands.NewID(call.CommandID, "crn")
			for range 2 {
				got, err := s.FinishCredit(t.Context(), commandtest.SystemCall(), id, note)
				if err != nil || got.Number != "A2026-000001" || got.ID != note {
					t.Errorf("%+v, %v", got, err)
				}
			}
			if got := s.invoice(id); got.Status != invoice.StatusCredited {
				t.Errorf("the invoice is %s", got.Status)
			}
			if got, err := s.CreditInvoice(t.Context(), call, commands.CreditInvoice{InvoiceID: id, Reason: "Billed twice"}); err != nil || got.Number != "A2026-000001" || !got.Replayed {
				t.Errorf("the client's repeat: %+v, %v", got, err)
			}
		})
	}
}

func TestPaymentsOfAnInvoice(t *testing.T) {
	t.Parallel()
	pay := func(cents int64) commands.RecordPayment {
		return commands.RecordPayment{Amount: money.EUR(cents), Reference: "VIR 1", ReceivedOn: "2026-03-10"}
	}
	for name, c := range map[string]struct {
		pay  []commands.RecordPayment
		want error
		then invoice.Status
	}{
		"in full":             {[]commands.RecordPayment{pay(1200)}, nil, invoice.StatusPaid},
		"in part":             {[]commands.RecordPayment{pay(200)}, nil, invoice.StatusPartiallyPaid},
		"in two parts":        {[]commands.RecordPayment{pay(200), pay(1000)}, nil, invoice.StatusPaid},
		"too much":            {[]commands.RecordPayment{pay(1201)}, invoice.ErrOverpaid, invoice.StatusUnpaid},
		"in part, told twice": {[]commands.RecordPayment{pay(200), pay(200)}, invoice.ErrPaymentKnown, invoice.StatusPartiallyPaid},
		"twice":               {[]commands.RecordPayment{pay(1200), pay(1200)}, invoice.ErrNotOpen, invoice.StatusPaid},
		"in another currency": {[]commands.RecordPayment{{Amount: dollars(t), Reference: "VIR 1", ReceivedOn: "2026-03-10"}}, invoice.ErrCurrency, invoice.StatusUnpaid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t).open()
			id, _ := s.issued()
			var err error
			for _, p := range c.pay {
				p.InvoiceID = id
				_, err = commands.Execute(t.Context(), s.Dispatcher, commandtest.StaffCall("acc_1"), p)
			}
			if !errors.Is(err, c.want) || s.invoice(id).Status != c.then {
				t.Errorf("%v, then %s; want %v, then %s", err, s.invoice(id).Status, c.want, c.then)
			}
		})
	}
}

func dollars(t *testing.T) money.Amount {
	t.Helper()
	a, err := money.New(1200, "USD")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDraftsOfAnInvoice(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	if _, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.StaffCall("acc_9"), commands.DraftInvoice{AccountID: "acc_9"}); !errors.Is(err, account.ErrMissing) {
		t.Errorf("drafted for an account that is missing: %v", err)
	}
	id := s.draft(vps)
	staff := func(do func(commands.Call) error) {
		t.Helper()
		if err := do(commandtest.StaffCall("acc_1")); err != nil {
			t.Error(err)
		}
	}
	staff(func(c commands.Call) error {
		_, err := commands.Execute(t.Context(), s.Dispatcher, c, commands.AddInvoiceLine{InvoiceID: id, NewLine: vps})
		return err
	})
	staff(func(c commands.Call) error {
		_, err := commands.Execute(t.Context(), s.Dispatcher, c, commands.RemoveInvoiceLine{InvoiceID: id, Line: 1})
		return err
	})
	if inv := s.invoice(id); len(inv.Lines) != 1 || inv.Lines[0].Number != 2 || inv.Currency != "EUR" {
		t.Errorf("draft %+v", inv)
	}
	staff(func(c commands.Call) error {
		_, err := commands.Execute(t.Context(), s.Dispatcher, c, commands.DiscardInvoice{InvoiceID: id})
		return err
	})
	if _, err := s.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: id}); !errors.Is(err, invoice.ErrNotDraft) {
		t.Errorf("issued a discarded draft: %v", err)
	}
}

func TestWhatIsOnDiskNeverHoldsAClearName(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	id := s.draft(invoice.NewLine{Description: "Site of Zoé Martin", Quantity: "1", UnitPrice: money.EUR(1000), VATRate: "20"})
	if _, err := s.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RecordDomain(t.Context(), commandtest.StaffCall("acc_1"), commands.RecordDomain{
		AccountID: "acc_1", Name: "Zoe-Martin.fr", RegisteredOn: "2026-01-02", ExpiresOn: "2027-01-02",
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreditInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.CreditInvoice{InvoiceID: id, Reason: "Zoé Martin paid cash"}); err != nil {
		t.Fatal(err)
	}
	for r, err := range s.Store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if text := string(r.Data) + string(r.Metadata); strings.Contains(strings.ToLower(text), "martin") || strings.Contains(text, "rue du Lac") {
			t.Errorf("%s at %s: %s", r.Type, r.Position, text)
		}
	}
}

func TestALongSeriesIsNotReadAgainForEachNumber(t *testing.T) {
	t.Parallel()
	s := newShop(t).open()
	counted := &counting{Store: s.store}
	s.Store = counted
	for range 20 {
		s.issued()
	}
	// Each allocation reads what came after the last one it knows: nothing.
	if n := counted.series.Load(); n > 0 {
		t.Errorf("%d events of the series were read for 20 numbers", n)
	}
	other := commandtest.Dispatcher(t, s.store)
	other.Codec = s.Codec
	id := s.draft(vps)
	if got, err := other.IssueInvoice(t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: id}); err != nil || got.Number != "F2026-000021" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, got := s.issued(); got.Number != "F2026-000022" || counted.series.Load() != 1 {
		t.Errorf("%s after %d events of another process", got.Number, counted.series.Load())
	}
}

// counting counts the events of series that are read.
type counting struct {
	eventstore.Store
	series atomic.Int64
}

func (s *counting) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.Store.ReadStream(ctx, stream, from) {
			if strings.HasPrefix(stream, "series-") && err == nil {
				s.series.Add(1)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
