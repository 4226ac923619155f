package http_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/http/portal"
)

// front is what the fuzzers send requests to: the whole server with its pages,
// alice's things, and people of every kind who ask.
type front struct {
	*scene
	mux        chi.Routes
	operations []fuzzed
	pages      []fuzzed
	schemas    map[string]map[string]any
	forms      map[string][][]entry
	fields     []string
	log        *tail

	// What there is changes with each cast: who asks, what a path can name by its
	// kind, texts in an order that stays, and what stands in samples for them. The
	// first cast's texts are those that forms were collected with.
	askers       []*asker
	things       map[string][]string
	texts, first []string
	samples      *strings.Replacer
	mailed       map[string]string
	casts, sent  int
	keys         int
}

// fuzzed is an operation of the document or a page, and what kind of thing it
// names beside the account.
type fuzzed struct {
	method, template, of string
	schema               map[string]any
	body                 string
}

// tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines [][]byte
}

// Write keeps a line.
func (l *tail) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, bytes.Clone(line))
	l.lines = l.lines[max(0, len(l.lines)-5):]
	return len(line), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.Join(l.lines, nil))
}

func newFront(t testing.TB) *front {
	t.Helper()
	out := &front{log: &tail{}}
	out.scene = &scene{world: begin(t, func(c *portalhttp.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		c.Log = slog.New(slog.NewTextHandler(out.log, nil))
		pages := portal.New(portal.Config{Config: *c, Brand: "hostfold", Zone: time.UTC})
		c.Pages = pages
		out.mux, _ = pages.(chi.Routes)
		out.pages = pagesOf(t, pages)
	})}
	for i, page := range out.pages {
		out.pages[i].of = pageExpectations()[page.method+" "+strings.TrimPrefix(page.template, "/portal/{account}")].of
	}
	out.sells(t)
	out.cast(t)
	out.document(t)
	out.first, out.fields, out.forms = out.texts, fieldsOf(t), out.collect(t)
	return out
}

// document reads the operations and their bodies from the published document.
func (s *front) document(t testing.TB) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Schema map[string]any `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(get(t, s.handler, "/openapi.json").body, &doc); err != nil {
		t.Fatal(err)
	}
	s.schemas = doc.Components.Schemas
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			op := fuzzed{method: strings.ToUpper(method), template: path}
			op.schema = doc.Paths[path][method].RequestBody.Content["application/json"].Schema
			e := expectations()[op.method+" "+path]
			op.body, op.of = e.body, e.of
			switch last := path[strings.LastIndex(path, "/")+1:]; {
			case op.of == "invoice" && (slices.Contains([]string{"lines", "{line}", "issue"}, last) || op.method == http.MethodDelete):
				op.of = "draft"
			case last == "activate":
				op.of = "idle"
			case last == "factor-reset" && op.of != "":
				op.of = "enrolled"
			}
			s.operations = append(s.operations, op)
		}
	}
}

// everything is all that can be asked for: operations, pages, and what belongs
// to neither.
func (s *front) everything() []fuzzed {
	all := append(slices.Clone(s.operations), s.pages...)
	for _, path := range []string{"/livez", "/readyz", "/openapi.json", "/openapi.yaml", "/docs", "/none"} {
		all = append(all, fuzzed{method: http.MethodGet, template: path})
	}
	return append(all, fuzzed{method: http.MethodHead, template: "/v1/me"}, fuzzed{method: http.MethodOptions, template: "/v1/me"})
}

// pagesOf are the portal's addresses.
func pagesOf(f testing.TB, h http.Handler) (all []fuzzed) {
	f.Helper()
	mux, ok := h.(chi.Routes)
	if !ok {
		f.Fatalf("%T has no routes", h)
	}
	err := chi.Walk(mux, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method == http.MethodGet || method == http.MethodPost {
			all = append(all, fuzzed{method: method, template: strings.TrimSuffix(route, "*")})
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	return all
}

// draw reads the fuzzer's bytes.
func (s *front) draw(bytes []byte) *draw {
	return &draw{bytes: bytes, schemas: s.schemas, texts: s.texts}
}

// sample is a body that an operation takes.
func (s *front) sample(o fuzzed) string {
	return strings.NewReplacer(`"none"`, strconv.Quote(s.mailedFor(o.template))).Replace(s.samples.Replace(o.body))
}

// address fills a template: for the most part with what it asks for, in the
// account of who asks. A stranger names alice's things under its own account,
// too.
func (s *front) address(o fuzzed, as *asker, d *draw) string {
	parts := strings.Split(o.template, "/")
	for i, part := range parts {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		id, fitting := s.alice.account, s.things[o.of]
		switch choice := d.next(8); {
		case part == "{account}" && choice == 7:
			id = s.bob.account
		case part == "{account}" && choice < 4 && as.account != "":
			id = as.account
		case part == "{account}":
		case part == "{line}":
			id = []string{"1", "2", "0", "-1"}[choice%4]
		case choice > 5 || len(fitting) == 0:
			id = s.texts[d.next(len(s.texts))]
		default:
			id = fitting[choice%len(fitting)]
		}
		parts[i] = id
	}
	path := strings.Join(parts, "/")
	if path == "/v1/events" {
		path += "?account=" + s.alice.account
	}
	return path
}

// send sends a request as a server would read it from the wire. Text that is no
// request is nobody's business: a server answers it itself.
func (s *front) send(as *asker, method, target, head, body string) (a answer, ok bool) {
	as.mu.Lock()
	token := as.token
	as.mu.Unlock()
	if token != "" && strings.HasPrefix(target, "/v1/") {
		head = "Authorization: Bearer " + token + "\r\n" + head
	} else if token != "" {
		head = "Cookie: hostfold_session=" + token + "\r\n" + head
	}
	wire := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: portal.test\r\nContent-Length: %d\r\n%s\r\n%s", method, target, len(body), head, body)
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		return a, false
	}
	patience := 5 * time.Second
	if strings.Contains(strings.ToLower(wire), "event-stream") || strings.Contains(wire, "wait") || strings.Contains(target, "/stream") {
		patience = 50 * time.Millisecond // these go on for as long as they are read
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req.RemoteAddr = "192.0.2.1:1234"
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, req.WithContext(ctx))
	if ctx.Err() != nil && rec.Code >= 500 {
		return a, false // nobody waits for the answer any more
	}
	return answer{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}, true
}

// internals are words that an answer must not have: they come from inside.
var internals = []string{
	"SQLSTATE", "pgx", "pgconn", "goroutine ", ".go:", "runtime error", "panic", "reflect.", "strconv.", "json: ", "unmarshal", "interface conversion",
	"nil pointer", "SELECT ", "INSERT INTO", "context deadline", "context canceled", "vault.", "read.account", "eventstore", "no rows", "/tmp/", "0xc000",
}

// sound fails when an answer is none that may be given.
func (s *front) sound(t *testing.T, as *asker, asked string, a answer) {
	t.Helper()
	text := string(a.body)
	if a.status >= 500 && a.status != http.StatusServiceUnavailable {
		t.Fatalf("%s: %s\nanswered %d: %s\n%s", as.name, asked, a.status, text, s.log)
	}
	for _, word := range internals {
		if strings.Contains(text, word) && !strings.Contains(asked, word) {
			t.Errorf("%s: %s\nanswered %d with %q: %s", as.name, asked, a.status, word, text)
		}
	}
	head := fmt.Sprint(a.header)
	for _, secret := range as.hidden {
		if (strings.Contains(text, secret) || strings.Contains(head, secret)) && !strings.Contains(asked, secret) {
			t.Errorf("%s: %s\nanswered %d with %q, which is hidden: %s", as.name, asked, a.status, secret, text)
		}
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") && strings.Contains(text, "<script>alert") {
		t.Errorf("%s: %s\nanswered %d with a script that somebody wrote: %s", as.name, asked, a.status, text)
	}
	if lines := s.log.String(); strings.Contains(lines, password) || as.token != "" && strings.Contains(lines, as.token) {
		t.Errorf("%s: %s\nleft a secret in the log: %s", as.name, asked, lines)
	}
	strict(t, asked, a, false)
}

// farther are what fuzzers do not get done: it asks for something that a mailbox,
// a device or a passkey has, or for what others must have done before.
var farther = []string{
	"POST /v1/users/verify-email", "POST /v1/users/stop-factor-reset", "POST /v1/password-resets/confirm", "POST /v1/contacts/verify-email",
	"POST /portal/verify-email", "POST /portal/verify-contact", "POST /portal/reset-password", "POST /portal/stop-reset",
	"POST /v1/me/totp/confirm", "POST /v1/me/totp/disable", "POST /v1/me/recovery-codes", "DELETE /v1/me/factor-reset",
	"POST /v1/me/passkeys", "POST /v1/me/passkeys/options", "POST /v1/sessions/passkey-options", "POST /v1/me/confirmations/passkey-options",
	"PATCH /v1/me/passkeys/{id}", "DELETE /v1/me/passkeys/{id}",
	"DELETE /v1/accounts/{account}/ownership-transfers/{id}", "POST /v1/ownership-transfers/preview", "POST /v1/delegations/decline",
	"GET /v1/staff/accounts/{account}/impersonation", "DELETE /v1/staff/accounts/{account}/impersonation", "DELETE /v1/me/erasure",
	"GET /v1/me/erasure", "GET /v1/staff/users/{id}/erasure", "DELETE /v1/staff/users/{id}/legal-hold", "DELETE /v1/staff/users/{user}/factor-reset", "POST /v1/staff/accounts/{account}/services/{id}/lift",
	"PATCH /v1/staff/members/{id}", "POST /v1/staff/accounts/{account}/invoices/{id}/lines", // which are gone when others came first
	"GET /portal/assets/", "POST /portal/assets/",
}

// TestFuzzersGetPastTheFirstChecks sees that what the fuzzers make is taken by
// nearly every operation and page, and refused as well: a fuzzer that is always
// refused finds nothing.
func TestFuzzersGetPastTheFirstChecks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	s := newFront(t)
	chance := rand.New(rand.NewPCG(1, 2)) // the same each time
	taken, asked := map[string]int{}, map[string]int{}
	count := func(o fuzzed, a answer) {
		at := o.method + " " + o.template
		if asked[at]++; a.status/100 == 2 || a.status/100 == 3 {
			taken[at]++
		}
	}
	for round := range 6 {
		some := func() []byte {
			data := make([]byte, chance.IntN(40)*min(round, 1)) // nothing in the first round
			for i := range data {
				data[i] = byte(chance.IntN(256))
			}
			return data
		}
		for _, i := range chance.Perm(len(s.operations) + len(s.pages)) {
			for who := range s.askers {
				if n := i - len(s.operations); n >= 0 {
					count(s.pages[n], s.tryForm(t, n, who, some()))
				} else {
					count(s.operations[i], s.tryBody(t, i, who, some()))
				}
			}
		}
	}
	all, good := 0, 0
	var missed []string
	for _, at := range slices.Sorted(maps.Keys(asked)) {
		all, good = all+asked[at], good+taken[at]
		if taken[at] == 0 && !slices.Contains(farther, at) {
			missed = append(missed, at)
		}
	}
	t.Logf("%d of %d requests were done, and never %v", good, all, missed)
	if len(missed) > 5 { // who comes first is chance
		t.Errorf("not done in %d requests: %v", all, missed)
	}
	if good < all/5 || good > all*4/5 {
		t.Errorf("%d of %d requests were done", good, all)
	}
}

// tryBody sends an operation a body that is made after its schema, or a broken
// one.
func (s *front) tryBody(t *testing.T, op, who int, data []byte) (a answer) {
	t.Helper()
	o, as, d := s.operations[op%len(s.operations)], s.askers[who%len(s.askers)], s.draw(data)
	target := s.address(o, as, d)
	body, head := "", ""
	switch {
	case o.schema != nil:
		if body = d.body(o.schema, s.sample(o)); body != "" {
			head = "Content-Type: application/json\r\n"
		}
	case o.method != http.MethodGet && d.next(4) == 3:
		body = d.rest()
	}
	a, ok := s.send(as, o.method, target, head, body)
	if !ok {
		return a
	}
	s.sound(t, as, o.method+" "+target+" "+body, a)
	req := httptest.NewRequestWithContext(t.Context(), o.method, "http://portal.test"+o.template, http.NoBody)
	theContract(t).fits(t, req, a)
	s.goOn(t, as, o.method, target, body, a)
	return a
}

// FuzzFrontBodies sends bodies that are made after the schema of each
// operation, and broken ones.
func FuzzFrontBodies(f *testing.F) {
	s := newFront(f)
	for i, op := range s.operations {
		for _, who := range []uint8{1, 2, 4} { // a stranger, the owner, staff
			f.Add(uint16(i), who, []byte(nil))
		}
		f.Add(uint16(i), uint8(1), []byte{4}) // the stranger under alice's account
		f.Add(uint16(i), uint8(2), []byte("\x00\x0f"+op.body))
		f.Add(uint16(i), uint8(4), []byte{0, 2, 2, 2, 1, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	}
	f.Fuzz(func(t *testing.T, op uint16, who uint8, data []byte) { s.tryBody(t, int(op), int(who), data) })
}

// FuzzFrontHeaders sends every operation and page headers that it reads.
func FuzzFrontHeaders(f *testing.F) {
	s := newFront(f)
	names := []string{
		"Authorization", "Cookie", "Idempotency-Key", "If-Match", "Accept", "Accept-Language", "Content-Type", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode",
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Last-Event-ID", "Traceparent", "Consistency-Token", "Prefer",
		"Content-Encoding", "User-Agent", "Referer", "Range", "If-None-Match", "Host", "Expect", "X-HTTP-Method-Override", "Upgrade",
	}
	values := []string{
		"Bearer x", "Basic eDp5", "hostfold_session=x; hostfold_device=y; hostfold_lang=xx", "k", `"0"`, "*", "text/event-stream", "text/html;q=x, */*;q=0.0000001",
		"fr-FR;q=2,en;q=", "application/json; charset=\xff", "http://evil.test", "null", "cross-site", "for=192.0.2.1;host=evil.test", "1.2.3.4, ::1, [::1]:80, x",
		"evil.test", "https", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "wait=0", "wait=99999999999999999999", "gzip", "bytes=0-", "100-continue", "websocket",
	}
	all := s.everything()
	for i := range all {
		f.Add(uint16(i), uint8(i), uint8(i), values[i%len(values)], uint8(i/2), values[(i*7)%len(values)])
	}
	for i := range names {
		for j, value := range values[i%3:] {
			if j%3 == 0 {
				f.Add(uint16(i*31+j), uint8(j), uint8(i), value, uint8(17), "wait=0")
			}
		}
	}
	f.Fuzz(func(t *testing.T, op uint16, who, name uint8, value string, second uint8, other string) {
		o, as := all[int(op)%len(all)], s.askers[int(who)%len(s.askers)]
		head := names[int(name)%len(names)] + ": " + value + "\r\n" + names[int(second)%len(names)] + ": " + other + "\r\n"
		body := s.sample(o)
		if o.method == http.MethodPost && strings.HasPrefix(o.template, "/portal") {
			body = s.form(o, s.draw(nil))
			if !strings.Contains(head, "Origin") {
				head += "Origin: http://portal.test\r\n"
			}
		}
		switch {
		case strings.Contains(head, "Content-Type"):
		case strings.HasPrefix(o.template, "/portal"):
			head += "Content-Type: application/x-www-form-urlencoded\r\n"
		case body != "":
			head += "Content-Type: application/json\r\n"
		}
		target := s.address(o, as, s.draw(nil))
		if a, ok := s.send(as, o.method, target, head, body); ok {
			s.sound(t, as, o.method+" "+target+"\n"+head, a)
			s.goOn(t, as, o.method, target, body, a)
		}
	})
}

// FuzzFrontAddresses sends paths and queries that name nothing.
func FuzzFrontAddresses(f *testing.F) {
	s := newFront(f)
	all := s.everything()
	queries := []string{"", "limit=1", "limit=-1", "cursor=x", "as_of=2026-01-01T00:00:00Z", "account=x&after=now", "lang=fr&done=1", "return=//evil.test", "status=unpaid", "a=%zz", "a=1&a=2", "of=ticket&id=x"}
	for i := range all {
		f.Add(uint16(i), uint8(i), nasty[i%len(nasty)], queries[i%len(queries)], uint8(i%3))
	}
	for i, text := range nasty {
		f.Add(uint16(i*13), uint8(2), text, queries[i%len(queries)], uint8(1))
	}
	f.Fuzz(func(t *testing.T, op uint16, who uint8, id, query string, how uint8) {
		o, as := all[int(op)%len(all)], s.askers[int(who)%len(s.askers)]
		target := strings.ReplaceAll(o.template, "{account}", s.alice.account)
		switch how % 3 {
		case 1:
			id = escape(id)
		case 2: // what there is, so that the query counts
			target, id = s.address(o, as, s.draw(nil)), ""
		}
		target = regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllLiteralString(target, id)
		if query != "" {
			target += "?" + query
		}
		head, body := "", s.sample(o)
		if body != "" {
			head = "Content-Type: application/json\r\n"
		}
		if a, ok := s.send(as, o.method, target, head, body); ok {
			s.sound(t, as, o.method+" "+target, a)
			s.goOn(t, as, o.method, target, body, a)
		}
	})
}

// tryForm fills in a form of a page, or asks for a page with a form's fields.
func (s *front) tryForm(t *testing.T, op, who int, data []byte) (a answer) {
	t.Helper()
	o, as, d := s.pages[op%len(s.pages)], s.askers[who%len(s.askers)], s.draw(data)
	target, form := s.address(o, as, d), s.form(o, d)
	head := "Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://portal.test\r\n"
	if o.method == http.MethodGet {
		target, form = target+"?"+form, ""
	}
	a, ok := s.send(as, o.method, target, head, form)
	if form, err := url.QueryUnescape(form); err == nil && ok {
		s.sound(t, as, o.method+" "+target+"\n"+form, a)
		s.goOn(t, as, o.method, target, form, a)
	}
	return a
}

// FuzzFrontForms fills the forms of the pages.
func FuzzFrontForms(f *testing.F) {
	s := newFront(f)
	for i := range s.pages {
		for _, who := range []uint8{1, 2, 4} { // a stranger, the owner, staff
			f.Add(uint16(i), who, []byte(nil))
		}
		f.Add(uint16(i), uint8(1), []byte{4}) // the stranger under alice's account
		f.Add(uint16(i), uint8(2), []byte{1, 2, 3, 1, 5, 2, 7, 1, 9, 2, 11, 1, 13, 2, 15, 3, 17, 1, 19, 2, 21, 1})
	}
	f.Fuzz(func(t *testing.T, op uint16, who uint8, data []byte) { s.tryForm(t, int(op), int(who), data) })
}

// escape writes every byte that is no letter or digit as %XX.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
