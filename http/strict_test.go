package http_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBadInputIsRefusedEverywhere sends every route what it must not take, as
// somebody who may use the route, and checks that nothing changed.
func TestBadInputIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	s := set(t)
	before := s.facts(t)
	for _, route := range routes(t, s.handler) {
		method, template, _ := strings.Cut(route, " ")
		e := expectations()[route]
		as := s.alice
		if e.who() == staff {
			as = s.clerk
		}
		path := strings.ReplaceAll(s.fill(template, s.alice.account)[0], "{product}", s.product)
		refused := func(name, path, body string, status int, code string, headers ...string) {
			t.Helper()
			s.play(t, step{route + ": " + name, as, method, path, body, headers, status, code, nil})
		}
		if method == http.MethodGet {
			refused("an unknown query parameter", path+"?nonsense=1", "", 422, "invalid_field")
			refused("a query that is none", path+"?a=%zz", "", 400, "malformed")
			refused("a NUL in the query", path+"?limit=%00", "", 400, "malformed")
			s.badLists(t, as, route, path)
			continue
		}
		refused("an unknown query parameter", path+"?nonsense=1", e.body, 422, "invalid_field")
		if e.body == "" {
			continue
		}
		refused("no JSON", path, e.body[:len(e.body)-1], 400, "malformed")
		refused("more than JSON", path, e.body+"}", 400, "malformed")
		refused("not UTF-8", path, "{\"a\":\"\xff\"}", 400, "malformed")
		refused("a name twice", path, `{"a":1,"a":2}`, 400, "malformed")
		refused("a NUL", path, `{"a":"\u0000"}`, 400, "malformed")
		refused("no body", path, "", 400, "malformed")
		refused("an unknown field", path, strings.Replace(e.body, "{", `{"nonsense":1,`, 1), 422, "invalid_field")
		refused("a name in capitals", path, strings.ToUpper(e.body), 422, "invalid_field")
		refused("a list", path, "[]", 422, "invalid_field")
		refused("a text", path, `"x"`, 422, "invalid_field")
		refused("another media type", path, e.body, 415, "unsupported_media_type", "Content-Type", "text/plain")
		refused("packed", path, e.body, 415, "unsupported_content_encoding", "Content-Encoding", "gzip")
		refused("a form", path, "a=b", 415, "unsupported_media_type", "Content-Type", "application/x-www-form-urlencoded")
		refused("too much", path, `{"a":"`+strings.Repeat("x", 300<<10)+`"}`, 413, "too_large")
	}
	s.Settle()
	if diff := cmp.Diff(before, s.facts(t)); diff != "" {
		t.Errorf("refused requests changed something:\n%s", diff)
	}
}

// badLists sends a list, or a read of an account, parameters out of bounds.
func (s *scene) badLists(t *testing.T, as party, route, path string) {
	t.Helper()
	isList := strings.Contains(string(s.do(t, as, http.MethodGet, path, "").body), `"next_cursor"`)
	steps := []step{}
	add := func(name, query, code string) {
		steps = append(steps, step{route + ": " + name, as, http.MethodGet, path + query, "", nil, 422, code, nil})
	}
	paged := isList && !strings.HasPrefix(route, "GET /v1/me")
	if paged {
		add("no limit", "?limit=0", "invalid_field")
		add("a limit over all", "?limit=101", "invalid_field")
		add("a limit that is none", "?limit=x", "invalid_field")
		add("a limit twice", "?limit=1&limit=2", "invalid_field")
		add("a cursor of nobody", "?cursor=x", "")
	}
	if strings.Contains(route, "/accounts/{account}") {
		add("a time in the past", "?as_of=2026-01-01T00:00:00Z", "not_available")
		add("a time that is none", "?as_of=yesterday", "invalid_field")
	}
	s.play(t, steps...)
}

func TestAnswersAreJSONWhateverIsAccepted(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	for _, accept := range []string{";;,,q=9", ";", ",", ";q=", "a;q=x,", "*/*;q=0", "application/cbor", "text/html", "\xff"} {
		w.play(t,
			step{"reading with " + accept, ada, "GET", "/v1/me", "", []string{"Accept", accept}, 200, "", nil},
			step{"writing with " + accept, ada, "PATCH", "/v1/me", `{"name":"Ada"}`, []string{"Accept", accept}, 200, "", nil},
			step{"being refused with " + accept, ada, "PATCH", "/v1/me", `{}x`, []string{"Accept", accept}, 400, "malformed", nil},
		)
	}
}

func TestAddressesThatNameNothing(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account
	w.play(t,
		step{"a NUL", ada, "GET", path + "/services/%00", "", nil, 404, "not_found", nil},
		step{"no UTF-8", ada, "GET", path + "/services/%ff", "", nil, 404, "not_found", nil},
		step{"a quote", ada, "GET", path + "/services/'%20OR%201=1", "", nil, 404, "not_found", nil},
		step{"a slash", ada, "GET", path + "/services/a%2Fb", "", nil, 404, "not_found", nil},
		step{"a long name", ada, "GET", path + "/domains/" + strings.Repeat("x", 5000), "", nil, 404, "not_found", nil},
		step{"a final slash", ada, "GET", path + "/", "", nil, 404, "not_found", nil},
		step{"its own name, encoded", ada, "GET", "/v1/accounts/" + strings.Replace(ada.account, "a", "%61", 1), "", nil, 200, "", nil},
		step{"its own name, encoded twice", ada, "GET", "/v1/accounts/" + strings.Replace(ada.account, "a", "%2561", 1), "", nil, 404, "not_found", nil},
		step{"an unknown method", ada, "PUT", path, "{}", nil, 405, "method_not_allowed", nil},
	)
}
