package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
)

// invite asks somebody to act on Pierre's first service, and answers the
// secret of the mail.
func (s *seed) invite(t *testing.T, b *browser, email string) (secret string) {
	t.Helper()
	at := "/portal/" + s.account + "/users"
	page := b.post(at, url.Values{
		"email": {email}, "rights": {"chosen"}, "permissions": {"services.manage", "tickets.read"}, "reach": {"chosen"}, "services": {s.services[0]},
	})
	if page.path != at || page.text(".note.ok") == "" {
		t.Fatalf("%d at %s: %s", page.status, page.path, page.text("main"))
	}
	for r, err := range s.Store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type != (delegation.DelegateInvited{}).EventType() {
			continue
		}
		e, _, err := s.Codec.Decode(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if invited, ok := e.(delegation.DelegateInvited); ok && invited.Email == email {
			id := strings.TrimPrefix(r.Stream, "delegation-")
			if err := s.dispatcher.MailInvitation(t.Context(), system(s.account), uuid.New(), id, invited.Invitation, s.user); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s.secret(t, mailtext.DelegationInvitation)
}

func TestUsers(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	owner := s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/users"
	secret := s.invite(t, owner, "anna@example.com")

	guest := s.logIn(t, "anna@example.com")
	joined := guest.post("/portal/invitation", url.Values{"token": {secret}, "answer": {"accept"}})
	if joined.path != "/portal/"+s.account || joined.text(".note.ok") != "Vous gérez maintenant ce compte." {
		t.Fatalf("%d at %s: %s", joined.status, joined.path, joined.text("main"))
	}
	if diff := cmp.Diff([]string{"Tableau de bord", "Services", "Assistance"}, joined.texts("nav.menu a")); diff != "" {
		t.Error(diff)
	}
	if got := guest.get("/portal/" + s.account + "/accounts").text("#list p:not(.title)"); got != "Géré par délégation · 3 droits · 1 élément" {
		t.Errorf("the delegate's accounts say %q", got)
	}
	if page := guest.get(at); page.status != http.StatusForbidden {
		t.Errorf("the delegate sees the users: %d", page.status)
	}
	// Who may not read the profile sees no card without a name, nor a nameless author.
	if joined.Find("#profile").Length() != 0 {
		t.Errorf("an empty profile: %s", joined.text("#profile"))
	}

	s.Settle() // a page waits for a while, not until it is so
	list := owner.get(at)
	if got := list.texts("#list .badge"); len(got) != 1 || got[0] != "Active" {
		t.Errorf("the list says %v", got)
	}
	one := owner.get(list.Find("#list .btn").AttrOr("href", ""))
	ticked := one.Find("input[type=checkbox][checked]").Map(func(_ int, e *goquery.Selection) string { return e.AttrOr("value", "") })
	if diff := cmp.Diff([]string{"services.read", "services.manage", "tickets.read", s.services[0]}, ticked); diff != "" {
		t.Error(diff)
	}
	to, _ := one.form(t, one.path)
	changed := owner.post(to, url.Values{"rights": {"chosen"}, "permissions": {"domains.read"}, "reach": {"all"}, "expires_at": {"2031-05-01"}})
	if changed.text(".note.ok") == "" || changed.Find("#expires_at").AttrOr("value", "") != "2031-05-01" {
		t.Errorf("%d %s", changed.status, changed.text("main"))
	}
	if diff := cmp.Diff([]string{"Tableau de bord", "Domaines"}, guest.get("/portal/"+s.account).texts("nav.menu a")); diff != "" {
		t.Errorf("the change is not in force: %s", diff)
	}
	owner.submit(changed, "/revoke")
	if page := guest.get("/portal/" + s.account); page.status != http.StatusNotFound {
		t.Errorf("the former delegate sees the account: %d", page.status)
	}
	s.Settle() // the history waits for nobody
	history := owner.get("/portal/" + s.account + "/history")
	if !strings.Contains(history.text("#list"), "Accès retiré") || !strings.Contains(history.text("#list"), "Pierre Lannoy · titulaire") {
		t.Errorf("the history says %s", history.text("#list"))
	}
	if over := owner.get(history.Find(`#list a:contains("Accès retiré")`).AttrOr("href", "")); over.status != http.StatusOK || !strings.Contains(over.text("h1"), "anna@example.com") {
		t.Errorf("the history leads to %d %s", over.status, over.text("main"))
	}
}

func TestInvitationForm(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	page := b.post("/portal/"+s.account+"/users", url.Values{
		"email": {"x"}, "rights": {"chosen"}, "permissions": {"services.read"}, "reach": {"chosen"}, "expires_at": {"soon"},
	})
	if page.status != http.StatusUnprocessableEntity || page.text("#expires_at-error") != "Choisissez une date à venir." {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
	page = b.post("/portal/"+s.account+"/users", url.Values{"email": {"anna@example.com"}, "rights": {"chosen"}, "permissions": {"services.read"}, "reach": {"chosen"}})
	if page.text("#scope-error") != "Choisissez au moins un élément, ou tout le compte." || page.Find("input[value='services.read'][checked]").Length() != 1 {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
}

func TestDeclinedAndForeignInvitations(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	secret := s.invite(t, s.logIn(t, "pierre@example.com"), "anna@example.com")

	if page := s.visit(t, "fr").get("/portal/invitation"); page.status != http.StatusOK || page.Find("a[data-carry]").Length() != 1 {
		t.Errorf("a stranger gets %d %s", page.status, page.text("main"))
	}
	owner := s.logIn(t, "pierre@example.com")
	if page := owner.submit(owner.get("/portal/invitation"), "/invitation", "token", secret); page.status != http.StatusForbidden || strings.Contains(page.text("main"), "Voir les services") {
		t.Errorf("somebody else is shown %d %s", page.status, page.text("main"))
	}
	wrong := owner.submit(owner.get("/portal/invitation"), "/invitation", "token", secret, "answer", "accept")
	if wrong.status != http.StatusForbidden || !strings.Contains(wrong.text(".note.bad"), "autre adresse") {
		t.Errorf("%d %s", wrong.status, wrong.text("main"))
	}
	guest := s.logIn(t, "anna@example.com")
	offer := guest.submit(guest.get("/portal/invitation"), "/invitation", "token", secret)
	want := []string{"Pierre Lannoypierre@example.com", "Pierre Lannoy", "Voir les servicesGérer les servicesVoir les demandes", "1 élément", "Sans date de fin"}
	if got := offer.texts(".offer dd"); offer.status != http.StatusOK || !cmp.Equal(want, got[:len(got)-1]) {
		t.Errorf("%d %q", offer.status, got)
	}
	declined := guest.submit(offer, "/invitation", "answer", "decline")
	if declined.text("h1") != "Invitation refusée" {
		t.Errorf("%d %s", declined.status, declined.text("main"))
	}
}

func TestTokensAreShownOnce(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/tokens"

	wrong := b.submit(b.get(at), "/tokens", "name", "Sauvegarde", "rights", "chosen")
	if wrong.status != http.StatusUnprocessableEntity || wrong.text("#permissions-error") == "" {
		t.Errorf("%d %s", wrong.status, wrong.text("main"))
	}
	page := b.submit(wrong, "/tokens", "rights", "all")
	token := page.text("#new-token")
	if !strings.HasPrefix(token, "hfp_") || page.Find("#list .btn").Length() != 1 {
		t.Fatalf("%d %s", page.status, page.text("main"))
	}
	if again := b.get(at); strings.Contains(again.text("body"), token) {
		t.Error("the token is shown again")
	}
	if done := b.submit(page, "/revoke"); done.text(".note.ok") != "Le jeton est révoqué." || done.Find("#list li").Length() != 0 {
		t.Errorf("%s", done.text("main"))
	}
}
