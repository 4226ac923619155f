package user_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/user"
)

var noon = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

func requestReset(reset, reason string) func(user.User) (events, error) {
	return func(u user.User) (events, error) { return u.RequestFactorReset(reset, reason, noon, 24*time.Hour) }
}

func resetFactors(reset string, at time.Time) func(user.User) (events, error) {
	return func(u user.User) (events, error) { return u.ResetFactors(reset, at) }
}

func cancelReset(reset string) func(user.User) (events, error) {
	return func(u user.User) (events, error) { return u.CancelFactorReset(reset, user.CancelledByLink) }
}

func TestAResetOfSecondFactorsWaitsAndThenTakesThemAll(t *testing.T) {
	t.Parallel()
	all := domaintest.For(t, user.Decider).Given(withTOTP...).Given(user.PasskeyAdded{Passkey: "psk_1", Name: "Phone"})
	all.When(requestReset("rst_1", " ")).RefusedField("reason")
	domaintest.For(t, user.Decider).Given(registered).When(requestReset("rst_1", "seen")).Refused(user.ErrNoFactorToReset)

	asked := user.FactorResetRequested{Reset: "rst_1", Reason: "seen", TakesEffectAt: noon.Add(24 * time.Hour)}
	waits := all.When(requestReset("rst_1", " seen ")).Then(asked)
	if !waits.State().HasSecondFactor() {
		t.Error("the factors are gone before the time")
	}
	waits.When(requestReset("rst_2", "seen")).Refused(user.ErrResetWaits)
	if _, err := waits.State().ResetFactors("rst_1", asked.TakesEffectAt.Add(-time.Second)); err == nil {
		t.Error("it takes effect before its time")
	}
	waits.When(resetFactors("rst_0", asked.TakesEffectAt)).ThenNothing()

	done := waits.When(resetFactors("rst_1", asked.TakesEffectAt)).Then(user.FactorsReset{Reset: "rst_1"})
	if u := done.State(); u.HasSecondFactor() || u.Recovery.Left() != 0 || u.Reset.ID != "" {
		t.Errorf("the user is %+v", u)
	}
	done.When(resetFactors("rst_1", asked.TakesEffectAt)).ThenNothing()
	done.When(cancelReset("rst_1")).Refused(user.ErrNoReset)
}

func TestAResetThatIsCancelledDoesNothing(t *testing.T) {
	t.Parallel()
	waits := domaintest.For(t, user.Decider).Given(withTOTP...).When(requestReset("rst_1", "seen")).
		Then(user.FactorResetRequested{Reset: "rst_1", Reason: "seen", TakesEffectAt: noon.Add(24 * time.Hour)})
	waits.When(cancelReset("rst_0")).Refused(user.ErrNoReset)
	for _, id := range []string{"", "rst_1"} {
		kept := waits.When(cancelReset(id)).Then(user.FactorResetCancelled{Reset: "rst_1", By: user.CancelledByLink})
		kept.When(resetFactors("rst_1", noon.Add(48*time.Hour))).ThenNothing()
		kept.When(requestReset("rst_2", "seen")).
			Then(user.FactorResetRequested{Reset: "rst_2", Reason: "seen", TakesEffectAt: noon.Add(24 * time.Hour)})
	}
}

func TestAResetOnTheMachineDoesNotWait(t *testing.T) {
	t.Parallel()
	now := func(u user.User) (events, error) { return u.ResetFactorsNow("rst_2", "lost", noon) }
	at := user.FactorResetRequested{Reset: "rst_2", Reason: "lost", TakesEffectAt: noon}
	c := domaintest.For(t, user.Decider).Given(withTOTP...)
	c.When(now).Then(at, user.FactorsReset{Reset: "rst_2"})
	c.Given(user.FactorResetRequested{Reset: "rst_1", TakesEffectAt: noon.Add(time.Hour)}).When(now).Then(at, user.FactorsReset{Reset: "rst_2"})
	domaintest.For(t, user.Decider).Given(registered).When(now).Refused(user.ErrNoFactorToReset)
}

func TestACopyOfAPasskeyIsSuspectedOnce(t *testing.T) {
	t.Parallel()
	suspect := func(u user.User) (events, error) { return u.SuspectPasskey("psk_1") }
	c := domaintest.For(t, user.Decider).Given(withPasskey...)
	c.When(suspect).Then(user.PasskeyCopySuspected{Passkey: "psk_1"}).When(suspect).ThenNothing()
	domaintest.For(t, user.Decider).Given(withTOTP...).When(suspect).ThenNothing()
}
