package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain/contact"
)

// contact makes one of Pierre's account.
func (s *seed) contact(t *testing.T, name string, verified bool) string {
	t.Helper()
	done := must[commands.Receipt](t)
	id := done(commands.Execute(t.Context(), s.dispatcher, system(s.account), commands.CreateContact{AccountID: s.account, Details: contact.Details{
		Kind: contact.Person, Name: name, Email: "contact@example.net", Phone: "+33612345678",
		Address: contact.Address{Line1: "3 rue du Four", PostalCode: "75006", City: "Paris", Country: "FR"},
	}})).ID
	if verified {
		done(commands.Execute(t.Context(), s.dispatcher, system(s.account), commands.VouchContact{ContactID: id}))
	}
	s.Settle()
	return id
}

func TestContacts(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/contacts"

	empty := b.get(at)
	if empty.text("#list .empty") == "" || empty.text(`.sheet a[aria-current]`) != "Contacts de domaine" {
		t.Errorf("%d %s", empty.status, empty.text("main"))
	}
	wrong := b.submit(b.get(at+"/new"), "/contacts", "kind", "organisation", "name", "Élodie Ravel", "email", "x", "phone", "06 12 34 56 78", "address.line1", "3 rue du Four", "address.city", "Paris")
	want := map[string]string{"organisation": "Indiquez l’organisation, en 200 caractères au plus.", "email": "Indiquez une adresse e-mail valable.", "phone": "Indiquez un numéro avec l’indicatif du pays, comme +33 6 12 34 56 78."}
	for field, text := range want {
		if got := wrong.text("#" + field + "-error"); got != text {
			t.Errorf("%s: %q", field, got)
		}
	}
	if wrong.status != http.StatusUnprocessableEntity || wrong.Find("#name").AttrOr("value", "") != "Élodie Ravel" || wrong.Find("input[value=organisation][checked]").Length() != 1 {
		t.Errorf("%d %s", wrong.status, wrong.text("main"))
	}
	page := b.submit(wrong, "/contacts", "organisation", "Agence du Port", "email", "elodie@example.net", "phone", "+33 (0)6 12 34 56 78")
	id := page.path[strings.LastIndex(page.path, "/")+1:]
	if !strings.HasPrefix(page.text(".note.ok"), "Le contact est ajouté.") || page.text("h1") != "Agence du Port · Élodie Ravel À confirmer" || page.Find("#phone").AttrOr("value", "") != "+33612345678" {
		t.Fatalf("%d at %s: %s", page.status, page.path, page.text("main"))
	}
	if again := b.submit(page, "/verification"); again.text(".note.ok") == "" {
		t.Errorf("%d %s", again.status, again.text("main"))
	}
	cause := uuid.New()
	if err := s.dispatcher.MailContactVerification(t.Context(), system(""), cause, time.Now(), id); err != nil {
		t.Fatal(err)
	}
	stranger := s.visit(t, "en")
	link := stranger.get("/portal/verify-contact")
	if link.status != http.StatusOK || link.Find("form[data-submit]").Length() != 0 {
		t.Errorf("%d %s", link.status, link.text("main"))
	}
	if refused := stranger.submit(link, "/verify-contact", "token", "nothing"); refused.status != http.StatusUnprocessableEntity || refused.text("#token-error") == "" {
		t.Errorf("%d %s", refused.status, refused.text("main"))
	}
	secret := s.secret(t, mailtext.ContactVerification)
	if page := b.get(at + "/" + id); page.text("h1 .badge") != "À confirmer" {
		t.Errorf("confirmed by a look: %s", page.text("h1"))
	}
	if done := stranger.submit(link, "/verify-contact", "token", secret); done.text("h1") != "Address confirmed" || done.Find("a.btn").Length() != 0 {
		t.Errorf("%d %s", done.status, done.text("main"))
	}
	s.Settle()
	page = b.get(at + "/" + id)
	if page.text("h1 .badge") != "Confirmé" || page.Find(`form[action$="/verification"]`).Length() != 0 {
		t.Errorf("%s", page.text("main"))
	}
	page = b.submit(page, "/"+id, "kind", "person")
	if page.text(".note.ok") != "Le contact est à jour." || page.text("h1") != "Élodie Ravel Confirmé" {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
	if got := b.get(at).texts("#list .title"); !cmp.Equal(got, []string{"Élodie Ravel"}) {
		t.Errorf("listed %v", got)
	}
	gone := b.submit(page, "/archive")
	if gone.path != at || gone.text(".note.ok") != "Le contact est archivé." || gone.Find("#list li").Length() != 0 {
		t.Errorf("%d at %s: %s", gone.status, gone.path, gone.text("main"))
	}
	if page := b.get(at + "/" + id); page.text("h1 .badge") != "Archivé" || page.Find("main form").Length() != 0 {
		t.Errorf("%s", page.text("main"))
	}
}

func TestDomainPage(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/domains/hst-test.eu"
	if page := b.get(at); page.text("h1") != "hst-test.eu Actif" || page.text("section .empty p:first-of-type") != "Ajoutez d’abord un contact." {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
	zoe, ana := s.contact(t, "Zoé Martin", true), s.contact(t, "Ana Souza", false)
	page := b.get(at)
	options := func(role string) []string { return page.texts("#" + role + " option") }
	if diff := cmp.Diff([]string{"Choisissez un contact", "Zoé Martin (contact@example.net)"}, options("owner")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"Comme le titulaire", "Ana Souza (contact@example.net, à confirmer)", "Zoé Martin (contact@example.net)"}, options("tech")); diff != "" {
		t.Error(diff)
	}
	if none := b.submit(page, "/contacts", "tech", ana); none.status != http.StatusUnprocessableEntity || none.text("#owner-error") != "Choisissez un contact de la liste." || none.Find("#tech option[selected]").AttrOr("value", "") != ana {
		t.Errorf("%d %s", none.status, none.text("main"))
	}
	if forged := b.submit(page, "/contacts", "owner", ana); forged.status != http.StatusConflict || !strings.HasPrefix(forged.text(".note.bad"), "Le titulaire doit d’abord confirmer") {
		t.Errorf("%d %s", forged.status, forged.text("main"))
	}
	page = b.submit(page, "/contacts", "owner", zoe, "tech", ana)
	chosen := func(role string) string { return page.Find("#"+role+" option[selected]").AttrOr("value", "?") }
	if page.text(".note.ok") != "Les contacts du domaine sont à jour." || chosen("owner") != zoe || chosen("tech") != ana || chosen("admin") != "" {
		t.Fatalf("%d %s", page.status, page.text("main"))
	}
	used := b.get("/portal/" + s.account + "/contacts/" + zoe)
	if used.text(".rows .title") != "hst-test.eu" || used.Find(`form[action$="/archive"]`).Length() != 0 {
		t.Errorf("%s", used.text("main"))
	}
	if forced := b.post("/portal/"+s.account+"/contacts/"+zoe+"/archive", url.Values{}); forced.status != http.StatusConflict || !strings.HasPrefix(forced.text(".note.bad"), "Un domaine a ce contact") {
		t.Errorf("%d %s", forced.status, forced.text("main"))
	}

	// A delegate of the domain alone sees no contact of it, and cannot choose.
	secret := s.invite(t, b, "Anna@example.com")
	guest := s.logIn(t, "anna@example.com")
	guest.post("/portal/invitation", url.Values{"token": {secret}, "answer": {"accept"}})
	id := b.get("/portal/"+s.account+"/domains").Find(`#list tr:has(a[href$="/hst-test.eu"])`).AttrOr("id", "")
	to := b.get("/portal/"+s.account+"/users").Find("#list .btn").AttrOr("href", "")
	if changed := b.post(to, url.Values{"rights": {"all"}, "reach": {"chosen"}, "domains": {id}}); changed.text(".note.ok") == "" {
		t.Fatalf("%d %s", changed.status, changed.text("main"))
	}
	seen := guest.get(at)
	if seen.status != http.StatusOK || strings.Contains(seen.text("main"), "Zoé") || seen.Find("main form").Length() != 0 {
		t.Errorf("%d %s", seen.status, seen.text("main"))
	}
	for _, path := range []string{"/contacts", "/contacts/new", "/contacts/" + zoe} {
		if page := guest.get("/portal/" + s.account + path); page.status != http.StatusForbidden {
			t.Errorf("%s answers %d", path, page.status)
		}
	}
}
