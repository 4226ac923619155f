package commands_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/announcement"
)

func TestPublishAnnouncement(t *testing.T) {
	t.Parallel()
	drafted := announcement.Drafted{Title: "Noms de domaines", Body: "Du nouveau."}
	draft := commands.PublishAnnouncement{AnnouncementID: "ann_1", Title: "Noms de domaines", Body: "Du nouveau."}

	t.Run("publishes when given a time", func(t *testing.T) {
		t.Parallel()
		paris := time.FixedZone("CET", 3600)
		at := time.Date(2023, time.January, 5, 10, 0, 0, 0, paris)
		publish := draft
		publish.PublishedAt = &at
		commandtest.For(t, announcement.Decider).When(publish).
			Then(drafted, announcement.Published{Title: "Noms de domaines", Body: "Du nouveau.", PublishedAt: at.UTC()})
	})
	t.Run("only drafts without one", func(t *testing.T) {
		t.Parallel()
		commandtest.For(t, announcement.Decider).When(draft).Then(drafted)
	})
	t.Run("refuses an empty text", func(t *testing.T) {
		t.Parallel()
		commandtest.For(t, announcement.Decider).When(commands.PublishAnnouncement{Title: "a"}).Refused(domain.Invalid("body", ""))
	})
}
