package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/delegation"
)

// phone makes the codes of a secret, each a step after the one before. Three
// steps are within reach of the clock.
type phone struct {
	t      *testing.T
	secret string
	step   int
}

func (f *phone) next() string {
	f.t.Helper()
	at := time.Now().Add(time.Duration(f.step-1) * vault.TOTPStep)
	f.step++
	return must[string](f.t)(totp.GenerateCode(f.secret, at))
}

func TestASecondFactorIsSetUpAndTurnedOffInThePortal(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/security"

	page := b.get(at)
	if page.text("#factors .badge") != "Désactivé" {
		t.Fatalf("%s", page.text("#factors"))
	}
	kinds := b.get(page.Find("#factors a.btn").AttrOr("href", ""))
	shown := b.submit(kinds, "/security/totp")
	app := &phone{t: t, secret: strings.ReplaceAll(shown.text("#secret"), " ", "")}
	if shown.path != at+"/totp" || shown.Find(".qr svg path").Length() != 2 || len(app.secret) != 32 {
		t.Fatalf("at %s: %s", shown.path, shown.text("main"))
	}
	if again := b.get(at + "/totp"); strings.ReplaceAll(again.text("#secret"), " ", "") != app.secret {
		t.Error("a page that is loaded again shows another secret")
	}
	wrong := b.submit(shown, "/totp/confirm", "code", "000000")
	if wrong.status != http.StatusUnprocessableEntity || wrong.text("#code-error") != "Ce code est faux ou a déjà servi." || wrong.text("#secret") != shown.text("#secret") {
		t.Fatalf("%d %s", wrong.status, wrong.text("main"))
	}
	codes := b.submit(wrong, "/totp/confirm", "code", app.next())
	list := codes.texts("#codes li")
	if codes.status != http.StatusOK || len(list) != 10 || !strings.Contains(codes.text("main"), "une fois") {
		t.Fatalf("%d %s", codes.status, codes.text("main"))
	}
	page = b.get(codes.Find(".acts a.btn").AttrOr("href", ""))
	if page.path != at || page.text("#factors .badge") != "Activé" || !strings.Contains(page.text("#factors"), "Il reste 10 codes.") {
		t.Fatalf("at %s: %s", page.path, page.text("#factors"))
	}

	// Another session has not shown a second factor since it was opened.
	b = s.visit(t, "fr")
	challenge := b.post("/portal/login", url.Values{"email": {"pierre@example.com"}, "password": {password}})
	b.submit(challenge, "/login", "code", list[0])
	asked := b.submit(b.get(at), "/security/recovery-codes")
	if asked.status != http.StatusForbidden || asked.text("h1") != "Confirmez que c’est bien vous" || asked.Find("#confirm_password").Length() != 0 {
		t.Fatalf("%d %s", asked.status, asked.text("main"))
	}
	refused := b.submit(asked, "/security/recovery-codes", "confirm_code", "111111")
	if refused.status != http.StatusUnprocessableEntity || refused.text("#confirm_code-error") != "Ce code est faux ou a déjà servi." {
		t.Fatalf("%d %s", refused.status, refused.text("main"))
	}
	renewed := b.submit(refused, "/security/recovery-codes", "confirm_code", app.next())
	if fresh := renewed.texts("#codes li"); len(fresh) != 10 || fresh[1] == list[1] {
		t.Fatalf("%d %s", renewed.status, renewed.text("main"))
	}
	off := b.get(at + "/totp/off")
	if !strings.Contains(off.text(".note.warn"), "dernier second facteur") {
		t.Errorf("%s", off.text("main"))
	}
	if done := b.submit(off, "/totp/off"); done.path != at || done.text(".note.ok") == "" || done.text("#factors .badge") != "Désactivé" {
		t.Errorf("at %s: %s", done.path, done.text("main"))
	}
}

func TestWhatAStolenSessionMustNotDoLeadsThroughAConfirmation(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	app := &phone{t: t, secret: s.enrolled(t, s.user), step: 1}
	b := s.visit(t, "fr")
	challenge := b.post("/portal/login", url.Values{"email": {"pierre@example.com"}, "password": {password}})
	if in := b.submit(challenge, "/login", "code", app.next()); in.path != "/portal/"+s.account {
		t.Fatalf("at %s: %s", in.path, in.text("main"))
	}
	at := "/portal/" + s.account + "/password"

	// A form that was open too long comes back, without its passwords.
	late := b.post(at, url.Values{"current": {password}, "new": {another}, "idempotency_key": {uuid.NewString()}})
	if late.status != http.StatusForbidden || late.text("h1") != "Confirmez que c’est bien vous" {
		t.Fatalf("%d %s", late.status, late.text("main"))
	}
	if html, _ := late.Html(); strings.Contains(html, password) || strings.Contains(html, another) {
		t.Error("the page carries a password")
	}
	page := b.get(at)
	if page.status != http.StatusOK || page.text("h1") != "Confirmez que c’est bien vous" {
		t.Fatalf("%d %s", page.status, page.text("main"))
	}
	again := b.submit(late, "/password", "confirm_code", app.next())
	if again.status != http.StatusOK || !strings.Contains(again.text(".note.ok"), "encore une fois le mot de passe") {
		t.Fatalf("%d %s", again.status, again.text("main"))
	}
	if done := b.submit(again, "/password", "current", password, "new", another); done.path != "/portal/"+s.account+"/security" || done.text(".note.ok") == "" {
		t.Errorf("at %s: %s", done.path, done.text("main"))
	}
}

func TestStaffAreLedToASecondFactorAndBack(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	must[commands.CreatedStaff](t)(s.dispatcher.CreateStaff(t.Context(), system(""), commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: "staff@example.com", Password: password, Name: "Camille", Locale: "fr"}, Role: delegation.RoleAdmin,
	}))
	s.Settle()
	wanted := "/portal/" + s.account + "/services"
	b := s.visit(t, "fr")
	b.get(wanted)
	page := b.post("/portal/login", url.Values{"email": {"staff@example.com"}, "password": {password}, "return": {wanted}})
	if page.path != "/portal/me/security/second-factor" || !strings.Contains(page.text(".note.warn"), "second facteur") {
		t.Fatalf("at %s: %s", page.path, page.text("main"))
	}
	other := s.logIn(t, "staff@example.com")
	if led := other.get(wanted); led.path != "/portal/me/security/second-factor" {
		t.Errorf("another session is at %s", led.path)
	}
	shown := b.submit(page, "/security/totp")
	app := &phone{t: t, secret: strings.ReplaceAll(shown.text("#secret"), " ", "")}
	codes := b.submit(shown, "/totp/confirm", "code", app.next())
	if back := b.get(codes.Find(".acts a.btn").AttrOr("href", "")); back.path != wanted || back.status != http.StatusOK {
		t.Fatalf("%d at %s: %s", back.status, back.path, back.text("main"))
	}
	if home := b.get("/portal"); home.path != "/portal/me/security" || home.Find("nav.menu, a[href$='/accounts']").Length() != 0 {
		t.Errorf("at %s: %s", home.path, home.text("main"))
	}
	asked := other.get(wanted)
	if asked.path != "/portal/me/confirm" {
		t.Fatalf("another session is at %s", asked.path)
	}
	to, form := asked.form(t, asked.Find("main form").AttrOr("action", ""))
	form.Set("confirm_code", app.next())
	if back := other.post(to, form); back.path != wanted || back.status != http.StatusOK {
		t.Errorf("%d at %s: %s", back.status, back.path, back.text("main"))
	}
}
