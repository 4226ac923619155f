package http_test

import (
	"net/http"
	"strings"
	"testing"
)

// token makes an API token and answers the party that shows it.
func (w *world) token(t testing.TB, as party, account, body string) (id string, program party) {
	t.Helper()
	a := w.must(t, as, http.MethodPost, "/v1/accounts/"+account+"/api-tokens", body, http.StatusCreated)
	return a.ID(t), party{id: as.id, account: account, token: a.text(t, "token")}
}

func TestAnAPIToken(t *testing.T) {
	t.Parallel()
	s := set(t)
	base := "/v1/accounts/" + s.alice.account
	id, program := s.token(t, s.alice, s.alice.account, `{"name":"backup","permissions":["invoices.read","tickets.write"]}`)
	all, everything := s.token(t, s.alice, s.alice.account, `{"name":"all","permissions":["*"],"expires_at":"2999-01-01T00:00:00Z"}`)
	if !strings.HasPrefix(program.token, "hfp_") || len(program.token) != 53 {
		t.Errorf("the token is %s", program.token)
	}
	nearly := party{token: program.token[:len(program.token)-1] + "_"}
	fresh := `{"name":"x","permissions":["*"]}`

	s.play(t,
		step{"reads what it was given", program, "GET", base + "/invoices", "", nil, 200, "", nil},
		step{"writes what it was given", program, "POST", base + "/tickets", ticketBody, nil, 201, "", nil},
		step{"and nothing else", program, "GET", base + "/services", "", nil, 403, "denied", nil},
		step{"knows no other account", program, "GET", "/v1/accounts/" + s.bob.account + "/invoices", "", nil, 404, "not_found", nil},
		step{"is no person", everything, "GET", "/v1/me", "", nil, 403, "not_for_api_tokens", nil},
		step{"has no sessions", everything, "GET", "/v1/me/sessions", "", nil, 403, "not_for_api_tokens", nil},
		step{"opens no account", everything, "POST", "/v1/accounts", `{"name":"x","kind":"individual","country":"FR","currency":"EUR"}`, nil, 403, "not_for_api_tokens", nil},
		step{"makes no token", everything, "POST", base + "/api-tokens", fresh, nil, 403, "denied", nil},
		step{"sees no token", everything, "GET", base + "/api-tokens", "", nil, 403, "denied", nil},
		step{"ends no token", everything, "DELETE", base + "/api-tokens/" + id, "", nil, 403, "denied", nil},
		step{"is no staff", everything, "GET", "/v1/staff/accounts", "", nil, 403, "", nil},
		step{"is not a cookie", nobody, "GET", base + "/invoices", "", []string{"Cookie", "hostfold_session=" + program.token}, 401, "", nil},
		step{"is exact", nearly, "GET", base + "/invoices", "", nil, 401, "", nil},
		step{"has its account's feed", program, "GET", "/v1/events?types=invoice.issued.v1", "", nil, 200, "", []string{s.alice.account}},
		step{"and no other's", program, "GET", "/v1/events?account=" + s.bob.account, "", nil, 404, "", nil},
		step{"is not made twice by a key", s.alice, "POST", base + "/api-tokens", fresh, []string{"Idempotency-Key", "k"}, 400, "idempotency_not_supported", nil},
		step{"manages no users", s.alice, "POST", base + "/api-tokens", `{"name":"x","permissions":["users.manage"]}`, nil, 422, "invalid_field", []string{"permissions"}},
		step{"has a name", s.alice, "POST", base + "/api-tokens", `{"name":" ","permissions":["*"]}`, nil, 422, "invalid_field", []string{"name"}},
		step{"is not bob's to see", s.bob, "GET", base + "/api-tokens", "", nil, 404, "", nil},
		step{"is not bob's to end", s.bob, "DELETE", "/v1/accounts/" + s.bob.account + "/api-tokens/" + id, "", nil, 404, "not_found", nil},
	)
	listed := s.must(t, s.alice, http.MethodGet, base+"/api-tokens", "", 200)
	if items := listed.items(t); len(items) != 2 || strings.Contains(string(listed.body), program.token) || items[1].(map[string]any)["used_at"] == nil {
		t.Errorf("the list is %s", listed.body)
	}

	s.must(t, s.alice, http.MethodDelete, base+"/api-tokens/"+id, "", 200)
	s.must(t, program, http.MethodGet, base+"/invoices", "", 401)
	s.must(t, s.alice, http.MethodDelete, base+"/api-tokens/"+id, "", 200)
	s.must(t, everything, http.MethodGet, base+"/invoices", "", 200)
	if left := s.must(t, s.alice, http.MethodGet, base+"/api-tokens", "", 200).items(t); len(left) != 1 || left[0].(map[string]any)["id"] != all {
		t.Error("what is left is", left)
	}
}
