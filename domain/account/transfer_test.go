package account_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestHandingAnAccountOver(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	end := noon.Add(7 * 24 * time.Hour)
	type rule = func(account.Account) (events, error)
	keep := &delegation.Terms{Permissions: []domain.Permission{delegation.InvoicesRead}, Scope: delegation.Scope{All: true}}
	propose := func(by, id string, keep *delegation.Terms) rule {
		return func(a account.Account) (events, error) {
			return a.ProposeTransfer(by, id, "carol@example.com", false, keep, noon)
		}
	}
	accept := func(id, user string, at time.Time) rule {
		return func(a account.Account) (events, error) { return a.AcceptTransfer(id, user, at) }
	}
	decline := func(id string) rule {
		return func(a account.Account) (events, error) { return a.DeclineTransfer(id, noon) }
	}
	withdraw := func(by, id string) rule {
		return func(a account.Account) (events, error) { return a.WithdrawTransfer(by, id, noon) }
	}
	expire := func(id string, at time.Time) rule {
		return func(a account.Account) (events, error) { return a.ExpireTransfer(id, at) }
	}
	closing := func(a account.Account) (events, error) { return a.RequestClosing("usr_1", "clo_1", noon) }
	proposed := account.OwnershipTransferProposed{Transfer: "otr_1", Email: "carol@example.com", OpenUntil: end, Keep: keep}

	known := domaintest.For(t, account.Decider).Given(opened())
	open := known.When(propose("usr_1", "otr_1", keep)).Then(proposed)
	given := open.When(accept("otr_1", "usr_2", end.Add(-1))).
		Then(account.OwnershipTransferred{Transfer: "otr_1", From: "usr_1", To: "usr_2", Keep: keep})

	t.Run("makes another user the owner, once", func(t *testing.T) {
		t.Parallel()
		if a := given.State(); a.Owner != "usr_2" || a.Name != "Pierre" || open.State().Owner != "usr_1" {
			t.Errorf("%+v", a)
		}
		if kept := given.State().Kept; len(kept) != 1 || kept[0] != "otr_1" || len(open.State().Kept) != 0 {
			t.Errorf("kept at %v", kept)
		}
		given.When(accept("otr_1", "usr_2", noon)).ThenNothing()
		given.When(accept("otr_1", "usr_3", noon)).Refused(account.ErrTransferOver)
		given.When(accept("otr_1", "usr_1", noon)).Refused(account.ErrTransferOver)
		given.When(decline("otr_1")).Refused(account.ErrTransferOver)
		given.When(withdraw("usr_2", "otr_1")).Refused(account.ErrTransferOver)
		given.When(expire("otr_1", end)).ThenNothing()
		open.When(accept("otr_1", "usr_1", noon)).Refused(account.ErrTransferOwn)
		open.When(accept("otr_2", "usr_2", noon)).Refused(account.ErrTransferOver)
	})
	t.Run("is awaited until the account says otherwise, whatever the time", func(t *testing.T) {
		t.Parallel()
		closed := known.Given(account.Closed{Owner: "usr_1"})
		again := closed.Given(account.Reopened{Owner: "usr_1"})
		taken := open.When(withdraw("usr_1", "otr_1")).Then(account.OwnershipTransferWithdrawn{Transfer: "otr_1"})
		for name, c := range map[string]struct {
			state     account.Account
			transfer  string
			reopening int
			want      bool
		}{
			"to be opened": {account.Account{}, "", 0, true}, "opened": {known.State(), "", 0, false},
			"offered": {open.State(), "otr_1", 0, true}, "another offer": {open.State(), "otr_2", 0, false}, "no account": {account.Account{}, "otr_1", 0, false},
			"accepted": {given.State(), "otr_1", 0, false}, "taken back": {taken.State(), "otr_1", 0, false},
			"to be opened again": {closed.State(), "", 1, true}, "opened again": {again.State(), "", 1, false},
			"closed after that": {again.Given(account.Closed{Owner: "usr_1"}).State(), "", 1, false},
		} {
			if got := c.state.Awaits(c.transfer, c.reopening); got != c.want {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
	t.Run("is for the owner of now", func(t *testing.T) {
		t.Parallel()
		known.When(propose("usr_2", "otr_1", nil)).Refused(domain.ErrDenied)
		given.When(propose("usr_1", "otr_2", nil)).Refused(domain.ErrDenied)
		given.When(closing).Refused(domain.ErrDenied)
		open.When(withdraw("usr_2", "otr_1")).Refused(domain.ErrDenied)
		proposed := proposed
		proposed.Transfer, proposed.Keep = "otr_2", nil
		given.When(propose("usr_2", "otr_2", nil)).Then(proposed).
			When(accept("otr_2", "usr_1", noon)).Then(account.OwnershipTransferred{Transfer: "otr_2", From: "usr_2", To: "usr_1"})
	})
	t.Run("is offered to one at a time, and never to oneself", func(t *testing.T) {
		t.Parallel()
		open.When(propose("usr_1", "otr_2", nil)).Refused(account.ErrTransferOpen)
		known.When(func(a account.Account) (events, error) {
			return a.ProposeTransfer("usr_1", "otr_1", "pierre@example.com", true, &delegation.Terms{ExpiresAt: &noon}, noon)
		}).RefusedField("email", "keep.permissions", "keep.expires_at")
		known.When(propose("usr_1", "otr_1", &delegation.Terms{Permissions: []domain.Permission{delegation.InvoicesPay}, Scope: delegation.Scope{All: true}})).
			Then(account.OwnershipTransferProposed{Transfer: "otr_1", Email: "carol@example.com", OpenUntil: end, Keep: &delegation.Terms{
				Permissions: []domain.Permission{delegation.InvoicesRead, delegation.InvoicesPay}, Scope: delegation.Scope{All: true},
			}})
	})
	t.Run("is declined, withdrawn or runs out", func(t *testing.T) {
		t.Parallel()
		declined := open.When(decline("otr_1")).Then(account.OwnershipTransferDeclined{Transfer: "otr_1"})
		declined.When(decline("otr_1")).ThenNothing()
		open.When(expire("otr_1", end.Add(-1))).ThenNothing()
		open.When(accept("otr_1", "usr_2", end)).Refused(account.ErrTransferOver)
		expired := open.When(expire("otr_1", end)).Then(account.OwnershipTransferExpired{Transfer: "otr_1"})
		withdrawn := open.When(withdraw("usr_1", "otr_1")).Then(account.OwnershipTransferWithdrawn{Transfer: "otr_1"})
		withdrawn.When(withdraw("usr_1", "otr_1")).ThenNothing()
		withdrawn.When(withdraw("", "")).ThenNothing()
		open.When(withdraw("", "")).Then(account.OwnershipTransferWithdrawn{Transfer: "otr_1"})
		open.When(withdraw("usr_1", "otr_9")).Refused(account.ErrTransferMissing)
		known.When(withdraw("usr_1", "otr_1")).Refused(account.ErrTransferMissing)
		for _, over := range []domaintest.Case[account.Account, account.Event]{declined, expired, withdrawn} {
			over.When(accept("otr_1", "usr_2", noon)).Refused(account.ErrTransferOver)
			if over.State().Owner != "usr_1" {
				t.Error("the owner is another")
			}
			over.When(closing).Then(account.ClosingRequested{Request: "clo_1"})
		}
	})
	t.Run("is over when its time is, noted or not", func(t *testing.T) {
		t.Parallel()
		expired := account.OwnershipTransferExpired{Transfer: "otr_1"}
		open.When(func(a account.Account) (events, error) { return a.WithdrawTransfer("usr_1", "otr_1", end) }).Refused(account.ErrTransferOver)
		open.When(func(a account.Account) (events, error) { return a.WithdrawTransfer("", "", end) }).ThenNothing()
		open.When(func(a account.Account) (events, error) { return a.RequestClosing("usr_1", "clo_1", end) }).
			Then(expired, account.ClosingRequested{Request: "clo_1"}).
			When(expire("otr_1", end)).ThenNothing()
		open.When(func(a account.Account) (events, error) {
			return a.ProposeTransfer("usr_1", "otr_2", "dan@example.com", false, nil, end)
		}).Then(expired, account.OwnershipTransferProposed{Transfer: "otr_2", Email: "dan@example.com", OpenUntil: end.Add(account.TransferLife)}).
			When(expire("otr_1", end)).ThenNothing()
	})
	t.Run("and closing exclude each other", func(t *testing.T) {
		t.Parallel()
		open.When(closing).Refused(account.ErrTransferOpen)
		known.Given(account.ClosingRequested{Request: "clo_1"}).When(propose("usr_1", "otr_1", nil)).Refused(account.ErrClosing)
		known.Given(account.Closed{Owner: "usr_1"}).When(propose("usr_1", "otr_1", nil)).Refused(account.ErrClosed)
		erase := func(a account.Account) (events, error) { return a.CloseErased([]string{"dlg_1"}) }
		gone := open.When(erase).
			Then(account.OwnershipTransferWithdrawn{Transfer: "otr_1"}, account.Closed{Owner: "usr_1", Erasure: true, Delegations: []string{"dlg_1"}})
		gone.When(accept("otr_1", "usr_2", noon)).Refused(account.ErrTransferOver)
		domaintest.For(t, account.Decider).When(propose("usr_1", "otr_1", nil)).Refused(account.ErrMissing)
	})
}
