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
