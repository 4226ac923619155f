package subjectkey_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

func TestAKeyIsMadeOnceAndDestroyedForEver(t *testing.T) {
	t.Parallel()
	create := func(subject string) func(subjectkey.Key) ([]subjectkey.Event, error) {
		return func(k subjectkey.Key) ([]subjectkey.Event, error) { return k.Create(subject, subjectkey.Profile) }
	}
	destroy := func(k subjectkey.Key) ([]subjectkey.Event, error) { return k.Destroy("erasure") }
	live := domaintest.For(t, subjectkey.Decider).When(create("usr_1")).Then(subjectkey.Created{Subject: "usr_1", Purpose: subjectkey.Profile})
	live.When(create("usr_1")).ThenNothing()
	live.When(create("usr_2")).Refused(domain.Conflict("key_exists", ""))
	live.When(func(k subjectkey.Key) ([]subjectkey.Event, error) { return k.Destroy("Zoé asked for it") }).
		Refused(domain.Invalid("reason", ""))
	gone := live.When(destroy).Then(subjectkey.Destroyed{Reason: "erasure"})
	gone.When(destroy).ThenNothing()
	gone.When(create("usr_1")).Refused(subjectkey.ErrDestroyed)
	domaintest.For(t, subjectkey.Decider).When(destroy).Refused(subjectkey.ErrMissing)
}
