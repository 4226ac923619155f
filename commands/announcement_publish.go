package commands

import (
	"cmp"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/delegation"
)

// PublishAnnouncement writes a piece of news, and shows it from a time on when
// one is given.
type PublishAnnouncement struct {
	AnnouncementID string     `json:"-"`
	Title          string     `json:"title"`
	Body           string     `json:"body"`
	PublishedAt    *time.Time `json:"published_at,omitempty"`
}

// Target is the announcement to be.
func (c PublishAnnouncement) Target() announcement.Target {
	return announcement.Decider.At(c.AnnouncementID)
}

// Permission is staff's.
func (PublishAnnouncement) Permission() domain.Permission { return delegation.StaffContent }

// Identify gives the announcement its id.
func (c PublishAnnouncement) Identify(newID func(string) string) PublishAnnouncement {
	c.AnnouncementID = cmp.Or(c.AnnouncementID, newID("ann"))
	return c
}

// Decide drafts and, with a time, publishes.
func (c PublishAnnouncement) Decide(a announcement.Announcement, _ Env) ([]announcement.Event, error) {
	drafted, err := a.Draft(c.Title, c.Body)
	if err != nil || c.PublishedAt == nil {
		return drafted, err
	}
	published, err := announcement.Decider.Fold(drafted...).Publish(*c.PublishedAt)
	if err != nil {
		return nil, err
	}
	return append(drafted, published...), nil
}
