package http_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	portalhttp "github.com/hostfold/hostfold/http"
)

func config(hosts ...string) portalhttp.Config {
	return portalhttp.Config{
		PublicURL: &url.URL{Scheme: "http", Host: "portal.test"}, Hosts: append(hosts, "portal.test:80"),
		Version: "test", Clock: time.Now, NewID: uuid.New, Log: slog.New(slog.DiscardHandler),
	}
}

func get(t testing.TB, h http.Handler, path string, headers ...string) answer {
	t.Helper()
	return send(t, h, http.MethodGet, path, "", headers...)
}

// send sends a request to a handler, and fails the test when the answer is not
// as the published document says.
func send(t testing.TB, h http.Handler, method, path, body string, headers ...string) answer {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "http://portal.test"+path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	a := answer{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
	theContract(t).fits(t, req, a)
	return a
}

// problem is the whole of a refusal.
func problem(t testing.TB, a answer) portalhttp.Problem {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	var p portalhttp.Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != a.status || p.Type != "urn:hostfold:problem:"+p.Code || p.Title == "" || p.Detail == "" || p.RequestID == "" {
		t.Errorf("incomplete problem %+v", p)
	}
	return p
}

func TestEveryAnswerIsSecured(t *testing.T) {
	t.Parallel()
	h := portalhttp.New(config())
	for _, path := range []string{"/livez", "/docs", "/openapi.json", "/v1/none", "/none"} {
		res := get(t, h, path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := res.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		policy := res.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if !strings.HasPrefix(res.header.Get("X-Request-Id"), "req_") {
			t.Errorf("%s: no request id", path)
		}
	}
}

func TestLivezAndReadyzHaveNoBody(t *testing.T) {
	t.Parallel()
	c := config()
	ready := error(nil)
	c.Ready = func() error { return ready }
	var observed []int
	c.Observe = func(_, _ string, status int, _ time.Duration) { observed = append(observed, status) }
	h := portalhttp.New(c)
	check := func(path string, want int) {
		t.Helper()
		// Probes come by address, under any host name.
		res := get(t, h, path, "Host", "10.0.0.7:8080")
		if res.status != want || len(res.body) != 0 {
			t.Errorf("%s answered %d %q", path, res.status, res.body)
		}
	}
	check("/livez", 200)
	check("/readyz", 200)
	ready = io.ErrUnexpectedEOF
	check("/livez", 200)
	check("/readyz", 503)
	if diff := cmp.Diff([]int{200, 200, 200, 503}, observed); diff != "" {
		t.Errorf("counted as: %s", diff)
	}
}

func TestForeignHostsAndOriginsAreRefused(t *testing.T) {
	t.Parallel()
	h := portalhttp.New(config("127.0.0.1:8080"))
	for _, c := range []struct {
		name, method string
		headers      []string
		want         int
		code         string
	}{
		{"own host", "GET", nil, 200, ""},
		{"own host with its port", "GET", []string{"Host", "PORTAL.test:80"}, 200, ""},
		{"loopback", "GET", []string{"Host", "127.0.0.1:8080"}, 200, ""},
		{"loopback on another port", "GET", []string{"Host", "127.0.0.1:9"}, 421, "foreign_host"},
		{"rebound name", "GET", []string{"Host", "evil.test"}, 421, "foreign_host"},
		{"own origin", "GET", []string{"Origin", "http://portal.test"}, 200, ""},
		{"own origin by another scheme", "GET", []string{"Origin", "https://portal.test"}, 403, "foreign_origin"},
		{"foreign origin", "GET", []string{"Origin", "http://evil.test"}, 403, "foreign_origin"},
		{"opaque origin", "GET", []string{"Origin", "null"}, 403, "foreign_origin"},
		{"cross-site write", "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403, "foreign_origin"},
		{"same-site write", "POST", []string{"Sec-Fetch-Site", "same-site"}, 403, "foreign_origin"},
		{"same-origin write", "POST", []string{"Sec-Fetch-Site", "same-origin"}, 405, "method_not_allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res := send(t, h, c.method, "/openapi.json", "", c.headers...)
			if res.status != c.want {
				t.Fatalf("status %d", res.status)
			}
			if c.code != "" {
				if p := problem(t, res); p.Code != c.code {
					t.Errorf("code %s", p.Code)
				}
			}
		})
	}
}

func TestWithoutTLSNobodyIsServed(t *testing.T) {
	t.Parallel()
	c := config()
	c.PublicURL = &url.URL{Scheme: "https", Host: "portal.test"}
	c.Hosts = []string{"portal.test:443"}
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	h := portalhttp.New(c)
	for name, a := range map[string]struct {
		from, method, path, proto string
		tls                       bool
		want                      int
	}{
		"a client on its own":                   {"192.0.2.7:1", "GET", "/v1/me", "", false, 400},
		"a client that claims to come over TLS": {"192.0.2.7:1", "GET", "/v1/me", "https", false, 400},
		"a log-in in clear":                     {"192.0.2.7:1", "POST", "/v1/sessions", "", false, 400},
		"a form in clear":                       {"192.0.2.7:1", "POST", "/portal/login", "", false, 400},
		"a page":                                {"192.0.2.7:1", "GET", "/portal/login?return=%2Fportal", "", false, 308},
		"a client over TLS":                     {"192.0.2.7:1", "GET", "/v1/me", "", true, 401},
		"a proxy":                               {"10.0.0.1:1", "GET", "/v1/me", "https", false, 401},
		"a proxy that does not say":             {"10.0.0.1:1", "GET", "/v1/me", "", false, 401},
		"a proxy of a client in clear":          {"10.0.0.1:1", "GET", "/v1/me", "http", false, 400},
		"a chain of proxies":                    {"10.0.0.1:1", "GET", "/v1/me", "https, http", false, 401},
		"this machine":                          {"127.0.0.1:1", "GET", "/v1/me", "", false, 401},
	} {
		r := httptest.NewRequestWithContext(t.Context(), a.method, a.path, http.NoBody)
		r.RemoteAddr, r.Host = a.from, "portal.test"
		if a.proto != "" {
			r.Header.Set("X-Forwarded-Proto", a.proto)
		}
		if a.tls {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != a.want || a.want == 400 && !strings.Contains(w.Body.String(), `"https_required"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if to := w.Header().Get("Location"); a.want == 308 && to != "https://portal.test/portal/login?return=%2Fportal" {
			t.Errorf("%s: led to %s", name, to)
		}
	}
}

func TestOwnHosts(t *testing.T) {
	t.Parallel()
	public := &url.URL{Scheme: "https", Host: "Portal.example.com"}
	loop := portalhttp.OwnHosts(public, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
	if got := strings.Join(loop, " "); got != "portal.example.com:443 localhost:8080 127.0.0.1:8080 [::1]:8080" {
		t.Error(got)
	}
	open := portalhttp.OwnHosts(public, &net.TCPAddr{IP: net.IPv4(0, 0, 0, 0), Port: 8080})
	if got := strings.Join(open, " "); got != "portal.example.com:443" {
		t.Error(got)
	}
}

func TestUnknownAddressesAndMethods(t *testing.T) {
	t.Parallel()
	h := portalhttp.New(config())
	if p := problem(t, get(t, h, "/v1/nothing")); p.Code != "not_found" || p.Status != 404 {
		t.Errorf("%+v", p)
	}
	if p := problem(t, get(t, h, "/v1")); p.Code != "not_found" {
		t.Errorf("%+v", p)
	}
	res := send(t, h, "DELETE", "/docs", "")
	if allow := res.header.Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow is %q", allow)
	}
	if p := problem(t, res); p.Code != "method_not_allowed" || p.Status != 405 {
		t.Errorf("%+v", p)
	}
	for _, method := range []string{http.MethodTrace, "TRACK", "PROPFIND"} {
		for _, path := range []string{"/v1/me", "/docs", "/portal/login"} {
			a := raw(h, method, path, "", "X-Told", "canary")
			if a.status != http.StatusMethodNotAllowed && a.status != http.StatusNotFound || strings.Contains(string(a.body), "canary") {
				t.Errorf("%s %s answered %d: %s", method, path, a.status, a.body)
			}
		}
	}
}

func TestDocsAreServedHere(t *testing.T) {
	t.Parallel()
	h := portalhttp.New(config())
	page := get(t, h, "/docs").body
	for _, link := range []string{"/docs/swagger-ui.css", "/docs/docs.css", "/docs/swagger-ui-bundle.js", "/docs/docs.js", "/openapi.json", "/openapi.yaml"} {
		if !strings.Contains(string(page), link) && !strings.HasPrefix(link, "/openapi") {
			t.Errorf("the page does not name %s", link)
		}
		if res := get(t, h, link); res.status != 200 {
			t.Errorf("%s answered %d", link, res.status)
		}
	}
	if strings.Contains(string(page), "//") && strings.Contains(string(page), "https:") {
		t.Error("the page names another host")
	}
}

func TestAPanicTellsNothingButTheRequestID(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	c := config()
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.Pages = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("SELECT secret FROM /srv/vault") })
	res := get(t, portalhttp.New(c), "/page")
	if strings.Contains(string(res.body), "secret") || res.status != http.StatusInternalServerError {
		t.Errorf("%d %s", res.status, res.body)
	}
	p := problem(t, res)
	if !strings.Contains(log.String(), p.RequestID) || !strings.Contains(log.String(), "SELECT secret") {
		t.Error("the log does not say what happened", log.String())
	}
}
