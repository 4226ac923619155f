package portal_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain/account"
)

// offer has Pierre offer his account to somebody, and answers the secret of the
// mail.
func (s *seed) offer(t *testing.T, b *browser, email string, keep bool) (secret string) {
	t.Helper()
	path := "/portal/" + s.account + "/transfer"
	fields := []string{"email", email}
	if keep {
		fields = append(fields, "keep", "all")
	}
	page := b.submit(b.get(path), "/transfer", fields...)
	if page.path != path || page.text(".note.ok") == "" || !strings.Contains(page.text("#transfer"), email) {
		t.Fatalf("%d at %s: %s", page.status, page.path, page.text("main"))
	}
	a, err := commands.Load(t.Context(), s.dispatcher.Streams(), account.Decider.At(s.account))
	if err == nil {
		err = s.dispatcher.MailTransfer(t.Context(), system(s.account), uuid.New(), s.account, a.Transfer.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s.secret(t, mailtext.OwnershipTransfer)
}

func TestTransferOfAnAccount(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	path := "/portal/" + s.account + "/transfer"
	if page := b.get("/portal/" + s.account + "/account"); page.Find(`a[href="`+path+`"]`).Length() != 1 {
		t.Error("nothing leads there")
	}
	own := b.submit(b.get(path), "/transfer", "email", "Pierre@example.com", "keep", "all")
	if own.status != http.StatusUnprocessableEntity || own.text("#email-error") != "Indiquez l’adresse d’une autre personne." || own.Find("input[name=keep][checked]").Length() != 1 {
		t.Errorf("%d %s", own.status, own.text("main"))
	}
	s.offer(t, b, "anna@example.com", false)
	if page := b.submit(b.get("/portal/"+s.account+"/close"), "/close"); page.status != http.StatusConflict || !strings.Contains(page.text(".note.bad"), "annulez d’abord la proposition") {
		t.Errorf("it is closed meanwhile: %d %s", page.status, page.text("main"))
	}
	back := b.submit(b.get(path), "/withdraw")
	if back.text(".note.ok") != "La proposition est annulée. Vous restez titulaire." || back.Find("#email").Length() != 1 {
		t.Errorf("%d %s", back.status, back.text("main"))
	}

	secret := s.offer(t, b, "anna@example.com", true)
	if page := s.visit(t, "fr").get("/portal/transfer"); page.status != http.StatusOK || page.Find("a[data-carry]").Length() != 1 {
		t.Errorf("a stranger gets %d %s", page.status, page.text("main"))
	}
	if page := b.submit(b.get("/portal/transfer"), "/transfer", "token", secret); page.status != http.StatusForbidden {
		t.Errorf("somebody else is shown %d %s", page.status, page.text("main"))
	}
	guest := s.logIn(t, "anna@example.com")
	shown := guest.submit(guest.get("/portal/transfer"), "/transfer", "token", secret)
	want := []string{"Pierre Lannoypierre@example.com", "Pierre Lannoy", "2 services actifs6 domaines3 factures impayées0 demande ouverte", "Tous les droits", "Personne d’autre"}
	got := shown.texts(".offer dd")
	if shown.status != http.StatusOK || len(got) != 6 || !cmp.Equal(want, append(got[:3:3], got[4:]...)) {
		t.Errorf("%d %q", shown.status, got)
	}
	taken := guest.submit(shown, "/transfer", "answer", "accept")
	if taken.path != "/portal/"+s.account || taken.text(".note.ok") != "Vous êtes maintenant titulaire de ce compte." {
		t.Fatalf("%d at %s: %s", taken.status, taken.path, taken.text("main"))
	}
	if page := b.get("/portal/" + s.account); page.status != http.StatusNotFound {
		t.Errorf("the former owner sees the account: %d", page.status)
	}
	s.Settle() // the history waits for nobody
	if page := guest.get("/portal/" + s.account + "/history"); !strings.Contains(page.text("#list"), "Changement de titulaire") || !strings.Contains(page.text("#list"), "Compte proposé à un autre titulaire") {
		t.Errorf("the history says %s", page.text("#list"))
	}
	if page := guest.get(path); page.Find("#email").Length() != 1 {
		t.Errorf("the new owner cannot hand it on: %d", page.status)
	}
	if page := guest.submit(guest.get("/portal/transfer"), "/transfer", "token", secret, "answer", "decline"); page.status != http.StatusConflict || page.text(".note.bad") == "" {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
}

func TestLeavingAnAccount(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	owner := s.logIn(t, "pierre@example.com")
	secret := s.invite(t, owner, "anna@example.com")
	guest := s.logIn(t, "anna@example.com")
	guest.submit(guest.get("/portal/invitation"), "/invitation", "token", secret, "answer", "accept")
	s.Settle()
	list := guest.get("/portal/" + s.account + "/accounts")
	at := "/portal/" + s.account + "/leave"
	if list.Find(`a[href="`+at+`"]`).Length() != 1 || owner.get("/portal/"+s.account+"/accounts").Find(`a[href$="/leave"]`).Length() != 0 {
		t.Errorf("%s", list.text("main"))
	}
	if page := owner.get(at); page.Find("form[action$='/leave']").Length() != 0 || page.Find(`main a[href$="/transfer"]`).Length() != 1 {
		t.Errorf("the owner may leave: %s", page.text("main"))
	}
	gone := guest.submit(guest.get(at), "/leave")
	if gone.path != "/portal/open-account" {
		t.Errorf("%d at %s", gone.status, gone.path)
	}
	if page := guest.get("/portal/" + s.account); page.status != http.StatusNotFound {
		t.Errorf("still there: %d", page.status)
	}
	s.Settle()
	if got := owner.get("/portal/" + s.account + "/users").texts("#list .badge"); len(got) != 1 || got[0] != "Quittée" {
		t.Errorf("the list says %v", got)
	}
}
