package impersonation_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/impersonation"
)

func TestAnImpersonationHasAReasonAndAnEnd(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ask := impersonation.Started{Account: "acc_1", Staff: "usr_2", Reason: "Certificate does not renew", Ticket: "tkt_1"}
	start := func(ask impersonation.Started, life time.Duration) func(impersonation.Impersonation) ([]impersonation.Event, error) {
		return func(i impersonation.Impersonation) ([]impersonation.Event, error) { return i.Start(ask, life, noon) }
	}
	end := func(by impersonation.By, at time.Time) func(impersonation.Impersonation) ([]impersonation.Event, error) {
		return func(i impersonation.Impersonation) ([]impersonation.Event, error) { return i.End(by, at) }
	}
	c := domaintest.For(t, impersonation.Decider)
	c.When(start(impersonation.Started{Account: "acc_1", Consent: true}, 0)).RefusedField("reason")
	c.When(start(impersonation.Started{Account: "acc_1", Reason: "x"}, 0)).RefusedField("ticket")
	c.When(start(ask, 61*time.Minute)).RefusedField("minutes")
	c.When(start(ask, -time.Minute)).RefusedField("minutes")
	c.When(end(impersonation.ByStaff, noon)).Refused(impersonation.ErrMissing)
	agreed := impersonation.Started{Account: "acc_1", Staff: "usr_2", Reason: "Asked by phone", Consent: true}
	until := agreed
	until.Until = noon.Add(time.Hour)
	c.When(start(agreed, time.Hour)).Then(until)

	begun := ask
	begun.Until = noon.Add(30 * time.Minute)
	on := c.When(start(ask, 0)).Then(begun)
	on.When(start(ask, 0)).Refused(impersonation.ErrOn)
	if s := on.State(); !s.On(noon) || !s.On(begun.Until.Add(-time.Second)) || s.On(begun.Until) {
		t.Error("it is not on for its time")
	}
	on.When(end(impersonation.ByTime, begun.Until.Add(-time.Second))).ThenNothing()
	on.When(end(impersonation.ByTime, begun.Until)).Then(impersonation.Ended{Account: "acc_1", By: impersonation.ByTime})
	over := on.When(end(impersonation.ByStaff, noon)).Then(impersonation.Ended{Account: "acc_1", By: impersonation.ByStaff})
	over.When(end(impersonation.ByTime, begun.Until)).ThenNothing()
	if over.State().On(noon) {
		t.Error("what has ended is on")
	}
}
