package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
)

func TestLogIn(t *testing.T) {
	t.Parallel()
	s := seeded(t)

	t.Run("leads back to the page that was asked for", func(t *testing.T) {
		t.Parallel()
		b := s.visit(t, "fr")
		asked := "/portal/" + s.account + "/invoices"
		form := b.get(asked + "?status=paid")
		if form.path != "/portal/login" {
			t.Fatalf("a stranger is at %s", form.path)
		}
		page := b.submit(form, "/login", "email", "pierre@example.com", "password", password)
		if page.path != asked || page.text(".tabs [aria-current]") != "Payées" {
			t.Errorf("at %s, %s", page.path, page.text(".tabs"))
		}
	})
	t.Run("leads back in the other language, too", func(t *testing.T) {
		t.Parallel()
		b := s.visit(t, "fr")
		asked := "/portal/" + s.account + "/invoices"
		form := b.get(b.get(asked+"?status=paid").Find("a[hreflang=en]").AttrOr("href", ""))
		if form.text("h1") != "Log in" {
			t.Fatalf("it says %q", form.text("h1"))
		}
		if page := b.submit(form, "/login", "email", "pierre@example.com", "password", password); page.path != asked {
			t.Errorf("at %s", page.path)
		}
	})
	t.Run("leads to no other site", func(t *testing.T) {
		t.Parallel()
		for _, target := range []string{"https://evil.example/portal", "//evil.example/portal", `/\evil.example`, "/portal\\@evil.example", "javascript:alert(1)", "/v1/me"} {
			b := s.visit(t, "fr")
			page := b.submit(b.get("/portal/login?"+url.Values{"return": {target}}.Encode()), "/login", "email", "pierre@example.com", "password", password)
			if page.path != "/portal/"+s.account {
				t.Errorf("%s leads to %s", target, page.path)
			}
		}
	})
	t.Run("says in the reader's language what is wrong, and keeps the address alone", func(t *testing.T) {
		t.Parallel()
		b := s.visit(t, "en-GB")
		page := b.submit(b.get("/portal/login"), "/login", "email", "pierre@example.com", "password", "wrong")
		if page.status != http.StatusUnauthorized || page.text(".note.bad") != "The e-mail address or the password is wrong." {
			t.Errorf("%d %q", page.status, page.text(".note.bad"))
		}
		_, form := page.form(t, "/login")
		if form.Get("email") != "pierre@example.com" || form.Get("password") != "" {
			t.Errorf("the form holds %v", form)
		}
	})
	t.Run("speaks the language that is chosen there", func(t *testing.T) {
		t.Parallel()
		b := s.visit(t, "fr")
		page := b.get("/portal/login")
		if diff := cmp.Diff([]string{"Français", "English"}, page.texts(".lang a")); diff != "" {
			t.Error(diff)
		}
		if page.text("h1") != "Connexion" {
			t.Error(page.text("h1"))
		}
		b.get(page.Find(".lang a[lang=en]").AttrOr("href", ""))
		if again := b.get("/portal/login"); again.text("h1") != "Log in" {
			t.Errorf("forgotten: %s", again.text("h1"))
		}
	})
	t.Run("of a user without an account offers to open one", func(t *testing.T) {
		t.Parallel()
		page := s.logIn(t, "other@example.com").get("/")
		if page.path != "/portal/open-account" || page.Find("form[action$=logout]").Length() == 0 {
			t.Errorf("%d at %s: %s", page.status, page.path, page.text("body"))
		}
	})
}

func TestLogOutEndsTheSession(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")

	page := b.submit(b.get("/portal"), "/logout")

	if page.path != "/portal/login" || page.text(".note.ok") != "Vous êtes déconnecté." {
		t.Errorf("at %s: %s", page.path, page.text(".note"))
	}
	if again := b.get("/portal/" + s.account); again.path != "/portal/login" {
		t.Errorf("still at %s", again.path)
	}
}

func TestAccountsOfOthersAreMissing(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	theirs := s.opens(t, "usr_somebody", "Somebody")
	s.Settle()
	b := s.logIn(t, "pierre@example.com")
	mine := "/portal/" + s.account
	for _, path := range []string{
		"/portal/" + theirs, "/portal/" + theirs + "/services", "/portal/" + theirs + "/services/" + s.services[0],
		"/portal/" + theirs + "/stream?of=dashboard", "/portal/acc_none", mine + "/services/hst_none",
		mine + "/invoices/" + s.ticket, mine + "/tickets/" + s.services[0], mine + "/news/none", mine + "/none", "/portal/x/y/z",
	} {
		page := b.get(path)
		if page.status != http.StatusNotFound || page.text("h1") != "Page introuvable" {
			t.Errorf("%s: %d %s", path, page.status, page.text("h1"))
		}
	}
	for _, path := range []string{"/services/" + s.services[0] + "/label", "/tickets/" + s.ticket + "/replies", "/account", "/notifications/read"} {
		page := b.post("/portal/"+theirs+path, url.Values{"label": {"x"}, "message": {"x"}, "name": {"x"}, "country": {"FR"}, "locale": {"en"}})
		if page.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, page.status)
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/portal/logout", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	req.Header.Set("Origin", "https://evil.example")
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("answered %d", res.StatusCode)
	}
}

func TestStaffReadAndDoNotWrite(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	made := must[commands.CreatedStaff](t)(s.dispatcher.CreateStaff(t.Context(), system(""), commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: "staff@example.com", Password: password, Name: "Camille", Locale: "fr"}, Role: delegation.RoleAdmin,
	}))
	s.Settle()
	b := s.logIn(t, "staff@example.com")
	base := "/portal/" + s.account
	if page := b.get(base); page.path != "/portal/me/security/second-factor" {
		t.Errorf("without a second factor at %s: %s", page.path, page.text("main"))
	}
	code := s.enrol(t, made.ID)
	b = s.visit(t, "fr")
	b.enter("staff@example.com", code)
	if page := b.get(base); page.status != http.StatusOK || page.text("#counters b") != "2630" || page.Find("#profile .btn, a[href$='/tickets/new']").Length() != 0 {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
	if page := b.get(base + "/services/" + s.services[0]); page.status != http.StatusOK || page.Find("form[action$=label]").Length() != 0 {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
	page := b.post(base+"/services/"+s.services[0]+"/label", url.Values{"label": {"x"}})
	if page.status != http.StatusForbidden || page.text(".note.bad") != "Il vous manque la permission pour cela." {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
}

func TestStaffSeeDraftsAndCustomersDoNot(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	made := must[commands.CreatedStaff](t)(s.dispatcher.CreateStaff(t.Context(), system(""), commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: "staff@example.com", Password: password, Name: "Camille", Locale: "fr"}, Role: delegation.RoleAdmin,
	}))
	draft := must[commands.Receipt](t)(commands.Execute(t.Context(), s.dispatcher, system(s.account), commands.DraftInvoice{
		AccountID: s.account, Lines: []invoice.NewLine{{Description: "Livre blanc", Quantity: "1", UnitPrice: money.EUR(1000), VATRate: "20"}},
	})).ID
	s.Settle()
	base := "/portal/" + s.account + "/invoices"
	b := s.visit(t, "fr")
	b.enter("staff@example.com", s.enrol(t, made.ID))
	if page := b.get(base); page.status != http.StatusOK || page.text("#"+draft+" th") != "Brouillon" || page.text("#"+draft+" .badge") != "Brouillon" {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
	if page := b.get(base + "/" + draft); page.status != http.StatusOK || page.text("h1") != "Facture Brouillon" || !strings.Contains(page.text("#invoice"), "Livre blanc") {
		t.Errorf("%d %s", page.status, page.text("main"))
	}
	own := s.logIn(t, "pierre@example.com")
	if page := own.get(base + "/" + draft); page.status != http.StatusNotFound {
		t.Errorf("a customer sees a draft: %d", page.status)
	}
}

func TestAddressesOfFormsLeadToTheirPages(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	base := "/portal/" + s.account
	for path, want := range map[string]string{
		base + "/services/" + s.services[0] + "/label": base + "/services/" + s.services[0],
		base + "/tickets/" + s.ticket + "/replies":     base + "/tickets/" + s.ticket,
		base + "/notifications/read":                   base + "/notifications",
		"/login":                                       base,
	} {
		if page := b.get(path); page.status != http.StatusOK || page.path != want {
			t.Errorf("%s: %d at %s", path, page.status, page.path)
		}
	}
}

func TestAFormSentAfterTheSessionLeadsBackToItsPage(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.visit(t, "fr")
	b.referer = "/portal/" + s.account + "/account"
	page := b.post(b.referer, url.Values{"name": {"x"}})
	if page.path != "/portal/login" || page.Find("input[name=return]").AttrOr("value", "") != b.referer {
		t.Errorf("at %s, then %s", page.path, page.Find("input[name=return]").AttrOr("value", ""))
	}
}

// enrol turns one-time codes on for a user and answers a code that was not used.
func (h *house) enrol(t *testing.T, id string) string {
	t.Helper()
	return must[string](t)(totp.GenerateCode(h.enrolled(t, id), time.Now().Add(vault.TOTPStep)))
}

// enrolled turns one-time codes on for a user, with the code of the step before
// this one, and answers their secret.
func (h *house) enrolled(t *testing.T, id string) string {
	t.Helper()
	call := func() commands.Call {
		return commands.Call{
			CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorUser, ID: id},
			Grants: delegation.Grants{User: id, Fresh: delegation.Fresh{Password: true}},
		}
	}
	_, shown, err := h.dispatcher.EnrolTOTP(t.Context(), call(), commands.EnrolTOTP{UserID: id})
	if err != nil {
		t.Fatal(err)
	}
	code := must[string](t)(totp.GenerateCode(shown.Secret, time.Now().Add(-vault.TOTPStep)))
	confirm := call()
	confirm.Grants.System = true // there is no session
	if _, _, err := h.dispatcher.ConfirmTOTP(t.Context(), confirm, commands.ConfirmTOTP{UserID: id, Code: code}); err != nil {
		t.Fatal(err)
	}
	h.Settle()
	return shown.Secret
}

// enter logs in with the password and then a code.
func (b *browser) enter(email, code string) {
	b.t.Helper()
	page := b.post("/portal/login", url.Values{"email": {email}, "password": {password}})
	if page.text("h1") != "Second facteur" || page.Find("a[href='/portal/sign-up']").Length() != 0 || page.text("a[href='/portal/login']") != "Recommencer" {
		b.t.Errorf("the second step is as the first: %s", page.text("main"))
	}
	challenge, ok := page.Find("input[name=challenge]").Attr("value")
	if !ok || page.status != http.StatusUnauthorized || page.Find("#password").Length() != 0 || page.text(".note.bad") != "" {
		b.t.Fatalf("no code is asked for: %d %s", page.status, page.text("main"))
	}
	page = b.post("/portal/login", url.Values{"challenge": {challenge}, "code": {"000000"}})
	if page.status != http.StatusUnauthorized || page.text(".note.bad") != "Ce code est faux ou a déjà servi." || page.Find("#code").Length() != 1 {
		b.t.Errorf("a wrong code: %d %s", page.status, page.text("main"))
	}
	page = b.post("/portal/login", url.Values{"challenge": {challenge}, "code": {code}})
	if page.path == "/portal/login" {
		b.t.Fatalf("the code: %d %s", page.status, page.text("main"))
	}
	page = b.post("/portal/login", url.Values{"challenge": {challenge}, "code": {code}})
	if page.status != http.StatusUnauthorized || page.text(".note.bad") != "Cette connexion a pris trop de temps. Recommencez." || page.Find("#password").Length() != 1 {
		b.t.Errorf("the code again: %d %s", page.status, page.text("main"))
	}
}
