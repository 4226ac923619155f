package announcement

// Amended says what the announcement says from now on.
type Amended struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

// EventType is the name on disk.
func (Amended) EventType() string { return "announcement.amended.v1" }

func (e Amended) apply(a Announcement) Announcement {
	a.Title, a.Body = e.Title, e.Body
	return a
}

// Amend changes the text; the same text needs nothing.
func (a Announcement) Amend(title, body string) ([]Event, error) {
	if !a.Exists() {
		return nil, ErrMissing
	}
	title, body, err := check(title, body)
	switch {
	case err != nil:
		return nil, err
	case title == a.Title && body == a.Body:
		return nil, nil
	}
	return []Event{Amended{Title: title, Body: body}}, nil
}
