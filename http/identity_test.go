package http_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestRegisteringAndLoggingIn(t *testing.T) {
	t.Parallel()
	w := begin(t)
	registered := w.must(t, nobody, http.MethodPost, "/v1/users",
		`{"email":"Ada@Example.com","password":"`+password+`","name":"Ada","locale":"fr"}`, 201)
	if registered.header.Get("ETag") != `"0"` || registered.header.Get("Consistency-Token") == "" || registered.header.Get("Location") == "" {
		t.Errorf("headers %v", registered.header)
	}
	opened := w.must(t, nobody, http.MethodPost, "/v1/sessions", `{"email":"ada@example.com","password":"`+password+`"}`, 201)
	ada := party{id: registered.ID(t), token: opened.text(t, "token")}

	cookie := opened.header.Get("Set-Cookie")
	for _, part := range []string{"hostfold_session=" + ada.token, "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q has no %s", cookie, part)
		}
	}
	me := w.see(t, ada, "/v1/me", registered)
	if me.ID(t) != ada.id || me.text(t, "email") != "Ada@Example.com" || me.text(t, "locale") != "fr" || me.header.Get("ETag") != `"0"` {
		t.Errorf("me is %s, %v", me.body, me.header)
	}
	w.must(t, nobody, http.MethodGet, "/v1/me", "", 200, "Cookie", "hostfold_session="+ada.token)

	sessions := w.must(t, ada, http.MethodGet, "/v1/me/sessions", "", 200).items(t)
	if len(sessions) != 1 || sessions[0].(map[string]any)["current"] != true {
		t.Errorf("sessions %v", sessions)
	}
	out := w.must(t, ada, http.MethodDelete, "/v1/sessions/current", "", 204)
	if c := out.header.Get("Set-Cookie"); !strings.Contains(c, "Max-Age=0") {
		t.Errorf("the cookie stays: %q", c)
	}
	if a := w.do(t, ada, http.MethodGet, "/v1/me", ""); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("after the log-out %d %v", a.status, a.header)
	}
}

func TestBadRegistrationsAndLogIns(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	w.play(t,
		step{"no address", nobody, "POST", "/v1/users", `{"email":"ada","password":"` + password + `","name":"A","locale":"fr"}`, nil, 422, "invalid_field", []string{`"field":"email"`}},
		step{"an easy password", nobody, "POST", "/v1/users", `{"email":"x@example.com","password":"password12","name":"A","locale":"fr"}`, nil, 422, "invalid_field", []string{`"field":"password"`}},
		step{"another language", nobody, "POST", "/v1/users", `{"email":"x@example.com","password":"` + password + `","name":"A","locale":"xx"}`, nil, 422, "invalid_field", []string{`"field":"locale"`}},
		step{"a wrong password", nobody, "POST", "/v1/sessions", `{"email":"ada@example.com","password":"wrong"}`, nil, 401, "wrong_credentials", nil},
		step{"an unknown address", nobody, "POST", "/v1/sessions", `{"email":"eve@example.com","password":"wrong"}`, nil, 401, "wrong_credentials", nil},
		step{"a wrong token", party{token: "x"}, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"another scheme", nobody, "GET", "/v1/me", "", []string{"Authorization", "Basic YTpi"}, 401, "unauthenticated", nil},
		step{"a token and a wrong cookie", ada, "GET", "/v1/me", "", []string{"Cookie", "hostfold_session=x"}, 200, "", nil},
		step{"somebody else's session", ada, "DELETE", "/v1/me/sessions/ses_1", "", nil, 404, "not_found", nil},
	)
}

func TestAKnownAddressIsNotTold(t *testing.T) {
	t.Parallel()
	w := begin(t)
	body := func(name string) string {
		return fmt.Sprintf(`{"email":"%s@example.com","password":%q,"name":"Eve","locale":"fr"}`, name, password)
	}
	fresh := w.must(t, nobody, http.MethodPost, "/v1/users", body("ada"), 201)
	known := w.must(t, nobody, http.MethodPost, "/v1/users", body("ada"), 201)
	again := w.must(t, nobody, http.MethodPost, "/v1/users", body("ADA"), 201)
	for _, a := range []answer{known, again} {
		if a.ID(t) == fresh.ID(t) || len(a.body) != len(fresh.body) || a.header.Get("ETag") != fresh.header.Get("ETag") {
			t.Errorf("told by %s %v", a.body, a.header)
		}
		if got, want := slices.Sorted(maps.Keys(a.header)), slices.Sorted(maps.Keys(fresh.header)); !slices.Equal(got, want) {
			t.Errorf("told by the headers %v, not %v", got, want)
		}
	}
	tokens := []string{fresh.header.Get("Consistency-Token"), known.header.Get("Consistency-Token"), again.header.Get("Consistency-Token")}
	if again.header.Get("Consistency-Token") == fresh.header.Get("Consistency-Token") || len(tokens[0]) > len(tokens[2]) {
		t.Errorf("told by the tokens %v", tokens)
	}
}

func TestTooManyAttemptsAreRefused(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.signUp(t, "ada")
	for range 100 {
		a := w.do(t, nobody, http.MethodPost, "/v1/sessions", `{"email":"ada@example.com","password":"wrong"}`)
		if a.status == 401 {
			continue
		}
		if a.status != 429 || a.code(t) != "too_many_attempts" || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
		return
	}
	t.Error("a hundred attempts are taken")
}

func TestUnderTLSTheCookieIsBoundToTheHost(t *testing.T) {
	t.Parallel()
	w := begin(t, underTLS)
	ada := w.signUp(t, "ada")
	opened := w.must(t, nobody, http.MethodPost, "/v1/sessions", `{"email":"ada@example.com","password":"`+password+`"}`, 201)
	for _, part := range []string{"__Host-hostfold_session=", "Secure", "HttpOnly", "Path=/"} {
		if cookie := opened.header.Get("Set-Cookie"); !strings.Contains(cookie, part) || strings.Contains(cookie, "Domain") {
			t.Errorf("the cookie %q has no %s", cookie, part)
		}
	}
	if opened.header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS")
	}
	w.play(t,
		step{"the cookie", nobody, "GET", "/v1/me/sessions", "", []string{"Cookie", "__Host-hostfold_session=" + ada.token}, 200, "", nil},
		step{"the cookie of plain HTTP", nobody, "GET", "/v1/me/sessions", "", []string{"Cookie", "hostfold_session=" + ada.token}, 401, "", nil},
		step{"a cross-site write with the cookie", nobody, "POST", "/v1/accounts", "{}", []string{"Cookie", "__Host-hostfold_session=" + ada.token, "Origin", "https://evil.test"}, 403, "foreign_origin", nil},
	)
}

func TestARevokedSessionIsOverAtOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	other := w.logIn(t, ada)
	var id string
	for _, item := range w.must(t, ada, http.MethodGet, "/v1/me/sessions", "", 200).items(t) {
		if s, ok := item.(map[string]any); ok && s["current"] == false {
			id, _ = s["id"].(string)
		}
	}
	w.must(t, ada, http.MethodDelete, "/v1/me/sessions/"+id, "", 204)
	w.play(t,
		step{"the revoked one", other, "GET", "/v1/me/sessions", "", nil, 401, "unauthenticated", nil},
		step{"the other one", ada, "GET", "/v1/me/sessions", "", nil, 200, "", nil},
		step{"revoked again", ada, "DELETE", "/v1/me/sessions/" + id, "", nil, 404, "not_found", nil},
	)
}

func TestAProfileIsUpdated(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	wrote := w.must(t, ada, http.MethodPatch, "/v1/me", `{"name":"Countess"}`, 200)
	if me := w.see(t, ada, "/v1/me", wrote); me.text(t, "name") != "Countess" || me.text(t, "locale") != "en" || me.header.Get("ETag") != wrote.header.Get("ETag") {
		t.Errorf("me is %s", me.body)
	}
	w.play(t,
		step{"another language", ada, "PATCH", "/v1/me", `{"locale":"xx"}`, nil, 422, "invalid_field", []string{`"field":"locale"`}},
		step{"another address", ada, "PATCH", "/v1/me", `{"email":"x@example.com"}`, nil, 422, "invalid_field", []string{`"field":"email"`}},
	)
}
