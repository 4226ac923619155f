package projections_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/eventstore/keystest"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

func TestToken(t *testing.T) {
	t.Parallel()

	t.Run("comes back from its text", func(t *testing.T) {
		t.Parallel()
		for _, token := range []projections.Token{
			{},
			{LogID: uuid.New(), Position: eventstore.Position{Commit: 7, Prepare: 5}},
			{LogID: uuid.New(), Position: eventstore.Position{Commit: 1 << 62, Prepare: 1 << 62}},
		} {
			got, err := projections.ParseToken(token.String())
			if err != nil || got != token {
				t.Error(got, err)
			}
		}
	})
	t.Run("is refused when it is not one", func(t *testing.T) {
		t.Parallel()
		good := projections.Token{LogID: uuid.New(), Position: eventstore.Position{Commit: 1, Prepare: 1}}.String()
		for _, text := range []string{"x", "!", good + "A", good[:len(good)-2], "é", good + "\x00"} {
			if _, err := projections.ParseToken(text); domain.KindOf(err) != domain.KindInvalid {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(projections.Token{LogID: uuid.Nil, Position: eventstore.Position{Commit: 1, Prepare: 2}}.String())
	f.Fuzz(func(t *testing.T, text string) {
		token, err := projections.ParseToken(text)
		if err != nil {
			return
		}
		again, err := projections.ParseToken(token.String())
		if err != nil || again != token {
			t.Error(again, err)
		}
	})
}

func TestWait(t *testing.T) {
	t.Parallel()
	side := start(t, hosting.Decider.Types, "services")

	t.Run("is over when the model shows the write", func(t *testing.T) {
		t.Parallel()
		p := side.Given("acc_1", "hosting-hst_1", hosting.Created{Account: "acc_1", Label: "a"})
		fresh, err := side.Reader.Wait(t.Context(), "services", side.Reader.Token(p))
		if err != nil || !fresh {
			t.Fatal(fresh, err)
		}
		if _, err := side.Reader.Service(t.Context(), owner("acc_1"), "acc_1", "hst_1"); err != nil {
			t.Error(err)
		}
	})
	t.Run("ends with its context, and says that the rows may be old", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		fresh, err := side.Reader.Wait(ctx, "services", side.Reader.Token(eventstore.Position{Commit: 1 << 40}))
		if err != nil || fresh {
			t.Error(fresh, err)
		}
	})
	t.Run("refuses a token of another log", func(t *testing.T) {
		t.Parallel()
		_, err := side.Reader.Wait(t.Context(), "services", projections.Token{LogID: uuid.New(), Position: eventstore.Position{Commit: 1}})
		if domain.KindOf(err) != domain.KindInvalid {
			t.Error(err)
		}
	})
	t.Run("knows its models", func(t *testing.T) {
		t.Parallel()
		if _, err := side.Reader.Wait(t.Context(), "nothing", side.Reader.Token(eventstore.Position{Commit: 1})); !errors.Is(err, feed.ErrUnknownLane) {
			t.Error(err)
		}
	})
}

// lanes tells a Reader what a lane would.
type lanes feed.Status

func (lanes) Wait(context.Context, string, eventstore.Position) error { return nil }
func (l lanes) LaneStatus(string) (feed.Status, error)                { return feed.Status(l), nil }

func TestRightsAreNeverOld(t *testing.T) {
	t.Parallel()
	db, _ := projectiontest.Database(t)
	for name, c := range map[string]struct {
		status  feed.Status
		refused bool
	}{
		"live":            {feed.Status{State: feed.Live}, false},
		"a little behind": {feed.Status{State: feed.CatchingUp, Behind: 4 * time.Second}, false},
		"far behind":      {feed.Status{State: feed.CatchingUp, Behind: 6 * time.Second}, true},
		"far behind a store that does not answer": {feed.Status{State: feed.BackingOff, Behind: time.Minute, StoreAway: true}, false},
		"halted":                    {feed.Status{State: feed.Halted}, true},
		"halted in another process": {feed.Status{State: feed.Standby, Error: "poison"}, true},
	} {
		t.Run("when the lane is "+name, func(t *testing.T) {
			t.Parallel()
			_, err := projections.NewReader(db, lanes(c.status), uuid.New()).Rights(t.Context(), "usr_1")
			if refused := domain.KindOf(err) == domain.KindUnavailable; refused != c.refused || err != nil && !refused {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsErasedIsGoneAfterARebuild(t *testing.T) {
	t.Parallel()
	side := projectiontest.New(t, catalog.Types(), projections.Models()...)
	keys := keystest.New()
	side.Codec = side.Codec.WithKeys(keys)
	side.Run(projections.Lanes(projections.Models()...)...)
	history(side)
	side.Settle()
	keys.Destroy("acc_1", eventstore.Profile)
	for _, m := range side.Models {
		if err := m.Rebuild(t.Context(), side.DB, side.Runner); err != nil {
			t.Fatal(err)
		}
	}
	side.Settle()

	got, err := side.Reader.Account(t.Context(), owner("acc_1"), "acc_1")
	want := account.Individual
	if err != nil || got.Name != eventstore.Erased || got.Kind != want || got.Country != "FR" {
		t.Errorf("%+v %v", got, err)
	}
	if b := got.Billing; b == nil || b.Name != eventstore.Erased || b.Email != eventstore.Erased || b.Address.City != eventstore.Erased || b.Kind != account.Company {
		t.Errorf("the billing identity is %+v", b)
	}
	ticket, err := side.Reader.Ticket(t.Context(), owner("acc_1"), "acc_1", "tkt_1")
	if err != nil || ticket.Subject != eventstore.Erased || ticket.Messages[0].Message != eventstore.Erased {
		t.Errorf("%+v %v", ticket, err)
	}
	invoice, err := side.Reader.Invoice(t.Context(), owner("acc_1"), "acc_1", "inv_1")
	if diff := cmp.Diff("Pierre Lannoy", invoice.Buyer.Name); err != nil || diff != "" {
		t.Error("the invoice lost its buyer", diff, err)
	}
}
