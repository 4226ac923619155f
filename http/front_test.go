package http_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/eventstore"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/http/portal"
)

// withPages adds the portal to a server.
func withPages(c *portalhttp.Config) {
	c.Pages = portal.New(portal.Config{Config: *c, Brand: "hostfold", Zone: time.UTC})
}

// underTLS is a server that browsers reach over TLS.
func underTLS(c *portalhttp.Config) {
	c.PublicURL = &url.URL{Scheme: "https", Host: "portal.test"}
	c.Hosts = []string{"portal.test:443"}
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // where TLS ends
}

// addresses are all operations and pages of a scene with pages, with alice's
// ids: "METHOD /path".
func (s *scene) addresses(t *testing.T) []string {
	t.Helper()
	all := routes(t, s.handler)
	for _, page := range pagesOf(t, portal.New(portal.Config{Config: config(), Zone: time.UTC})) {
		all = append(all, page.method+" "+page.template)
	}
	for i, route := range all {
		method, template, _ := strings.Cut(route, " ")
		all[i] = method + " " + s.fill(template, s.alice.account)[0]
	}
	return all
}

// TestEveryPageOfSomebodyHasTheLogOut looks at every page of a customer, and of
// staff.
func TestEveryPageOfSomebodyHasTheLogOut(t *testing.T) {
	t.Parallel()
	s, seen := setWith(t, withPages), 0
	for _, page := range pagesOf(t, portal.New(portal.Config{Config: config(), Zone: time.UTC})) {
		at := strings.TrimPrefix(page.template, "/portal/{account}")
		e := pageExpectations()[page.method+" "+at]
		if page.method != http.MethodGet || strings.HasSuffix(at, "/stream") || page.template != at && e.needs == "" || page.template == at && (e.needs == "" || e.who() == anyone) {
			continue
		}
		for _, path := range s.fill(page.template, s.alice.account) {
			for _, as := range []party{s.alice, s.clerk} {
				a := raw(s.handler, http.MethodGet, path, "", "Cookie", "hostfold_session="+as.token)
				if a.status == http.StatusSeeOther {
					continue
				}
				shown, err := goquery.NewDocumentFromReader(bytes.NewReader(a.body))
				if err != nil {
					t.Fatal(err)
				}
				if seen++; shown.Find(`form[method=post][action="/portal/logout"] button`).Length() == 0 {
					t.Errorf("%s, answered %d, has no way out", path, a.status)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d pages", seen)
	}
}

// TestOtherSitesMakeNobodyDoAnything sends every request that changes something
// as the page of another site would make alice's browser send it.
func TestOtherSitesMakeNobodyDoAnything(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	s := setWith(t, withPages)
	before := s.Checksums()
	cookie, asked := "hostfold_session="+s.alice.token, 0
	for _, address := range s.addresses(t) {
		method, path, _ := strings.Cut(address, " ")
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Origin", "http://evil.test"},
			{"Origin", "null"},
			{"Origin", "https://portal.test"},
			{"Origin", "http://portal.test.evil.test"},
			{"Origin", "http://portal.test:81"},
			{"Sec-Fetch-Site", "cross-site", "Origin", "http://portal.test.evil.test"},
		} {
			if method == http.MethodGet && headers[0] != "Origin" {
				continue // that is a link, and changes nothing
			}
			a := raw(s.handler, method, path, "{}", append(headers, "Cookie", cookie)...)
			if a.status != http.StatusForbidden || !strings.Contains(string(a.body), `"code":"foreign_origin"`) {
				t.Errorf("%s with %v answered %d: %s", address, headers, a.status, a.body)
			}
			asked++
		}
	}
	s.Settle()
	if diff := cmp.Diff(before, s.Checksums()); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
	if asked < 500 {
		t.Errorf("only %d requests", asked)
	}
}

// strict fails when an answer lacks what keeps browsers safe.
func strict(t *testing.T, address string, a answer, tls bool) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %s is %q", address, name, got)
		}
	}
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") ||
		!strings.Contains(policy, "base-uri 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
		t.Errorf("%s: the policy is %q", address, policy)
	}
	if !strings.Contains(address, "/assets/") && !strings.Contains(address, " /docs") && !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
		t.Errorf("%s may be kept: %q", address, a.header.Get("Cache-Control"))
	}
	if got, year := a.header.Get("Strict-Transport-Security"), "max-age=31536000; includeSubDomains"; tls && got != year || !tls && got != "" {
		t.Errorf("%s: Strict-Transport-Security is %q", address, got)
	}
	if kind := a.header.Get("Content-Type"); len(a.body) > 0 && (kind == "" || strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "charset=utf-8") && kind != "text/event-stream") {
		t.Errorf("%s is of the type %q", address, kind)
	}
	if a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Server") != "" || a.header.Get("X-Powered-By") != "" {
		t.Errorf("%s tells %v", address, a.header)
	}
	for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Domain != "" || cookie.Path != "/" ||
			cookie.Secure != tls || strings.HasPrefix(cookie.Name, "__Host-") != tls {
			t.Errorf("%s sets the cookie %s", address, cookie.Raw)
		}
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		page, err := goquery.NewDocumentFromReader(bytes.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		page.Find("*").Each(func(_ int, e *goquery.Selection) {
			for _, attribute := range e.Nodes[0].Attr {
				if strings.HasPrefix(attribute.Key, "on") || attribute.Key == "style" || strings.HasPrefix(strings.ToLower(strings.TrimSpace(attribute.Val)), "javascript:") {
					t.Errorf("%s has %s=%q", address, attribute.Key, attribute.Val)
				}
			}
		})
		if n := page.Find("style, script:not([src]), base, object, embed, iframe").Length(); n > 0 {
			t.Errorf("%s has %d inline styles or scripts, or frames", address, n)
		}
	}
}

// TestEveryAnswerKeepsBrowsersSafe looks at the headers, cookies and markup of
// every operation and page, as alice and as nobody, with and without TLS.
func TestEveryAnswerKeepsBrowsersSafe(t *testing.T) {
	t.Parallel()
	for name, tls := range map[string]bool{"without TLS": false, "under TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, cookie := set(t), "hostfold_session="
			if tls {
				s.serve(t, underTLS, withPages)
				cookie = "__Host-" + cookie
			} else {
				s.serve(t, withPages)
			}
			for _, address := range s.addresses(t) {
				method, path, _ := strings.Cut(address, " ")
				if strings.HasSuffix(path, "/logout") || strings.HasSuffix(path, "/sessions/current") || strings.Contains(path, "stream") {
					continue // an end, and what goes on for as long as it is read
				}
				for _, as := range []string{"", s.alice.token} {
					strict(t, address, raw(s.handler, method, path, "", "Host", "portal.test", "Cookie", cookie+as), tls)
				}
			}
			for _, form := range []string{"/portal/login", "/portal/sign-up?lang=fr", "/portal/theme"} {
				a := raw(s.handler, http.MethodPost, form, "email=alice%40example.com&theme=dark&password="+url.QueryEscape(password),
					"Host", "portal.test", "Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie+s.alice.token)
				strict(t, form, a, tls)
				if form == "/portal/login" && len(a.header.Values("Set-Cookie")) != 2 {
					t.Errorf("%d %v", a.status, a.header)
				}
			}
		})
	}
}

// TestBodiesAreBounded sends every form and operation more than it takes.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	s := setWith(t, withPages)
	long, refused := "email="+strings.Repeat("x", 300<<10), 0
	for _, address := range s.addresses(t) {
		method, path, _ := strings.Cut(address, " ")
		if method == http.MethodGet || strings.HasPrefix(path, "/v1/") || strings.HasSuffix(path, "/logout") {
			continue // TestBadInputIsRefusedEverywhere has the operations, and the log-out ends the session
		}
		a := raw(s.handler, method, path, long, "Content-Type", "application/x-www-form-urlencoded", "Cookie", "hostfold_session="+s.alice.token)
		if a.status >= 500 || a.status == http.StatusOK {
			t.Errorf("%s answered %d", address, a.status)
		}
		if a.status == http.StatusUnprocessableEntity {
			refused++
		}
		if len(a.body) > 200<<10 || strings.Contains(string(a.body), "xxxxxxxxxx") {
			t.Errorf("%s says %d bytes back", address, len(a.body))
		}
	}
	if refused < 20 { // the others are refused before, or need no form
		t.Errorf("only %d forms were refused for their length", refused)
	}
}

// TestLinksComeFromThePublicURLAlone asks with headers that claim another host.
func TestLinksComeFromThePublicURLAlone(t *testing.T) {
	t.Parallel()
	w := begin(t, withPages)
	mails := w.post(t)
	claims := []string{"X-Forwarded-Host", "evil.test", "Forwarded", "host=evil.test;proto=https", "X-Forwarded-Proto", "https", "X-Host", "evil.test", "X-Original-URL", "/evil.test", "Referer", "http://evil.test/"}
	ada := w.signUp(t, "ada")
	mails.next(t, ada.email)
	w.must(t, nobody, http.MethodPost, "/v1/password-resets", `{"email":"ada@example.com"}`, 202, claims...)
	if m := mails.next(t, ada.email); strings.Contains(m, "evil.test") || !strings.Contains(m, "http://portal.test/portal/reset-password#") {
		t.Errorf("the mail says %s", m)
	}
	for _, path := range []string{"/", "/portal", "/portal/login", "/portal/login?return=//evil.test", "/portal/login?return=/%5Cevil.test", "/portal/sign-up", "/portal/invitation", "/docs", "/portal/acc_1"} {
		a := raw(w.handler, http.MethodGet, path, "", claims...)
		if to := a.header.Get("Location"); strings.HasPrefix(to, "http") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) {
			t.Errorf("%s leads to %s", path, to)
		}
		if strings.Contains(strings.ReplaceAll(string(a.body), "return=//evil.test", ""), "http://evil.test") {
			t.Errorf("%s shows %s", path, a.body)
		}
	}
	in := raw(w.handler, http.MethodPost, "/portal/login", "email=ada%40example.com&return=%2F%2Fevil.test&password="+url.QueryEscape(password),
		append(claims, "Content-Type", "application/x-www-form-urlencoded")...)
	if in.status != http.StatusSeeOther || in.header.Get("Location") != "/portal" {
		t.Errorf("a log-in leads to %d %q", in.status, in.header.Get("Location"))
	}
	if a := raw(w.handler, http.MethodPost, "/v1/password-resets", `{"email":"ada@example.com"}`, "Host", "evil.test"); a.status != http.StatusMisdirectedRequest {
		t.Errorf("for another host it answers %d", a.status)
	}
}

// TestNoSecretIsLogged walks through everything that is told once, with a log
// that leaves nothing out, and looks for it there and in addresses.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	var log record
	w := begin(t, func(c *portalhttp.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}, withPages)
	mails := w.post(t)
	var secrets []string
	told := func(texts ...string) {
		for _, s := range texts {
			if len(s) < 6 {
				t.Errorf("%q is no secret", s)
			}
			secrets = append(secrets, s)
		}
	}
	ada := w.signUp(t, "ada")
	verify := mails.secret(t, ada.email)
	w.must(t, ada, http.MethodPost, "/v1/users/verify-email", tokenBody(verify), 204)
	told(password, ada.token, verify)
	account := w.must(t, ada, http.MethodPost, "/v1/accounts", `{"name":"ada","kind":"individual","country":"FR","currency":"EUR"}`, 201).ID(t)
	ada.account = account
	w.Settle() // the answer waited for the rights alone
	tokenID, program := w.token(t, ada, account, `{"name":"x","permissions":["*"]}`)
	w.must(t, program, http.MethodGet, "/v1/accounts/"+account, "", 200)
	_, invitation := w.invite(t, ada, "eve@example.com", onAll)
	w.do(t, ada, http.MethodPost, "/v1/delegations/accept", token(invitation))
	told(program.token, invitation)
	phone, codes := w.enrol(t, ada)
	told(append(codes, phone.secret)...)
	challenge := w.challenge(t, ada)
	code := phone.next(t)
	in := w.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(challenge, code), 201)
	told(challenge, in.text(t, "token"))
	for _, cookie := range (&http.Response{Header: in.header}).Cookies() {
		told(cookie.Value)
	}
	w.must(t, nobody, http.MethodPost, "/v1/sessions", withRecovery(w.challenge(t, ada), codes[0]), 201)
	w.do(t, nobody, http.MethodPost, "/v1/sessions", `{"email":"ada@example.com","password":"a wrong pass phrase"}`)
	w.must(t, nobody, http.MethodPost, "/v1/password-resets", `{"email":"ada@example.com"}`, 202)
	reset := mails.secretIn(t, ada.email, "reset-password")
	w.must(t, nobody, http.MethodPost, "/v1/password-resets/confirm", fmt.Sprintf(`{"token":%q,"password":"lantern gravel oyster six"}`, reset), 204)
	told("a wrong pass phrase", reset, "lantern gravel oyster six")
	// Secrets where they do not belong are not logged either.
	for _, path := range []string{"/v1/me?token=" + ada.token, "/portal/reset-password?token=" + reset, "/v1/accounts/" + program.token, "/portal/" + ada.token, "/portal/login?password=" + url.QueryEscape(password)} {
		raw(w.handler, http.MethodGet, path, "", "Authorization", "Bearer "+ada.token+"x", "Cookie", "hostfold_session="+in.text(t, "token"))
	}
	raw(w.handler, http.MethodPost, "/v1/sessions", `{"email":"`+password+`"`, "User-Agent", ada.token)
	w.must(t, program, http.MethodGet, "/v1/accounts/"+account+"/api-tokens", "", 403)

	lines := log.String()
	if n := strings.Count(lines, `"msg":"request"`); n < 20 {
		t.Fatalf("the log has %d requests: %s", n, lines)
	}
	if !strings.Contains(lines, `"code":"wrong_credentials"`) {
		t.Error("no line says that a log-in was refused")
	}
	if !regexp.MustCompile(`"status":403[^\n]*"by":"` + tokenID + `"[^\n]*"code":"denied"`).MatchString(lines) {
		t.Errorf("no line says who was denied something: %s", lines)
	}
	for _, by := range []string{ada.id, tokenID} {
		if !strings.Contains(lines, `"by":"`+by+`"`) {
			t.Errorf("no line says that %s asked", by)
		}
	}
	for _, s := range append(secrets, "ada@example.com", "eve@example.com") {
		if strings.Contains(lines, s) || strings.Contains(lines, url.QueryEscape(s)) {
			t.Errorf("the log tells %s", s)
		}
	}
	for r, err := range w.Store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets {
			if bytes.Contains(r.Data, []byte(s)) || bytes.Contains(r.Metadata, []byte(s)) {
				t.Errorf("%s at %s tells %s", r.Type, r.Stream, s)
			}
		}
	}
}

// record is a log that many may write to.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write notes a line.
func (r *record) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(line)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// secretIn is that of the next mail with a link to one page.
func (p *post) secretIn(t *testing.T, to, page string) string {
	t.Helper()
	for {
		if found := inLink.FindStringSubmatch(p.next(t, to)); found != nil && found[1] == page {
			return found[2]
		}
	}
}

// TestStrangersWriteFewEvents sends every operation that needs no log-in many
// times, from one source, about known and unknown addresses.
func TestStrangersWriteFewEvents(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.stop(t)
	ada := w.member(t, "ada")
	count := func() (n int) {
		for r, err := range w.Store.ReadAll(t.Context(), eventstore.Start) {
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(r.Type, "$") {
				n++
			}
		}
		return n
	}
	before := count()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for route, e := range expectations() {
				method, path, _ := strings.Cut(route, " ")
				if e.who() != anyone || method != http.MethodPost {
					continue
				}
				for _, email := range []string{fmt.Sprintf("stranger%d@example.com", i), ada.email} {
					body := strings.NewReplacer("nobody@example.com", email, "new@example.com", email).Replace(e.body)
					a := raw(w.handler, method, path, body)
					if a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
						t.Errorf("%s does not say when to come again", route)
					}
				}
			}
		})
	}
	wg.Wait()
	// Twenty registrations, and a few about the known address.
	if grew := count() - before; grew > 200 {
		t.Errorf("strangers wrote %d events", grew)
	} else {
		t.Logf("strangers wrote %d events", grew)
	}
}

// TestAThousandWrongCodesFromOneSourceBehindAProxy is the other half of
// TestAThousandWrongCodesFromManySources: one source, whatever it claims to be.
func TestAThousandWrongCodesFromOneSourceBehindAProxy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	w := begin(t, behindAProxy)
	users := make([]party, 10)
	phones := make([]app, len(users))
	for i := range users {
		users[i] = w.signUp(t, fmt.Sprintf("user%d", i))
		phones[i], _ = w.enrol(t, users[i])
	}
	w.ahead.Add(int64(30 * time.Minute))
	w.stop(t)
	answers := map[string]int{}
	for i := range 1000 {
		from := proxied(fmt.Sprintf("203.0.%d.%d", i/250, i%250), "198.51.100.66")
		a := w.do(t, nobody, http.MethodPost, "/v1/sessions", passwordBody(users[i%len(users)]), from...)
		if a.code(t) == "second_factor_required" {
			a = w.do(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(a.text(t, "challenge"), fmt.Sprintf("%06d", i)), from...)
		}
		answers[a.code(t)]++
	}
	// Thirty for the source, five of them at one address.
	if answers["wrong_code"] != 30 || answers["wrong_code"]+answers["too_many_attempts"] != 1000 {
		t.Errorf("answers %v", answers)
	}
	home := proxied("", "198.51.100.7")
	for i := range users {
		if a := w.do(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(w.challenge(t, users[i], home...), phones[i].now(t)), home...); a.status != http.StatusCreated {
			t.Errorf("user %d, from elsewhere: %d %s", i, a.status, a.body)
		}
	}
}

// TestAThousandSlowClientsKeepNobodyOut opens a thousand connections that never
// finish their request, and asks as usual meanwhile.
func TestAThousandSlowClientsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	w, server := served(t)
	limits := server.Config
	if limits.ReadHeaderTimeout != 5*time.Second || limits.ReadTimeout != 20*time.Second || limits.WriteTimeout != time.Minute ||
		limits.IdleTimeout != 90*time.Second || limits.MaxHeaderBytes != 32<<10 {
		t.Errorf("the limits are %+v", limits)
	}
	const many = 1000
	starts := []string{
		"GET / HTTP/1.1\r\nHost: portal.test\r\nX-Slow: ", "G", "POST /v1/sessions HTTP/1.1\r\nHost: portal.test\r\n",
		"GET /v1/me HTTP/1.1\r\nHost: " + server.Listener.Addr().String() + "\r\nCookie: x=",
	}
	slow := make([]net.Conn, many)
	var dialer net.Dialer
	for i := range slow {
		conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, starts[i%len(starts)]); err != nil {
			t.Fatal(err)
		}
		slow[i] = conn
	}
	ada := w.customer(t, "ada")
	for range 50 {
		began := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/accounts/"+ada.account, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+ada.token)
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if took := time.Since(began); res.StatusCode != http.StatusOK || took > 5*time.Second {
			t.Errorf("%d after %s", res.StatusCode, took)
		}
	}
	end := time.Now().Add(30 * time.Second)
	for i, conn := range slow {
		if err := conn.SetReadDeadline(end); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
			t.Fatalf("connection %d is still open", i)
		}
	}
}

func isTimeout(err error) bool {
	wait, ok := err.(net.Error) //nolint:errorlint // io.Copy hands it on as it is
	return ok && wait.Timeout()
}

// TestSlowBodiesAreCutOffAndStreamsAreNot gives a server short limits: a body
// that does not come ends the connection, a stream outlives the limit of other
// answers for as long as it is read.
func TestSlowBodiesAreCutOffAndStreamsAreNot(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	server := httptest.NewUnstartedServer(nil)
	server.Config = portalhttp.NewServer(w.handler, config().Log)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 250*time.Millisecond, time.Second
	server.Start()
	t.Cleanup(server.Close)
	dial := func(text string) *bufio.Reader {
		t.Helper()
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(conn)
	}
	head := "Host: portal.test\r\nAuthorization: Bearer " + ada.token + "\r\n"
	for _, path := range []string{"/v1/accounts", "/v1/users", "/portal/login"} { // in a session, for everybody, a form
		answer := dial("POST " + path + " HTTP/1.1\r\n" + head + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		text, err := io.ReadAll(answer)
		if isTimeout(err) {
			t.Errorf("%s: a body that never comes is waited for", path)
		} else if !strings.HasPrefix(string(text), "HTTP/1.1 408 ") || !strings.Contains(string(text), "request_timeout") {
			t.Errorf("%s: it is not told: %.60q", path, text)
		}
	}

	stream := dial("GET /v1/events?after=now&account=" + ada.account + " HTTP/1.1\r\n" + head + "Accept: text/event-stream\r\n\r\n")
	until := func(text string) {
		t.Helper()
		for {
			line, err := stream.ReadString('\n')
			if err != nil {
				t.Fatalf("the stream ended before %q: %v", text, err)
			}
			if strings.Contains(line, text) {
				return
			}
		}
	}
	until("still here") // it is open, and its clock runs
	limit := time.NewTimer(2 * server.Config.WriteTimeout)
	<-limit.C
	w.must(t, ada, http.MethodPatch, "/v1/accounts/"+ada.account, `{"name":"two"}`, 200)
	until("account.profile_updated.v2")
}
