package user_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/user"
)

func enrol(u user.User) (events, error)   { return u.EnrolTOTP("otp_2") }
func disable(u user.User) (events, error) { return u.DisableTOTP() }

func confirm(secret string) func(user.User) (events, error) {
	return func(u user.User) (events, error) { return u.ConfirmTOTP(secret, "rcs_2") }
}

func regenerate(u user.User) (events, error) { return u.RegenerateRecoveryCodes("rcs_2") }

func add(name string) func(user.User) (events, error) {
	return func(u user.User) (events, error) { return u.AddPasskey("psk_2", name, "rcs_2") }
}

func rename(id, name string) func(user.User) (events, error) {
	return func(u user.User) (events, error) { return u.RenamePasskey(id, name) }
}

func remove(id string) func(user.User) (events, error) {
	return func(u user.User) (events, error) { return u.RemovePasskey(id) }
}

func useCode(codes string, number int) func(user.User) (events, error) {
	return func(u user.User) (events, error) { return u.UseRecoveryCode(codes, number) }
}

var withTOTP = events{
	registered, user.TOTPEnrolled{Secret: "otp_1"}, user.TOTPConfirmed{Secret: "otp_1"}, user.RecoveryCodesRegenerated{Codes: "rcs_1"},
}

var withPasskey = events{registered, user.PasskeyAdded{Passkey: "psk_1", Name: "Phone"}, user.RecoveryCodesRegenerated{Codes: "rcs_1"}}

func TestOneTimeCodesAreOnOnceACodeOfTheirSecretWasGiven(t *testing.T) {
	t.Parallel()
	c := domaintest.For(t, user.Decider).Given(registered)
	c.When(confirm("otp_2")).Refused(user.ErrNotEnrolled)
	c.When(confirm("")).Refused(user.ErrNotEnrolled)
	c.When(disable).Refused(user.ErrTOTPOff)

	enrolled := c.When(enrol).Then(user.TOTPEnrolled{Secret: "otp_2"})
	if enrolled.State().HasSecondFactor() {
		t.Error("a secret that was only shown counts")
	}
	enrolled.When(confirm("otp_1")).Refused(user.ErrNotEnrolled)
	enrolled.Given(user.TOTPEnrolled{Secret: "otp_3"}).When(confirm("otp_2")).Refused(user.ErrNotEnrolled)

	on := enrolled.When(confirm("otp_2")).Then(user.TOTPConfirmed{Secret: "otp_2"}, user.RecoveryCodesRegenerated{Codes: "rcs_2"})
	if u := on.State(); !u.HasSecondFactor() || u.Recovery.Left() != 10 {
		t.Errorf("the user is %+v", u)
	}
	on.When(enrol).Refused(user.ErrTOTPOn)
	on.When(confirm("otp_2")).Refused(user.ErrTOTPOn)

	off := on.When(disable).Then(user.TOTPDisabled{Secret: "otp_2"})
	if u := off.State(); u.HasSecondFactor() || u.Recovery.Left() != 0 {
		t.Errorf("the user is %+v", u)
	}
	off.When(disable).Refused(user.ErrTOTPOff)
}

func TestTheRecoveryCodesStayAsLongAsAFactorDoes(t *testing.T) {
	t.Parallel()
	both := domaintest.For(t, user.Decider).Given(withTOTP...).Given(user.PasskeyAdded{Passkey: "psk_1", Name: "Phone"})
	passkeyLeft := both.When(disable).Then(user.TOTPDisabled{Secret: "otp_1"})
	both.When(remove("psk_9")).Refused(user.ErrNoPasskey)
	totpLeft := both.When(remove("psk_1")).Then(user.PasskeyRemoved{Passkey: "psk_1"})
	for _, c := range []user.User{passkeyLeft.State(), totpLeft.State()} {
		if !c.HasSecondFactor() || c.Recovery.Left() != 10 {
			t.Errorf("the user is %+v", c)
		}
	}
	if u := passkeyLeft.When(remove("psk_1")).Then(user.PasskeyRemoved{Passkey: "psk_1"}).State(); u.HasSecondFactor() || u.Recovery.Codes != "" {
		t.Errorf("the user is %+v", u)
	}
	if u := totpLeft.When(disable).Then(user.TOTPDisabled{Secret: "otp_1"}).State(); u.HasSecondFactor() || u.Recovery.Codes != "" {
		t.Errorf("the user is %+v", u)
	}
}

func TestARecoveryCodeIsUsedOnce(t *testing.T) {
	t.Parallel()
	c := domaintest.For(t, user.Decider).Given(withTOTP...)
	once := c.When(useCode("rcs_1", 3)).Then(user.RecoveryCodeUsed{Codes: "rcs_1", Number: 3, Left: 9})
	once.When(useCode("rcs_1", 3)).Refused(user.ErrWrongCode)
	twice := once.When(useCode("rcs_1", 0)).Then(user.RecoveryCodeUsed{Codes: "rcs_1", Number: 0, Left: 8})
	for _, wrong := range []struct {
		codes  string
		number int
	}{{"rcs_0", 1}, {"", 1}, {"rcs_1", -1}, {"rcs_1", 10}} {
		c.When(useCode(wrong.codes, wrong.number)).Refused(user.ErrWrongCode)
	}
	renewed := twice.When(regenerate).Then(user.RecoveryCodesRegenerated{Codes: "rcs_2", Replaced: "rcs_1"})
	renewed.When(useCode("rcs_1", 1)).Refused(user.ErrWrongCode)
	renewed.When(useCode("rcs_2", 3)).Then(user.RecoveryCodeUsed{Codes: "rcs_2", Number: 3, Left: 9})

	nothing := domaintest.For(t, user.Decider).Given(registered)
	nothing.When(regenerate).Refused(user.ErrNoSecondFactor)
	nothing.When(useCode("", 0)).Refused(user.ErrWrongCode)
}

func TestThePasskeysOfAUser(t *testing.T) {
	t.Parallel()
	c := domaintest.For(t, user.Decider).Given(registered)
	first := c.When(add(" Phone ")).Then(user.PasskeyAdded{Passkey: "psk_2", Name: "Phone"}, user.RecoveryCodesRegenerated{Codes: "rcs_2"})
	if u := first.State(); !u.HasSecondFactor() || u.Recovery.Left() != 10 {
		t.Errorf("the user is %+v", u)
	}
	c.When(add(" ")).RefusedField("name")
	c.When(remove("psk_1")).Refused(user.ErrNoPasskey)
	one := domaintest.For(t, user.Decider).Given(withPasskey...)
	renamed := one.When(rename("psk_1", " Old phone ")).Then(user.PasskeyRenamed{Passkey: "psk_1", Name: "Old phone"})
	renamed.When(rename("psk_1", "Old phone")).ThenNothing()
	one.When(rename("psk_1", "\t")).RefusedField("name")
	one.When(rename("psk_2", "Phone")).Refused(user.ErrNoPasskey)
	domaintest.For(t, user.Decider).Given(withPasskey...).When(add("Key")).Then(user.PasskeyAdded{Passkey: "psk_2", Name: "Key"})
	domaintest.For(t, user.Decider).Given(withTOTP...).When(add("Key")).Then(user.PasskeyAdded{Passkey: "psk_2", Name: "Key"})

	full := c
	for range user.MaxPasskeys {
		full = full.Given(user.PasskeyAdded{Passkey: "psk", Name: "Phone"})
	}
	full.When(add("Key")).Refused(user.ErrManyPasskeys)
}

func TestAUserThatIsClosedHasNoFactorsToChange(t *testing.T) {
	t.Parallel()
	for _, decide := range []func(user.User) (events, error){
		enrol, confirm("otp_1"), disable, regenerate, add("Key"), rename("psk_1", "Key"), remove("psk_1"), useCode("rcs_1", 0),
	} {
		domaintest.For(t, user.Decider).Given(withTOTP...).Given(user.Closed{}).When(decide).Refused(user.ErrClosed)
		domaintest.For(t, user.Decider).When(decide).Refused(user.ErrMissing)
	}
	for _, decide := range []func(user.User) (events, error){confirm("otp_1"), add("Key")} { // nor one that is locked more of them
		domaintest.For(t, user.Decider).Given(withTOTP...).Given(user.Locked{Reason: "stolen"}).When(decide).Refused(user.ErrLocked)
	}
}
