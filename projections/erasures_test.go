package projections_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// TestAWidenedErasureShowsWhatItKeeps has an erasure find more after its answer:
// a key of what was written meanwhile, and a day for one that had none. What is
// others' the person does not see: a day would tell of a legal hold on them.
func TestAWidenedErasureShowsWhatItKeeps(t *testing.T) {
	t.Parallel()
	side := start(t, privacy.Decider.Types, "erasures")
	key := func(subject string, purpose subjectkey.Purpose, account string) privacy.Key {
		return privacy.Key{Subject: subject, Purpose: purpose, Account: account}
	}
	until := func(k privacy.Key, day domain.Date) privacy.Key {
		k.After = day
		return k
	}
	own, invited, fiscal, late := key("usr_1", subjectkey.Profile, ""), key("ivt_1", subjectkey.Profile, ""),
		until(key("acc_1", subjectkey.Fiscal, ""), "2037-01-01"), key("ivt_2", subjectkey.Profile, "")
	others, held := key("ctc_9", subjectkey.Identity, "acc_9"), until(key("ctc_9", subjectkey.Profile, "acc_9"), "2026-11-24")
	side.Given("", "privacy-usr_1",
		privacy.RequestSubmitted{}, privacy.IdentityVerified{Method: privacy.ByStaff},
		privacy.RequestAccepted{Accounts: []string{"acc_1"}, Keys: []privacy.Key{own, invited, fiscal, others, held}},
		privacy.RequestWidened{Keys: []privacy.Key{late, until(invited, "2026-11-24")}},
	)
	side.Settle()
	kept := func(want ...privacy.Key) {
		t.Helper()
		row, err := side.Reader.Erasure(t.Context(), delegation.Grants{User: "usr_1"})
		if diff := cmp.Diff(want, row.Keys); err != nil || diff != "" || row.Status != privacy.StatusAccepted {
			t.Errorf("%s, %v: %s", row.Status, err, diff)
		}
	}
	kept(own, fiscal, late, until(invited, "2026-11-24"))
	side.Given("", "privacy-usr_1",
		privacy.SubjectKeyDestroyed{Subject: own.Subject, Purpose: own.Purpose}, privacy.SubjectKeyDestroyed{Subject: late.Subject, Purpose: late.Purpose},
	)
	side.Settle()
	kept(fiscal, until(invited, "2026-11-24"))
	side.RebuildsEqual()
}
