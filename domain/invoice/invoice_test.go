package invoice_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
)

type (
	inv    = invoice.Invoice
	events = []invoice.Event
)

var (
	noon    = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	host    = seller.Seller{Details: seller.Details{Name: "Hébergement Lyon", PaymentDays: 30, Zone: "Europe/Paris"}}
	buyer   = invoice.Buyer{Name: "Pierre", Kind: "individual", Country: "FR"}
	vps     = invoice.NewLine{Description: "VPS-5", Quantity: "1", UnitPrice: money.EUR(1000), VATRate: "20"}
	drafted = invoice.Drafted{Account: "acc_1", Currency: "EUR"}
	line1   = invoice.Line{Number: 1, Description: "VPS-5", Quantity: "1", UnitPrice: money.EUR(1000), VATRate: "20", Net: money.EUR(1000)}
	totals  = invoice.Totals{Net: money.EUR(1000), VAT: money.EUR(200), Gross: money.EUR(1200)}
	vat     = []invoice.VAT{{Rate: "20", Net: money.EUR(1000), VAT: money.EUR(200)}}
	added   = invoice.LineAdded{Line: line1, Totals: totals}
	asked   = invoice.IssueRequested{Content: invoice.Content{
		Currency: "EUR", Seller: host.Details, Buyer: buyer, Lines: []invoice.Line{line1}, Totals: totals, VATBreakdown: vat,
	}}
	issued = invoice.Issued{
		Account: "acc_1", Number: "F2026-000001", IssuedOn: "2026-01-31", DueOn: "2026-03-02", Totals: totals, VATBreakdown: vat,
	}
)

func open(t *testing.T) domaintest.Case[inv, invoice.Event] {
	t.Helper()
	return domaintest.For(t, invoice.Decider).Given(drafted, added, asked, issued)
}

func TestDraft(t *testing.T) {
	t.Parallel()
	draft := func(lines ...invoice.NewLine) func(inv) (events, error) {
		return func(i inv) (events, error) { return i.Draft("acc_1", "EUR", "", lines) }
	}
	t.Run("begins with its lines", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, invoice.Decider).When(draft(vps)).Then(drafted, added)
	})
	t.Run("names the wrong line and fields", func(t *testing.T) {
		t.Parallel()
		bad := invoice.NewLine{Description: " ", Quantity: "0", UnitPrice: money.Amount{}, VATRate: "120", Period: &invoice.Period{From: "2026-02-02", To: "2026-02-01"}}
		domaintest.For(t, invoice.Decider).When(draft(vps, bad)).
			RefusedField("lines[1].description", "lines[1].quantity", "lines[1].vat_rate", "lines[1].unit_price", "lines[1].period")
	})
	t.Run("refuses a price that cannot be summed", func(t *testing.T) {
		t.Parallel()
		huge := vps
		huge.UnitPrice = money.EUR(math.MaxInt64)
		domaintest.For(t, invoice.Decider).When(draft(huge)).RefusedField("lines[0].unit_price")
	})
	t.Run("is made once", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, invoice.Decider).Given(drafted).When(draft()).Refused(invoice.ErrExists)
	})
}

func TestLinesOfADraft(t *testing.T) {
	t.Parallel()
	add := func(i inv) (events, error) { return i.AddLine(vps) }
	remove := func(i inv) (events, error) { return i.RemoveLine(1) }
	zero := invoice.Totals{Net: money.EUR(0), VAT: money.EUR(0), Gross: money.EUR(0)}
	removed := invoice.LineRemoved{Line: 1, Totals: zero}

	t.Run("are added and removed, and a number is not used again", func(t *testing.T) {
		t.Parallel()
		line2 := line1
		line2.Number = 2
		domaintest.For(t, invoice.Decider).Given(drafted).When(add).Then(added).When(remove).Then(removed).
			When(add).Then(invoice.LineAdded{Line: line2, Totals: totals})
	})
	t.Run("are frozen from the request on", func(t *testing.T) {
		t.Parallel()
		frozen := domaintest.For(t, invoice.Decider).Given(drafted, added, asked)
		frozen.When(add).Refused(invoice.ErrNotDraft)
		frozen.When(remove).Refused(invoice.ErrNotDraft)
		frozen.When(inv.Discard).Refused(invoice.ErrNotDraft)
	})
	t.Run("cannot be taken out when absent", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, invoice.Decider).Given(drafted, added, removed).When(remove).ThenNothing()
		domaintest.For(t, invoice.Decider).When(remove).Refused(invoice.ErrMissing)
	})
	t.Run("go with a discarded draft", func(t *testing.T) {
		t.Parallel()
		gone := domaintest.For(t, invoice.Decider).Given(drafted).When(inv.Discard).Then(invoice.DraftDiscarded{})
		gone.When(inv.Discard).ThenNothing()
		gone.When(add).Refused(invoice.ErrNotDraft)
	})
}

func TestVATIsRoundedOncePerRate(t *testing.T) {
	t.Parallel()
	line := func(net int64, rate money.Rate) invoice.Line { return invoice.Line{Net: money.EUR(net), VATRate: rate} }
	got, breakdown, err := invoice.Sum([]invoice.Line{line(3, "20"), line(1000, "5.5"), line(3, "20"), line(3, "20")}, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	// Line by line it would be 1 + 1 + 1 cents at 20 %.
	want := invoice.Totals{Net: money.EUR(1009), VAT: money.EUR(57), Gross: money.EUR(1066)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	perRate := []invoice.VAT{
		{Rate: "5.5", Net: money.EUR(1000), VAT: money.EUR(55)},
		{Rate: "20", Net: money.EUR(9), VAT: money.EUR(2)},
	}
	if diff := cmp.Diff(perRate, breakdown); diff != "" {
		t.Error(diff)
	}
}

func TestIssue(t *testing.T) {
	t.Parallel()
	request := func(i inv) (events, error) { return i.RequestIssue(host, buyer) }
	number := func(i inv) (events, error) { return i.Issue("F2026-000001", "2026-01-31") }

	t.Run("freezes, then takes the number", func(t *testing.T) {
		t.Parallel()
		done := domaintest.For(t, invoice.Decider).Given(drafted, added).When(request).Then(asked).When(number).Then(issued)
		done.When(request).ThenNothing()
		done.When(number).ThenNothing()
		done.When(func(i inv) (events, error) { return i.Issue("F2026-000002", "2026-01-31") }).Refused(invoice.ErrNumbered)
	})
	t.Run("needs the seller, a line and a draft", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, invoice.Decider).Given(drafted, added).
			When(func(i inv) (events, error) { return i.RequestIssue(seller.Seller{}, buyer) }).Refused(seller.ErrNotConfigured)
		domaintest.For(t, invoice.Decider).Given(drafted).When(request).Refused(invoice.ErrNoLines)
		domaintest.For(t, invoice.Decider).Given(drafted, invoice.DraftDiscarded{}).When(request).Refused(invoice.ErrNotDraft)
		domaintest.For(t, invoice.Decider).When(request).Refused(invoice.ErrMissing)
		domaintest.For(t, invoice.Decider).Given(drafted, added).When(number).Refused(invoice.ErrNotFrozen)
	})
	t.Run("is due when staff chose, not before its date", func(t *testing.T) {
		t.Parallel()
		for wanted, due := range map[domain.Date]domain.Date{"2026-02-10": "2026-02-10", "2026-01-01": "2026-01-31"} {
			chosen, want := drafted, issued
			chosen.DueOn, want.DueOn = wanted, due
			domaintest.For(t, invoice.Decider).Given(chosen, added, asked).When(number).Then(want)
		}
	})
	t.Run("of nothing is paid at once, of less is refused", func(t *testing.T) {
		t.Parallel()
		discount := vps
		discount.UnitPrice = money.EUR(-1000)
		back := func(i inv) (events, error) { return i.AddLine(discount) }
		even := domaintest.For(t, invoice.Decider).Given(drafted, added)
		free, err := even.State().AddLine(discount)
		if err != nil {
			t.Fatal(err)
		}
		even = even.When(back).Then(free...)
		frozen, err := even.State().RequestIssue(host, buyer)
		if err != nil {
			t.Fatal(err)
		}
		settled := even.Given(frozen...).State()
		got, err := settled.Issue("F2026-000001", "2026-01-31")
		if err != nil || len(got) != 2 || got[1] != (invoice.Paid{PaidOn: "2026-01-31", Total: money.EUR(0)}) {
			t.Errorf("got %v, %v", got, err)
		}
		less, err := even.State().AddLine(discount)
		if err != nil {
			t.Fatal(err)
		}
		even.Given(less...).When(request).Refused(invoice.ErrNegative)
	})
}

func TestPay(t *testing.T) {
	t.Parallel()
	pay := func(amount money.Amount) func(inv) (events, error) {
		return func(i inv) (events, error) { return i.Pay(amount, "VIR 1", "2026-01-31", noon) }
	}
	part := invoice.PaymentAllocated{Amount: money.EUR(500), Remaining: money.EUR(700), Reference: "VIR 1", ReceivedOn: "2026-01-31"}
	rest := invoice.PaymentAllocated{Amount: money.EUR(700), Remaining: money.EUR(0), Reference: "VIR 1", ReceivedOn: "2026-01-31"}
	paid := invoice.Paid{PaidOn: "2026-01-31", Total: money.EUR(1200)}

	t.Run("settles in parts", func(t *testing.T) {
		t.Parallel()
		half := open(t).When(pay(money.EUR(500))).Then(part)
		if got := half.State().Status; got != invoice.StatusPartiallyPaid {
			t.Errorf("status %s", got)
		}
		done := half.When(pay(money.EUR(700))).Then(rest, paid)
		if got := done.State().Status; got != invoice.StatusPaid {
			t.Errorf("status %s", got)
		}
		done.When(pay(money.EUR(1))).Refused(invoice.ErrNotOpen)
	})
	t.Run("books what is told twice once", func(t *testing.T) {
		t.Parallel()
		half := open(t).Given(part)
		half.When(pay(money.EUR(500))).Refused(invoice.ErrPaymentKnown)
		half.When(func(i inv) (events, error) { return i.Pay(money.EUR(500), " VIR 1 ", "2026-01-31", noon) }).Refused(invoice.ErrPaymentKnown)
		other := invoice.PaymentAllocated{Amount: money.EUR(500), Remaining: money.EUR(200), Reference: "VIR 2", ReceivedOn: "2026-01-31"}
		half.When(func(i inv) (events, error) { return i.Pay(money.EUR(500), "VIR 2", "2026-01-31", noon) }).Then(other)
		other.Reference, other.ReceivedOn = "VIR 1", "2026-01-30"
		half.When(func(i inv) (events, error) { return i.Pay(money.EUR(500), "VIR 1", "2026-01-30", noon) }).Then(other)
	})
	t.Run("refuses more than is due and other currencies", func(t *testing.T) {
		t.Parallel()
		dollars, err := money.New(1200, "USD")
		if err != nil {
			t.Fatal(err)
		}
		open(t).When(pay(money.EUR(1201))).Refused(invoice.ErrOverpaid)
		open(t).When(pay(dollars)).Refused(invoice.ErrCurrency)
	})
	t.Run("refuses nothing, less, and money of tomorrow", func(t *testing.T) {
		t.Parallel()
		open(t).When(pay(money.EUR(0))).RefusedField("amount")
		open(t).When(pay(money.EUR(-1))).RefusedField("amount")
		open(t).When(func(i inv) (events, error) { return i.Pay(money.EUR(1), "", "2026-02-01", noon) }).RefusedField("reference", "received_on")
	})
	t.Run("waits for the issue", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, invoice.Decider).Given(drafted, added, asked).When(pay(money.EUR(1))).Refused(invoice.ErrNotOpen)
		domaintest.For(t, invoice.Decider).When(pay(money.EUR(1))).Refused(invoice.ErrMissing)
	})
}

func TestCredit(t *testing.T) {
	t.Parallel()
	request := func(note string) func(inv) (events, error) {
		return func(i inv) (events, error) { return i.RequestCredit(note, "Erreur") }
	}
	apply := func(i inv) (events, error) { return i.ApplyCredit("crn_1", "A2026-000001") }
	requested := invoice.CreditRequested{CreditNote: "crn_1", Amount: money.EUR(1200), Reason: "Erreur"}
	applied := invoice.CreditApplied{CreditNote: "crn_1", Number: "A2026-000001", Amount: money.EUR(1200), Remaining: money.EUR(0), Surplus: money.EUR(0)}
	credited := invoice.Credited{Total: money.EUR(1200)}

	t.Run("takes the whole invoice back", func(t *testing.T) {
		t.Parallel()
		done := open(t).When(request("crn_1")).Then(requested).When(apply).Then(applied, credited)
		if got := done.State(); got.Status != invoice.StatusCredited || got.Due != money.EUR(0) {
			t.Errorf("%s, due %s", got.Status, got.Due)
		}
		done.When(apply).ThenNothing()
		done.When(request("crn_1")).ThenNothing()
	})
	t.Run("never exceeds the invoice, also before it is applied", func(t *testing.T) {
		t.Parallel()
		open(t).Given(requested).When(request("crn_2")).Refused(invoice.ErrCredited)
	})
	t.Run("says what was paid too much", func(t *testing.T) {
		t.Parallel()
		part := invoice.PaymentAllocated{Amount: money.EUR(500), Remaining: money.EUR(700), Reference: "VIR 1", ReceivedOn: "2026-01-31"}
		want := applied
		want.Surplus = money.EUR(500)
		open(t).Given(part, requested).When(apply).Then(want, credited)
	})
	t.Run("needs an issued invoice, a reason and a request", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, invoice.Decider).Given(drafted, added, asked).When(request("crn_1")).Refused(invoice.ErrNotIssued)
		domaintest.For(t, invoice.Decider).When(request("crn_1")).Refused(invoice.ErrMissing)
		open(t).When(func(i inv) (events, error) { return i.RequestCredit("crn_1", " ") }).RefusedField("reason")
		open(t).When(apply).Refused(invoice.ErrNoCredit)
	})
}
