package portal_test

import (
	"net/http"
	"testing"
)

func TestBillingForm(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	path := "/portal/" + s.account + "/billing"

	page := b.get(path)
	if page.Find("#name").AttrOr("value", "") != "Pierre Lannoy" || page.Find(`[id="address.city"]`).AttrOr("value", "") != "Paris" {
		t.Errorf("the form begins with %s", page.text("main"))
	}
	wrong := b.submit(page, "/billing", "kind", "company", "company_number", "123", "vat_number", "DE123456789")
	if wrong.status != http.StatusUnprocessableEntity || wrong.text("#company_number-error") == "" || wrong.text("#vat_number-error") == "" {
		t.Errorf("%d %s", wrong.status, wrong.text("main"))
	}
	done := b.submit(wrong, "/billing", "name", "Lannoy SARL", "company_number", "732 829 320", "vat_number", "FR44732829320")
	if done.text(".note.ok") != "Vos prochaines factures seront à ce nom." || done.Find("#company_number").AttrOr("value", "") != "732829320" {
		t.Errorf("%d %s", done.status, done.text("main"))
	}
	// A private person's form hides the numbers, and they go.
	private := b.submit(done, "/billing", "kind", "individual")
	if private.text(".note.ok") == "" || private.Find("#company_number").AttrOr("value", "") != "" {
		t.Errorf("%d %s", private.status, private.text("main"))
	}
	if guest := s.logIn(t, "anna@example.com").get(path); guest.status != http.StatusNotFound {
		t.Errorf("a stranger sees the form: %d", guest.status)
	}
}
