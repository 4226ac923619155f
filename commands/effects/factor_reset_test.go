package effects_test

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
)

// TestAResetTakesEffectAtItsTime asks for a reset a day ago, but for a second.
func TestAResetTakesEffectAtItsTime(t *testing.T) {
	t.Parallel()
	c := newCompany(t, mail.Folder{Dir: t.TempDir()})
	call := commandtest.Call()
	call.Actor.ID, call.Grants.User, call.Grants.Fresh = c.owner, c.owner, delegation.Fresh{Password: true}
	_, shown, err := c.EnrolTOTP(t.Context(), call, commands.EnrolTOTP{UserID: c.owner})
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(shown.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	call.CommandID, call.Grants.System = commandtest.Call().CommandID, true // there is no session
	if _, _, err := c.ConfirmTOTP(t.Context(), call, commands.ConfirmTOTP{UserID: c.owner, Code: code}); err != nil {
		t.Fatal(err)
	}
	due := time.Now().Add(time.Second)
	c.Clock = func() time.Time { return due.Add(-user.FactorResetWait) }
	_, asked, err := c.RequestFactorReset(t.Context(), commandtest.SystemCall(), commands.RequestFactorReset{UserID: c.owner, Reason: "seen"})
	if err != nil || asked.TakesEffectAt.Sub(due).Abs() > time.Millisecond {
		t.Fatal(asked, err)
	}
	c.Clock = time.Now
	c.start()
	c.waitFor("user.factors_reset.", 1)
	if time.Now().Before(asked.TakesEffectAt) {
		t.Error("it took effect before its time")
	}
	u, err := commands.Load(t.Context(), c.Streams(), user.Decider.At(c.owner))
	if err != nil || u.HasSecondFactor() {
		t.Errorf("the user is %+v, %v", u, err)
	}
}
