package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// hire makes a staff member whose password is enough, as in the demo, and logs
// it in.
func (h *house) hire(t *testing.T, name string, role delegation.Role) *browser {
	t.Helper()
	call := system("")
	call.Actor = domain.Actor{Kind: domain.ActorDemo, ID: "demo"}
	must[commands.Receipt](t)(commands.Execute(t.Context(), h.dispatcher, call, commands.StartDemo{}))
	must[commands.CreatedStaff](t)(h.dispatcher.CreateStaff(t.Context(), system(""), commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: name + "@example.com", Password: password, Name: "Camille", Locale: "fr"}, Role: role,
	}))
	h.Settle()
	return h.logIn(t, name+"@example.com")
}

func TestStaffFindAnAccountAndActForIt(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.hire(t, "support", delegation.RoleSupport)
	base := "/portal/" + s.account
	if page := b.get("/portal"); page.path != "/portal/staff" || !strings.Contains(page.text(".found"), "Pierre Lannoy") {
		t.Fatalf("the start page of staff is %s: %s", page.path, page.text("main"))
	}
	for query, found := range map[string]bool{"lannoy": true, "PIERRE@example.com": true, s.account: true, "nobody": false, "%": false} {
		page := b.get("/portal/staff?q=" + url.QueryEscape(query))
		if got := page.Find(".found a[href='"+base+"']").Length() > 0; got != found {
			t.Errorf("%q finds %s", query, page.text(".found"))
		}
	}
	page := b.get(base)
	if page.status != 200 || page.Find(".staffbar a[href$='/impersonation']").Length() != 1 || page.Find("a[href$='/tickets/new']").Length() != 0 {
		t.Fatalf("%d %s", page.status, page.text("body"))
	}
	form := b.get(base + "/impersonation")
	again := b.submit(form, "/impersonation", "reason", "", "minutes", "30")
	if again.status != http.StatusUnprocessableEntity || again.text("#reason-error") == "" || again.text("#ticket-error") == "" {
		t.Errorf("an empty form: %d %s", again.status, again.text("main"))
	}
	on := b.submit(again, "/impersonation", "reason", "Certificat expiré", "ticket", s.ticket, "minutes", "15")
	if on.path != base || on.Find(".staffbar.acting form[action$='/impersonation/end']").Length() != 1 || !strings.Contains(on.text(".staffbar"), "Certificat expiré") {
		t.Fatalf("%s: %s", on.path, on.text("body"))
	}
	if page := b.get(base + "/tickets/new"); page.status != 200 || page.Find(".staffbar.acting").Length() != 1 {
		t.Errorf("acting opens no form: %d", page.status)
	}
	if page := b.get(base + "/users"); page.status != 200 || page.Find("a[href$='/users/new']").Length() != 0 {
		t.Errorf("users: %d %s", page.status, page.text("main"))
	}
	off := b.submit(on, "/impersonation/end")
	if off.path != base || off.Find(".staffbar.acting").Length() != 0 || off.Find(".staffbar").Length() != 1 {
		t.Errorf("%s: %s", off.path, off.text(".staffbar"))
	}
	if page := b.submit(on, "/impersonation/end"); page.path != base {
		t.Errorf("ended again: %s %d", page.path, page.status)
	}
	s.Settle()
	owner := s.logIn(t, "pierre@example.com")
	history := owner.get(base + "/history").text("#list")
	for _, want := range []string{"Notre support a commencé à intervenir pour vous", "Motif : Certificat expiré", "Notre support a cessé", "Notre équipe a consulté vos demandes"} {
		if !strings.Contains(history, want) {
			t.Errorf("%q is not in %s", want, history)
		}
	}
	if page := owner.get(base); page.Find(".staffbar").Length() != 0 {
		t.Error("a customer is told what staff are")
	}
	if page := owner.get(base + "/impersonation"); page.status != http.StatusForbidden {
		t.Errorf("a customer acts for itself: %d", page.status)
	}
	if page := owner.get("/portal/staff"); page.status != http.StatusForbidden || strings.Contains(page.text("main"), "Lannoy") {
		t.Errorf("a customer finds accounts: %d", page.status)
	}
}

func TestAnAuditorOnlyLooks(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.hire(t, "auditor", delegation.RoleAuditor)
	page := b.get("/portal/" + s.account)
	if page.status != 200 || page.Find(".staffbar").Length() != 1 || page.Find(".staffbar a[href$='/impersonation']").Length() != 0 {
		t.Errorf("%d %s", page.status, page.text(".staffbar"))
	}
	if page := b.get("/portal/" + s.account + "/impersonation"); page.status != http.StatusForbidden {
		t.Errorf("an auditor may act: %d", page.status)
	}
}
