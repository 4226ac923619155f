package portal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
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
	if home := b.get("/portal"); home.path != "/portal/staff" || home.Find("a[href='/portal/me/security']").Length() != 1 {
		t.Errorf("at %s: %s", home.path, home.text("main"))
	}
	if own := b.get("/portal/me/security"); own.status != http.StatusOK || own.Find("nav.menu a[href='/portal/staff']").Length() != 1 || own.Find("a[href$='/services'], a[href$='/accounts']").Length() != 0 {
		t.Errorf("at %s: %s", own.path, own.text("main"))
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

func TestAResetThatNobodyAskedForIsStopped(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	app := &phone{t: t, secret: s.enrolled(t, s.user), step: 1}
	b := s.visit(t, "fr")
	b.submit(b.post("/portal/login", url.Values{"email": {"pierre@example.com"}, "password": {password}}), "/login", "code", app.next())
	ask := func() {
		t.Helper()
		call := system("")
		receipt, _, err := s.dispatcher.RequestFactorReset(t.Context(), call, commands.RequestFactorReset{UserID: s.user, Reason: "seen"})
		if err == nil {
			err = s.dispatcher.MailFactorReset(t.Context(), system(""), s.user, eventOf(t, s.house, receipt))
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Settle()
	}
	ask()
	at := "/portal/" + s.account + "/security"
	page := b.get(at)
	if !strings.Contains(page.text("#factors .note.bad"), "vous avez perdu tous vos seconds facteurs") {
		t.Fatalf("%s", page.text("#factors"))
	}
	if kept := b.submit(page, "/second-factor/keep"); kept.text(".note.ok") != "Vos seconds facteurs restent." || kept.Find("#factors .note").Length() != 0 {
		t.Errorf("%s", kept.text("main"))
	}

	ask()
	stranger := s.visit(t, "fr")
	wrong := stranger.submit(stranger.get("/portal/stop-reset"), "/stop-reset", "token", "nonsense")
	if wrong.status != http.StatusUnprocessableEntity || wrong.text(".note.bad") == "" {
		t.Errorf("%d %s", wrong.status, wrong.text("main"))
	}
	done := stranger.submit(wrong, "/stop-reset", "token", s.secret(t, mailtext.FactorReset))
	if done.status != http.StatusOK || done.text("h1") != "Retrait arrêté" {
		t.Errorf("%d %s", done.status, done.text("main"))
	}
	s.Settle()
	if page := b.get(at); page.Find("#factors .note").Length() != 0 {
		t.Errorf("it still waits: %s", page.text("#factors"))
	}
}

// eventOf is the id of the event that a command wrote.
func eventOf(t *testing.T, h *house, at commands.Receipt) uuid.UUID {
	t.Helper()
	for r, err := range h.Store.ReadStream(t.Context(), at.Stream, at.Revision) {
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	t.Fatal("no event")
	return uuid.Nil
}

func TestWhatATokenAndARightMayDoNeedsAConfirmation(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	app := &phone{t: t, secret: s.enrolled(t, s.user), step: 1}
	b := s.visit(t, "fr")
	b.submit(b.post("/portal/login", url.Values{"email": {"pierre@example.com"}, "password": {password}}), "/login", "code", app.next())
	at := "/portal/" + s.account

	to, form := b.get(at+"/users/new").form(t, "/users")
	form.Set("email", "anna@example.com")
	form["permissions"], form["rights"], form["reach"] = []string{"tickets.read"}, []string{"chosen"}, []string{"all"}
	if done := b.post(to, form); done.path != at+"/users" || done.text(".note.ok") == "" {
		t.Fatalf("a small right: %d at %s: %s", done.status, done.path, done.text("main"))
	}
	form.Set("email", "bert@example.com")
	form.Set("idempotency_key", uuid.NewString())
	form.Set("rights", "all")
	asked := b.post(to, form)
	if asked.status != http.StatusForbidden || asked.text("h1") != "Confirmez que c’est bien vous" {
		t.Fatalf("every right: %d %s", asked.status, asked.text("main"))
	}
	to, form = asked.form(t, "/users")
	form.Set("confirm_code", app.next())
	if done := b.post(to, form); done.path != at+"/users" || !strings.Contains(done.text("#list"), "bert@example.com") {
		t.Errorf("%d at %s: %s", done.status, done.path, done.text("main"))
	}
}

func TestDataPage(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	at := "/portal/" + s.account + "/data"
	page := b.get(at)
	year, err := strconv.Atoi(s.year())
	if err != nil {
		t.Fatal(err)
	}
	if got := page.texts(".plan dd"); len(got) != 4 || got[0] != "Tout de suite" || got[1] != fmt.Sprintf("1er janvier %d", year+11) {
		t.Errorf("the dates are %v", got)
	}
	page.Find("a[download]").Each(func(_ int, link *goquery.Selection) {
		if got := b.get(link.AttrOr("href", "")); got.status != http.StatusOK || !strings.Contains(got.Text(), `"complete":true`) {
			t.Errorf("%s answers %d", link.AttrOr("href", ""), got.status)
		}
	})
	form := b.get(page.Find("#erasure a.btn").AttrOr("href", ""))
	wrong := b.submit(form, "/data/erasure", "password", password)
	if wrong.status != http.StatusUnprocessableEntity || wrong.text("#understood-error") != "Cochez cette case pour continuer." {
		t.Errorf("%d %s", wrong.status, wrong.text("main"))
	}
	asked := b.submit(wrong, "/data/erasure", "password", password, "understood", "yes")
	if asked.path != at || asked.text("#erasure .badge") != "À l’examen" || asked.Find("#erasure a.btn").Length() != 0 {
		t.Fatalf("%d at %s: %s", asked.status, asked.path, asked.text("main"))
	}
	withdrawn := b.submit(asked, "/data/erasure/withdraw")
	if withdrawn.text(".note.ok") == "" || withdrawn.text("#erasure .badge") != "Retirée" || withdrawn.Find("#erasure a.btn").Length() != 1 {
		t.Fatalf("%d %s", withdrawn.status, withdrawn.text("main"))
	}
	b.submit(b.get(at+"/erasure"), "/data/erasure", "password", password, "understood", "yes")
	if _, err := s.dispatcher.AnswerErasure(t.Context(), system(""), s.user); err != nil {
		t.Fatal(err)
	}
	s.Settle()
	refused := b.get(at)
	if refused.text("#erasure .badge") != "Refusé" || len(refused.texts("#erasure .bullets li")) != 3 || refused.Find("#erasure a.btn").Length() != 1 {
		t.Errorf("%s", refused.text("#erasure"))
	}
}
