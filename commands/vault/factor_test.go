package vault_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
)

// codeAt is the code that an app shows at a time.
func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCodeCustom(secret, at, totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestACodeHoldsAroundItsTimeAndOnce(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	secret, err := v.AddTOTP(t.Context(), "otp_1", "usr_1")
	if err != nil || len(secret) != 32 {
		t.Fatalf("%q, %v", secret, err)
	}
	noon := c.now
	for _, s := range []struct {
		name string
		at   time.Duration
		want bool
	}{
		{"two steps ago", -2 * vault.TOTPStep, false},
		{"two steps ahead", 2 * vault.TOTPStep, false},
		{"a step ago", -vault.TOTPStep, true},
		{"a step ago, again", -vault.TOTPStep, false},
		{"now", 0, true},
		{"now, again", 0, false},
		{"a step ago, after now", -vault.TOTPStep, false},
		{"a step ahead", vault.TOTPStep, true},
		{"a step ahead, again", vault.TOTPStep, false},
		{"now, after a step ahead", 0, false},
	} {
		if ok, err := v.CheckTOTP(t.Context(), "otp_1", codeAt(t, secret, noon.Add(s.at))); err != nil || ok != s.want {
			t.Errorf("%s: %v, %v", s.name, ok, err)
		}
	}
	for _, wrong := range []string{"", "12345", "abcdef", "０００００0"} {
		if ok, err := v.CheckTOTP(t.Context(), "otp_1", wrong); err != nil || ok {
			t.Errorf("%q: %v, %v", wrong, ok, err)
		}
	}
	if ok, err := v.CheckTOTP(t.Context(), "otp_2", codeAt(t, secret, noon)); err != nil || ok {
		t.Errorf("a secret that is not there: %v, %v", ok, err)
	}
}

func TestOfManyUsesOfACodeInTwoProcessesOneHolds(t *testing.T) {
	t.Parallel()
	pool, keys, c := vaulttest.Database(t), filepath.Join(t.TempDir(), "kek"), &clock{now: commandtest.Noon}
	engine := commandtest.Engine(t)
	processes := []*vault.Vault{vaulttest.OpenWith(t, pool, engine, keys, c.read), vaulttest.OpenWith(t, pool, engine, keys, c.read)}
	secret, err := processes[0].AddTOTP(t.Context(), "otp_1", "usr_1")
	if err != nil {
		t.Fatal(err)
	}
	code := codeAt(t, secret, c.now)
	var accepted atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			ok, err := processes[i%2].CheckTOTP(t.Context(), "otp_1", code)
			if err != nil {
				t.Error(err)
			}
			if ok {
				accepted.Add(1)
			}
		})
	}
	all.Wait()
	if accepted.Load() != 1 {
		t.Errorf("%d uses of one code were accepted", accepted.Load())
	}
	again := vaulttest.OpenWith(t, pool, engine, keys, c.read)
	if ok, err := again.CheckTOTP(t.Context(), "otp_1", code); err != nil || ok {
		t.Errorf("after a restart: %v, %v", ok, err)
	}
}

// TestRecoveryCodesNeedNoSlowHash counts their bits: from 112 on nobody guesses
// one from its HMAC, whatever is known (ASVS 5, 6.5.2).
func TestRecoveryCodesNeedNoSlowHash(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	codes, err := v.AddRecoveryCodes(t.Context(), "rcs_1", "usr_1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range codes {
		if bits := 5 * len(strings.ReplaceAll(c, "-", "")); bits < 112 { // of base 32
			t.Errorf("%s has %d bits", c, bits)
		}
	}
}

func TestRecoveryCodesAreFoundAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	codes, err := v.AddRecoveryCodes(t.Context(), "rcs_1", "usr_1")
	if err != nil || len(codes) != 10 {
		t.Fatalf("%v, %v", codes, err)
	}
	for i, code := range codes {
		if len(code) != len("AAAA-AAAA-AAAA-AAAA-AAAA-AAAA") {
			t.Errorf("the code %s", code)
		}
		for _, typed := range []string{code, fmt.Sprintf(" %.4s%s ", code, code[5:])} {
			if number, found, err := v.FindRecoveryCode(t.Context(), "rcs_1", typed); err != nil || !found || number != i {
				t.Errorf("code %d as %q: %d, %v, %v", i, typed, number, found, err)
			}
		}
	}
	for _, wrong := range []string{"", "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", codes[0][:28]} {
		if _, found, err := v.FindRecoveryCode(t.Context(), "rcs_1", wrong); err != nil || found {
			t.Errorf("%q: %v, %v", wrong, found, err)
		}
	}
	if _, found, err := v.FindRecoveryCode(t.Context(), "rcs_2", codes[0]); err != nil || found {
		t.Errorf("in a set that is not there: %v, %v", found, err)
	}
}

func TestAPasskeysCounterGoesOn(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	for id, signed := range map[string]uint32{"psk_counts": 4, "psk_still": 0} {
		if err := v.AddPasskey(t.Context(), id, "usr_1", []byte(id), []byte("record"), signed); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.AddPasskey(t.Context(), "psk_again", "usr_2", []byte("psk_still"), []byte("record"), 0); !errors.Is(err, vault.ErrPasskeyKnown) {
		t.Errorf("the same key for somebody else: %v", err)
	}
	for _, s := range []struct {
		id     string
		signed uint32
		want   bool
	}{
		{"psk_counts", 4, false},
		{"psk_counts", 5, true},
		{"psk_counts", 5, false},
		{"psk_counts", 3, false},
		{"psk_counts", 0, false},
		{"psk_still", 0, true},
		{"psk_still", 0, true},
		{"psk_still", 7, true},
		{"psk_still", 0, false},
		{"psk_none", 1, false},
	} {
		if ok, err := v.UsePasskey(t.Context(), s.id, s.signed); err != nil || ok != s.want {
			t.Errorf("%s at %d: %v, %v", s.id, s.signed, ok, err)
		}
	}
	rows, err := v.Passkeys(t.Context(), []string{"psk_counts", "psk_none"})
	if err != nil || len(rows) != 1 || rows[0].Signed != 5 || string(rows[0].Record) != "record" || rows[0].UsedAt == nil {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestAChallengeIsAnsweredOnceAndTriedFiveTimes(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	add := func() string {
		t.Helper()
		token, err := v.AddChallenge(t.Context(), vault.Challenge{Purpose: vault.SecondFactor, UserID: "usr_1", Credential: "cred_1", Ceremony: []byte("c")})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	try := func(token string, passkey bool) (vault.Challenge, bool) {
		t.Helper()
		got, found, err := v.TryChallenge(t.Context(), token, passkey)
		if err != nil {
			t.Fatal(err)
		}
		return got, found
	}
	tried := add()
	if got, found := try(tried, true); !found || got.UserID != "usr_1" || got.Credential != "cred_1" || string(got.Ceremony) != "c" {
		t.Errorf("%+v, %v", got, found)
	}
	if got, found := try(tried, true); !found || got.Ceremony != nil {
		t.Errorf("a ceremony was given twice: %+v, %v", got, found)
	}
	for range 3 {
		if _, found := try(tried, false); !found {
			t.Error("closed too early")
		}
	}
	if _, found := try(tried, false); found {
		t.Error("tried a sixth time")
	}
	spent := add()
	for _, want := range []bool{true, false} {
		if first, err := v.SpendChallenge(t.Context(), spent); err != nil || first != want {
			t.Errorf("%v, %v", first, err)
		}
	}
	if _, found := try(spent, false); found {
		t.Error("tried after its end")
	}
	late := add()
	c.now = c.now.Add(vault.ChallengeLife)
	if _, found := try(late, false); found {
		t.Error("tried after its time")
	}
	if _, found := try("unknown", false); found {
		t.Error("an unknown one")
	}
}

func TestSecondFactorsThatNoUserNamesGoAfterADay(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	for _, id := range []string{"otp_current", "otp_orphan"} {
		if _, err := v.AddTOTP(t.Context(), id, "usr_1"); err != nil {
			t.Fatal(err)
		}
	}
	named := []string{"otp_current"}
	clean := func(want int64) {
		t.Helper()
		n, err := v.CleanFactors(t.Context(), func(context.Context, string) ([]string, error) { return named, nil })
		if err != nil || n != want {
			t.Errorf("deleted %d, %v; want %d", n, err, want)
		}
	}
	clean(0)
	c.now = c.now.Add(25 * time.Hour)
	clean(1)
	named = nil
	clean(0) // it was kept: nobody said that it is given up
	if err := v.ReleaseFactor(t.Context(), "otp_current"); err != nil {
		t.Fatal(err)
	}
	clean(1)
}

func TestWrongCodesShutOutWhoSendsThemAndNotTheOwner(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	const email, id = "a@example.com", "usr_1"
	home := vault.Client{Device: vault.NewDeviceSecret(), IP: "198.51.100.1"}
	first, err := v.TryLogin(t.Context(), home, email)
	if err == nil {
		err = v.KnowDevice(t.Context(), first, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	let := 0
	for i := range 1000 {
		c.now = c.now.Add(time.Second)
		from := vault.Client{IP: fmt.Sprintf("203.0.%d.%d", i/250, i%250)}
		switch _, err := v.TryFactor(t.Context(), from, email, id, true); {
		case err == nil:
			let++
		case !errors.Is(err, vault.ErrLimited):
			t.Fatal(err)
		}
	}
	// Ten at once, then after 1, 2, 4 and 8 of the 17 minutes.
	if let < 10 || let > 14 {
		t.Errorf("%d of 1,000 wrong codes from 1,000 addresses were looked at", let)
	}
	if _, err := v.TryFactor(t.Context(), home, email, id, true); err != nil {
		t.Errorf("the owner's device was shut out: %v", err)
	}
	away := vault.Client{IP: "192.0.2.99"}
	if _, err := v.TryFactor(t.Context(), away, email, id, true); !errors.Is(err, vault.ErrLimited) {
		t.Errorf("a code from an unknown device: %v", err)
	}
	if _, err := v.TryFactor(t.Context(), away, email, id, false); err != nil {
		t.Errorf("a recovery code from an unknown device was not looked at: %v", err)
	}
}
