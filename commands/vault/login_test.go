package vault_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

// clock is a hand that the test moves.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func open(t *testing.T) (*vault.Vault, *clock) {
	t.Helper()
	c := &clock{now: commandtest.Noon}
	return vaulttest.OpenWith(t, vaulttest.Database(t), commandtest.Engine(t), filepath.Join(t.TempDir(), "kek"), c.read), c
}

func TestAPasswordIsCheckedAgainstItsCredential(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	if err := v.AddCredential(t.Context(), "cred_1", "usr_1", "correct horse"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, password string
		want         bool
	}{
		{"cred_1", "correct horse", true},
		{"cred_1", "wrong horse", false},
		{"cred_1", "Correct horse", false},
		{"cred_1", "correct horse ", false},
		{"cred_1", "correct hors", false},
		{"cred_1", "correct  horse", false},
		{"cred_2", "correct horse", false},
		{"", "nobody has this password", false},
	} {
		if got, err := v.CheckPassword(t.Context(), c.id, c.password); err != nil || got != c.want {
			t.Errorf("%s with %q: %v, %v", c.id, c.password, got, err)
		}
	}
}

func TestCredentialsThatNoUserNamesGoAfterADay(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	add := func(id, user string) {
		t.Helper()
		if err := v.AddCredential(t.Context(), id, user, "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
	add("cred_old", "usr_1")
	add("cred_current", "usr_1")
	add("cred_orphan", "usr_2")
	c.now = c.now.Add(25 * time.Hour)
	add("cred_new", "usr_2")
	current := func(_ context.Context, user string) (string, error) {
		return map[string]string{"usr_1": "cred_current"}[user], nil
	}
	if n, err := v.CleanCredentials(t.Context(), current); err != nil || n != 2 {
		t.Fatalf("deleted %d, %v; want the old and the orphan", n, err)
	}
	for id, want := range map[string]bool{"cred_old": false, "cred_current": true, "cred_orphan": false, "cred_new": true} {
		if got, err := v.CheckPassword(t.Context(), id, "correct horse"); err != nil || got != want {
			t.Errorf("%s is there: %v, %v", id, got, err)
		}
	}
	if n, err := v.CleanCredentials(t.Context(), func(context.Context, string) (string, error) {
		return "", errors.New("a kept credential is not asked about again")
	}); err != nil || n != 0 {
		t.Errorf("deleted %d, %v", n, err)
	}
}

func firefox(ip string) vault.Client {
	return vault.Client{Device: vault.NewDeviceSecret(), Browser: "Firefox", System: "Linux", IP: ip}
}

func TestAnImpersonationIsOfOneSession(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	var sessions []string
	for range 2 {
		_, opened, err := v.OpenSession(t.Context(), "usr_1", firefox("192.0.2.7"), vault.LifeOf(true), vault.Proof{})
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, opened.ID)
	}
	until := c.now.Add(time.Hour)
	for _, one := range []struct {
		session, id string
		want        bool
	}{{sessions[0], "imp_1", true}, {sessions[0], "imp_1", true}, {sessions[1], "imp_1", false}, {sessions[0], "imp_2", false}, {sessions[1], "imp_2", true}} {
		if got, err := v.Impersonate(t.Context(), "usr_1", one.session, one.id, "acc_1", until); err != nil || got != one.want {
			t.Errorf("%+v: %v, %v", one, got, err)
		}
	}
}

func TestASessionLivesUntilItEnds(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	token, opened, err := v.OpenSession(t.Context(), "usr_1", firefox("192.0.2.7"), vault.LifeOf(false), vault.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := v.OpenSession(t.Context(), "usr_2", firefox("192.0.2.7"), vault.LifeOf(false), vault.Proof{})
	if secret, bad := base64.RawURLEncoding.DecodeString(token); err != nil || bad != nil || len(secret) != 32 || other == token {
		t.Fatalf("the tokens %s and %s are not 256 bits each: %v, %v", token, other, err, bad)
	}
	c.now = c.now.Add(time.Hour)
	got, err := v.Session(t.Context(), token)
	if err != nil || got.ID != opened.ID || got.UserID != "usr_1" || got.Device != "Firefox on Linux" || !got.UsedAt.Equal(c.now) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := v.Session(t.Context(), token+"x"); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("another token: %v", err)
	}
	if err := v.EndSession(t.Context(), "usr_2", opened.ID); domain.KindOf(err) != domain.KindMissing {
		t.Errorf("somebody else ended it: %v", err)
	}
	if all, err := v.Sessions(t.Context(), "usr_1"); err != nil || len(all) != 1 || all[0].IP != "192.0.2.7" {
		t.Errorf("sessions %+v, %v", all, err)
	}
	if err := v.EndSession(t.Context(), "usr_1", opened.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Session(t.Context(), token); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("after its end: %v", err)
	}
}

func TestASessionDoesNotEndWhileItDoesSomething(t *testing.T) {
	t.Parallel()
	pool, c := vaulttest.Database(t), &clock{now: commandtest.Noon}
	v := vaulttest.OpenWith(t, pool, commandtest.Engine(t), filepath.Join(t.TempDir(), "kek"), c.read)
	_, opened, err := v.OpenSession(t.Context(), "usr_1", vault.Client{}, vault.LifeOf(false), vault.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	does := func(user, id string) (done bool, err error) {
		err = v.WhileSession(t.Context(), user, id, func() error {
			// As a deletion would, but without waiting; a use of it does not.
			var locked *pgconn.PgError
			_, err := pool.Exec(t.Context(), `SELECT FROM vault.session WHERE id = $1 FOR UPDATE NOWAIT`, id)
			if !errors.As(err, &locked) || locked.Code != "55P03" {
				t.Errorf("it might end: %v", err)
			}
			done = true
			return v.ConfirmSession(t.Context(), user, id, true, false)
		})
		return done, err
	}
	if done, err := does("usr_1", opened.ID); !done || err != nil {
		t.Errorf("did %v, %v", done, err)
	}
	if done, err := does("usr_2", opened.ID); done || !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("of somebody else: did %v, %v", done, err)
	}
	c.now = c.now.Add(vault.LifeOf(false).Idle)
	if done, err := does("usr_1", opened.ID); done || !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("after its time: did %v, %v", done, err)
	}
	c.now = commandtest.Noon
	if err := v.EndSessions(t.Context(), "usr_1", ""); err != nil {
		t.Fatal(err)
	}
	if done, err := does("usr_1", opened.ID); done || !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("after its end: did %v, %v", done, err)
	}
}

func TestWithOneSessionTooManyTheIdlestEnds(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	enter := func(user string) string {
		t.Helper()
		token, _, err := v.OpenSession(t.Context(), user, vault.Client{}, vault.LifeOf(false), vault.Proof{})
		if err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(time.Minute)
		return token
	}
	is := func(token string) bool { _, err := v.Session(t.Context(), token); return err == nil }
	other, first, second := enter("usr_2"), enter("usr_1"), enter("usr_1")
	for range vault.MaxSessions - 2 {
		enter("usr_1")
	}
	if !is(first) { // and it is the one that was used last
		t.Fatal("ended before there were too many")
	}
	newest := enter("usr_1")
	if is(second) || !is(first) || !is(newest) || !is(other) {
		t.Error("not the session that was idle longest has ended")
	}
	if all, err := v.Sessions(t.Context(), "usr_1"); err != nil || len(all) != vault.MaxSessions {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

func TestAQuestionAboutASessionsUserIsAnsweredWithIt(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	token, _, err := v.OpenSession(t.Context(), "usr_1", vault.Client{}, vault.LifeOf(false), vault.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token string) (user *string, err error) {
		_, err = v.Session(t.Context(), token, func(b *pgx.Batch, expression string, args ...any) {
			b.Queue(`SELECT `+expression, args...).QueryRow(func(row pgx.Row) error { return row.Scan(&user) })
		})
		return user, err
	}
	if user, err := ask(token); err != nil || user == nil || *user != "usr_1" {
		t.Errorf("its user is %v, %v", user, err)
	}
	if user, err := ask(token + "x"); !errors.Is(err, vault.ErrNoSession) || user != nil {
		t.Errorf("another token's user is %v, %v", user, err)
	}
	c.now = c.now.Add(vault.LifeOf(false).Whole)
	if user, err := ask(token); !errors.Is(err, vault.ErrNoSession) || user != nil {
		t.Errorf("after its end its user is %v, %v", user, err)
	}
}

func TestSessionsExpireAndOthersCanBeEnded(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	tokens := make([]string, 3)
	var kept string
	for i := range tokens {
		token, s, err := v.OpenSession(t.Context(), "usr_1", vault.Client{}, vault.LifeOf(i == 1), vault.Proof{})
		if err != nil {
			t.Fatal(err)
		}
		tokens[i], kept = token, s.ID
	}
	check := func(when string, want ...bool) {
		t.Helper()
		for i, token := range tokens {
			if _, err := v.Session(t.Context(), token); (err == nil) != want[i] {
				t.Errorf("%s: session %d: %v", when, i, err)
			}
		}
	}
	check("at once", true, true, true)
	c.now = c.now.Add(time.Hour)
	check("a staff member's idle for an hour", true, false, true)
	if err := v.EndSessions(t.Context(), "usr_1", kept); err != nil {
		t.Fatal(err)
	}
	check("the others ended", false, false, true)
	for range 4 {
		c.now = c.now.Add(vault.LifeOf(false).Idle - time.Second)
		check("used before it is idle for too long", false, false, c.now.Before(commandtest.Noon.Add(vault.LifeOf(false).Whole)))
	}
	c.now = commandtest.Noon.Add(vault.LifeOf(false).Whole)
	check("after its life", false, false, false)
	if err := v.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestASessionThatIsNotUsedIsOver(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	token, _, err := v.OpenSession(t.Context(), "usr_1", vault.Client{}, vault.LifeOf(false), vault.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(vault.LifeOf(false).Idle)
	if _, err := v.Session(t.Context(), token); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("got %v", err)
	}
	if all, err := v.Sessions(t.Context(), "usr_1"); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// limited is the wait that a refusal asks for.
func limited(t *testing.T, err error) time.Duration {
	t.Helper()
	var l *vault.LimitedError
	if !errors.As(err, &l) || !errors.Is(err, vault.ErrLimited) {
		t.Fatalf("not limited: %v", err)
	}
	return l.RetryAfter
}

func TestOneSourceWaitsLongerAndLongerOnOneAddress(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	try := func() error {
		_, err := v.TryLogin(t.Context(), firefox("192.0.2.7"), "a@example.com")
		return err
	}
	for range 5 {
		if err := try(); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
		for range 3 { // what is refused does not prolong the wait
			if got := limited(t, try()); got != want*time.Second {
				t.Fatalf("a wait of %s, not %ds", got, want)
			}
		}
		if _, err := v.TryLogin(t.Context(), firefox("192.0.2.8"), "b@example.com"); err != nil {
			t.Fatalf("another source and address: %v", err)
		}
		c.now = c.now.Add(want * time.Second)
		if err := try(); err != nil {
			t.Fatalf("after %ds: %v", want, err)
		}
	}
	c.now = c.now.Add(15*time.Minute + time.Hour)
	for range 5 {
		if err := try(); err != nil {
			t.Fatalf("after a quiet hour: %v", err)
		}
	}
}

func TestAWrongPasswordIsForgottenByTheRightOne(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	for i := range 40 {
		a, err := v.TryLogin(t.Context(), firefox("192.0.2.7"), "a@example.com")
		if err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
		switch i % 4 {
		case 2:
			err = v.TakeBack(t.Context(), a)
		case 3:
			err = v.Succeeded(t.Context(), a)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestASuccessEndsNoWaitThatOthersCaused(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	try := func(email string) (vault.Attempt, error) { return v.TryLogin(t.Context(), firefox("192.0.2.7"), email) }
	for i := range 30 {
		if _, err := try(fmt.Sprintf("u%d@example.com", i)); err != nil {
			t.Fatal(err)
		}
	}
	c.now = c.now.Add(time.Second)
	mine, err := try("mine@example.com")
	if err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(2 * time.Second)
	if _, err := try("guess@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := v.Succeeded(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	if _, err := try("another@example.com"); limited(t, err) != 4*time.Second {
		t.Errorf("the guess since then waits %v", err)
	}
	c.now = c.now.Add(4 * time.Second)
	if mine, err = try("mine@example.com"); err == nil {
		err = v.Succeeded(t.Context(), mine)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := try("another@example.com"); err != nil {
		t.Errorf("its own wait goes on: %v", err)
	}
}

func TestAnAddressIsLimitedForUnknownDevicesAndOpenToItsOwn(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	own := firefox("198.51.100.1")
	a, err := v.TryLogin(t.Context(), own, "a@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if isNew, err := v.IsNewDevice(t.Context(), a, "usr_1"); isNew || err != nil {
		t.Errorf("the first device is news: %v", err)
	}
	if err := errors.Join(v.Succeeded(t.Context(), a), v.KnowDevice(t.Context(), a, "usr_1")); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for i := range 300 {
		a, err := v.TryLogin(t.Context(), firefox(fmt.Sprintf("203.0.113.%d", i%250)), "a@example.com")
		if err != nil {
			limited(t, err)
			continue
		}
		taken++
		if isNew, err := v.IsNewDevice(t.Context(), a, "usr_1"); !isNew || err != nil {
			t.Errorf("a stranger's device is not news: %v", err)
		}
	}
	if taken != 50 {
		t.Errorf("%d tries from 250 sources were let through", taken)
	}
	// Elsewhere, and under another version of the browser.
	own.IP, own.Browser = "203.0.113.7", "Chrome"
	a, err = v.TryLogin(t.Context(), own, "a@example.com")
	if err != nil {
		t.Fatalf("the owner was kept out: %v", err)
	}
	if isNew, err := v.IsNewDevice(t.Context(), a, "usr_1"); isNew || err != nil {
		t.Errorf("a known device is news: %v", err)
	}
	for range 9 {
		if _, err := v.TryLogin(t.Context(), own, "a@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.TryLogin(t.Context(), own, "a@example.com"); limited(t, err) != time.Second {
		t.Errorf("a stolen device guesses on: %v", err)
	}
	if _, err := v.TryLogin(t.Context(), own, "b@example.com"); err != nil {
		t.Errorf("the device at another address: %v", err)
	}
	// Who followed a mailed link may come in, from anywhere; the others are strangers again.
	reset := firefox("203.0.113.9")
	if err := v.OnlyKnow(t.Context(), reset, "a@example.com", "usr_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.TryLogin(t.Context(), reset, "a@example.com"); err != nil {
		t.Errorf("the owner was kept out after a reset: %v", err)
	}
	_, err = v.TryLogin(t.Context(), own, "a@example.com")
	limited(t, err)
}

func TestAnIPv6CustomerIsOneSource(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	for i := range 30 {
		if _, err := v.TryLogin(t.Context(), firefox(fmt.Sprintf("2001:db8:1:2::%x", i)), fmt.Sprintf("u%d@example.com", i)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := v.TryLogin(t.Context(), firefox("2001:db8:1:2:ffff::"), "another@example.com")
	limited(t, err)
}

// TestAnIPv6NetworkOfManySourcesIsLimited tries from as many sources as whoever
// has a /48 wants.
func TestAnIPv6NetworkOfManySourcesIsLimited(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	for name, a := range map[string]struct {
		try  func(ip string, i int) error
		want int
	}{
		"log-ins": {func(ip string, i int) error {
			_, err := v.TryLogin(t.Context(), firefox(ip), fmt.Sprintf("u%d@example.com", i))
			return err
		}, 300},
		"second factors": {func(ip string, i int) error {
			_, err := v.TryFactor(t.Context(), firefox(ip), "a@example.com", "usr_1", false)
			return err
		}, 300},
		"resets": {func(ip string, i int) error {
			_, err := v.TryReset(t.Context(), firefox(ip), fmt.Sprintf("u%d@example.com", i))
			return err
		}, 100},
		"registrations": {func(ip string, _ int) error {
			_, err := v.TrySource(t.Context(), vault.Register, ip)
			return err
		}, 200},
	} {
		let := 0
		for i := range 400 {
			err := a.try(fmt.Sprintf("2001:db8:77:%x::1", i), i)
			if err == nil {
				let++
			} else if wait := limited(t, err); wait > time.Minute {
				t.Errorf("%s: a wait of %s for all of a network", name, wait)
			}
		}
		if let != a.want {
			t.Errorf("%s: %d of 400 were let through, not %d", name, let, a.want)
		}
		if err := a.try("2001:db8:78::1", 1000); err != nil {
			t.Errorf("%s: the next network: %v", name, err)
		}
		c.now = c.now.Add(time.Minute)
		if err := a.try("2001:db8:77:ffff::1", 1001); err != nil {
			t.Errorf("%s: a neighbour, a minute later: %v", name, err)
		}
	}
}

// TestAnAttemptIsTakenBackInTheOrderInWhichItWasCounted has somebody else move
// the first of an attempt's counters: who takes the attempt back holds none of the
// others meanwhile, so that the two do not wait for each other.
func TestAnAttemptIsTakenBackInTheOrderInWhichItWasCounted(t *testing.T) {
	t.Parallel()
	db, c := vaulttest.Database(t), &clock{now: commandtest.Noon}
	v := vaulttest.OpenWith(t, db, commandtest.Engine(t), filepath.Join(t.TempDir(), "kek"), c.read)
	a, err := v.TryLogin(t.Context(), firefox("2001:db8:1:1::1"), "a@example.com")
	if err == nil { // a neighbour moves the counter of the network to the end of the table
		_, err = v.TryLogin(t.Context(), firefox("2001:db8:1:2::1"), "b@example.com")
	}
	if err != nil {
		t.Fatal(err)
	}
	other, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), `SELECT 1 FROM vault.attempt WHERE who = $1 FOR UPDATE`, a.Shared[0].Who); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- v.TakeBack(t.Context(), a) }()
	for waits := false; !waits; {
		err := db.QueryRow(t.Context(), `
			SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := other.Exec(t.Context(), `SELECT 1 FROM vault.attempt WHERE who = $1 FOR UPDATE NOWAIT`, a.Shared[1].Who); err != nil {
		t.Errorf("the counter of the source is held: %v", err)
	}
	if err := other.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestManyAtOnceCannotSlipThrough(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	var wg sync.WaitGroup
	var taken atomic.Int32
	for range 40 {
		wg.Go(func() {
			_, err := v.TryLogin(t.Context(), firefox("192.0.2.7"), "a@example.com")
			if err == nil {
				taken.Add(1)
			} else if !errors.Is(err, vault.ErrLimited) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 5 {
		t.Errorf("%d of 40 at once were taken", taken.Load())
	}
}

func TestLimitsSurviveARestart(t *testing.T) {
	t.Parallel()
	db, store, kek := vaulttest.Database(t), commandtest.Engine(t), filepath.Join(t.TempDir(), "kek")
	c := &clock{now: commandtest.Noon}
	for i := range 6 {
		// A new process for each attempt, which is as good as another replica.
		v := vaulttest.OpenWith(t, db, store, kek, c.read)
		_, err := v.TryLogin(t.Context(), firefox("192.0.2.7"), "a@example.com")
		if i < 5 && err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			limited(t, err)
		}
	}
}

func TestOneMailInAQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	for range 3 {
		if _, err := v.Try(t.Context(), vault.ResetMail, "a@example.com"); err != nil {
			t.Fatal(err)
		}
		_, err := v.Try(t.Context(), vault.ResetMail, "a@example.com")
		c.now = c.now.Add(limited(t, err))
	}
	if c.now.Sub(commandtest.Noon) != 45*time.Minute {
		t.Errorf("three mails in %s", c.now.Sub(commandtest.Noon))
	}
}

func TestANeighbourDoesNotKeepTheOwnerFromItsMail(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	own, neighbour := firefox("192.0.2.7"), firefox("192.0.2.7")
	if err := v.OnlyKnow(t.Context(), own, "a@example.com", "usr_1"); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 11 {
		_, err = v.TryReset(t.Context(), neighbour, "a@example.com")
	}
	limited(t, err)
	if _, err := v.TryReset(t.Context(), own, "a@example.com"); err != nil {
		t.Errorf("the owner: %v", err)
	}
	_, err = v.TryReset(t.Context(), own, "b@example.com")
	limited(t, err)
}

func TestLogInsAreRememberedForAYear(t *testing.T) {
	t.Parallel()
	c, db := &clock{now: commandtest.Noon}, vaulttest.Database(t)
	v := vaulttest.OpenWith(t, db, commandtest.Engine(t), filepath.Join(t.TempDir(), "kek"), c.read)
	for i, outcome := range []vault.Outcome{vault.LoginSuccess, vault.LoginWrongPassword, vault.LoginWrongPassword, vault.LoginLocked} {
		if err := v.NoteLogin(t.Context(), "usr_1", firefox(fmt.Sprintf("192.0.2.%d", i)), outcome); err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(20 * time.Minute)
	}
	if err := v.NoteLogin(t.Context(), "", firefox("192.0.2.9"), vault.LoginWrongPassword); err != nil {
		t.Fatal(err)
	}
	end := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	all, err := v.Logins(t.Context(), "usr_1", end, "", 10)
	if err != nil || len(all) != 4 || all[0].Outcome != vault.LoginLocked || all[3].IP != "192.0.2.0" || all[3].Device != "Firefox on Linux" {
		t.Fatalf("%+v, %v", all, err)
	}
	if rest, err := v.Logins(t.Context(), "usr_1", all[1].At, all[1].ID, 1); err != nil || len(rest) != 1 || rest[0].ID != all[2].ID {
		t.Errorf("the next page is %+v, %v", rest, err)
	}
	// The hour from noon is over, with two wrong passwords.
	noon := vault.Failures{UserID: "usr_1", Hour: commandtest.Noon, Count: 2}
	found, err := v.Unobserved(t.Context())
	if err != nil || len(found) != 1 || found[0].UserID != noon.UserID || !found[0].Hour.Equal(noon.Hour) || found[0].Count != noon.Count {
		t.Errorf("to note: %+v, %v", found, err)
	}
	if err := v.Observed(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if found, err := v.Unobserved(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("noted, and again: %+v, %v", found, err)
	}
	var clear int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM vault.login WHERE position('192.0.2'::bytea IN ip_sealed) > 0`).Scan(&clear); err != nil || clear != 0 {
		t.Errorf("%d addresses in clear, %v", clear, err)
	}
	c.now = commandtest.Noon.AddDate(0, vault.LoginsFor, 1)
	if all, err := v.Logins(t.Context(), "usr_1", end, "", 10); err != nil || len(all) != 0 {
		t.Errorf("after a year: %+v, %v", all, err)
	}
	if err := v.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTheDayOfTheLastLogInIsKeptOfWhoCanLogIn(t *testing.T) {
	t.Parallel()
	db, c := vaulttest.Database(t), &clock{now: commandtest.Noon}
	v := vaulttest.OpenWith(t, db, commandtest.Engine(t), filepath.Join(t.TempDir(), "kek"), c.read)
	ctx, began := t.Context(), c.now
	for _, id := range []string{"usr_1", "usr_2", "usr_3"} {
		if err := v.AddCredential(ctx, "cred_"+id, id, "tulip bridge copper nine"); err != nil {
			t.Fatal(err)
		}
	}
	enter := func(id string) {
		t.Helper()
		if err := v.NoteLogin(ctx, id, firefox("192.0.2.7"), vault.LoginSuccess); err != nil {
			t.Fatal(err)
		}
	}
	enter("usr_1")
	c.now = began.Add(time.Hour)
	enter("usr_1")
	enter("usr_3")
	if err := v.Forget(ctx, "usr_3"); err != nil { // it is erased
		t.Fatal(err)
	}
	unused := func(at time.Time) (found []vault.LastLogin) {
		t.Helper()
		c.now = at
		if err := v.Clean(ctx); err != nil {
			t.Fatal(err)
		}
		found, err := v.Unused(ctx, at.AddDate(-2, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		for i := range found {
			found[i].At = found[i].At.UTC()
		}
		return found
	}
	if got := unused(began.AddDate(2, 0, 0)); len(got) != 0 {
		t.Errorf("on the day: %+v", got)
	}
	late := began.AddDate(2, 0, 1)
	want := []vault.LastLogin{{UserID: "usr_2", At: began}, {UserID: "usr_1", At: began.Add(time.Hour)}}
	if got := unused(late); !slices.Equal(got, want) {
		t.Errorf("a day later: %+v, want %+v", got, want)
	}
	var kept string
	if err := db.QueryRow(ctx, `SELECT string_agg(user_id || browser || system || length(ip_sealed), ' ') FROM vault.login`).Scan(&kept); err != nil || kept != "usr_10" {
		t.Errorf("of the log-ins there is %q, %v", kept, err)
	}
	enter("usr_1")
	if got := unused(late); !slices.Equal(got, want[:1]) {
		t.Errorf("after another log-in: %+v, want %+v", got, want[:1])
	}
}

func TestTheKeyOfAMonthGoesWithItsLogIns(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	ctx := t.Context()
	key, err := v.KeyFor(ctx, commandtest.Noon.Format("2006-01"), eventstore.Network)
	if err != nil {
		t.Fatal(err)
	}
	clean := func(at time.Time) error {
		t.Helper()
		c.now = at
		if err := v.Clean(ctx); err != nil {
			t.Fatal(err)
		}
		_, err := v.KeyByID(ctx, key.ID)
		return err
	}
	if err := clean(time.Date(2027, 3, 31, 23, 0, 0, 0, time.UTC)); err != nil {
		t.Errorf("while log-ins of the month are kept: %v", err)
	}
	if err := clean(time.Date(2027, 4, 1, 1, 0, 0, 0, time.UTC)); !errors.Is(err, eventstore.ErrErased) {
		t.Errorf("after them: %v", err)
	}
}

func TestAMailedLinkHoldsUntilItIsUsedOrExpires(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	ctx := t.Context()
	link := vault.MailToken{
		ID: "msg_00112233445566778899aabbccddeeff", Purpose: vault.ResetPassword, UserID: "usr_1", Credential: "cred_1",
		ExpiresAt: c.now.Add(time.Hour),
	}
	if _, found, err := v.MailSecret(ctx, link.ID); found || err != nil {
		t.Errorf("a link that was not made: %v, %v", found, err)
	}
	for range 2 {
		if err := v.AddMailToken(ctx, link); err != nil {
			t.Fatal(err)
		}
	}
	secret, found, err := v.MailSecret(ctx, link.ID)
	if !found || err != nil {
		t.Fatal(found, err)
	}
	if again, _, _ := v.MailSecret(ctx, link.ID); again != secret {
		t.Error("the secret is another one after a crash")
	}
	holds := func(secret string) bool {
		t.Helper()
		got, found, err := v.MailToken(ctx, secret)
		if err != nil || found && (got.ID != link.ID || got.Credential != "cred_1" || got.Purpose != vault.ResetPassword) {
			t.Fatalf("%+v, %v", got, err)
		}
		return found
	}
	if !holds(secret) {
		t.Error("the link does not hold")
	}
	for _, wrong := range []string{"", "x", secret[1:], "A" + secret[1:], secret[:63] + "A", secret + "A", strings.Repeat("A", 64)} {
		if wrong != secret && holds(wrong) {
			t.Errorf("%q holds", wrong)
		}
	}
	if err := v.EndMailTokens(ctx, "usr_1", vault.VerifyEmail, vault.ChangeEmail); err != nil || !holds(secret) {
		t.Errorf("ended with those of other purposes: %v", err)
	}
	c.now = c.now.Add(time.Hour)
	if holds(secret) {
		t.Error("it holds after its time")
	}
	c.now = c.now.Add(-time.Hour)
	if err := v.SpendMailToken(ctx, link.ID); err != nil || holds(secret) {
		t.Errorf("it holds after its use: %v", err)
	}
	if err := v.AddMailToken(ctx, link); err != nil || holds(secret) {
		t.Errorf("it came back: %v", err)
	}
	if _, found, err := v.MailSecret(ctx, link.ID); found || err != nil {
		t.Errorf("it is mailed after its use: %v, %v", found, err)
	}
}

func TestAPasswordIsHashedAnewWhenHashesGetDearer(t *testing.T) {
	t.Parallel()
	db, store, kek := vaulttest.Database(t), commandtest.Engine(t), filepath.Join(t.TempDir(), "kek")
	v := vaulttest.OpenWith(t, db, store, kek, time.Now)
	if err := v.AddCredential(t.Context(), "cred_1", "usr_1", "correct horse"); err != nil {
		t.Fatal(err)
	}
	hash := func() (text string) {
		t.Helper()
		if err := db.QueryRow(t.Context(), `SELECT hash FROM vault.credential`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	before := hash()
	dearer := vaulttest.Cheap
	dearer.Passes++
	wrapper, err := vault.OpenKeyFile(kek)
	if err != nil {
		t.Fatal(err)
	}
	v, err = vault.Open(t.Context(), vault.Config{Pool: db, Wrapper: wrapper, Store: store, Clock: time.Now, Hashing: dearer})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := v.CheckPassword(t.Context(), "cred_1", "wrong horse"); ok || err != nil || hash() != before {
		t.Errorf("a wrong password: %v, %v", ok, err)
	}
	if ok, err := v.CheckPassword(t.Context(), "cred_1", "correct horse"); !ok || err != nil || !strings.Contains(hash(), ",t=2,") {
		t.Errorf("%v, %v, %s", ok, err, hash())
	}
	before = hash()
	if ok, err := v.CheckPassword(t.Context(), "cred_1", "correct horse"); !ok || err != nil || hash() != before {
		t.Errorf("once more: %v, %v", ok, err)
	}
}

func TestTheKeyFileIsForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kek")
	k, err := vault.OpenKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := k.Wrap(t.Context(), "key_1", []byte("material"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := vault.OpenKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Unwrap(t.Context(), "key_1", wrapped); err != nil || string(got) != "material" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := again.Unwrap(t.Context(), "key_2", wrapped); err == nil {
		t.Error("rows can be exchanged")
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OpenKeyFile(file); err == nil {
		t.Error("a file that others can read was accepted")
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OpenKeyFile(file); err == nil {
		t.Error("a damaged file was accepted")
	}
}
