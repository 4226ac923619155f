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
	if page := b.get("/portal"); page.path != "/portal/staff" || !strings.Contains(page.text("#list"), "Pierre Lannoy") {
		t.Fatalf("the start page of staff is %s: %s", page.path, page.text("main"))
	}
	for query, found := range map[string]bool{"lannoy": true, "PIERRE@example.com": true, s.account: true, "nobody": false, "%": false} {
		page := b.get("/portal/staff?q=" + url.QueryEscape(query))
		if got := page.Find("#list a[href='"+base+"']").Length() > 0; got != found {
			t.Errorf("%q finds %s", query, page.text("#list"))
		}
	}
	page := b.get(base)
	if page.status != 200 || page.Find(".staffbar a[href$='/impersonation']").Length() != 1 || page.Find("a[href$='/tickets/new']").Length() != 0 {
		t.Fatalf("%d %s", page.status, page.text("body"))
	}
	if page := b.get(base + "/tickets/" + s.ticket); page.Find("a[href$='/tickets/new']").Length() != 0 {
		t.Error("staff are led to a form that is refused")
	}
	if page.Find(".sheet a[href='/portal/me/password']").Length() != 1 || page.Find(".sheet a[href$='/accounts']").Length() != 0 {
		t.Errorf("the menu of staff has their own pages as a customer's: %s", page.text(".sheet"))
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
	notes := b.get("/portal/" + s.account + "/notifications")
	if strings.Contains(notes.text("main"), "non lue") || notes.Find("main form").Length() != 0 || notes.Find(".dot").Length() != 1 {
		t.Errorf("staff are asked to read what is the customer's: %s", notes.text("main"))
	}
}

func TestStaffHaveSecondFactorsRemovedAfterAWait(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	pierre := s.logIn(t, "pierre@example.com")
	security := "/portal/" + s.account + "/security"
	enrolled := pierre.submit(pierre.get(security+"/second-factor"), "/security/totp")
	app := &phone{t: t, secret: strings.ReplaceAll(enrolled.text("#secret"), " ", "")}
	pierre.submit(enrolled, "/totp/confirm", "code", app.next())
	b := s.hire(t, "admin", delegation.RoleAdmin)

	if page := b.get("/portal/staff/users?q=pierre"); page.Find("#list a").Length() != 0 || page.text("#list .empty") == "" {
		t.Errorf("a part of an address finds %s", page.text("#list"))
	}
	found := b.get("/portal/staff/users?q=" + url.QueryEscape("PIERRE@example.com"))
	page := b.get(found.Find("#list a.title").AttrOr("href", ""))
	if page.text("h1") != "Pierre Lannoy" || page.text("#factors .badge") != "Activé" || page.Find("main a[href='/portal/"+s.account+"']").Length() == 0 {
		t.Fatalf("%d %s", page.status, page.text("main"))
	}
	again := b.submit(page, "/factor-reset", "reason", " ")
	if again.status != http.StatusUnprocessableEntity || again.text("#reason-error") == "" {
		t.Errorf("without a reason: %d %s", again.status, again.text("main"))
	}
	asked := b.submit(again, "/factor-reset", "reason", "Appel vidéo")
	if asked.text(".note.ok") == "" || asked.Find("form[action$='/factor-reset']").Length() != 0 || asked.Find("form[action$='/factor-reset/cancel']").Length() != 1 {
		t.Fatalf("%d %s", asked.status, asked.text("main"))
	}
	if warned := pierre.get(security); warned.Find("#factors .note.bad").Length() != 1 || strings.Contains(warned.text("main"), "Appel") {
		t.Errorf("the user is told %s", warned.text("#factors"))
	}
	stopped := b.submit(asked, "/factor-reset/cancel")
	if stopped.text(".note.ok") == "" || stopped.Find("form[action$='/factor-reset']").Length() != 1 || pierre.get(security).Find("#factors .note.bad").Length() != 0 {
		t.Errorf("%d %s", stopped.status, stopped.text("main"))
	}
	s.Settle()
	if told := pierre.get(security + "/inspections").text("#list"); !strings.Contains(told, "Identifiant consulté") {
		t.Errorf("the customer is told %s", told)
	}
	own := b.get(b.get("/portal/staff/users?q="+url.QueryEscape("admin@example.com")).Find("#list a.title").AttrOr("href", ""))
	if own.Find("form[action$='/factor-reset']").Length() != 0 || !strings.Contains(own.text("main"), "hostfold staff reset-factor") {
		t.Errorf("%d %s", own.status, own.text("main"))
	}
}

func TestAdminsSeeWhoWorksHere(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.hire(t, "admin", delegation.RoleAdmin)
	page := b.get("/portal/staff/members")
	if page.status != 200 || page.texts("#list .title")[0] != "Camille" || page.text(".menu a[aria-current]") != "Équipe" {
		t.Fatalf("%d %s", page.status, page.text("body"))
	}
	refused := b.submit(page, "/members", "email", "nobody@example.com", "role", "support")
	if refused.status != http.StatusConflict || !strings.Contains(refused.text(".note.bad"), "prouvé") {
		t.Errorf("nobody is hired: %d %s", refused.status, refused.text("main"))
	}
	hired := b.submit(page, "/members", "email", "anna@example.com", "role", "support")
	if hired.text(".note.ok") == "" || !strings.Contains(hired.text("#list"), "anna@example.comAssistance") {
		t.Fatalf("%d %s", hired.status, hired.text("main"))
	}
	anna := b.get(hired.Find("#list a.title:contains('Anna')").AttrOr("href", ""))
	if got := anna.Find("input[name=role][checked]").AttrOr("value", ""); got != "support" {
		t.Errorf("the form begins with %s", got)
	}
	changed := b.submit(anna, strings.TrimPrefix(anna.path, "/portal/staff"), "role", "billing")
	if changed.text(".note.ok") == "" || !strings.Contains(changed.text("#list"), "anna@example.comFacturation") {
		t.Errorf("%d %s", changed.status, changed.text("main"))
	}
	gone := b.submit(b.get(anna.path), "/deactivate")
	if gone.text(".note.ok") == "" || !strings.Contains(gone.text("#list"), "Ancien membre") {
		t.Errorf("%d %s", gone.status, gone.text("main"))
	}
	if over := b.get(anna.path); over.Find("form[action*='/members/']").Length() != 0 {
		t.Errorf("%d %s", over.status, over.text("main"))
	}
	self := b.get(page.Find("#list a.title").AttrOr("href", ""))
	if self.Find("form[action*='/members/']").Length() != 0 || !strings.Contains(self.text("main"), "propre rôle") {
		t.Errorf("%d %s", self.status, self.text("main"))
	}
	if page := s.logIn(t, "pierre@example.com").get("/portal/staff/members"); page.status != http.StatusForbidden {
		t.Errorf("a customer sees the staff: %d", page.status)
	}
}
