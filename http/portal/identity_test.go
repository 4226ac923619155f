package portal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
)

const another = "purple monkey dishwasher on fire"

func TestSignUp(t *testing.T) {
	t.Parallel()
	s := seeded(t)

	t.Run("leads from the form to an account of one's own", func(t *testing.T) {
		t.Parallel()
		b := s.visit(t, "en")
		told := b.submit(b.get("/portal/sign-up"), "/sign-up", "name", "Zoé Martin", "email", "zoe@example.com", "password", password)
		if told.status != http.StatusOK || told.text("h1") != "Check your mail" {
			t.Fatalf("%d %s", told.status, told.text("main"))
		}
		form := b.submit(b.get("/portal/login"), "/login", "email", "zoe@example.com", "password", password)
		if form.path != "/portal/open-account" || form.Find("#name").AttrOr("value", "") != "Zoé Martin" {
			t.Fatalf("at %s: %s", form.path, form.text("main"))
		}
		board := b.submit(form, "/open-account", "kind", "company", "name", "Martin SARL", "country", "BE")
		if board.status != http.StatusOK || board.text("#profile h2") != "Martin SARL" || board.text("#profile .where") != "Belgium" {
			t.Errorf("%d at %s: %s", board.status, board.path, board.text("main"))
		}
		if !strings.Contains(board.text(".unverified"), "zoe@example.com") {
			t.Errorf("the page does not ask to verify the address: %s", board.text("main"))
		}
	})
	t.Run("says beside each field what is wrong, and keeps what was typed but the password", func(t *testing.T) {
		t.Parallel()
		b := s.visit(t, "fr")
		page := b.submit(b.get("/portal/sign-up"), "/sign-up", "name", " ", "email", "nowhere", "password", "azerty")
		if page.status != http.StatusUnprocessableEntity {
			t.Fatalf("%d %s", page.status, page.text("main"))
		}
		for id, want := range map[string]string{
			"#name-error": "Indiquez un nom.", "#email-error": "Indiquez une adresse e-mail valable.",
			"#password-error": "Utilisez au moins 12 caractères.",
		} {
			if got := page.text(id); got != want {
				t.Errorf("%s says %q", id, got)
			}
		}
		if _, form := page.form(t, "/sign-up"); form.Get("email") != "nowhere" || form.Get("password") != "" {
			t.Errorf("the form holds %v", form)
		}
	})
	t.Run("answers an address that is known as any other", func(t *testing.T) {
		t.Parallel()
		b := s.visit(t, "fr")
		page := b.submit(b.get("/portal/sign-up"), "/sign-up", "name", "Pierre", "email", "pierre@example.com", "password", another)
		if page.status != http.StatusOK || page.text("h1") != "Regardez votre messagerie" {
			t.Errorf("%d %s", page.status, page.text("main"))
		}
	})
}

func TestVerifyEmail(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	if err := s.dispatcher.MailVerification(t.Context(), system(""), uuid.New(), time.Now(), s.other); err != nil {
		t.Fatal(err)
	}
	secret := s.secret(t, mailtext.VerifyEmail)

	asked := s.visit(t, "fr").get("/portal/verify-email")
	if asked.Find("form[action='/portal/verify-email']").Length() != 0 || asked.Find("a[href='/portal/login?return=%2Fportal%2Fverify-email'][data-carry]").Length() != 1 || asked.Find("a[href='/portal/forgot-password']").Length() != 1 {
		t.Errorf("who is not logged in may be a stranger's victim: %s", asked.text("main"))
	}
	stranger := s.logIn(t, "pierre@example.com")
	refused := stranger.submit(stranger.get("/portal/verify-email"), "/verify-email", "token", secret)
	if refused.status != http.StatusForbidden || !strings.Contains(refused.text(".note.bad"), "une autre connexion") {
		t.Errorf("somebody else: %d %s", refused.status, refused.text("main"))
	}
	b := s.logIn(t, "other@example.com")
	page := b.submit(b.get("/portal/verify-email"), "/verify-email", "token", secret)
	if page.status != http.StatusOK || page.text("h1") != "Adresse vérifiée" {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
	again := b.submit(b.get("/portal/verify-email"), "/verify-email", "token", "nonsense")
	if again.status != http.StatusUnprocessableEntity && again.status != http.StatusConflict {
		t.Errorf("a wrong code answers %d", again.status)
	}
	if again.text(".note.bad") != "Ce lien a déjà servi ou a expiré. Demandez un nouvel e-mail." || again.Find("#token").AttrOr("value", "") != "" {
		t.Errorf("a wrong code is offered again: %s", again.text("main"))
	}
	if again.Find(".note.bad a[href='#token-error']").Length() != 1 || again.Find("#token-error").Length() != 1 {
		t.Error("the message does not lead to the field")
	}
}

func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.visit(t, "fr")
	for _, email := range []string{"pierre@example.com", "nobody@example.com"} {
		page := b.submit(b.get("/portal/forgot-password"), "/forgot-password", "email", email)
		if page.status != http.StatusOK || page.text("h1") != "Regardez votre messagerie" {
			t.Errorf("%s: %d %s", email, page.status, page.text("main"))
		}
	}
	if err := s.dispatcher.MailReset(t.Context(), system(""), uuid.New(), time.Now(), s.user); err != nil {
		t.Fatal(err)
	}
	secret := s.secret(t, mailtext.ResetPassword)
	weak := b.submit(b.get("/portal/reset-password"), "/reset-password", "token", secret, "password", "azerty")
	if weak.text("#password-error") != "Utilisez au moins 12 caractères." {
		t.Errorf("%d %s", weak.status, weak.text("main"))
	}
	// The code need not be pasted again.
	done := b.submit(weak, "/reset-password", "password", another)
	if done.path != "/portal/login" || done.text(".note.ok") == "" {
		t.Fatalf("at %s: %s", done.path, done.text("main"))
	}
	if page := b.submit(done, "/login", "email", "pierre@example.com", "password", another); page.path != "/portal/"+s.account {
		t.Errorf("the new password does not log in: %s", page.text("main"))
	}
}

func TestSecurityPage(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	here, there := s.logIn(t, "pierre@example.com"), s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/security"

	page := here.get(at)
	if n := page.Find("#sessions li").Length(); n != 2 || page.Find("#sessions form").Length() != 1 {
		t.Fatalf("%d sessions: %s", n, page.text("#sessions"))
	}
	if diff := cmp.Diff([]string{"Réussie", "Réussie"}, page.texts("#logins .badge")); diff != "" {
		t.Error(diff)
	}
	if done := here.submit(page, "/end"); done.text(".note.ok") != "La session est terminée." || done.Find("#sessions li").Length() != 1 {
		t.Errorf("%s", done.text("main"))
	}
	if page := there.get(at); page.path != "/portal/login" {
		t.Errorf("the ended session goes on at %s", page.path)
	}
	if page := here.get(at + "/logins"); page.Find("#logins li").Length() != 2 {
		t.Errorf("%s", page.text("main"))
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/password"

	wrong := b.submit(b.get(at), "/password", "current", "not it", "new", another)
	if wrong.status != http.StatusUnprocessableEntity || wrong.text("#current-error") != "Ce n’est pas votre mot de passe." {
		t.Errorf("%d %s", wrong.status, wrong.text("main"))
	}
	if _, form := wrong.form(t, "/password"); form.Get("current") != "" || form.Get("new") != "" {
		t.Errorf("the form holds %v", form)
	}
	if done := b.submit(wrong, "/password", "current", password, "new", another); done.path != "/portal/"+s.account+"/security" || done.text(".note.ok") == "" {
		t.Errorf("at %s: %s", done.path, done.text("main"))
	}
}

func TestChangeEmail(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/email"

	wrong := b.submit(b.get(at), "/email", "email", "nowhere", "password", password)
	if wrong.status != http.StatusUnprocessableEntity || wrong.text("#email-error") != "Indiquez une adresse e-mail valable." {
		t.Errorf("%d %s", wrong.status, wrong.text("main"))
	}
	asked := b.submit(wrong, "/email", "email", "pierre@example.org", "password", password)
	if !strings.Contains(asked.text(".note.ok"), "nouvelle adresse") {
		t.Fatalf("%d %s", asked.status, asked.text("main"))
	}
	b.submit(b.get("/portal/verify-email"), "/verify-email", "token", s.secret(t, mailtext.ChangeEmail))
	if page := b.get("/portal/" + s.account + "/security"); !strings.Contains(page.text("#account-menu .who"), "pierre@example.org") {
		t.Errorf("the address is still the old one: %s", page.text("#account-menu .who"))
	}
}

func TestUnverifiedUserAsksForTheMailAgain(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	s.opens(t, s.other, "Other")
	s.Settle()
	b := s.logIn(t, "other@example.com")
	page := b.get("/portal")
	if !strings.Contains(page.text(".unverified"), "other@example.com") {
		t.Fatalf("%s", page.text("body"))
	}
	done := b.submit(page, "/email/resend")
	if done.path != page.path || !strings.Contains(done.text(".note.ok"), "verification e-mail") {
		t.Errorf("at %s: %s", done.path, done.text("main"))
	}
	s.secret(t, mailtext.VerifyEmail)
}

func TestCloseUser(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	page := b.submit(b.get("/portal/"+s.account+"/security/close"), "/security/close", "password", password)
	if page.status != http.StatusConflict || page.text(".note.bad") != "Vous possédez encore des comptes : fermez-les ou transmettez-les d’abord." {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
}
