package account_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestClosing(t *testing.T) {
	t.Parallel()
	ended := []string{"dlg_1"}
	ask := func(id string) func(account.Account) (events, error) {
		return func(a account.Account) (events, error) { return a.RequestClosing("usr_1", id, time.Time{}) }
	}
	answer := func(id string, why ...account.Reason) func(account.Account) (events, error) {
		return func(a account.Account) (events, error) { return a.AnswerClosing(id, why, ended) }
	}
	withdraw := account.Account.WithdrawClosing
	reopen := func(gone bool) func(account.Account) (events, error) {
		return func(a account.Account) (events, error) { return a.Reopen(gone) }
	}
	known := domaintest.For(t, account.Decider).Given(opened())
	closing := known.Given(account.ClosingRequested{Request: "clo_1"})
	closed := closing.Given(account.Closed{Owner: "usr_1"})

	t.Run("takes on nothing new while it is asked for", func(t *testing.T) {
		t.Parallel()
		known.When(ask("clo_1")).Then(account.ClosingRequested{Request: "clo_1"}).When(ask("clo_2")).ThenNothing()
		if err := closing.State().MayTakeOn(); err != account.ErrClosing { //nolint:errorlint // the very one
			t.Error(err)
		}
		if closing.State().MayChange() != nil || known.State().MayTakeOn() != nil {
			t.Error("the profile may not be changed, or an open account takes on nothing")
		}
	})
	t.Run("ends, or is refused with every reason", func(t *testing.T) {
		t.Parallel()
		closing.When(answer("clo_1")).Then(account.Closed{Owner: "usr_1", Delegations: ended}).When(answer("clo_1")).ThenNothing()
		refused := closing.When(answer("clo_1", account.LiveServices, account.OpenTickets)).
			Then(account.ClosingRefused{Why: []account.Reason{account.LiveServices, account.OpenTickets}})
		if refused.State().MayTakeOn() != nil {
			t.Error("a refused closing leaves it closing")
		}
		refused.When(ask("clo_2")).Then(account.ClosingRequested{Request: "clo_2"})
	})
	t.Run("is withdrawn, and the answer to it comes too late", func(t *testing.T) {
		t.Parallel()
		open := closing.When(withdraw).Then(account.ClosingWithdrawn{})
		open.When(withdraw).ThenNothing()
		open.When(answer("clo_1")).ThenNothing()
		open.Given(account.ClosingRequested{Request: "clo_2"}).When(answer("clo_1")).ThenNothing()
	})
	t.Run("leaves nothing to change", func(t *testing.T) {
		t.Parallel()
		name := "Paul"
		closed.When(func(a account.Account) (events, error) { return a.ChangeProfile(&name, nil, nil) }).Refused(account.ErrClosed)
		closed.When(setBilling(billed())).Refused(account.ErrClosed)
		closed.When(func(a account.Account) (events, error) { return a.ChooseCommunication(account.Choice{}) }).Refused(account.ErrClosed)
		closed.When(ask("clo_2")).Refused(account.ErrClosed)
		closed.When(withdraw).Refused(account.ErrClosed)
	})
	t.Run("is undone by staff, unless nobody is there", func(t *testing.T) {
		t.Parallel()
		closed.When(reopen(true)).Refused(account.ErrOwnerGone)
		open := closed.When(reopen(false)).Then(account.Reopened{Owner: "usr_1"})
		open.When(reopen(false)).ThenNothing()
		if open.State().MayTakeOn() != nil {
			t.Error("it takes on nothing")
		}
	})
	t.Run("comes with the owner's erasure", func(t *testing.T) {
		t.Parallel()
		erase := func(a account.Account) (events, error) { return a.CloseErased(ended) }
		known.When(erase).Then(account.Closed{Owner: "usr_1", Erasure: true, Delegations: ended}).When(erase).ThenNothing()
		domaintest.For(t, account.Decider).When(erase).ThenNothing()
	})
	t.Run("needs an account", func(t *testing.T) {
		t.Parallel()
		for _, do := range []func(account.Account) (events, error){ask("clo_1"), withdraw, reopen(false)} {
			domaintest.For(t, account.Decider).When(do).Refused(account.ErrMissing)
		}
	})
}
