package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// TestWhoOpensAnAccountIsNotClosedMeanwhile: an account does not begin with an
// owner who is no more.
func TestWhoOpensAnAccountIsNotClosedMeanwhile(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (o *office, open func() (commands.Receipt, error)) {
		t.Helper()
		o = newOffice(t)
		call := by(o.zoe)
		return o, func() (commands.Receipt, error) {
			return o.OpenAccount(t.Context(), call, commands.OpenAccount{Name: "Zoé", Kind: account.Individual, Country: "FR", Currency: "EUR"})
		}
	}
	t.Run("the account comes first", func(t *testing.T) {
		t.Parallel()
		o, open := begin(t)
		o.race.before("account-", func() {
			if err := shut(o); !errors.Is(err, user.ErrTakesOver) {
				t.Errorf("answered %v", err)
			}
		})
		opened, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if a := load(o.shop, account.Decider.At(opened.ID)); a.Owner != o.zoe || o.user(o.zoe).IsClosed {
			t.Errorf("%s owns it, closed %v", a.Owner, o.user(o.zoe).IsClosed)
		}
		facts := len(o.stored("user-" + o.zoe))
		if again, err := open(); err != nil || again.ID != opened.ID || !again.Replayed || len(o.stored("user-"+o.zoe)) != facts {
			t.Error("the same again", again, err)
		}
		if err := shut(o); !errors.Is(err, user.ErrOwnsAccounts) { // though the call's rights are older
			t.Errorf("answered %v", err)
		}
		o.closes(opened.ID)
		if err := shut(o); err != nil {
			t.Error(err)
		}
	})
	t.Run("the end comes first", func(t *testing.T) {
		t.Parallel()
		o, open := begin(t)
		o.race.before("user-", func() {
			if err := shut(o); err != nil {
				t.Error(err)
			}
		})
		opened, err := open()
		if domain.KindOf(err) != domain.KindConflict && domain.KindOf(err) != domain.KindDenied {
			t.Errorf("answered %v", err)
		}
		if a := load(o.shop, account.Decider.At(opened.ID)); a.Exists() || !o.user(o.zoe).IsClosed {
			t.Errorf("%s owns it, closed %v", a.Owner, o.user(o.zoe).IsClosed)
		}
	})
	t.Run("the account never comes", func(t *testing.T) {
		t.Parallel()
		o, open := begin(t)
		away := &commandtest.Faulty{Store: o.store}
		away.Fail(commandtest.Fault{Fails: func(stream string, _ []eventstore.NewEvent) error {
			if strings.HasPrefix(stream, "account-") {
				return eventstore.ErrUnavailable
			}
			return nil
		}})
		o.race.Store = away
		if _, err := open(); domain.KindOf(err) != domain.KindUnavailable {
			t.Fatalf("answered %v", err)
		}
		if err := shut(o); !errors.Is(err, user.ErrTakesOver) {
			t.Errorf("answered %v", err)
		}
		o.mu.Lock()
		o.now = o.now.Add(10 * time.Minute)
		o.mu.Unlock()
		if err := shut(o); err != nil {
			t.Error(err)
		}
	})
	t.Run("what is refused claims nothing", func(t *testing.T) {
		t.Parallel()
		o, _ := begin(t)
		_, err := o.OpenAccount(t.Context(), by(o.zoe), commands.OpenAccount{Name: "Zoé", Kind: "club", Country: "FR", Currency: "EUR"})
		if domain.KindOf(err) != domain.KindInvalid || len(o.user(o.zoe).Owning) != 0 {
			t.Errorf("answered %v, claimed for %v", err, o.user(o.zoe).Owning)
		}
	})
}

// TestWhoseAccountIsReopenedIsNotClosedMeanwhile: staff open no account again
// whose owner is no more, and nobody is closed who owns one again.
func TestWhoseAccountIsReopenedIsNotClosedMeanwhile(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (o *office, reopen func() error) {
		t.Helper()
		o = newOffice(t)
		do(o.shop, commands.OpenAccount{AccountID: "acc_1", Owner: o.zoe, Name: "Zoé", Kind: account.Individual, Country: "FR", Currency: "EUR"})
		o.closes("acc_1")
		call := boss()
		call.Account = "acc_1"
		return o, func() error {
			_, err := o.ReopenAccount(t.Context(), call, commands.ReopenAccount{AccountID: "acc_1"})
			return err
		}
	}
	status := func(o *office) account.Status {
		o.t.Helper()
		return load(o.shop, account.Decider.At("acc_1")).Status
	}
	t.Run("the account comes first", func(t *testing.T) {
		t.Parallel()
		o, reopen := begin(t)
		o.race.before("account-", func() {
			if err := shut(o); !errors.Is(err, user.ErrTakesOver) {
				t.Errorf("answered %v", err)
			}
		})
		if err := reopen(); err != nil {
			t.Error(err)
		}
		if status(o) != account.StatusOpen || o.user(o.zoe).IsClosed {
			t.Errorf("%s, its owner closed: %v", status(o), o.user(o.zoe).IsClosed)
		}
		facts := len(o.stored("user-" + o.zoe))
		if err := reopen(); err != nil || len(o.stored("user-"+o.zoe)) != facts {
			t.Error("the same again", err)
		}
		if err := shut(o); !errors.Is(err, user.ErrOwnsAccounts) {
			t.Errorf("answered %v", err)
		}
		o.closes("acc_1")
		if err := shut(o); err != nil { // the claim ended with what it was for
			t.Error(err)
		}
	})
	t.Run("the end comes first", func(t *testing.T) {
		t.Parallel()
		o, reopen := begin(t)
		o.race.before("user-", func() {
			if err := shut(o); err != nil {
				t.Error(err)
			}
		})
		if err := reopen(); !errors.Is(err, account.ErrOwnerGone) || status(o) != account.StatusClosed {
			t.Errorf("answered %v, and is %s", err, status(o))
		}
	})
	t.Run("a locked owner keeps what it has", func(t *testing.T) {
		t.Parallel()
		o, reopen := begin(t)
		if _, err := o.LockUser(t.Context(), boss(), commands.LockUser{UserID: o.zoe, Reason: "stolen"}); err != nil {
			t.Fatal(err)
		}
		if err := reopen(); err != nil || status(o) != account.StatusOpen {
			t.Errorf("answered %v, and is %s", err, status(o))
		}
	})
	t.Run("the owner is to be erased", func(t *testing.T) {
		t.Parallel()
		o, reopen := begin(t)
		if _, err := o.RequestErasureFor(t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: o.zoe}); err != nil {
			t.Fatal(err)
		}
		if err := reopen(); !errors.Is(err, account.ErrOwnerGone) || status(o) != account.StatusClosed {
			t.Errorf("answered %v, and is %s", err, status(o))
		}
	})
	t.Run("the owner is erased meanwhile", func(t *testing.T) {
		t.Parallel()
		o, reopen := begin(t)
		other := &shop{t: t, Dispatcher: o.other}
		o.race.before("account-", func() {
			if asked := other.ask(o.zoe); asked.Status != privacy.StatusAccepted {
				t.Errorf("the erasure is %s", asked.Status)
			}
			if err := o.other.EraseSubject(t.Context(), commandtest.SystemCall(), o.zoe); err != nil {
				t.Error(err)
			}
		})
		if err := reopen(); err != nil {
			t.Error(err)
		}
		o.mu.Lock()
		o.now = o.now.Add(time.Hour)
		o.mu.Unlock()
		for wait := time.Duration(1); wait > 0; {
			var err error
			if wait, err = o.other.CompleteErasure(t.Context(), commandtest.SystemCall(), o.zoe); err != nil {
				t.Fatal(err)
			}
		}
		if status(o) != account.StatusClosed {
			t.Errorf("the account is %s", status(o))
		}
	})
}
