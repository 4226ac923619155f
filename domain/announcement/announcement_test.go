package announcement_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestAnnouncement(t *testing.T) {
	t.Parallel()
	type events = []announcement.Event
	at := time.Date(2022, 12, 30, 9, 0, 0, 0, time.UTC)
	draft := func(title, body string) func(announcement.Announcement) (events, error) {
		return func(a announcement.Announcement) (events, error) { return a.Draft(title, body) }
	}
	publish := func(a announcement.Announcement) (events, error) { return a.Publish(at.Add(999 * time.Nanosecond)) }
	amend := func(body string) func(announcement.Announcement) (events, error) {
		return func(a announcement.Announcement) (events, error) { return a.Amend("Noms de domaines", body) }
	}
	c := domaintest.For(t, announcement.Decider)
	shown := c.When(draft(" Noms de domaines ", "Du nouveau.")).Then(announcement.Drafted{Title: "Noms de domaines", Body: "Du nouveau."}).
		When(publish).Then(announcement.Published{Title: "Noms de domaines", Body: "Du nouveau.", PublishedAt: at})
	shown.When(publish).ThenNothing()
	shown.When(amend("Du nouveau.")).ThenNothing()
	shown.When(amend("Corrigé.")).Then(announcement.Amended{Title: "Noms de domaines", Body: "Corrigé."})
	shown.When(amend("")).RefusedField("body")
	shown.When(draft("a", "b")).Refused(announcement.ErrExists)
	c.When(draft("", "")).RefusedField("title", "body")
	c.When(publish).Refused(announcement.ErrMissing)
	c.When(amend("a")).Refused(announcement.ErrMissing)
}
