package privacy_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

type (
	events  = []privacy.Event
	subject = privacy.Subject
)

var (
	profile = privacy.Key{Subject: "usr_1", Purpose: subjectkey.Profile}
	fiscal  = privacy.Key{Subject: "acc_1", Purpose: subjectkey.Fiscal, After: "2037-01-01"}
	keys    = []privacy.Key{profile, fiscal}
	noon    = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
)

func ask(s subject) (events, error) { return s.Ask(privacy.ByPassword) }

func answer(reasons ...privacy.Reason) func(subject) (events, error) {
	return func(s subject) (events, error) { return s.Answer(reasons, []string{"acc_1"}, keys) }
}

func destroy(k privacy.Key, now time.Time) func(subject) (events, error) {
	return func(s subject) (events, error) { return s.Destroy(k, now) }
}

func hold(s subject) (events, error)     { return s.SetHold("2026/17") }
func lift(s subject) (events, error)     { return s.LiftHold() }
func withdraw(s subject) (events, error) { return s.Withdraw() }
func complete(s subject) (events, error) { return s.Complete(nil) }

func TestErasure(t *testing.T) {
	t.Parallel()
	asked := domaintest.For(t, privacy.Decider).When(ask).
		Then(privacy.RequestSubmitted{}, privacy.IdentityVerified{Method: privacy.ByPassword})
	accepted := asked.When(answer()).Then(privacy.RequestAccepted{Accounts: []string{"acc_1"}, Keys: keys})
	gone := privacy.SubjectKeyDestroyed{Subject: "usr_1", Purpose: subjectkey.Profile}

	t.Run("is asked for once, answered once, and has to be asked for", func(t *testing.T) {
		t.Parallel()
		asked.When(ask).ThenNothing()
		accepted.When(ask).ThenNothing()
		accepted.When(answer()).ThenNothing()
		domaintest.For(t, privacy.Decider).When(answer()).Refused(privacy.ErrNotAsked)
		domaintest.For(t, privacy.Decider).When(func(s subject) (events, error) { return s.Ask("a nod") }).Refused(domain.Invalid("method", ""))
	})
	t.Run("is refused for reasons, and may be asked for again", func(t *testing.T) {
		t.Parallel()
		refused := asked.When(answer(privacy.LiveServices)).Then(privacy.RequestRefused{Reasons: []privacy.Reason{privacy.LiveServices}})
		refused.When(answer()).ThenNothing()
		refused.When(ask).Then(privacy.RequestSubmitted{}, privacy.IdentityVerified{Method: privacy.ByPassword})
	})
	t.Run("is withdrawn until it is answered, and may be asked for again", func(t *testing.T) {
		t.Parallel()
		withdrawn := asked.When(withdraw).Then(privacy.RequestWithdrawn{})
		if !asked.State().UnderWay() || withdrawn.State().UnderWay() {
			t.Error("what is withdrawn is under way")
		}
		withdrawn.When(withdraw).ThenNothing()
		withdrawn.When(answer()).ThenNothing()
		withdrawn.When(ask).Then(privacy.RequestSubmitted{}, privacy.IdentityVerified{Method: privacy.ByPassword})
		asked.When(answer(privacy.LiveServices)).Then(privacy.RequestRefused{Reasons: []privacy.Reason{privacy.LiveServices}}).
			When(withdraw).ThenNothing()
		accepted.When(withdraw).Refused(privacy.ErrErased)
		domaintest.For(t, privacy.Decider).When(withdraw).Refused(privacy.ErrNotAsked)
	})
	t.Run("destroys each key on its own day, once", func(t *testing.T) {
		t.Parallel()
		accepted.When(complete).Refused(domain.Conflict("erasure_under_way", ""))
		accepted.When(func(s subject) (events, error) { return s.Complete([]privacy.Key{profile}) }).Then(privacy.ErasureCompleted{})
		erased := accepted.When(destroy(profile, noon)).Then(gone)
		erased.When(destroy(profile, noon)).ThenNothing()
		erased.When(destroy(fiscal, noon)).Refused(domain.Conflict("key_not_due", ""))
		completed := erased.When(complete).Then(privacy.ErasureCompleted{Keys: []privacy.Gone{privacy.Gone(gone)}})
		completed.When(complete).ThenNothing()
		completed.When(destroy(fiscal, fiscal.Day().Add(-time.Second))).Refused(domain.Conflict("key_not_due", ""))
		completed.When(destroy(fiscal, fiscal.Day())).Then(privacy.SubjectKeyDestroyed{Subject: "acc_1", Purpose: subjectkey.Fiscal})
		asked.When(destroy(profile, noon)).Refused(privacy.ErrNotAccepted)
		accepted.When(destroy(privacy.Key{Subject: "usr_2", Purpose: subjectkey.Profile}, noon)).Refused(privacy.ErrNotAccepted)
	})
}

func TestAnErasureIsWidenedByWhatWasWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	widen := func(keys ...privacy.Key) func(subject) (events, error) {
		return func(s subject) (events, error) { return s.Widen(keys) }
	}
	late := privacy.Key{Subject: "ctc_1", Purpose: subjectkey.Profile}
	asked := domaintest.For(t, privacy.Decider).Given(privacy.RequestSubmitted{})
	accepted := asked.Given(privacy.RequestAccepted{Accounts: []string{"acc_1"}, Keys: keys})
	asked.When(widen(late)).ThenNothing()
	accepted.When(widen(keys...)).ThenNothing()
	erased := accepted.Given(privacy.SubjectKeyDestroyed{Subject: "usr_1", Purpose: subjectkey.Profile})
	widened := erased.When(widen(profile, late, fiscal)).Then(privacy.RequestWidened{Keys: []privacy.Key{late}})
	widened.When(widen(late)).ThenNothing()
	widened.When(complete).Refused(domain.Conflict("erasure_under_way", ""))
	widened.When(destroy(late, noon)).Then(privacy.SubjectKeyDestroyed{Subject: "ctc_1", Purpose: subjectkey.Profile}).
		When(complete).Then(privacy.ErasureCompleted{Keys: []privacy.Gone{
		{Subject: "usr_1", Purpose: subjectkey.Profile}, {Subject: "ctc_1", Purpose: subjectkey.Profile},
	}})

	// What has got a day is not destroyed at once any more, and no day moves.
	dated := privacy.Key{Subject: "ctc_1", Purpose: subjectkey.Profile, After: "2026-07-01"}
	moved := dated
	moved.After = "2026-07-02"
	kept := widened.When(widen(dated)).Then(privacy.RequestWidened{Keys: []privacy.Key{dated}})
	kept.When(destroy(dated, noon)).Refused(domain.Conflict("key_not_due", ""))
	kept.When(widen(late, moved)).ThenNothing()
	erased.When(widen(privacy.Key{Subject: "usr_1", Purpose: subjectkey.Profile, After: "2026-07-01"})).ThenNothing()
}

func TestALegalHoldForbidsToDestroy(t *testing.T) {
	t.Parallel()
	set := privacy.LegalHoldSet{Reference: "2026/17"}
	held := domaintest.For(t, privacy.Decider).When(hold).Then(set)
	held.When(hold).ThenNothing()
	held.When(ask).Refused(privacy.ErrHold)
	held.When(func(s subject) (events, error) { return s.SetHold("2026/18") }).Refused(domain.Conflict("legal_hold", ""))
	held.When(func(s subject) (events, error) { return s.SetHold("Zoé is suspected") }).Refused(domain.Invalid("reference", ""))
	free := held.When(lift).Then(privacy.LegalHoldLifted{Reference: "2026/17"})
	free.When(lift).Refused(privacy.ErrNoHold)
	free.When(ask).Then(privacy.RequestSubmitted{}, privacy.IdentityVerified{Method: privacy.ByPassword})

	// One that comes between the request and its answer refuses it; one that
	// comes after the answer is too late for what is erased at once, and keeps
	// what is left.
	asked := domaintest.For(t, privacy.Decider).Given(privacy.RequestSubmitted{})
	asked.When(hold).Then(set).When(answer()).Then(privacy.RequestRefused{Reasons: []privacy.Reason{privacy.LegalHold}})
	accepted := asked.Given(privacy.RequestAccepted{Keys: keys})
	accepted.When(hold).Refused(privacy.ErrErased)
	done := accepted.Given(privacy.SubjectKeyDestroyed{Subject: "usr_1", Purpose: subjectkey.Profile}, privacy.ErasureCompleted{})
	kept := done.When(hold).Then(set)
	kept.When(destroy(fiscal, fiscal.Day())).Refused(privacy.ErrHold)
	kept.When(lift).Then(privacy.LegalHoldLifted{Reference: "2026/17"}).
		When(destroy(fiscal, fiscal.Day())).Then(privacy.SubjectKeyDestroyed{Subject: "acc_1", Purpose: subjectkey.Fiscal})
}

func TestAnExportIsNoted(t *testing.T) {
	t.Parallel()
	export := func(account string, at time.Time) func(subject) (events, error) {
		return func(s subject) (events, error) { return s.Export(account, at) }
	}
	noted := domaintest.For(t, privacy.Decider).When(export("acc_1", noon)).Then(privacy.ExportProduced{Account: "acc_1", At: noon})
	noted.When(export("acc_1", noon.Add(9*time.Minute))).ThenNothing()
	noted.When(export("acc_1", noon.Add(10*time.Minute))).Then(privacy.ExportProduced{Account: "acc_1", At: noon.Add(10 * time.Minute)})
	noted.When(export("", noon)).Then(privacy.ExportProduced{At: noon})
}
