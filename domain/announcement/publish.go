package announcement

import "time"

// Drafted says that a piece of news was written; nobody outside sees it yet.
type Drafted struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

// EventType is the name on disk.
func (Drafted) EventType() string { return "announcement.drafted.v1" }

func (e Drafted) apply(a Announcement) Announcement {
	a.Title, a.Body = e.Title, e.Body
	return a
}

// Published says from when on everybody may read the news, and what it says.
type Published struct {
	Title       string    `json:"title"`
	Body        string    `json:"body"`
	PublishedAt time.Time `json:"published_at"`
}

// EventType is the name on disk.
func (Published) EventType() string { return "announcement.published.v1" }

// Public says only that there is news from a time on: the text is read where
// it stands, and not before its time.
func (e Published) Public() any {
	return struct {
		PublishedAt time.Time `json:"published_at"`
	}{e.PublishedAt}
}

func (e Published) apply(a Announcement) Announcement {
	a.PublishedAt = e.PublishedAt
	return a
}

// Draft writes an announcement.
func (a Announcement) Draft(title, body string) ([]Event, error) {
	if a.Exists() {
		return nil, ErrExists
	}
	title, body, err := check(title, body)
	if err != nil {
		return nil, err
	}
	return []Event{Drafted{Title: title, Body: body}}, nil
}

// Publish shows a draft from a time on; one that is published needs nothing.
func (a Announcement) Publish(at time.Time) ([]Event, error) {
	switch {
	case !a.Exists():
		return nil, ErrMissing
	case !a.PublishedAt.IsZero():
		return nil, nil
	}
	return []Event{Published{Title: a.Title, Body: a.Body, PublishedAt: at.UTC().Truncate(time.Microsecond)}}, nil
}
