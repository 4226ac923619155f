package http_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	portalhttp "github.com/hostfold/hostfold/http"
)

// field is a field of the answer, read once more after a write.
func (w *world) verified(t *testing.T, as party, after answer) any {
	t.Helper()
	return w.see(t, as, "/v1/me", after).fields(t)["email_verified"]
}

func tokenBody(token string) string { return fmt.Sprintf(`{"token":%q}`, token) }

func TestAnAddressIsVerifiedThroughItsMail(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	first := mails.secret(t, ada.email)
	again := w.must(t, ada, http.MethodPost, "/v1/me/email-verification", "", 202)
	if w.verified(t, ada, again) != false {
		t.Error("verified without a mail")
	}
	second := mails.secret(t, ada.email)
	w.play(t,
		step{"no token", nobody, "POST", "/v1/users/verify-email", `{"token":""}`, nil, 422, "invalid_token", []string{`"field":"token"`}},
		step{"a wrong token", nobody, "POST", "/v1/users/verify-email", tokenBody(first[:60] + "AAAA"), nil, 422, "invalid_token", nil},
		step{"taken for a reset", nobody, "POST", "/v1/password-resets/confirm", `{"token":"` + first + `","password":"` + password + `x"}`, nil, 422, "invalid_token", nil},
	)
	done := w.must(t, nobody, http.MethodPost, "/v1/users/verify-email", tokenBody(second), 204, "Idempotency-Key", "one")
	if w.verified(t, ada, done) != true {
		t.Error("not verified")
	}
	if a := w.must(t, nobody, http.MethodPost, "/v1/users/verify-email", tokenBody(second), 204, "Idempotency-Key", "one"); a.header.Get("Idempotent-Replay") != "true" {
		t.Error("a repeat is no replay")
	}
	w.play(t, step{"used again", nobody, "POST", "/v1/users/verify-email", tokenBody(second), nil, 422, "invalid_token", nil})
}

func TestAnAddressIsChangedThroughItsMail(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	ada, eve := w.signUp(t, "ada"), w.signUp(t, "eve")
	body := func(email, password string) string { return fmt.Sprintf(`{"email":%q,"password":%q}`, email, password) }
	w.play(t,
		step{"a wrong password", ada, "POST", "/v1/me/email", body("countess@example.com", "wrong"), nil, 422, "invalid_field", []string{`"field":"password"`, `"reason":"wrong"`}},
		step{"no address", ada, "POST", "/v1/me/email", body("countess", password), nil, 422, "invalid_field", []string{`"field":"email"`}},
	)
	free := w.must(t, ada, http.MethodPost, "/v1/me/email", body("countess@example.com", password), 202)
	token := mails.secret(t, "countess@example.com")
	known := w.must(t, ada, http.MethodPost, "/v1/me/email", body(eve.email, password), 202)
	if free.header.Get("ETag") != known.header.Get("ETag") || len(free.body) != len(known.body) {
		t.Errorf("told by %v and %v", free.header, known.header)
	}
	if m := mails.next(t, eve.email); inLink.MatchString(m) && !strings.Contains(m, "verify-email") {
		t.Errorf("eve gets %s", m)
	}
	w.play(t, step{"the link of the wish before", ada, "POST", "/v1/users/verify-email", tokenBody(token), nil, 422, "invalid_token", nil})
	w.must(t, ada, http.MethodPost, "/v1/me/email", body("countess@example.com", password), 202)
	token = mails.secret(t, "countess@example.com")
	w.play(t,
		step{"the link, by nobody", nobody, "POST", "/v1/users/verify-email", tokenBody(token), nil, 403, "not_your_link", nil},
		step{"the link, by somebody else", eve, "POST", "/v1/users/verify-email", tokenBody(token), nil, 403, "not_your_link", nil},
		step{"the link, in a session", ada, "POST", "/v1/users/verify-email", tokenBody(token), nil, 204, "", nil},
	)
	mails.next(t, ada.email) // the notice, once the verification has gone by
	w.play(t,
		step{"the new address", nobody, "POST", "/v1/sessions", body("countess@example.com", password), nil, 201, "", nil},
		step{"the old address", nobody, "POST", "/v1/sessions", body(ada.email, password), nil, 401, "wrong_credentials", nil},
		step{"a session from before", ada, "GET", "/v1/me/sessions", "", nil, 200, "", nil},
	)
}

func TestAWishForAnAddressTellsNothingOfIt(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	w.signUp(t, "ada")
	eve := w.signUp(t, "eve")
	for name, wanted := range map[string]string{"unknown": "nobody@example.com", "known": "ada@example.com"} {
		ask := func(email string) {
			t.Helper()
			w.must(t, eve, http.MethodPost, "/v1/me/email", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password), 202)
		}
		ask(name + "@example.org")
		link := mails.secret(t, name+"@example.org")
		ask(wanted)
		w.play(t, step{"the link of before, after one for an address that is " + name, eve, "POST", "/v1/users/verify-email", tokenBody(link), nil, 422, "invalid_token", nil})
	}
}

func TestAPasswordIsChangedThroughTheAPI(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	other := w.logIn(t, ada)
	change := `{"current":"` + password + `","new":"lantern gravel oyster six"}`
	w.play(t,
		step{"a wrong password", ada, "POST", "/v1/me/password", `{"current":"x","new":"lantern gravel oyster six"}`, nil, 422, "invalid_field", []string{`"field":"current"`, `"reason":"wrong"`}},
		step{"a short password", ada, "POST", "/v1/me/password", `{"current":"` + password + `","new":"short"}`, nil, 422, "invalid_field", []string{`"field":"new"`, `"reason":"too_short"`}},
		step{"an easy password", ada, "POST", "/v1/me/password", `{"current":"` + password + `","new":"ada.example.ada"}`, nil, 422, "invalid_field", []string{`"field":"new"`, `"reason":"too_easy"`}},
		step{"another revision", ada, "POST", "/v1/me/password", change, []string{"If-Match", `"7"`}, 412, "stale", nil},
	)
	done := w.must(t, ada, http.MethodPost, "/v1/me/password", change, 204, "Idempotency-Key", "one")
	again := w.must(t, ada, http.MethodPost, "/v1/me/password", change, 204, "Idempotency-Key", "one")
	if again.header.Get("Idempotent-Replay") != "true" || again.header.Get("ETag") != done.header.Get("ETag") {
		t.Errorf("a repeat answers %v after %v", again.header, done.header)
	}
	w.play(t,
		step{"this session", ada, "GET", "/v1/me", "", nil, 200, "", nil},
		step{"the other session", other, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"the old password", nobody, "POST", "/v1/sessions", `{"email":"ada@example.com","password":"` + password + `"}`, nil, 401, "wrong_credentials", nil},
		step{"the new password", nobody, "POST", "/v1/sessions", `{"email":"ada@example.com","password":"lantern gravel oyster six"}`, nil, 201, "", nil},
	)
}

func TestAPasswordIsResetThroughItsMail(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	mails.secret(t, ada.email)
	ask := func(email string) answer {
		t.Helper()
		return w.must(t, nobody, http.MethodPost, "/v1/password-resets", fmt.Sprintf(`{"email":%q}`, email), 202)
	}
	unknown, known := ask("nobody@example.com"), ask(ada.email)
	if len(unknown.body) != 0 || len(known.body) != 0 || len(unknown.header) != len(known.header) {
		t.Errorf("told by %v %s and %v %s", known.header, known.body, unknown.header, unknown.body)
	}
	token := mails.secret(t, ada.email)
	confirm := func(password string) string { return fmt.Sprintf(`{"token":%q,"password":%q}`, token, password) }
	w.play(t,
		step{"no address", nobody, "POST", "/v1/password-resets", `{"email":"x"}`, nil, 422, "invalid_field", []string{`"field":"email"`}},
		step{"a key", nobody, "POST", "/v1/password-resets", `{"email":"x@example.com"}`, []string{"Idempotency-Key", "x"}, 400, "idempotency_not_supported", nil},
		step{"a short password", nobody, "POST", "/v1/password-resets/confirm", confirm("short"), nil, 422, "invalid_field", []string{`"field":"password"`, `"reason":"too_short"`}},
		step{"a wrong token", nobody, "POST", "/v1/password-resets/confirm", `{"token":"x","password":"lantern gravel oyster six"}`, nil, 422, "invalid_token", nil},
		step{"the session before it", ada, "GET", "/v1/me", "", nil, 200, "", nil},
		step{"the token", nobody, "POST", "/v1/password-resets/confirm", confirm("lantern gravel oyster six"), nil, 204, "", nil},
		step{"the token again", nobody, "POST", "/v1/password-resets/confirm", confirm("another fine passphrase"), nil, 422, "invalid_token", nil},
		step{"the session after it", ada, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"the new password", nobody, "POST", "/v1/sessions", `{"email":"ada@example.com","password":"lantern gravel oyster six"}`, nil, 201, "", nil},
	)
	if m := mails.next(t, ada.email); inLink.MatchString(m) {
		t.Errorf("the notice has a secret: %s", m)
	}
}

func TestSessionsAndLogInsAreListed(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	agent := []string{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
	body := `{"email":"ada@example.com","password":"` + password + `"}`
	w.must(t, nobody, http.MethodPost, "/v1/sessions", body, 201, agent...)
	w.must(t, nobody, http.MethodPost, "/v1/sessions", strings.Replace(body, "correct", "wrong", 1), 401, agent...)
	sessions := w.must(t, ada, http.MethodGet, "/v1/me/sessions", "", 200).items(t)
	newest, _ := sessions[0].(map[string]any)
	other, _ := newest["id"].(string)
	if len(sessions) != 2 || newest["device"] != "Firefox on Linux" || newest["browser"] != "Firefox" || newest["ip"] != "192.0.2.1" || newest["current"] != false || newest["used_at"] == nil {
		t.Errorf("sessions %v", sessions)
	}
	page := w.must(t, ada, http.MethodGet, "/v1/me/logins?limit=2", "", 200)
	logins := page.items(t)
	failed, _ := logins[0].(map[string]any)
	cursor, _ := page.fields(t)["next_cursor"].(string)
	if len(logins) != 2 || failed["outcome"] != "wrong_password" || failed["ip"] != "192.0.2.1" || cursor == "" {
		t.Errorf("log-ins %s", page.body)
	}
	end := "/v1/me/sessions/" + other
	w.ahead.Add(int64(vault.FreshFor))
	w.play(t, step{"ending another one long after the log-in", ada, "DELETE", end, "", nil, 403, "confirmation_required", nil})
	ada.token = w.must(t, ada, http.MethodPost, "/v1/me/confirmations", `{"password":"`+password+`"}`, 200).text(t, "token")
	w.must(t, ada, http.MethodDelete, end, "", 204)
	w.ahead.Add(int64(vault.FreshFor))
	rest := w.must(t, ada, http.MethodGet, "/v1/me/logins?limit=2&cursor="+cursor, "", 200)
	if items := rest.items(t); len(items) != 1 || items[0].(map[string]any)["outcome"] != "success" || rest.fields(t)["next_cursor"] != nil {
		t.Errorf("the next page: %s", rest.body)
	}
	w.play(t,
		step{"a cursor of another list", ada, "GET", "/v1/me/logins?cursor=x", "", nil, 422, "invalid_field", nil},
		step{"nobody's", nobody, "GET", "/v1/me/logins", "", nil, 401, "", nil},
		step{"the log-out needs no confirmation", ada, "DELETE", "/v1/sessions/current", "", nil, 204, "", nil},
	)
}

func TestAUserIsClosedWhenItOwnsNothing(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, eve := w.customer(t, "ada"), w.signUp(t, "eve")
	body := `{"password":"` + password + `"}`
	w.play(t,
		step{"an owner", ada, "POST", "/v1/me/close", body, nil, 409, "owns_accounts", nil},
		step{"still there", ada, "GET", "/v1/me", "", nil, 200, "", nil},
		step{"a wrong password", eve, "POST", "/v1/me/close", `{"password":"x"}`, nil, 422, "invalid_field", []string{`"field":"password"`}},
		step{"who owns nothing", eve, "POST", "/v1/me/close", body, nil, 204, "", nil},
		step{"its session", eve, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"its log-in", nobody, "POST", "/v1/sessions", `{"email":"eve@example.com","password":"` + password + `"}`, nil, 401, "wrong_credentials", nil},
	)
}

func TestStaffLockAndUnlockUsers(t *testing.T) {
	t.Parallel()
	w := begin(t)
	clerk, ada := w.staff(t), w.signUp(t, "ada")
	path, login := "/v1/staff/users/"+ada.id, `{"email":"ada@example.com","password":"`+password+`"}`
	w.play(t,
		step{"by a customer", ada, "POST", path + "/lock", `{"reason":"x"}`, nil, 403, "denied", nil},
		step{"without a reason", clerk, "POST", path + "/lock", `{"reason":""}`, nil, 422, "invalid_field", []string{`"field":"reason"`}},
		step{"nobody", clerk, "POST", "/v1/staff/users/usr_none/lock", `{"reason":"x"}`, nil, 404, "not_found", nil},
		step{"locked", clerk, "POST", path + "/lock", `{"reason":"abuse"}`, nil, 200, "", nil},
		step{"a session of it", ada, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"a log-in", nobody, "POST", "/v1/sessions", login, nil, 403, "user_locked", nil},
		step{"a wrong password", nobody, "POST", "/v1/sessions", `{"email":"ada@example.com","password":"x"}`, nil, 401, "wrong_credentials", nil},
		step{"unlocked", clerk, "POST", path + "/unlock", "", nil, 200, "", nil},
		step{"a log-in again", nobody, "POST", "/v1/sessions", login, nil, 201, "", nil},
	)
	w.ahead.Add(int64(vault.FreshFor))
	w.play(t,
		step{"in a session that was stolen", clerk, "POST", path + "/lock", `{"reason":"x"}`, nil, 403, "confirmation_required", nil},
		step{"nor is anybody erased by it", clerk, "POST", path + "/erasure", "", nil, 403, "confirmation_required", nil},
		step{"nor is a legal hold lifted", clerk, "DELETE", path + "/legal-hold", "", nil, 403, "confirmation_required", nil},
	)
}

// proxied are the headers of a request that comes through the proxy which the
// test server trusts; claimed is what the client itself wrote there.
func proxied(claimed, ip string) []string {
	return []string{"X-Forwarded-For", strings.TrimPrefix(claimed+", "+ip, ", ")}
}

func behindAProxy(c *portalhttp.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
}

// guess tries a thousand wrong passwords at an address, 32 at a time, and
// counts the answers by status.
func (w *world) guess(t *testing.T, email string, headers func(i int) []string) map[int]int {
	t.Helper()
	const guesses, atOnce = 1000, 32
	var mu sync.Mutex
	var wg sync.WaitGroup
	var next atomic.Int32
	answers := map[int]int{}
	for range atOnce {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= guesses; i = int(next.Add(1)) {
				a := w.do(t, nobody, http.MethodPost, "/v1/sessions", fmt.Sprintf(`{"email":%q,"password":"wrong %d"}`, email, i), headers(i)...)
				mu.Lock()
				answers[a.status]++
				mu.Unlock()
				if a.status == 429 && a.header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
		})
	}
	wg.Wait()
	if answers[401]+answers[429]+answers[503] != guesses {
		t.Errorf("answers %v", answers)
	}
	return answers
}

// TestAThousandWrongPasswordsFromManySources is the proof of docs/security.md,
// "Log-in limits": guessing is limited, for the address and for each source,
// and the owner gets in from a device of its own and through its mail.
func TestAThousandWrongPasswordsFromManySources(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	w := begin(t, behindAProxy)
	w.stop(t)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	mails.secret(t, ada.email)
	home := w.must(t, nobody, http.MethodPost, "/v1/sessions", `{"email":"ada@example.com","password":"`+password+`"}`, 201, proxied("", "198.51.100.7")...)
	device := regexp.MustCompile(`hostfold_device=[0-9a-f]{64}`).FindString(strings.Join(home.header.Values("Set-Cookie"), " "))
	if device == "" {
		t.Fatalf("no device cookie in %v", home.header)
	}

	began := time.Now()
	answers := w.guess(t, ada.email, func(i int) []string { return proxied("", fmt.Sprintf("203.0.%d.%d", i/250, i%250)) })
	t.Logf("a thousand wrong passwords from a thousand sources, in %s: %v", time.Since(began), answers)
	if answers[401] != 50 {
		t.Errorf("%d guesses were checked, not 50", answers[401])
	}

	right := `{"email":"ada@example.com","password":"` + password + `"}`
	w.play(t,
		step{"the owner on an unknown device", nobody, "POST", "/v1/sessions", right, proxied("", "198.51.100.8"), 429, "too_many_attempts", nil},
		step{"the owner on its own device", nobody, "POST", "/v1/sessions", right, append(proxied("", "198.51.100.9"), "Cookie", device), 201, "", nil},
		step{"the owner asks for a mail", nobody, "POST", "/v1/password-resets", `{"email":"ada@example.com"}`, proxied("", "198.51.100.10"), 202, "", nil},
	)
	reset := w.must(t, nobody, http.MethodPost, "/v1/password-resets/confirm",
		fmt.Sprintf(`{"token":%q,"password":"lantern gravel oyster six"}`, mails.secret(t, ada.email)), 204, proxied("", "198.51.100.10")...)
	device = regexp.MustCompile(`hostfold_device=[0-9a-f]{64}`).FindString(reset.header.Get("Set-Cookie"))
	w.must(t, nobody, http.MethodPost, "/v1/sessions", `{"email":"ada@example.com","password":"lantern gravel oyster six"}`, 201,
		append(proxied("", "198.51.100.10"), "Cookie", device)...)
}

// stop stops the clock of the counters, so that no wait is over while a test
// counts.
func (w *world) stop(t *testing.T) {
	t.Helper()
	wrapper, err := vault.OpenKeyFile(w.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	now := w.clock()
	w.dispatcher.Vault, err = vault.Open(t.Context(), vault.Config{
		Pool: w.DB, Wrapper: wrapper, Store: w.Store, Clock: func() time.Time { return now }, Hashing: vaulttest.Cheap,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAThousandWrongPasswordsFromOneSourceBehindAProxy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	w := begin(t, behindAProxy)
	w.stop(t)
	w.signUp(t, "ada")
	w.signUp(t, "eve")
	began := time.Now()
	// What the client claims to be forwarded for changes nothing.
	answers := w.guess(t, "ada@example.com", func(i int) []string { return proxied(fmt.Sprintf("203.0.%d.%d", i/250, i%250), "198.51.100.66") })
	t.Logf("a thousand wrong passwords from one source, in %s: %v", time.Since(began), answers)
	if answers[401] != 5 {
		t.Errorf("%d guesses were checked, not 5", answers[401])
	}
	right := func(name string) string { return `{"email":"` + name + `@example.com","password":"` + password + `"}` }
	w.play(t,
		step{"the source with the right password", nobody, "POST", "/v1/sessions", right("ada"), proxied("", "198.51.100.66"), 429, "too_many_attempts", nil},
		step{"the owner, who has no device yet, from elsewhere", nobody, "POST", "/v1/sessions", right("ada"), proxied("", "198.51.100.7"), 201, "", nil},
		step{"a neighbour of the source at its own address", nobody, "POST", "/v1/sessions", right("eve"), proxied("", "198.51.100.66"), 201, "", nil},
	)
}

func TestForwardingHeadersCountFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted, header, want string
	}{
		"no proxy":                     {"10.0.0.0/8", "198.51.100.1", "192.0.2.1"},
		"a proxy":                      {"192.0.2.1/32", "198.51.100.1", "198.51.100.1"},
		"a proxy and a claim":          {"192.0.2.1/32", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		"two proxies":                  {"192.0.2.0/24", "203.0.113.9, 198.51.100.1, 192.0.2.77", "198.51.100.1"},
		"a proxy that writes ports":    {"192.0.2.1/32", "198.51.100.1:4711", "198.51.100.1"},
		"an IPv6 client with its port": {"192.0.2.1/32", "[2001:db8::7]:4711", "2001:db8::7"},
		"an IPv6 client in brackets":   {"192.0.2.1/32", "[2001:db8::7]", "2001:db8::7"},
		"a mapped client":              {"192.0.2.1/32", "::ffff:198.51.100.1", "198.51.100.1"},
		"nonsense":                     {"192.0.2.1/32", "198.51.100.1, unknown", "192.0.2.1"},
		"an empty header":              {"192.0.2.1/32", "", "192.0.2.1"},
	} {
		config := config()
		config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://portal.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = "192.0.2.1:1234"
		r.Header.Set("X-Forwarded-For", c.header)
		if got := config.Source(r).IP; got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}
