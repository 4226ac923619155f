package http_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	portalhttp "github.com/hostfold/hostfold/http"
)

// ask sends a request over a connection and answers when the answer has ended.
func (s *scene) ask(t *testing.T, server *httptest.Server, as party, method, path string, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "portal.test"
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if as.token != "" {
		req.Header.Set("Authorization", "Bearer "+as.token)
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: body}
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	s := set(t)
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	paths := map[string]party{"/openapi.json": nobody, "/docs": nobody, "/v1/me": nobody, "/v1/none": nobody}
	for _, route := range routes(t, s.handler) {
		if template, ok := strings.CutPrefix(route, "GET "); ok {
			as := s.alice
			if expectations()[route].who() == staff {
				as = s.clerk
			}
			paths[s.fill(template, s.alice.account)[0]] = as
		}
	}
	for path, as := range paths {
		get, head := s.ask(t, server, as, http.MethodGet, path), s.ask(t, server, as, http.MethodHead, path)
		if head.status != get.status || len(head.body) > 0 {
			t.Errorf("HEAD %s answered %d %q, GET %d", path, head.status, head.body, get.status)
		}
		for _, name := range []string{"Content-Type", "Etag", "Cache-Control", "Content-Security-Policy"} {
			if got, want := head.header.Get(name), get.header.Get(name); got != want {
				t.Errorf("HEAD %s has %s %q, GET %q", path, name, got, want)
			}
		}
	}
	stream := "/v1/events?account=" + s.alice.account
	head := s.ask(t, server, s.alice, http.MethodHead, stream, "Accept", "text/event-stream")
	if head.status != http.StatusOK || head.header.Get("Content-Type") != "text/event-stream" || len(head.body) > 0 {
		t.Errorf("HEAD of a stream answered %d %v %q", head.status, head.header, head.body)
	}
	if head = s.ask(t, server, s.bob, http.MethodHead, stream, "Accept", "text/event-stream"); head.status != http.StatusNotFound {
		t.Errorf("HEAD of another's stream answered %d", head.status)
	}
	head = s.ask(t, server, s.alice, http.MethodHead, "/v1/sessions")
	if head.status != http.StatusMethodNotAllowed || head.header.Get("Allow") != "POST" {
		t.Errorf("HEAD of a route without GET answered %d %v", head.status, head.header)
	}
}

func TestPackedBodiesAreRefused(t *testing.T) {
	t.Parallel()
	h := portalhttp.New(config())
	body := `{"email":"x@example.com","password":"x"}`
	a := send(t, h, http.MethodPost, "/v1/sessions", body, "Content-Encoding", "gzip")
	if p := problem(t, a); p.Status != 415 || p.Code != "unsupported_content_encoding" || a.header.Get("Accept-Encoding") != "identity" {
		t.Errorf("%+v, %v", p, a.header)
	}
}

func TestAWrongAmountIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	s := set(t)
	invoices := "/v1/staff/accounts/" + s.alice.account + "/invoices"
	line := func(quantity, amount, currency, rate string) string {
		return `{"description":"x","quantity":"` + quantity + `","unit_price":{"amount":"` + amount + `","currency":"` + currency + `"},"vat_rate":"` + rate + `"}`
	}
	good := line("1", "1.00", "EUR", "20")
	lines := func(last string) string { return `{"lines":[` + good + `,` + last + `]}` }
	at := func(field string) []string { return []string{`"in":"body","field":"` + field + `"`} }
	s.play(t,
		step{"too many decimals", s.clerk, "POST", invoices, lines(line("1", "1.001", "EUR", "20")), nil, 422, "invalid_field", at("lines[1].unit_price")},
		step{"no such currency", s.clerk, "POST", invoices, lines(line("1", "1.00", "XXQ", "20")), nil, 422, "invalid_field", at("lines[1].unit_price")},
		step{"no decimal at all", s.clerk, "POST", invoices, lines(line("1", "x", "EUR", "20")), nil, 422, "invalid_field", at("lines[1].unit_price.amount")},
		step{"a number", s.clerk, "POST", invoices, `{"lines":[{"description":"x","quantity":"1","unit_price":12,"vat_rate":"20"}]}`, nil, 422, "invalid_field", at("lines[0].unit_price")},
		step{"a day that is none", s.clerk, "POST", invoices, `{"lines":[` + good + `],"due_on":"2026-02-30"}`, nil, 422, "invalid_field", at("due_on")},
		step{"a payment", s.clerk, "POST", invoices + "/" + s.invoice + "/payments", `{"amount":{"amount":"1.001","currency":"EUR"},"reference":"x","received_on":"2026-01-05"}`, nil, 422, "invalid_field", at("amount")},
		step{"a price", s.clerk, "POST", "/v1/staff/products", `{"code":"c","name":"n","prices":[{"cycle":"monthly","price":{"amount":"1.001","currency":"EUR"}}]}`, nil, 422, "invalid_field", at("prices[0].price")},
	)
}
