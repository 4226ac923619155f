package user_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/user"
)

type events = []user.Event

func TestRegister(t *testing.T) {
	t.Parallel()
	register := func(email, name string, locale user.Locale) func(user.User) (events, error) {
		return func(u user.User) (events, error) { return u.Register(email, name, locale, "cred_1") }
	}
	registered := user.Registered{
		Email: "Pierre@Example.com", Name: "Pierre", Locale: user.French, Credential: "cred_1",
		Kept: user.Identity{Name: "Pierre", Email: "Pierre@Example.com"},
	}
	c := domaintest.For(t, user.Decider)
	c.When(register(" Pierre@Example.com ", "Pierre", user.French)).Then(registered).
		When(register("p@example.com", "P", user.French)).Refused(user.ErrExists)
	c.When(register("", "", "de")).RefusedField("email", "name", "locale")
	for _, email := range []string{"pierre", "pierre@localhost", "Pierre <p@example.com>", "a@b@example.com", "p @example.com", "p@[127.0.0.1]", "p@example.com\nBcc: q@example.com"} {
		c.When(register(email, "Pierre", user.French)).RefusedField("email")
	}
	if got := user.NormalEmail(" Pierre@Example.COM "); got != "pierre@example.com" {
		t.Errorf("normal form %s", got)
	}
}

func TestChangeProfile(t *testing.T) {
	t.Parallel()
	change := func(name *string, locale *user.Locale) func(user.User) (events, error) {
		return func(u user.User) (events, error) { return u.ChangeProfile(name, locale) }
	}
	name, empty, english, german := "Paul", " ", user.English, user.Locale("de")
	paul := user.Identity{Name: "Paul", Email: "p@example.com"}
	known := domaintest.For(t, user.Decider).Given(user.Registered{Email: "p@example.com", Name: "Pierre", Locale: user.French, Credential: "cred_1"})
	known.When(change(&name, nil)).Then(user.ProfileUpdated{Name: "Paul", Locale: user.French, Kept: paul}).
		When(change(nil, &english)).Then(user.ProfileUpdated{Name: "Paul", Locale: user.English, Kept: paul}).
		When(change(&name, &english)).ThenNothing()
	known.When(change(&empty, &german)).RefusedField("name", "locale")
	domaintest.For(t, user.Decider).When(change(&name, nil)).Refused(user.ErrMissing)
}

var registered = user.Registered{Email: "P@example.com", Name: "Pierre", Locale: user.French, Credential: "cred_1"}

func TestAPasswordIsChangedByWhoKnowsTheCurrentOne(t *testing.T) {
	t.Parallel()
	change := func(checked, credential string) func(user.User) (events, error) {
		return func(u user.User) (events, error) { return u.ChangePassword(checked, credential) }
	}
	c := domaintest.For(t, user.Decider).Given(registered)
	c.When(change("cred_1", "cred_2")).Then(user.PasswordChanged{Credential: "cred_2"}).
		When(change("cred_1", "cred_2")).ThenNothing()
	c.When(change("cred_0", "cred_2")).Refused(user.ErrPasswordMoved)
	c.Given(user.Closed{}).When(change("cred_1", "cred_2")).Refused(user.ErrClosed)
	domaintest.For(t, user.Decider).When(change("", "cred_2")).Refused(user.ErrMissing)
}

func TestAPasswordIsResetByAMailThatStillHolds(t *testing.T) {
	t.Parallel()
	reset := func(mailedTo, while string) func(user.User) (events, error) {
		return func(u user.User) (events, error) { return u.ResetPassword(mailedTo, while, "cred_2") }
	}
	changed, verified := user.PasswordChanged{Credential: "cred_2"}, user.EmailVerified{Email: "P@example.com"}
	c := domaintest.For(t, user.Decider).Given(registered)
	done := c.When(reset("p@example.com", "cred_1")).Then(changed, verified)
	done.When(reset("p@example.com", "cred_1")).Refused(user.ErrToken)
	c.Given(verified).When(reset("p@example.com", "cred_1")).Then(changed)
	c.Given(user.Locked{}).When(reset("p@example.com", "cred_1")).Then(changed, verified)
	for _, moved := range []user.Event{user.PasswordChanged{Credential: "cred_3"}, user.EmailChanged{Email: "q@example.com"}, user.Closed{}} {
		c.Given(moved).When(reset("p@example.com", "cred_1")).Refused(user.ErrToken)
	}
	domaintest.For(t, user.Decider).When(reset("", "")).Refused(user.ErrToken)

	ask := func(u user.User) (events, error) { return u.RequestPasswordReset() }
	c.When(ask).Then(user.PasswordResetRequested{})
	c.Given(user.Closed{}).When(ask).Refused(user.ErrClosed)
}

func TestAnAddressIsVerifiedByItsReader(t *testing.T) {
	t.Parallel()
	verify := func(mailedTo string, apart bool) func(user.User) (events, error) {
		return func(u user.User) (events, error) { return u.VerifyEmail(mailedTo, apart) }
	}
	verified, apart := user.EmailVerified{Email: "P@example.com"}, user.EmailVerified{Email: "P@example.com", Apart: true}
	c := domaintest.For(t, user.Decider).Given(registered)
	proven := c.When(verify("p@example.com", false)).Then(verified)
	proven.When(verify("p@example.com", false)).ThenNothing()
	proven.When(verify("p@example.com", true)).ThenNothing()
	read := c.When(verify("p@example.com", true)).Then(apart)
	read.When(verify("p@example.com", true)).ThenNothing()
	read.When(verify("p@example.com", false)).Then(verified)
	if u := read.State(); !u.Verified || u.Proven() || !proven.State().Proven() || c.State().Proven() {
		t.Errorf("the user is %+v", u)
	}
	c.When(verify("q@example.com", false)).Refused(user.ErrToken)
	c.Given(user.Closed{}).When(verify("p@example.com", false)).Refused(user.ErrToken)
	domaintest.For(t, user.Decider).When(verify("", false)).Refused(user.ErrToken)
}

func TestWhoProvesTheAddressTakesOverWhatAStrangerSetUp(t *testing.T) {
	t.Parallel()
	reset := func(u user.User) (events, error) { return u.ResetPassword("p@example.com", "cred_1", "cred_2") }
	follow := func(u user.User) (events, error) { return u.VerifyEmail("p@example.com", true) }
	changed, verified := user.PasswordChanged{Credential: "cred_2"}, user.EmailVerified{Email: "P@example.com"}
	apart := user.EmailVerified{Email: "P@example.com", Apart: true}
	for name, set := range map[string]events{
		"codes": withTOTP, "a passkey": withPasskey, "codes that wait for the first one": {registered, user.TOTPEnrolled{Secret: "otp_1"}},
	} {
		c := domaintest.For(t, user.Decider).Given(set...)
		read := c.When(follow).Then(user.FactorsReset{}, apart)
		for step, u := range map[string]user.User{
			"a link":  read.State(),
			"a reset": c.When(reset).Then(changed, user.FactorsReset{}, verified).State(),
			"both":    read.When(reset).Then(changed, user.FactorsReset{}, verified).State(),
		} {
			if len(u.Passkeys)+len(u.TOTP)+len(u.PendingTOTP)+u.Recovery.Left() != 0 || u.Proven() != (step != "a link") {
				t.Errorf("%s, %s: left %+v", name, step, u)
			}
		}
		c.Given(verified).When(reset).Then(changed)
	}
}

func TestMailAloneTakesNoFactorOfWhoVerifiedBefore(t *testing.T) {
	t.Parallel()
	reset := func(u user.User) (events, error) { return u.ResetPassword("p@example.com", "cred_1", "cred_2") }
	changed := user.PasswordChanged{Credential: "cred_2"}
	apart := user.EmailVerified{Email: "P@example.com", Apart: true}
	c := domaintest.For(t, user.Decider).Given(registered, apart)
	for name, set := range map[string]events{"codes": withTOTP[1:], "a passkey": withPasskey[1:]} {
		after := c.Given(set...).When(reset).Then(changed)
		if u := after.State(); !u.HasSecondFactor() || u.Proven() || len(u.LogInAlone()) > 0 {
			t.Errorf("%s: %+v", name, u)
		}
		if u := after.Given(user.EmailVerified{Email: "P@example.com"}).State(); len(u.LogInAlone()) != len(u.Passkeys) {
			t.Errorf("%s: once it is proven, %v log in alone", name, u.LogInAlone())
		}
	}
	if u := c.Given(withPasskey[1:]...).State(); len(u.LogInAlone()) == 0 {
		t.Error("before the reset no passkey logs in alone")
	}
	// One that waits for its first code is shown again to who asks for one.
	c.Given(user.TOTPEnrolled{Secret: "otp_1"}).When(reset).Then(changed, user.FactorsReset{}, user.EmailVerified{Email: "P@example.com"})
}

func TestWhoIsHiredHasProvenItsAddress(t *testing.T) {
	t.Parallel()
	claim := func(u user.User) (events, error) { return u.ClaimHiring(2, noon) }
	c := domaintest.For(t, user.Decider).Given(registered)
	c.When(claim).Refused(user.ErrNotProven)
	c.Given(user.EmailVerified{Email: "P@example.com", Apart: true}).When(claim).Refused(user.ErrNotProven)
	proven := c.Given(user.EmailVerified{Email: "P@example.com"})
	proven.When(claim).Then(user.HiringClaimed{After: 2, Until: noon})
	proven.Given(user.Locked{Reason: "abuse"}).When(claim).Refused(user.ErrLocked)
}

func TestAnAddressIsChangedToOneThatIsRead(t *testing.T) {
	t.Parallel()
	change := func(u user.User) (events, error) { return u.ChangeEmail("q@example.com") }
	c := domaintest.For(t, user.Decider).Given(registered)
	changed := c.When(change).Then(user.EmailChanged{
		Email: "q@example.com", Previous: "P@example.com", Kept: user.Identity{Name: "Pierre", Email: "q@example.com"},
	})
	changed.When(change).ThenNothing()
	if u := changed.State(); u.Email != "q@example.com" || !u.Verified {
		t.Errorf("the user is %+v", u)
	}
	c.Given(user.Closed{}).When(change).Refused(user.ErrToken)
}

func TestTheStatesOfAUser(t *testing.T) {
	t.Parallel()
	verified, locked := user.EmailVerified{Email: "P@example.com"}, user.Locked{Reason: "abuse"}
	for _, c := range []struct {
		name   string
		given  events
		status user.Status
		enter  error
		orders error
	}{
		{"nobody", nil, user.StatusAbsent, user.ErrMissing, user.ErrMissing},
		{"new", events{registered}, user.StatusPending, nil, user.ErrNotVerified},
		{"verified", events{registered, verified}, user.StatusActive, nil, nil},
		{"locked", events{registered, verified, locked}, user.StatusLocked, user.ErrLocked, nil},
		{"unlocked", events{registered, verified, locked, user.Unlocked{}}, user.StatusActive, nil, nil},
		{"locked while new", events{registered, locked, user.Unlocked{}}, user.StatusPending, nil, user.ErrNotVerified},
		{"closed", events{registered, verified, user.Closed{}}, user.StatusClosed, user.ErrClosed, user.ErrClosed},
	} {
		u := user.Decider.Fold(c.given...)
		if u.Status() != c.status || !errors.Is(u.MayEnter(), c.enter) || !errors.Is(u.MustBeVerified(), c.orders) {
			t.Errorf("%s: %s, %v, %v", c.name, u.Status(), u.MayEnter(), u.MustBeVerified())
		}
	}
}

func TestLockingAndClosing(t *testing.T) {
	t.Parallel()
	lock := func(u user.User) (events, error) { return u.Lock("abuse") }
	unlock := func(u user.User) (events, error) { return u.Unlock() }
	shut := func(owns bool) func(user.User) (events, error) {
		return func(u user.User) (events, error) { return u.Close(owns, false) }
	}
	claimed := user.OwnershipClaimed{Account: "acc_1", Transfer: "otr_1", Until: noon}
	reopened := user.OwnershipClaimed{Account: "acc_1", Reopening: 2, Until: noon}
	claims := func(e user.OwnershipClaimed) func(user.User) (events, error) {
		return func(u user.User) (events, error) { return u.ClaimOwnership(e) }
	}
	claim := claims(claimed)
	c := domaintest.For(t, user.Decider).Given(registered)
	c.When(unlock).ThenNothing()
	locked := c.When(lock).Then(user.Locked{Reason: "abuse"})
	locked.When(lock).ThenNothing()
	locked.When(shut(false)).Refused(user.ErrLocked)
	locked.When(unlock).Then(user.Unlocked{}).When(shut(false)).Then(user.Closed{})
	c.When(func(u user.User) (events, error) { return u.Lock(" ") }).RefusedField("reason")
	c.When(shut(true)).Refused(user.ErrOwnsAccounts)
	c.When(func(u user.User) (events, error) { return u.Close(false, true) }).Refused(user.ErrTakesOver)
	c.When(claim).Then(claimed)
	c.When(claims(reopened)).Then(reopened)
	locked.When(claims(reopened)).Then(reopened)
	before := user.OwnershipClaimed{Account: "acc_1", Until: noon.Add(-time.Second)}
	opens := user.OwnershipClaimed{Account: "acc_2", Until: noon}
	if diff := cmp.Diff(map[string]user.OwnershipClaimed{"acc_1": claimed, "acc_2": opens}, c.Given(claimed, opens, before).State().Owning); diff != "" {
		t.Error(diff)
	}
	closed := c.When(shut(false)).Then(user.Closed{})
	closed.When(shut(false)).ThenNothing()
	closed.When(lock).Refused(user.ErrClosed)
	closed.When(claim).Refused(user.ErrClosed)
	closed.When(unlock).Refused(user.ErrClosed)
	nobody := domaintest.For(t, user.Decider)
	nobody.When(shut(false)).Refused(user.ErrMissing)
	erase := func(u user.User) (events, error) { return u.CloseErased() }
	locked.When(erase).Then(user.Closed{}).When(erase).ThenNothing()
	nobody.When(erase).ThenNothing()
	nobody.When(lock).Refused(user.ErrMissing)
}

func TestWhatIsSeenOfLogIns(t *testing.T) {
	t.Parallel()
	device := func(u user.User) (events, error) { return u.SeeDevice("Firefox", "Linux", "192.0.2.7") }
	failures := func(n int) func(user.User) (events, error) {
		return func(u user.User) (events, error) { return u.ObserveFailures("2026-01-31T12:00:00Z", n) }
	}
	c := domaintest.For(t, user.Decider).Given(registered)
	c.When(device).Then(user.NewDeviceSeen{Browser: "Firefox", System: "Linux", IP: "192.0.2.7"})
	c.When(failures(3)).Then(user.LoginFailuresObserved{Hour: "2026-01-31T12:00:00Z", Count: 3})
	c.When(failures(0)).ThenNothing()
	nobody := domaintest.For(t, user.Decider)
	nobody.When(device).Refused(user.ErrMissing)
	nobody.When(failures(3)).ThenNothing()
}
