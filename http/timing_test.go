package http_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/user"
)

// door is an answer that must not tell whether an address is known, or a secret.
type door struct {
	name string
	// ask sends the n-th request about what is known, or about what is not.
	ask func(n int, known bool) answer
}

// TestTimingOfKnownAndUnknownAddresses measures how long the answers of all
// doors take. With HOSTFOLD_SOAK=1 there are many, one after the other, and the
// medians of what is known and what is not may differ by no more than the
// middle half of either spreads, or 2 ms, which a look-up of a row takes on a
// busy machine. Password hashes have their real cost.
func TestTimingOfKnownAndUnknownAddresses(t *testing.T) {
	if testing.Short() {
		t.Skip("times say nothing under the race detector")
	}
	samples, compared := 60, true
	if os.Getenv("HOSTFOLD_SOAK") == "" {
		t.Parallel()
		samples, compared = 1, false
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
	for _, d := range w.doors(t, samples) {
		var known, unknown []time.Duration
		timed := func(n int, is bool) time.Duration {
			began := time.Now()
			a := d.ask(n, is)
			if a.status >= 500 || a.status == http.StatusTooManyRequests {
				t.Fatalf("%s: %d %s", d.name, a.status, a.body)
			}
			return time.Since(began)
		}
		for n := range samples {
			known = append(known, timed(n, true))
			unknown = append(unknown, timed(n, false))
		}
		slices.Sort(known)
		slices.Sort(unknown)
		t.Logf("| %s | known | %s |", d.name, distribution(known))
		t.Logf("| %s | unknown | %s |", d.name, distribution(unknown))
		apart := (percentile(known, 50) - percentile(unknown, 50)).Abs()
		spread := max(percentile(known, 75)-percentile(known, 25), percentile(unknown, 75)-percentile(unknown, 25))
		if allowed := max(spread, 2*time.Millisecond); compared && apart > allowed {
			t.Errorf("%s: the medians are %s apart, of which noise explains %s", d.name, apart, allowed)
		}
	}
}

// doors are all of them, for so many samples of each kind. Every address has a
// user of its own, and every request a source: none comes upon a limit.
func (w *world) doors(t *testing.T, samples int) []door {
	t.Helper()
	sources, now := 0, time.Now()
	send := func(as party, path, body string) answer {
		sources++
		return w.do(t, as, http.MethodPost, path, body, proxied("", fmt.Sprintf("203.0.%d.%d", sources/250, sources%250))...)
	}
	register := func(email string) string {
		return fmt.Sprintf(`{"email":%q,"password":%q,"name":"Ada","locale":"en"}`, email, password)
	}
	var people []party
	var links []string
	for n := range samples {
		p := party{email: fmt.Sprintf("known%d@example.com", n)}
		p.id = send(nobody, "/v1/users", register(p.email)).ID(t)
		w.tell(t, "user-"+p.id, user.EmailVerified{Email: p.email})
		p.token = w.enter(t, p.id, vault.Proof{PasswordAt: &now})
		p.account = send(p, "/v1/accounts", `{"name":"Ada","kind":"individual","country":"FR","currency":"EUR"}`).ID(t)
		people = append(people, p)
		mail := vault.MailToken{ID: fmt.Sprintf("msg_%032x", n), Purpose: vault.VerifyEmail, UserID: p.id, ExpiresAt: now.Add(time.Hour)}
		if err := w.vault.AddMailToken(t.Context(), mail); err != nil {
			t.Fatal(err)
		}
		link, found, err := w.vault.MailSecret(t.Context(), mail.ID)
		if err == nil {
			err = w.vault.SpendMailToken(t.Context(), mail.ID)
		}
		if err != nil || !found {
			t.Fatal(found, err)
		}
		links = append(links, link)
	}
	address := func(of string, n int, known bool) string {
		if known {
			return people[(n+1)%samples].email
		}
		return fmt.Sprintf("unknown-%s-%d@example.com", of, n)
	}
	return []door{
		{"log-in", func(n int, known bool) answer {
			return send(nobody, "/v1/sessions", fmt.Sprintf(`{"email":%q,"password":"wrong"}`, address("login", n, known)))
		}},
		{"registration", func(n int, known bool) answer {
			return send(nobody, "/v1/users", register(address("registration", n, known)))
		}},
		{"password reset", func(n int, known bool) answer {
			return send(nobody, "/v1/password-resets", fmt.Sprintf(`{"email":%q}`, address("reset", n, known)))
		}},
		{"change of address", func(n int, known bool) answer {
			return send(people[n], "/v1/me/email", fmt.Sprintf(`{"email":%q,"password":%q}`, address("change", n, known), password))
		}},
		{"invitation", func(n int, known bool) answer {
			return send(people[n], "/v1/accounts/"+people[n].account+"/delegations", fmt.Sprintf(`{"email":%q,%s}`, address("invitation", n, known), onTickets))
		}},
		{"link that was used", func(n int, known bool) answer {
			link := links[n]
			if !known {
				link = strings.Repeat("A", len(link)) // never mailed
			}
			return send(nobody, "/v1/users/verify-email", token(link))
		}},
	}
}

func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}

func distribution(sorted []time.Duration) string {
	at := func(percent int) string {
		return fmt.Sprintf("%.2f", float64(percentile(sorted, percent).Microseconds())/1000)
	}
	return fmt.Sprintf("%s | %s | %s | %s | %s | %s", at(5), at(25), at(50), at(75), at(95), at(100))
}
