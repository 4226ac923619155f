package http_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/hostfold/hostfold/commands/vault"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/http/portal"
)

// front is what the fuzzers send requests to: the whole server with its pages,
// alice's things, and people of every kind who ask.
type front struct {
	*scene
	operations []fuzzed
	pages      []fuzzed
	schemas    map[string]map[string]any
	people     []*asker
	texts      []string
	fields     []string
	log        *tail
}

// fuzzed is an operation of the document or a page.
type fuzzed struct {
	method, template string
	schema           map[string]any
	body             string
}

// asker is somebody with a session, which is opened anew when it has ended.
type asker struct {
	name string
	party
	mu sync.Mutex
	// alice is true for those who may see what is hers.
	alice   bool
	program bool
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

func newFront(f *testing.F) *front {
	f.Helper()
	out := &front{log: &tail{}}
	out.scene = setWith(f, func(c *portalhttp.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		c.Log = slog.New(slog.NewTextHandler(out.log, nil))
		pages := portal.New(portal.Config{Config: *c, Brand: "hostfold", Zone: time.UTC})
		c.Pages = pages
		out.pages = pagesOf(f, pages)
	})
	id, carol := out.delegate(f, out.alice, out.member(f, "carol"), onTickets)
	_, program := out.token(f, out.alice, out.alice.account, `{"name":"x","permissions":["*"]}`)
	out.people = []*asker{
		{name: "nobody"},
		{name: "bob", party: out.bob},
		{name: "alice", party: out.alice, alice: true},
		{name: "carol", party: carol, alice: true},
		{name: "the clerk", party: out.clerk, alice: true},
		{name: "a program", party: program, alice: true, program: true},
	}
	out.texts = append(out.secrets(), out.bob.account, out.bob.id, id, out.product, out.news, domainName, password, "bob@example.com", "carol@example.com", "none_1")
	out.document(f)
	out.fields = fieldsOf(f)
	return out
}

// document reads the operations and their bodies from the published document.
func (s *front) document(f *testing.F) {
	f.Helper()
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
	if err := json.Unmarshal(get(f, s.handler, "/openapi.json").body, &doc); err != nil {
		f.Fatal(err)
	}
	s.schemas = doc.Components.Schemas
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			op := fuzzed{method: strings.ToUpper(method), template: path}
			op.schema = doc.Paths[path][method].RequestBody.Content["application/json"].Schema
			op.body = expectations()[op.method+" "+path].body
			s.operations = append(s.operations, op)
		}
	}
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

// fieldsOf are the names of the fields of all forms.
func fieldsOf(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("portal/templates/*.html")
	if err != nil || len(files) == 0 {
		f.Fatal("no templates", err)
	}
	names := map[string]bool{"services": true, "domains": true, "tickets": true, "permissions": true}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`name="([a-z_.-]+)"`).FindAllStringSubmatch(string(text), -1) {
			names[found[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// draw reads the fuzzer's bytes.
func (s *front) draw(bytes []byte) *draw {
	return &draw{bytes: bytes, schemas: s.schemas, texts: s.texts}
}

// address fills a template with chosen ids.
func (s *front) address(template string, d *draw) string {
	parts := strings.Split(template, "/")
	for i, part := range parts {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		id := s.alice.account
		switch {
		case part != "{account}":
			id = s.texts[d.next(len(s.texts))]
		case d.next(4) == 3:
			id = s.bob.account
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
	if strings.Contains(strings.ToLower(wire), "event-stream") || strings.Contains(wire, "wait") {
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
	if !as.alice {
		for _, secret := range s.secrets() {
			if strings.Contains(text+fmt.Sprint(a.header), secret) && !strings.Contains(asked, secret) {
				t.Errorf("%s: %s\nanswered %d with alice's %q: %s", as.name, asked, a.status, secret, text)
			}
		}
	}
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s\nanswered %d with the policy %q", asked, a.status, policy)
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusSeeOther:
		s.again(t, as)
	case http.StatusTooManyRequests:
		s.ahead.Add(int64(20 * time.Minute))
	}
}

// again opens a session for somebody whose last one may have ended.
func (s *front) again(t *testing.T, as *asker) {
	t.Helper()
	if as.id == "" || as.program {
		return
	}
	now := s.clock()
	secret, _, err := s.vault.OpenSession(context.Background(), as.id, vault.Client{IP: "192.0.2.1"}, vault.LifeOf(false), vault.Proof{StaffRights: true, PasswordAt: &now, FactorAt: &now})
	if err != nil {
		t.Fatal(err)
	}
	as.mu.Lock()
	as.token = secret
	as.mu.Unlock()
}

// FuzzFrontBodies sends bodies that are made after the schema of each
// operation, and broken ones.
func FuzzFrontBodies(f *testing.F) {
	s := newFront(f)
	for i, op := range s.operations {
		f.Add(uint16(i), uint8(i), []byte(nil))
		f.Add(uint16(i), uint8(2), []byte("\x07"+op.body))
		f.Add(uint16(i), uint8(4), []byte{0, 2, 2, 2, 1, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	}
	f.Fuzz(func(t *testing.T, op uint16, who uint8, data []byte) {
		o, as, d := s.operations[int(op)%len(s.operations)], s.people[int(who)%len(s.people)], s.draw(data)
		target := s.address(o.template, d)
		body, head := "", ""
		switch {
		case o.schema != nil:
			body, head = d.body(o.schema), "Content-Type: application/json\r\n"
		case o.method == http.MethodGet:
		default:
			body = d.rest()
		}
		a, ok := s.send(as, o.method, target, head, body)
		if !ok {
			return
		}
		s.sound(t, as, o.method+" "+target+" "+body, a)
		req := httptest.NewRequestWithContext(t.Context(), o.method, "http://portal.test"+o.template, http.NoBody)
		theContract(t).fits(t, req, a)
	})
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
	all := append(slices.Clone(s.operations), s.pages...)
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
		o, as := all[int(op)%len(all)], s.people[int(who)%len(s.people)]
		head := names[int(name)%len(names)] + ": " + value + "\r\n" + names[int(second)%len(names)] + ": " + other + "\r\n"
		if o.body != "" && !strings.Contains(head, "Content-Type") {
			head += "Content-Type: application/json\r\n"
		}
		target := s.address(o.template, s.draw(nil))
		if a, ok := s.send(as, o.method, target, head, o.body); ok {
			s.sound(t, as, o.method+" "+target+"\n"+head, a)
		}
	})
}

// FuzzFrontAddresses sends paths and queries that name nothing.
func FuzzFrontAddresses(f *testing.F) {
	s := newFront(f)
	all := append(slices.Clone(s.operations), s.pages...)
	queries := []string{"", "limit=1", "limit=-1", "cursor=x", "as_of=2026-01-01T00:00:00Z", "account=x&after=now", "lang=fr&done=1", "return=//evil.test", "status=unpaid", "a=%zz", "a=1&a=2", "of=ticket&id=x"}
	for i := range all {
		f.Add(uint16(i), uint8(i), nasty[i%len(nasty)], queries[i%len(queries)], i%2 == 0)
	}
	for i, text := range nasty {
		f.Add(uint16(i*13), uint8(2), text, queries[i%len(queries)], true)
	}
	f.Fuzz(func(t *testing.T, op uint16, who uint8, id, query string, escaped bool) {
		o, as := all[int(op)%len(all)], s.people[int(who)%len(s.people)]
		if escaped {
			id = escape(id)
		}
		target := strings.ReplaceAll(o.template, "{account}", s.alice.account)
		target = regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllLiteralString(target, id)
		if query != "" {
			target += "?" + query
		}
		head := ""
		if o.body != "" {
			head = "Content-Type: application/json\r\n"
		}
		if a, ok := s.send(as, o.method, target, head, o.body); ok {
			s.sound(t, as, o.method+" "+target, a)
		}
	})
}

// FuzzFrontForms fills the forms of the pages.
func FuzzFrontForms(f *testing.F) {
	s := newFront(f)
	for i := range s.pages {
		for who := range 3 {
			f.Add(uint16(i), uint8(2*who), []byte(nil))
		}
		f.Add(uint16(i), uint8(2), []byte{1, 2, 3, 1, 5, 2, 7, 1, 9, 2, 11, 1, 13, 2, 15, 3, 17, 1, 19, 2, 21, 1})
	}
	f.Fuzz(func(t *testing.T, op uint16, who uint8, data []byte) {
		o, as, d := s.pages[int(op)%len(s.pages)], s.people[int(who)%len(s.people)], s.draw(data)
		target := s.address(o.template, d)
		var pairs []string
		for len(d.bytes) > 0 && len(pairs) < 12 {
			pairs = append(pairs, s.fields[d.next(len(s.fields))]+"="+escape(d.text()))
		}
		form := strings.Join(pairs, "&")
		head := "Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://portal.test\r\n"
		if o.method == http.MethodGet {
			target, form = target+"?"+form, ""
		}
		if a, ok := s.send(as, o.method, target, head, form); ok {
			s.sound(t, as, o.method+" "+target+"\n"+form, a)
		}
	})
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
