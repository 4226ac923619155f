package http_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// app makes the one-time codes of a secret.
type app struct {
	w      *world
	secret string
}

// next is a code that was not shown before: the world's time goes on.
func (a app) next(t testing.TB) string {
	t.Helper()
	a.w.ahead.Add(int64(vault.TOTPStep))
	return a.now(t)
}

func (a app) now(t testing.TB) string {
	t.Helper()
	code, err := totp.GenerateCodeCustom(a.secret, a.w.clock(), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func codeBody(code string) string { return fmt.Sprintf(`{"code":%q}`, code) }

// enrol turns one-time codes on for a party that has just logged in.
func (w *world) enrol(t testing.TB, p party) (app, []string) {
	t.Helper()
	a := app{w, w.must(t, p, http.MethodPost, "/v1/me/totp", "", 200).text(t, "secret")}
	return a, recoveryCodes(t, w.must(t, p, http.MethodPost, "/v1/me/totp/confirm", codeBody(a.now(t)), 200))
}

func recoveryCodes(t testing.TB, a answer) []string {
	t.Helper()
	var codes []string
	all, _ := a.fields(t)["recovery_codes"].([]any)
	for _, c := range all {
		codes = append(codes, fmt.Sprint(c))
	}
	if len(codes) != 10 {
		t.Fatalf("no recovery codes in %s", a.body)
	}
	return codes
}

func passwordBody(p party) string {
	return fmt.Sprintf(`{"email":%q,"password":%q}`, p.email, password)
}

// challenge is what a right password of a user with a second factor gets.
func (w *world) challenge(t testing.TB, p party, headers ...string) string {
	t.Helper()
	a := w.must(t, nobody, http.MethodPost, "/v1/sessions", passwordBody(p), 401, headers...)
	if a.code(t) != "second_factor_required" {
		t.Fatalf("%s", a.body)
	}
	return a.text(t, "challenge")
}

func withTOTP(challenge, code string) string {
	return fmt.Sprintf(`{"challenge":%q,"totp":%q}`, challenge, code)
}

func withRecovery(challenge, code string) string {
	return fmt.Sprintf(`{"challenge":%q,"recovery_code":%q}`, challenge, code)
}

func TestOneTimeCodesFromTheSecretToTheirEnd(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	mails.next(t, ada.email)
	w.play(t,
		step{"a code before the secret", ada, "POST", "/v1/me/totp/confirm", codeBody("123456"), nil, 409, "totp_not_enrolled", nil},
		step{"off before it is on", ada, "POST", "/v1/me/totp/disable", codeBody("123456"), nil, 409, "totp_off", nil},
		step{"recovery codes without a factor", ada, "POST", "/v1/me/recovery-codes", `{}`, nil, 409, "second_factor_off", nil},
		step{"a key", ada, "POST", "/v1/me/totp", "", []string{"Idempotency-Key", "x"}, 400, "idempotency_not_supported", nil},
	)
	shown := w.must(t, ada, http.MethodPost, "/v1/me/totp", "", 200)
	secret := shown.text(t, "secret")
	if url := shown.text(t, "otpauth_url"); !strings.HasPrefix(url, "otpauth://totp/hostfold:ada@example.com?") || !strings.Contains(url, "secret="+secret) {
		t.Errorf("the address is %s", url)
	}
	if svg := shown.text(t, "qr_svg"); !strings.HasPrefix(svg, "<svg ") || strings.Contains(svg, secret) {
		t.Errorf("the picture is %s", svg)
	}
	if a := w.must(t, nobody, http.MethodPost, "/v1/sessions", passwordBody(ada), 201); a.text(t, "token") == "" {
		t.Error("a secret that was only shown is asked for")
	}
	phone := app{w, secret}
	w.play(t, step{"a wrong code", ada, "POST", "/v1/me/totp/confirm", codeBody("000000"), nil, 422, "invalid_field", []string{`"field":"code"`, `"reason":"wrong_code"`}})
	first := phone.now(t)
	on := w.must(t, ada, http.MethodPost, "/v1/me/totp/confirm", codeBody(first), 200)
	codes := recoveryCodes(t, on)
	if m := mails.next(t, ada.email); !strings.Contains(m, "One-time codes are on") {
		t.Errorf("the mail is %s", m)
	}
	me := w.see(t, ada, "/v1/me", on)
	if !strings.Contains(string(me.body), `"second_factor":true,"second_factors":{"totp":true,"passkeys":0,"recovery_codes_left":10}`) {
		t.Errorf("shown as %s", me.body)
	}
	w.play(t,
		step{"a secret while they are on", ada, "POST", "/v1/me/totp", "", nil, 409, "totp_on", nil},
		step{"the code of the confirmation", nobody, "POST", "/v1/sessions", withTOTP(w.challenge(t, ada), first), nil, 401, "wrong_code", nil},
	)

	code := phone.next(t)
	in := w.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(w.challenge(t, ada), code), 201)
	again := party{token: in.text(t, "token")}
	w.play(t,
		step{"the code again", nobody, "POST", "/v1/sessions", withTOTP(w.challenge(t, ada), code), nil, 401, "wrong_code", nil},
		step{"off with the log-in's code", again, "POST", "/v1/me/totp/disable", codeBody(code), nil, 422, "invalid_field", []string{`"field":"code"`}},
		step{"off without a code", again, "POST", "/v1/me/totp/disable", `{}`, nil, 403, "confirmation_required", nil},
		step{"a recovery code", nobody, "POST", "/v1/sessions", withRecovery(w.challenge(t, ada), strings.ToLower(codes[3])), nil, 201, "", nil},
		step{"the recovery code again", nobody, "POST", "/v1/sessions", withRecovery(w.challenge(t, ada), codes[3]), nil, 401, "wrong_code", nil},
	)
	if m := mails.next(t, ada.email); !strings.Contains(m, "Left: 9.") {
		t.Errorf("the mail is %s", m)
	}
	fresh := w.must(t, again, http.MethodPost, "/v1/me/recovery-codes", codeBody(phone.next(t)), 200)
	recoveryCodes(t, fresh)
	w.play(t, step{"a recovery code of before", nobody, "POST", "/v1/sessions", withRecovery(w.challenge(t, ada), codes[4]), nil, 401, "wrong_code", nil})

	off := w.must(t, again, http.MethodPost, "/v1/me/totp/disable", codeBody(recoveryCodes(t, fresh)[0]), 204)
	if me := w.see(t, ada, "/v1/me", off); !strings.Contains(string(me.body), `"second_factor":false,"second_factors":{"totp":false,"passkeys":0,"recovery_codes_left":0}`) {
		t.Errorf("shown as %s", me.body)
	}
	w.play(t, step{"the password alone", nobody, "POST", "/v1/sessions", passwordBody(ada), nil, 201, "", nil})
}

func TestAChallengeIsForItsLogInAlone(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, eve := w.signUp(t, "ada"), w.signUp(t, "eve")
	phone, codes := w.enrol(t, ada)
	evesPhone, _ := w.enrol(t, eve)
	both := fmt.Sprintf(`{"email":%q,"password":%q,"challenge":"x","totp":"123456"}`, ada.email, password)
	w.play(t,
		step{"nothing", nobody, "POST", "/v1/sessions", `{}`, nil, 422, "invalid_field", []string{`"field":"email"`, `"field":"password"`}},
		step{"everything", nobody, "POST", "/v1/sessions", both, nil, 422, "invalid_field", nil},
		step{"a code without a challenge", nobody, "POST", "/v1/sessions", `{"totp":"123456"}`, nil, 422, "invalid_field", nil},
		step{"a challenge without a code", nobody, "POST", "/v1/sessions", `{"challenge":"x"}`, nil, 422, "invalid_field", nil},
		step{"two ways", nobody, "POST", "/v1/sessions", `{"challenge":"x","totp":"123456","recovery_code":"x"}`, nil, 422, "invalid_field", nil},
		step{"an unknown challenge", nobody, "POST", "/v1/sessions", withTOTP("x", "123456"), nil, 401, "invalid_challenge", nil},
		step{"another's code", nobody, "POST", "/v1/sessions", withTOTP(w.challenge(t, ada), evesPhone.next(t)), nil, 401, "wrong_code", nil},
		step{"no passkey of its own", nobody, "POST", "/v1/sessions/passkey-options", fmt.Sprintf(`{"challenge":%q}`, w.challenge(t, ada)), nil, 409, "no_passkey", nil},
	)
	used := w.challenge(t, ada)
	w.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(used, phone.next(t)), 201)
	w.play(t, step{"used again", nobody, "POST", "/v1/sessions", withTOTP(used, phone.next(t)), nil, 401, "invalid_challenge", nil})

	worn := w.challenge(t, ada)
	for range 5 {
		w.play(t, step{"a wrong code", nobody, "POST", "/v1/sessions", withRecovery(worn, "x"), nil, 401, "wrong_code", nil})
	}
	w.play(t, step{"the right one, too late", nobody, "POST", "/v1/sessions", withRecovery(worn, codes[0]), nil, 401, "invalid_challenge", nil})

	moved := w.challenge(t, ada)
	session := party{token: w.must(t, nobody, http.MethodPost, "/v1/sessions", withRecovery(w.challenge(t, ada), codes[1]), 201).text(t, "token")}
	change := `{"current":"` + password + `","new":"lantern gravel oyster six"}`
	w.play(t,
		step{"another password, the log-in's factor alone", session, "POST", "/v1/me/password", change, nil, 403, "confirmation_required", nil},
		step{"a password for a second factor", session, "POST", "/v1/me/confirmations", `{"password":"` + password + `"}`, nil, 422, "invalid_field", nil},
	)
	w.confirm(t, &session, phone)
	w.play(t,
		step{"another password", session, "POST", "/v1/me/password", change, nil, 204, "", nil},
		step{"a challenge of the password before", nobody, "POST", "/v1/sessions", withTOTP(moved, phone.next(t)), nil, 401, "invalid_challenge", nil},
	)
	late := w.must(t, nobody, http.MethodPost, "/v1/sessions", `{"email":"ada@example.com","password":"lantern gravel oyster six"}`, 401).text(t, "challenge")
	w.ahead.Add(int64(vault.ChallengeLife))
	w.play(t, step{"after five minutes", nobody, "POST", "/v1/sessions", withTOTP(late, phone.next(t)), nil, 401, "invalid_challenge", nil})
}

func TestOfTwoUsesOfACodeOneLogsIn(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	phone, codes := w.enrol(t, ada)
	race := func(name string, body func(challenge string) string) {
		t.Helper()
		challenges := make([]string, 4)
		for i := range challenges {
			challenges[i] = w.challenge(t, ada)
		}
		var in atomic.Int32
		var all sync.WaitGroup
		for _, c := range challenges {
			all.Go(func() {
				switch a := w.do(t, nobody, http.MethodPost, "/v1/sessions", body(c)); a.status {
				case 201:
					in.Add(1)
				case 401:
				default:
					t.Errorf("%s: %d %s", name, a.status, a.body)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("%s logged in %d times", name, in.Load())
		}
	}
	code := phone.next(t)
	race("a one-time code", func(challenge string) string { return withTOTP(challenge, code) })
	race("a recovery code", func(challenge string) string { return withRecovery(challenge, codes[0]) })

	// A vault that is opened anew, as after a restart, knows what was used.
	w.dispatcher.Vault = vaulttest.OpenWith(t, w.DB, w.Store, w.keyFile, w.clock)
	w.play(t,
		step{"the code after a restart", nobody, "POST", "/v1/sessions", withTOTP(w.challenge(t, ada), code), nil, 401, "wrong_code", nil},
		step{"the recovery code after a restart", nobody, "POST", "/v1/sessions", withRecovery(w.challenge(t, ada), codes[0]), nil, 401, "wrong_code", nil},
	)
}

// TestAResetDoesNotPassTheSecondFactorBy is of who verified its address, with a
// session or, as the contract has it, without one.
func TestAResetDoesNotPassTheSecondFactorBy(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	for name, apart := range map[string]bool{"ada": true, "bea": false} {
		u := w.signUp(t, name)
		by := u
		if apart {
			by = nobody
		}
		w.must(t, by, http.MethodPost, "/v1/users/verify-email", tokenBody(mails.secret(t, u.email)), 204)
		phone, _ := w.enrol(t, u)
		w.setPassword(t, mails, u.email)
		a := w.must(t, nobody, http.MethodPost, "/v1/sessions", fmt.Sprintf(`{"email":%q,"password":%q}`, u.email, nextPassword), 401)
		if a.code(t) != "second_factor_required" || fmt.Sprint(a.fields(t)["factors"]) != "[totp recovery_code]" {
			t.Fatalf("%s: %s", name, a.body)
		}
		w.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(a.text(t, "challenge"), phone.next(t)), 201)
	}
}

func TestAFirstSecondFactorNeedsAFreshLogIn(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	w.ahead.Add(int64(vault.FreshFor))
	w.play(t,
		step{"long after the log-in", ada, "POST", "/v1/me/totp", "", nil, 403, "confirmation_required", nil},
		step{"a wrong password", ada, "POST", "/v1/me/confirmations", `{"password":"wrong"}`, nil, 422, "invalid_field", []string{`"field":"password"`}},
		step{"nothing", ada, "POST", "/v1/me/confirmations", `{}`, nil, 422, "invalid_field", nil},
	)
	a := w.must(t, ada, http.MethodPost, "/v1/me/confirmations", `{"password":"`+password+`"}`, 200)
	before, cookie := ada.token, (&http.Response{Header: a.header}).Cookies()[0]
	if ada.token = a.text(t, "token"); cookie.Value != ada.token || !cookie.HttpOnly {
		t.Errorf("the cookie is %v", cookie)
	}
	w.play(t,
		step{"the token of before", party{token: before}, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"then", ada, "POST", "/v1/me/totp", "", nil, 200, "", nil},
	)
}

func TestAPasswordThatWasProvenIsNoSecondFactor(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	other := w.logIn(t, ada)
	w.enrol(t, ada)
	w.play(t, step{"another session of before", other, "POST", "/v1/me/totp/disable", `{}`, nil, 403, "confirmation_required", nil})
}

func TestStaffHaveTheirRightsWithASecondFactorOnly(t *testing.T) {
	t.Parallel()
	w := begin(t)
	clerk := party{email: "staff@example.com"}
	done, err := w.dispatcher.CreateStaff(t.Context(), system(), commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: clerk.email, Password: password, Name: "Staff", Locale: "en"}, Role: delegation.RoleAdmin,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.await(t, projections.RightsModel, done.Position)
	ada := w.customer(t, "ada")
	clerk = w.logIn(t, clerk)
	product, staffList, invoices := "/v1/staff/products", "/v1/staff/tickets", "/v1/accounts/"+ada.account+"/invoices"
	w.play(t,
		step{"a write", clerk, "POST", product, productBody("one"), nil, 403, "second_factor_required", nil},
		step{"a list of staff's", clerk, "GET", staffList, "", nil, 403, "second_factor_required", nil},
		step{"a customer's things", clerk, "GET", invoices, "", nil, 403, "second_factor_required", nil},
		step{"all events", clerk, "GET", "/v1/events", "", nil, 403, "second_factor_required", nil},
		step{"its own profile", clerk, "GET", "/v1/me", "", nil, 200, "", nil},
		step{"a customer is denied otherwise", ada, "POST", product, productBody("one"), nil, 403, "denied", nil},
	)
	other := w.logIn(t, clerk)
	phone, _ := w.enrol(t, clerk)
	w.play(t,
		step{"a write with it", clerk, "POST", product, productBody("one"), nil, 201, "", nil},
		step{"a customer's things with it", clerk, "GET", invoices, "", nil, 200, "", nil},
		step{"another session without it", other, "GET", staffList, "", nil, 403, "second_factor_required", nil},
	)
	in := party{token: w.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(w.challenge(t, clerk), phone.next(t)), 201).text(t, "token")}
	w.play(t,
		step{"a log-in with it", in, "GET", staffList, "", nil, 200, "", nil},
		step{"off", in, "POST", "/v1/me/totp/disable", codeBody(phone.next(t)), nil, 204, "", nil},
		step{"then", in, "GET", staffList, "", nil, 403, "second_factor_required", nil},
		step{"then in the other one", clerk, "GET", staffList, "", nil, 403, "second_factor_required", nil},
	)
}

func TestTheDemosStaffNeedNoSecondFactor(t *testing.T) {
	t.Parallel()
	w := begin(t)
	call := system()
	call.Actor = domain.Actor{Kind: domain.ActorDemo}
	if _, err := commands.Execute(t.Context(), w.dispatcher, call, commands.StartDemo{}); err != nil {
		t.Fatal(err)
	}
	call.CommandID = uuid.New()
	done, err := w.dispatcher.CreateStaff(t.Context(), call, commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: "staff@example.com", Password: password, Name: "Staff", Locale: "en"}, Role: delegation.RoleAdmin,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.await(t, projections.RightsModel, done.Position)
	clerk := w.logIn(t, party{email: "staff@example.com"})
	w.play(t, step{"a list of staff's", clerk, "GET", "/v1/staff/tickets", "", nil, 200, "", nil})
}

// TestAThousandWrongCodesFromManySources is the proof of docs/security.md: who
// has the password and guesses codes is limited, wherever it comes from, and
// the owner gets in from its own device, and through its mail from any other.
func TestAThousandWrongCodesFromManySources(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	w := begin(t, behindAProxy)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	w.must(t, ada, http.MethodPost, "/v1/users/verify-email", tokenBody(mails.secret(t, ada.email)), 204)
	device := func(a answer) string {
		t.Helper()
		found := regexp.MustCompile(`hostfold_device=[0-9a-f]{64}`).FindString(strings.Join(a.header.Values("Set-Cookie"), " "))
		if found == "" {
			t.Fatalf("no device cookie in %v", a.header)
		}
		return found
	}
	home := device(w.must(t, nobody, http.MethodPost, "/v1/sessions", passwordBody(ada), 201, proxied("", "198.51.100.7")...))
	phone, codes := w.enrol(t, ada)
	w.ahead.Add(int64(vault.TOTPStep))
	w.stop(t)

	began, answers, challenge := time.Now(), map[string]int{}, ""
	for i := range 1000 {
		from := proxied("", fmt.Sprintf("203.0.%d.%d", i/250, i%250))
		if a := w.do(t, nobody, http.MethodPost, "/v1/sessions", passwordBody(ada), from...); a.code(t) == "second_factor_required" {
			challenge = a.text(t, "challenge")
		}
		answers[w.do(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(challenge, fmt.Sprintf("%06d", i)), from...).code(t)]++
	}
	t.Logf("a thousand wrong codes from a thousand sources, in %s: %v", time.Since(began), answers)
	if answers["wrong_code"] != 10 || answers["too_many_attempts"] != 990 {
		t.Errorf("answers %v", answers)
	}

	own := append(proxied("", "198.51.100.9"), "Cookie", home)
	w.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(w.challenge(t, ada, own...), phone.now(t)), 201, own...)

	away := proxied("", "198.51.100.10")
	w.must(t, nobody, http.MethodPost, "/v1/password-resets", `{"email":"ada@example.com"}`, 202, away...)
	mails.next(t, ada.email) // what the second factor brought
	reset := w.must(t, nobody, http.MethodPost, "/v1/password-resets/confirm",
		fmt.Sprintf(`{"token":%q,"password":"lantern gravel oyster six"}`, mails.secret(t, ada.email)), 204, away...)
	away = append(away, "Cookie", device(reset))
	a := w.must(t, nobody, http.MethodPost, "/v1/sessions", `{"email":"ada@example.com","password":"lantern gravel oyster six"}`, 401, away...)
	w.must(t, nobody, http.MethodPost, "/v1/sessions", withRecovery(a.text(t, "challenge"), codes[0]), 201, away...)
}
