package invoice_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
)

// FuzzNoOrderOfDecisionsBreaksAnInvoice decides whatever the bytes say and
// checks after each step what must hold of any invoice.
func FuzzNoOrderOfDecisionsBreaksAnInvoice(f *testing.F) {
	f.Add([]byte{0, 1, 1, 4, 5, 6, 6, 7, 8})
	f.Add([]byte{0, 1, 2, 1, 4, 5, 7, 6, 8, 7})
	f.Add([]byte{0, 3, 1, 4})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var state inv
		for i, step := range steps[:min(len(steps), 64)] {
			decided, err := decide(state, step)
			if err != nil && len(decided) > 0 {
				t.Fatalf("step %d: refused with %v and still decided %v", i, err, decided)
			}
			before := state
			for _, e := range decided {
				state = invoice.Decider.Evolve(state, e)
			}
			holds(t, before, state)
		}
	})
}

func decide(state inv, step byte) (events, error) {
	cents := money.EUR(int64(step>>4) * 100)
	switch step % 9 {
	case 0:
		return state.Draft("acc_1", "EUR", "", nil)
	case 1:
		return state.AddLine(vps)
	case 2:
		return state.RemoveLine(int(step >> 4))
	case 3:
		return state.Discard()
	case 4:
		return state.RequestIssue(host, buyer)
	case 5:
		return state.Issue("F2026-000001", "2026-01-31")
	case 6:
		return state.Pay(cents, "VIR 1", "2026-01-31", noon)
	case 7:
		return state.RequestCredit("crn_"+string('0'+rune(step>>4)), "Erreur")
	default:
		return state.ApplyCredit("crn_"+string('0'+rune(step>>4)), "A2026-000001")
	}
}

func holds(t *testing.T, before, after inv) {
	t.Helper()
	if before.Status != invoice.StatusNone && before.Status != invoice.StatusDraft {
		if diff := cmp.Diff(before.Content, after.Content); diff != "" {
			t.Fatalf("frozen content changed:\n%s", diff)
		}
		if after.Status == invoice.StatusDraft {
			t.Fatal("it is a draft again")
		}
	}
	if before.Issued() && (after.Number != before.Number || after.IssuedOn != before.IssuedOn) {
		t.Fatalf("%s became %s", before.Number, after.Number)
	}
	if after.Due.Sign() < 0 {
		t.Fatalf("%s is due", after.Due)
	}
	settled := after.Status == invoice.StatusPaid || after.Status == invoice.StatusCredited
	if after.Issued() && settled != (after.Due.Sign() == 0) {
		t.Fatalf("it is %s and %s is due", after.Status, after.Due)
	}
	var credits int64
	for _, c := range after.Credits {
		credits += c.Amount.Minor()
	}
	if credits > after.Gross().Minor() {
		t.Fatalf("%d cents are credited of %s", credits, after.Gross())
	}
}
