package reservation_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/reservation"
)

type events = []reservation.Event

func TestReservation(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	hold := func(by string, now time.Time) func(reservation.Reservation) (events, error) {
		return func(r reservation.Reservation) (events, error) {
			return r.Hold(reservation.Email, by, now.Add(time.Minute), now)
		}
	}
	take := func(by string) func(reservation.Reservation) (events, error) {
		return func(r reservation.Reservation) (events, error) { return r.Take(by) }
	}
	free := func(by string) func(reservation.Reservation) (events, error) {
		return func(r reservation.Reservation) (events, error) { return r.Free(by) }
	}
	held := func(by string, now time.Time) reservation.Held {
		return reservation.Held{Kind: reservation.Email, By: by, Until: now.Add(time.Minute)}
	}
	later := noon.Add(time.Minute)

	t.Run("is held, taken and freed", func(t *testing.T) {
		t.Parallel()
		taken := domaintest.For(t, reservation.Decider).
			When(hold("usr_1", noon)).Then(held("usr_1", noon)).
			When(take("usr_1")).Then(reservation.Taken{By: "usr_1"})
		if got := taken.State().HolderOf(); got != "usr_1" {
			t.Errorf("holder %s", got)
		}
		taken.When(free("usr_1")).Then(reservation.Freed{By: "usr_1"}).When(hold("usr_2", noon)).Then(held("usr_2", noon))
	})
	t.Run("keeps others away", func(t *testing.T) {
		t.Parallel()
		first := domaintest.For(t, reservation.Decider).Given(held("usr_1", noon))
		first.When(hold("usr_2", noon)).Refused(reservation.ErrTaken)
		first.When(take("usr_2")).Refused(reservation.ErrNotHeld)
		first.When(free("usr_2")).Refused(reservation.ErrTaken)
		taken := first.Given(reservation.Taken{By: "usr_1"})
		taken.When(hold("usr_2", later)).Refused(reservation.ErrTaken)
		taken.When(take("usr_2")).Refused(reservation.ErrTaken)
	})
	t.Run("expires while held, for the next one", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, reservation.Decider).Given(held("usr_1", noon)).
			When(hold("usr_2", later)).Then(held("usr_2", later)).
			When(take("usr_1")).Refused(reservation.ErrNotHeld)
	})
	t.Run("may be repeated by its holder", func(t *testing.T) {
		t.Parallel()
		again := noon.Add(time.Second)
		domaintest.For(t, reservation.Decider).Given(held("usr_1", noon)).When(hold("usr_1", again)).Then(held("usr_1", again))
		taken := domaintest.For(t, reservation.Decider).Given(held("usr_1", noon), reservation.Taken{By: "usr_1"})
		taken.When(hold("usr_1", again)).ThenNothing()
		taken.When(take("usr_1")).ThenNothing()
	})
	t.Run("needs a hold to be taken, and nothing to be freed when free", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, reservation.Decider).When(take("usr_1")).Refused(reservation.ErrNotHeld)
		domaintest.For(t, reservation.Decider).When(free("usr_1")).ThenNothing()
	})
}
