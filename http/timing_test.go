package http_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
)

// TestTimingOfKnownAndUnknownAddresses reports how long answers take that must
// not tell whether an address is known. It asserts nothing of the times: they
// are for people to compare, with HOSTFOLD_SOAK=1: there are many then, one
// after the other. Password hashes have their real cost.
func TestTimingOfKnownAndUnknownAddresses(t *testing.T) {
	if testing.Short() {
		t.Skip("times say nothing under the race detector")
	}
	users, samples := 20, 60
	if os.Getenv("HOSTFOLD_SOAK") == "" {
		t.Parallel()
		users, samples = 1, 2
	}
	w := begin(t, behindAProxy)
	wrapper, err := vault.OpenKeyFile(w.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	w.dispatcher.Vault, err = vault.Open(t.Context(), vault.Config{Pool: w.DB, Wrapper: wrapper, Store: w.Store, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	sources := 0
	post := func(path, body string) time.Duration {
		t.Helper()
		sources++
		began := time.Now()
		w.do(t, nobody, http.MethodPost, path, body, proxied("", fmt.Sprintf("203.0.%d.%d", sources/250, sources%250))...)
		return time.Since(began)
	}
	register := func(name string) string {
		return fmt.Sprintf(`{"email":"%s@example.com","password":%q,"name":"Ada","locale":"en"}`, name, password)
	}
	for i := range users {
		post("/v1/users", register(fmt.Sprintf("known%d", i)))
	}
	for _, c := range []struct {
		name, path string
		body       func(name string) string
	}{
		{"log-in", "/v1/sessions", func(name string) string { return fmt.Sprintf(`{"email":"%s@example.com","password":"wrong"}`, name) }},
		{"registration", "/v1/users", register},
		{"password reset", "/v1/password-resets", func(name string) string { return fmt.Sprintf(`{"email":"%s@example.com"}`, name) }},
	} {
		var known, unknown []time.Duration
		for i := range samples {
			known = append(known, post(c.path, c.body(fmt.Sprintf("known%d", i%users))))
			unknown = append(unknown, post(c.path, c.body(fmt.Sprintf("unknown-%s-%d", c.path[4:8], i))))
		}
		t.Logf("%-15s known   %s", c.name, distribution(known))
		t.Logf("%-15s unknown %s", c.name, distribution(unknown))
	}
}

func distribution(all []time.Duration) string {
	slices.Sort(all)
	at := func(percent int) time.Duration { return all[(len(all)-1)*percent/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p5 %s, p25 %s, p50 %s, p75 %s, p95 %s, max %s", at(5), at(25), at(50), at(75), at(95), at(100))
}
