package http_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
	portalhttp "github.com/hostfold/hostfold/http"
)

// device is an authenticator in software: one passkey, and what it signs. Its
// fields are what a test makes wrong.
type device struct {
	key            *ecdsa.PrivateKey
	id             []byte
	user           string
	origin, host   string
	verified, mute bool
	counts         bool
	signed         uint32
}

func newDevice(t *testing.T) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return &device{key: key, id: id, origin: "https://portal.test", host: "portal.test", verified: true, counts: true}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// asked is what the server asks a device for.
type asked struct {
	Challenge string `json:"challenge"`
	Options   struct {
		Challenge string `json:"challenge"`
		RPID      string `json:"rpId"`
		User      struct {
			ID string `json:"id"`
		} `json:"user"`
		Allow []struct {
			ID string `json:"id"`
		} `json:"allowCredentials"`
		Exclude []struct {
			ID string `json:"id"`
		} `json:"excludeCredentials"`
		UserVerification string `json:"userVerification"`
	} `json:"options"`
}

func askedBy(t *testing.T, a answer) asked {
	t.Helper()
	var q asked
	if err := json.Unmarshal(a.body, &q); err != nil || q.Challenge == "" || q.Options.Challenge == "" {
		t.Fatalf("%v: %s", err, a.body)
	}
	return q
}

func (d *device) client(kind string, q asked) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": q.Options.Challenge, "origin": d.origin, "crossOrigin": false})
	return b
}

// data are the authenticator data (W3C Web Authentication, 6.1).
func (d *device) data(attested []byte) []byte {
	host := sha256.Sum256([]byte(d.host))
	flags := byte(1)
	if d.verified {
		flags |= 1 << 2
	}
	if attested != nil {
		flags |= 1 << 6
	}
	if d.counts {
		d.signed++
	}
	return append(binary.BigEndian.AppendUint32(append(host[:], flags), d.signed), attested...)
}

// makes answers the options of a registration.
func (d *device) makes(t *testing.T, q asked) string {
	t.Helper()
	user, err := base64.RawURLEncoding.DecodeString(q.Options.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.user = string(user)
	point, err := d.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	// The key in CBOR: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
	cose := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, point[1:33]...)
	cose = append(append(cose, 0x22, 0x58, 0x20), point[33:]...)
	attested := append(make([]byte, 16), 0, byte(len(d.id)))
	data := d.data(append(append(attested, d.id...), cose...))
	// {"fmt": "none", "attStmt": {}, "authData": data}
	object := append([]byte{0xa3, 0x63}, "fmt"...)
	object = append(append(append(object, 0x64), "none"...), 0x67)
	object = append(append(append(object, "attStmt"...), 0xa0, 0x68), "authData"...)
	object = append(append(object, 0x58, byte(len(data))), data...)
	return d.credential(map[string]string{"clientDataJSON": b64(d.client("webauthn.create", q)), "attestationObject": b64(object)})
}

// signs answers the options of a log-in or a confirmation.
func (d *device) signs(t *testing.T, q asked) string {
	t.Helper()
	client := d.client("webauthn.get", q)
	data := d.data(nil)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(slices.Clip(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	response := map[string]string{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
	if !d.mute {
		response["userHandle"] = b64([]byte(d.user))
	}
	return d.credential(response)
}

func (d *device) credential(response map[string]string) string {
	b, _ := json.Marshal(map[string]any{
		"id": b64(d.id), "rawId": b64(d.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{},
	})
	return string(b)
}

// withPasskeys is a world whose public URL lets browsers make passkeys.
func withPasskeys(t *testing.T, change ...func(*portalhttp.Config)) *world {
	t.Helper()
	w := begin(t, change...)
	var err error
	if w.dispatcher.Passkeys, err = commands.NewRelyingParty("https://portal.test", "hostfold"); err != nil || w.dispatcher.Passkeys == nil {
		t.Fatal(err)
	}
	return w
}

func addBody(q asked, name, passkey string) string {
	return fmt.Sprintf(`{"challenge":%q,"name":%q,"passkey":%s}`, q.Challenge, name, passkey)
}

func passkeyBody(q asked, passkey string) string {
	return fmt.Sprintf(`{"challenge":%q,"passkey":%s}`, q.Challenge, passkey)
}

func (w *world) ask(t *testing.T, as party, path, body string) asked {
	t.Helper()
	return askedBy(t, w.must(t, as, http.MethodPost, path, body, 200))
}

const (
	addOptions     = "/v1/me/passkeys/options"
	loginOptions   = "/v1/sessions/passkey-options"
	confirmOptions = "/v1/me/confirmations/passkey-options"
)

// register adds a device's passkey to a party that has just logged in.
func (w *world) register(t *testing.T, p party, d *device) {
	t.Helper()
	q := w.ask(t, p, addOptions, "")
	w.must(t, p, http.MethodPost, "/v1/me/passkeys", addBody(q, "My phone", d.makes(t, q)), 201)
}

func TestAPasskeyFromItsMakingToItsEnd(t *testing.T) {
	t.Parallel()
	w := withPasskeys(t)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	mails.next(t, ada.email)
	phone := newDevice(t)
	q := w.ask(t, ada, addOptions, "")
	body := addBody(q, "My phone", phone.makes(t, q))
	w.play(t,
		step{"without a name", ada, "POST", "/v1/me/passkeys", addBody(q, " ", "{}"), nil, 422, "invalid_field", []string{`"field":"name"`}},
		step{"by somebody else", w.signUp(t, "eve"), "POST", "/v1/me/passkeys", body, nil, 422, "invalid_field", []string{`"field":"passkey"`}},
	)
	q = w.ask(t, ada, addOptions, "")
	added := w.must(t, ada, http.MethodPost, "/v1/me/passkeys", addBody(q, "My phone", phone.makes(t, q)), 201)
	recoveryCodes(t, added)
	if phone.user != ada.id {
		t.Errorf("the handle is %s", phone.user)
	}
	if m := mails.next(t, ada.email); !strings.Contains(m, "A passkey was added") || !strings.Contains(m, "My phone") {
		t.Errorf("the mail is %s", m)
	}
	w.play(t, step{"the same again", ada, "POST", "/v1/me/passkeys", addBody(q, "My phone", phone.makes(t, q)), nil, 422, "invalid_field", []string{`"field":"passkey"`}})
	if me := w.see(t, ada, "/v1/me", added); !strings.Contains(string(me.body), `"second_factor":true,"second_factors":{"totp":false,"passkeys":1,"recovery_codes_left":10}`) {
		t.Errorf("shown as %s", me.body)
	}
	list := func() map[string]any {
		t.Helper()
		items := w.must(t, ada, http.MethodGet, "/v1/me/passkeys", "", 200).items(t)
		if len(items) != 1 {
			t.Fatalf("passkeys %v", items)
		}
		return items[0].(map[string]any)
	}
	if p := list(); p["name"] != "My phone" || p["used_at"] != nil || p["id"] != added.ID(t) {
		t.Errorf("listed as %v", p)
	}
	if q := w.ask(t, ada, addOptions, ""); len(q.Options.Exclude) != 1 || q.Options.Exclude[0].ID != b64(phone.id) {
		t.Errorf("the device is not told of its passkey: %+v", q)
	}

	alone := w.ask(t, nobody, loginOptions, "")
	if len(alone.Options.Allow) != 0 || alone.Options.UserVerification != "required" || alone.Options.RPID != "portal.test" {
		t.Errorf("asked for %+v", alone)
	}
	signed := passkeyBody(alone, phone.signs(t, alone))
	in := party{token: w.must(t, nobody, http.MethodPost, "/v1/sessions", signed, 201).text(t, "token")}
	w.play(t, step{"the answer again", nobody, "POST", "/v1/sessions", signed, nil, 401, "invalid_challenge", nil})
	if p := list(); p["used_at"] == nil {
		t.Errorf("listed as %v", p)
	}

	second := w.ask(t, nobody, loginOptions, fmt.Sprintf(`{"challenge":%q}`, w.challenge(t, ada)))
	if len(second.Options.Allow) != 1 || second.Options.Allow[0].ID != b64(phone.id) {
		t.Errorf("asked for %+v", second)
	}
	phone.mute = true // a device that keeps no user handle may leave it out here
	w.must(t, nobody, http.MethodPost, "/v1/sessions", passkeyBody(second, phone.signs(t, second)), 201)

	path := "/v1/me/passkeys/" + added.ID(t)
	w.play(t, step{"away with the log-in alone", in, "DELETE", path, "", nil, 403, "confirmation_required", nil})
	confirm := w.ask(t, in, confirmOptions, "")
	before := in
	in.token = w.must(t, in, http.MethodPost, "/v1/me/confirmations", passkeyBody(confirm, phone.signs(t, confirm)), 200).text(t, "token")
	w.play(t,
		step{"the token of before", before, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"another's", in, "DELETE", "/v1/me/passkeys/psk_1", "", nil, 404, "not_found", nil},
		step{"away", in, "DELETE", path, "", nil, 204, "", nil},
		step{"the password alone", nobody, "POST", "/v1/sessions", passwordBody(ada), nil, 201, "", nil},
	)
	phone.mute = false
	gone := w.ask(t, nobody, loginOptions, "")
	w.play(t, step{"a passkey that is gone", nobody, "POST", "/v1/sessions", passkeyBody(gone, phone.signs(t, gone)), nil, 401, "wrong_code", nil})
}

// TestNoSecondFactorComesFromASessionThatIsOver: what a session has begun, and
// what was let in before its end, gives no factor after it.
func TestNoSecondFactorComesFromASessionThatIsOver(t *testing.T) {
	t.Parallel()
	w := withPasskeys(t)
	ada := w.signUp(t, "ada")
	phone := newDevice(t)
	q := w.ask(t, ada, addOptions, "")
	made := phone.makes(t, q)
	codes := app{w, w.must(t, ada, http.MethodPost, "/v1/me/totp", "", 200).text(t, "secret")}
	open, err := w.vault.Sessions(t.Context(), ada.id)
	if err != nil || len(open) != 1 {
		t.Fatal(open, err)
	}
	if err := w.vault.EndSessions(t.Context(), ada.id, ""); err != nil {
		t.Fatal(err)
	}
	call := func() commands.Call {
		return commands.Call{
			CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorUser, ID: ada.id},
			Grants: delegation.Grants{User: ada.id, Fresh: delegation.Fresh{Password: true}},
		}
	}
	_, _, err = w.dispatcher.AddPasskey(t.Context(), call(), commands.AddPasskey{
		UserID: ada.id, Session: open[0].ID, Challenge: q.Challenge, Name: "My phone", Passkey: json.RawMessage(made),
	})
	if !errors.Is(err, domain.ErrUnauthenticated) {
		t.Errorf("the passkey: %v", err)
	}
	_, _, err = w.dispatcher.ConfirmTOTP(t.Context(), call(), commands.ConfirmTOTP{UserID: ada.id, Session: open[0].ID, Code: codes.now(t)})
	if !errors.Is(err, domain.ErrUnauthenticated) {
		t.Errorf("the one-time codes: %v", err)
	}
	if u, err := commands.Load(t.Context(), w.dispatcher.Streams(), user.Decider.At(ada.id)); err != nil || u.HasSecondFactor() {
		t.Errorf("she has a second factor: %v", err)
	}
}

func TestWhatAPasskeyMustNotSign(t *testing.T) {
	t.Parallel()
	w := withPasskeys(t)
	ada, eve := w.signUp(t, "ada"), w.signUp(t, "eve")
	phone, evesPhone := newDevice(t), newDevice(t)
	w.register(t, ada, phone)
	w.register(t, eve, evesPhone)
	for name, spoil := range map[string]func(d *device){
		"another origin":    func(d *device) { d.origin = "https://portal.test.evil.example" },
		"another port":      func(d *device) { d.origin = "https://portal.test:8443" },
		"without TLS":       func(d *device) { d.origin = "http://portal.test" },
		"another host":      func(d *device) { d.host = "evil.example" },
		"unverified":        func(d *device) { d.verified = false },
		"another user":      func(d *device) { d.user = eve.id },
		"nobody":            func(d *device) { d.user = "usr_none" },
		"no handle":         func(d *device) { d.mute = true },
		"another key":       func(d *device) { d.key = evesPhone.key },
		"an old counter":    func(d *device) { d.signed, d.counts = 1, false },
		"a lower counter":   func(d *device) { d.signed, d.counts = 0, false },
		"an unknown device": func(d *device) { d.id = []byte("another device") },
	} {
		wrong := *phone
		spoil(&wrong)
		q := w.ask(t, nobody, loginOptions, "")
		w.play(t, step{name, nobody, "POST", "/v1/sessions", passkeyBody(q, wrong.signs(t, q)), nil, 401, "wrong_code", nil})
	}
	other := w.ask(t, nobody, loginOptions, "")
	q := w.ask(t, nobody, loginOptions, "")
	for name, s := range map[string]struct{ body, code string }{
		"for another challenge": {passkeyBody(q, phone.signs(t, other)), "wrong_code"},
		"no answer at all":      {passkeyBody(other, `{}`), "wrong_code"},
		"a text":                {passkeyBody(w.ask(t, nobody, loginOptions, ""), `"x"`), "wrong_code"},
	} {
		w.play(t, step{name, nobody, "POST", "/v1/sessions", s.body, nil, 401, s.code, nil})
	}
	second := w.ask(t, nobody, loginOptions, fmt.Sprintf(`{"challenge":%q}`, w.challenge(t, ada)))
	w.play(t,
		step{"another's as the second factor", nobody, "POST", "/v1/sessions", passkeyBody(second, evesPhone.signs(t, second)), nil, 401, "wrong_code", nil},
		step{"the right one for the same options", nobody, "POST", "/v1/sessions", passkeyBody(second, phone.signs(t, second)), nil, 401, "wrong_code", nil},
	)
	late := w.ask(t, nobody, loginOptions, "")
	w.ahead.Add(int64(vault.ChallengeLife))
	w.play(t, step{"too late", nobody, "POST", "/v1/sessions", passkeyBody(late, phone.signs(t, late)), nil, 401, "invalid_challenge", nil})
	q = w.ask(t, nobody, loginOptions, "")
	w.must(t, nobody, http.MethodPost, "/v1/sessions", passkeyBody(q, phone.signs(t, q)), 201)
}

func TestPasskeysNeedANameWithTLS(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"https://portal.example.com": true, "https://portal.example.com:8443": true, "http://localhost:8080": true,
		"http://portal.example.com": false, "http://127.0.0.1:8080": false, "https://127.0.0.1": false, "https://[::1]:8443": false,
	} {
		if p, err := commands.NewRelyingParty(url, "hostfold"); err != nil || (p != nil) != want {
			t.Errorf("%s: %v, %v", url, p, err)
		}
	}
	w := begin(t)
	ada := w.signUp(t, "ada")
	w.play(t,
		step{"a registration", ada, "POST", addOptions, "", nil, 409, "passkeys_not_available", nil},
		step{"a log-in", nobody, "POST", loginOptions, "", nil, 409, "passkeys_not_available", nil},
	)
}

func TestAPasskeyThatMayHaveBeenCopiedIsTold(t *testing.T) {
	t.Parallel()
	w := withPasskeys(t)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	phone := newDevice(t)
	w.register(t, ada, phone)
	copied := *phone
	copied.counts = false // its counter is that of the last signature
	refuse := func() {
		t.Helper()
		q := w.ask(t, nobody, loginOptions, "")
		w.play(t, step{"a copy", nobody, "POST", "/v1/sessions", passkeyBody(q, copied.signs(t, q)), nil, 401, "wrong_code", nil})
	}
	refuse()
	mails.says(t, ada.email, "may have been copied")
	w.Settle()
	if list := w.must(t, ada, http.MethodGet, "/v1/me/passkeys", "", 200); !strings.Contains(string(list.body), `"suspect":true`) {
		t.Errorf("listed as %s", list.body)
	}
	refuse()
	times := 0
	for r, err := range w.Store.ReadStream(t.Context(), "user-"+ada.id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == (user.PasskeyCopySuspected{}).EventType() {
			times++
		}
	}
	if times != 1 {
		t.Errorf("it is said %d times", times)
	}
}

// nextPassword is what the owner of an address sets by mail.
const nextPassword = "lantern gravel oyster six"

// setPassword has the owner of an address set nextPassword by the mail of a reset.
func (w *world) setPassword(t *testing.T, mails *post, email string) {
	t.Helper()
	w.must(t, nobody, http.MethodPost, "/v1/password-resets", fmt.Sprintf(`{"email":%q}`, email), 202)
	secret := mails.secretIn(t, email, "reset-password")
	w.must(t, nobody, http.MethodPost, "/v1/password-resets/confirm", fmt.Sprintf(`{"token":%q,"password":%q}`, secret, nextPassword), 204)
}

// enterBy tries to log in with a passkey alone.
func (w *world) enterBy(t *testing.T, d *device) answer {
	t.Helper()
	q := w.ask(t, nobody, loginOptions, "")
	return w.do(t, nobody, http.MethodPost, "/v1/sessions", passkeyBody(q, d.signs(t, q)))
}

func TestWhoRegistersAnothersAddressKeepsNothingOfIt(t *testing.T) {
	t.Parallel()
	for name, followed := range map[string]bool{"a reset": false, "a reset after a link that was followed unasked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := withPasskeys(t)
			mails := w.post(t)
			eve := w.signUp(t, "victim") // by Eve, with the address of another
			link := mails.secret(t, eve.email)
			phone := newDevice(t)
			w.register(t, eve, phone)
			mails.says(t, eve.email, "A passkey was added")
			if followed {
				w.must(t, nobody, http.MethodPost, "/v1/users/verify-email", tokenBody(link), 204)
				mails.says(t, eve.email, "may have been somebody else's")
				if a := w.enterBy(t, phone); a.status != 401 {
					t.Errorf("Eve's passkey, once another has shown to read the mail: %d %s", a.status, a.body)
				}
			}
			w.setPassword(t, mails, eve.email)
			mails.says(t, eve.email, "may have been somebody else's")
			w.play(t,
				step{"the owner", nobody, "POST", "/v1/sessions", fmt.Sprintf(`{"email":%q,"password":%q}`, eve.email, nextPassword), nil, 201, "", nil},
				step{"Eve's session", eve, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
			)
			if a := w.enterBy(t, phone); a.status != 401 || a.code(t) != "wrong_code" {
				t.Errorf("Eve's passkey: %d %s", a.status, a.body)
			}
		})
	}
}

// TestAFactorOfAStrangerOpensNothingAfterAReset is of a factor that came once the
// owner had followed the link unasked: it keeps the owner out, until staff help,
// and lets nobody in.
func TestAFactorOfAStrangerOpensNothingAfterAReset(t *testing.T) {
	t.Parallel()
	w := withPasskeys(t)
	mails := w.post(t)
	boss := w.staff(t)
	eve := w.signUp(t, "victim") // by Eve, with the address of another
	w.must(t, nobody, http.MethodPost, "/v1/users/verify-email", tokenBody(mails.secret(t, eve.email)), 204)
	phone := newDevice(t)
	w.register(t, eve, phone)
	w.must(t, party{token: w.enterBy(t, phone).text(t, "token")}, http.MethodGet, "/v1/me", "", 200)
	w.setPassword(t, mails, eve.email)
	w.play(t,
		step{"the owner", nobody, "POST", "/v1/sessions", fmt.Sprintf(`{"email":%q,"password":%q}`, eve.email, nextPassword), nil, 401, "second_factor_required", nil},
		step{"Eve's session", eve, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"nobody is hired", boss, "POST", "/v1/staff/members", `{"email":"victim@example.com","role":"admin"}`, nil, 409, "no_such_user", nil},
		step{"the owner asks for help", boss, "POST", "/v1/staff/users/" + eve.id + "/factor-reset", `{"reason":"Saw the passport."}`, nil, 200, "", nil},
	)
	if a := w.enterBy(t, phone); a.status != 401 || a.code(t) != "wrong_code" {
		t.Errorf("Eve's passkey: %d %s", a.status, a.body)
	}
	w.Settle()
	if a := w.must(t, boss, http.MethodGet, "/v1/staff/users/"+eve.id, "", 200); !strings.Contains(string(a.body), `"waiting"`) {
		t.Errorf("Eve has stopped the help: %s", a.body)
	}
}

// TestATokenOfAStrangerEndsWithTheTakeOver is of one that was made once the owner
// had followed the link unasked.
func TestATokenOfAStrangerEndsWithTheTakeOver(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	eve := w.signUp(t, "victim") // by Eve, with the address of another
	w.must(t, nobody, http.MethodPost, "/v1/users/verify-email", tokenBody(mails.secret(t, eve.email)), 204)
	account := w.must(t, eve, http.MethodPost, "/v1/accounts", `{"name":"Shop","kind":"individual","country":"FR","currency":"EUR"}`, 201).ID(t)
	_, program := w.token(t, eve, account, `{"name":"x","permissions":["*"]}`)
	w.Settle()
	w.must(t, program, http.MethodGet, "/v1/accounts/"+account, "", 200)
	w.setPassword(t, mails, eve.email)
	mails.says(t, eve.email, "who acts for them")
	w.happens(t, (apitoken.Revoked{}).EventType(), "apitoken-")
	w.play(t, step{"Eve's program", program, "GET", "/v1/accounts/" + account, "", nil, 401, "", nil})
}

// happens waits for an event of streams that begin so.
func (w *world) happens(t *testing.T, event, streams string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sub, err := w.Store.Subscribe(ctx, eventstore.Start, eventstore.Filter{Streams: []string{streams}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	for {
		batch, err := sub.Next(ctx, 100)
		if err != nil {
			t.Fatalf("no %s: %v", event, err)
		}
		if slices.ContainsFunc(batch.Events, func(r eventstore.Recorded) bool { return r.Type == event }) {
			return
		}
	}
}

func TestNobodyBecomesStaffInAnothersPlace(t *testing.T) {
	t.Parallel()
	w := withPasskeys(t)
	mails := w.post(t)
	boss := w.staff(t)
	eve := w.signUp(t, "colleague") // by Eve, with the address of another
	link := mails.secret(t, eve.email)
	phone := newDevice(t)
	w.register(t, eve, phone)
	hire := `{"email":"colleague@example.com","role":"admin"}`
	w.play(t,
		step{"while nobody has shown to read the mail", boss, "POST", "/v1/staff/members", hire, nil, 409, "no_such_user", nil},
		step{"the colleague follows the link unasked", nobody, "POST", "/v1/users/verify-email", tokenBody(link), nil, 204, "", nil},
		step{"while that may be another than who has the password", boss, "POST", "/v1/staff/members", hire, nil, 409, "no_such_user", nil},
	)
	w.setPassword(t, mails, eve.email)
	w.must(t, boss, http.MethodPost, "/v1/staff/members", hire, 201)
	if a := w.enterBy(t, phone); a.status != 401 {
		t.Errorf("Eve is in, with a passkey that nobody but her ever had: %d %s", a.status, a.body)
	}
}

func TestALinkThatIsFollowedInASessionProvesTheAddressWhole(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	boss := w.staff(t)
	ada, eve := w.signUp(t, "ada"), w.signUp(t, "eve")
	first := mails.secret(t, ada.email)
	hire := `{"email":"ada@example.com","role":"support"}`
	w.play(t,
		step{"by a program, or by somebody else", eve, "POST", "/v1/users/verify-email", tokenBody(first), nil, 204, "", nil},
		step{"apart", boss, "POST", "/v1/staff/members", hire, nil, 409, "no_such_user", nil},
		step{"another mail", ada, "POST", "/v1/me/email-verification", "", nil, 202, "", nil},
	)
	w.play(t,
		step{"its link, in a session", ada, "POST", "/v1/users/verify-email", tokenBody(mails.secret(t, ada.email)), nil, 204, "", nil},
		step{"whole", boss, "POST", "/v1/staff/members", hire, nil, 201, "", nil},
	)
}

// TestLoggingInToOnesOwnWinsNoGuessesBack has a source of guesses log in to its
// own between them, in every way that counts no guess of its own.
func TestLoggingInToOnesOwnWinsNoGuessesBack(t *testing.T) {
	t.Parallel()
	from := proxied("", "198.51.100.66")
	for name, logIn := range map[string]func(t *testing.T, w *world, eve party, phone *device, cookie string) answer{
		"with a passkey alone": func(t *testing.T, w *world, _ party, phone *device, _ string) answer {
			t.Helper()
			q := askedBy(t, w.must(t, nobody, http.MethodPost, loginOptions, "{}", 200, from...))
			return w.do(t, nobody, http.MethodPost, "/v1/sessions", passkeyBody(q, phone.signs(t, q)), from...)
		},
		"with the password from a known device": func(t *testing.T, w *world, eve party, phone *device, cookie string) answer {
			t.Helper()
			asked := w.must(t, nobody, http.MethodPost, "/v1/sessions", passwordBody(eve), 401, append(from, "Cookie", cookie)...)
			return w.second(t, asked.text(t, "challenge"), phone, from)
		},
		"with the password from elsewhere": func(t *testing.T, w *world, eve party, phone *device, _ string) answer {
			t.Helper()
			asked := w.must(t, nobody, http.MethodPost, "/v1/sessions", passwordBody(eve), 401, proxied("", "203.0.113.9")...)
			return w.second(t, asked.text(t, "challenge"), phone, from)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := withPasskeys(t, behindAProxy)
			eve, phone := w.signUp(t, "eve"), newDevice(t)
			w.register(t, eve, phone)
			home := w.enterBy(t, phone)
			cookie := regexp.MustCompile(`hostfold_device=[0-9a-f]{64}`).FindString(strings.Join(home.header.Values("Set-Cookie"), " "))
			w.stop(t)
			checked := 0
			for i := range 60 {
				guess := fmt.Sprintf(`{"email":"victim%d@example.com","password":"wrong"}`, i)
				if w.do(t, nobody, http.MethodPost, "/v1/sessions", guess, from...).status == 401 {
					checked++
				}
				if a := logIn(t, w, eve, phone, cookie); i > 20 && i < 25 && a.status != 201 {
					t.Fatalf("its own: %d %s", a.status, a.body)
				}
			}
			if checked != 30 {
				t.Errorf("%d guesses of one source were checked while no time went by, not 30", checked)
			}
		})
	}
}

// second answers the challenge of a password with a passkey.
func (w *world) second(t *testing.T, challenge string, phone *device, from []string) answer {
	t.Helper()
	q := askedBy(t, w.must(t, nobody, http.MethodPost, loginOptions, fmt.Sprintf(`{"challenge":%q}`, challenge), 200, from...))
	return w.do(t, nobody, http.MethodPost, "/v1/sessions", passkeyBody(q, phone.signs(t, q)), from...)
}

func TestALockIsToldToWhoHasProvenTheLogIn(t *testing.T) {
	t.Parallel()
	w := withPasskeys(t)
	clerk, ada, eve := w.staff(t), w.signUp(t, "ada"), w.signUp(t, "eve")
	phone := newDevice(t)
	w.register(t, ada, phone)
	w.must(t, clerk, http.MethodPost, "/v1/staff/users/"+ada.id+"/lock", `{"reason":"abuse"}`, 200)
	for name, id := range map[string]string{"who is locked": ada.id, "who is not": eve.id, "nobody": "usr_none"} {
		made := newDevice(t)
		made.user = id
		if a := w.enterBy(t, made); a.status != 401 || a.code(t) != "wrong_code" {
			t.Errorf("a passkey that is made up, of %s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.enterBy(t, phone); a.status != 403 || a.code(t) != "user_locked" {
		t.Errorf("the locked user's own: %d %s", a.status, a.body)
	}
}
