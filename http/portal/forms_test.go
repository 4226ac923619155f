package portal_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/ticket"
)

func TestServiceForm(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	path := "/portal/" + s.account + "/services/" + s.services[1]

	t.Run("renames the service", func(t *testing.T) {
		page := b.submit(b.get(path), "/label", "label", "boutique.example")
		if page.path != path || page.text(".note.ok") != "Le service a été renommé." || page.text("#service-label") != "boutique.example" {
			t.Errorf("at %s: %s, %s", page.path, page.text(".note"), page.text("#service-label"))
		}
		if got := b.get("/portal").texts("#active-services .grow p"); !cmp.Equal(got, []string{"boutique.example", "hst-test.eu"}) {
			t.Errorf("the dashboard shows %v", got)
		}
	})
	t.Run("says beside the field what is wrong, and keeps what was typed", func(t *testing.T) {
		long := strings.Repeat("x", 101)
		page := b.submit(b.get(path), "/label", "label", long)
		if page.status != http.StatusUnprocessableEntity || page.text("#label-error") != "Indiquez un libellé de 1 à 100 caractères." {
			t.Errorf("%d %q", page.status, page.text("#label-error"))
		}
		_, form := page.form(t, "/label")
		if form.Get("label") != long || page.Find("#label[aria-invalid=true]").Length() != 1 {
			t.Errorf("the form holds %v", form)
		}
		if got := b.get(path).text("#service-label"); got != "boutique.example" {
			t.Errorf("renamed to %s", got)
		}
	})
	t.Run("sent twice renames once", func(t *testing.T) {
		to, form := b.get(path).form(t, "/label")
		form.Set("label", "deux-fois.example")
		before := s.events(t, "hosting-"+s.services[1])
		for range 2 {
			if page := b.post(to, form); page.text("#service-label") != "deux-fois.example" {
				t.Error(page.text("main"))
			}
		}
		if got := s.events(t, "hosting-"+s.services[1]) - before; got != 1 {
			t.Errorf("%d events", got)
		}
		form.Set("label", "autre-chose.example")
		page := b.post(to, form)
		if page.status != http.StatusUnprocessableEntity || !strings.HasPrefix(page.text(".note.bad"), "Ce formulaire a déjà été envoyé") {
			t.Errorf("%d %s", page.status, page.text(".note"))
		}
		if page = b.submit(page, "/label"); page.text("#service-label") != "autre-chose.example" {
			t.Errorf("sent again under a fresh key: %s", page.text("main"))
		}
	})
	t.Run("of a suspended service says why", func(t *testing.T) {
		s.suspend(t, s.services[0], hosting.Overdue)
		page := b.get("/portal/" + s.account + "/services/" + s.services[0])
		if page.text(".note.warn") != "Ce service est suspendu. Une facture est en retard de paiement." || page.text("#facts .badge") != "Suspendu" {
			t.Errorf("%q %q", page.text(".note.warn"), page.text("#facts .badge"))
		}
	})
}

func TestTicketForms(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	path := "/portal/" + s.account + "/tickets"

	t.Run("refuse an empty request in the user's language", func(t *testing.T) {
		page := b.submit(b.get(path+"/new"), "/tickets", "subject", " ", "message", "Un message gardé", "priority", "high")
		if page.status != http.StatusUnprocessableEntity || page.text("#subject-error") != "Indiquez un objet de 1 à 200 caractères." || page.text("#message-error") != "" {
			t.Errorf("%d %q %q", page.status, page.text("#subject-error"), page.text("#message-error"))
		}
		_, form := page.form(t, "/tickets")
		if form.Get("message") != "Un message gardé" || form.Get("priority") != "high" {
			t.Errorf("the form holds %v", form)
		}
	})
	t.Run("open, answer, close and reopen", func(t *testing.T) {
		page := b.submit(b.get(path+"/new"), "/tickets", "subject", "Panne <b>", "message", "Ligne 1\nLigne 2", "service", s.services[0], "department", "technical")
		if page.text(".note.ok") != "Votre demande est envoyée." || page.text("h1") != "Panne <b> Ouvert" {
			t.Fatalf("%s: %s", page.path, page.text("main"))
		}
		page = b.submit(page, "/replies", "message", "Encore moi")
		if diff := cmp.Diff([]string{"Ligne 1 Ligne 2", "Encore moi"}, page.texts("#talk .text")); diff != "" || page.text("#facts .badge") != "Réponse client" {
			t.Error(diff, page.text("#facts .badge"))
		}
		open := page
		page = b.submit(page, "/close")
		if page.text(".note.ok") != "La demande est fermée." || page.Find("form[action$=replies]").Length() != 0 {
			t.Error(page.text("main"))
		}
		late := b.submit(open, "/replies", "message", "Trop tard ?")
		if late.status != http.StatusConflict || late.text(".note.bad") != "La demande est fermée : rouvrez-la d’abord." {
			t.Errorf("%d %s", late.status, late.text(".note"))
		}
		page = b.submit(page, "/reopen")
		if page.text("#facts .badge") != "Ouvert" || page.Find("form[action$=replies]").Length() != 1 {
			t.Error(page.text("main"))
		}
	})
	t.Run("offer no way back into what is closed for good", func(t *testing.T) {
		page := b.get(path + "/" + s.ticket)
		if page.text("#facts .badge") != "Fermé" || page.Find("form[action$=reopen], form[action$=replies], form[action$=close]").Length() != 0 {
			t.Error(page.text("main"))
		}
		if got := page.texts("#talk b"); !cmp.Equal(got, []string{"Pierre Lannoy", "Équipe"}) {
			t.Errorf("written by %v", got)
		}
		if row, err := s.Reader.Ticket(t.Context(), s.grants(), s.account, s.ticket); err != nil || row.Status != ticket.StatusClosed {
			t.Errorf("%+v %v", row, err)
		}
	})
}

func TestAccountForm(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	path := "/portal/" + s.account + "/account"

	own := "/portal/" + s.account + "/profile"

	t.Run("changes the user's name and language", func(t *testing.T) {
		page := b.submit(b.get(own), "/profile", "name", "Pierre le Grand", "locale", "en")
		if page.text(".note.ok") != "Your name and language are up to date." || page.Find("html").AttrOr("lang", "") != "en" || page.text("#account-menu .name") != "Pierre le Grand" {
			t.Errorf("%s in %s: %s", page.text(".note"), page.Find("html").AttrOr("lang", ""), page.text("#account-menu"))
		}
	})
	t.Run("changes the account's name and country", func(t *testing.T) {
		page := b.submit(b.get(path), "/account", "name", "Pierre L.", "country", "BE")
		if page.text(".note.ok") != "The account is up to date." {
			t.Errorf("%s", page.text(".note"))
		}
		board := b.get("/portal")
		if board.text("#profile h2") != "Pierre L." || board.text("#profile .where") != "Belgium" || board.text("#latest-tickets .badge") != "Closed" {
			t.Error(board.text("#profile"))
		}
	})
	t.Run("changes nothing when one field is wrong", func(t *testing.T) {
		page := b.submit(b.get(path), "/account", "name", "", "country", "BE")
		if page.status != http.StatusUnprocessableEntity || page.text("#name-error") != "Give a name." {
			t.Errorf("%d %s", page.status, page.text("main"))
		}
	})
	t.Run("refuses a country that there is not", func(t *testing.T) {
		page := b.submit(b.get(path), "/account", "country", "ZZ")
		if page.text("#country-error") != "Choose a country from the list." {
			t.Error(page.text("main"))
		}
	})
	t.Run("refuses a language that there is not, and keeps the rest", func(t *testing.T) {
		page := b.submit(b.get(own), "/profile", "name", "Nobody", "locale", "xx")
		if page.text("#locale-error") != "Choose a language from the list." {
			t.Error(page.text("main"))
		}
		if got := b.get("/portal").text("#account-menu .name"); got != "Pierre le Grand" {
			t.Errorf("the name became %s", got)
		}
	})
}

func TestNotificationForms(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	path := "/portal/" + s.account + "/notifications"

	page := b.get(path)
	if page.text("#list .title") != "Nouvelle : Bienvenue dans votre espace client" || page.text(".strip p") != "1 notification non lue" {
		t.Fatalf("%q %q", page.text("#list .title"), page.text(".strip p"))
	}
	page = b.submit(page, s.notified+"/read")
	if page.text(".note.ok") != "La notification est lue." || page.Find("#bell .count").Length() != 0 || page.text("#list .title") != "Bienvenue dans votre espace client" {
		t.Error(page.text("body"))
	}
	for range 3 {
		s.notify(t)
	}
	s.Settle()
	page = b.submit(b.get(path), "/notifications/read")
	if page.text(".note.ok") != "Toutes les notifications sont lues." || page.text(".strip p") != "0 notification non lue" {
		t.Error(page.text("main"))
	}
}

func TestTheLooksAreRemembered(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	choose := func(theme string) shown {
		to, form := b.get("/portal/"+s.account+"/domains").form(t, "/theme")
		form.Set("theme", theme)
		return b.post(to, form)
	}
	for theme, want := range map[string]string{"dark": "dark", "light": "light", "auto": "", "<script>": ""} {
		page := choose(theme)
		if got := page.Find("html").AttrOr("data-theme", ""); got != want || page.path != "/portal/"+s.account+"/domains" {
			t.Errorf("%s: %q at %s", theme, got, page.path)
		}
	}
}
