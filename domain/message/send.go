package message

// Sent says that a mail server took the mail.
type Sent struct {
	// MessageID is the mail's Message-ID, by which servers and people find it.
	MessageID string `json:"message_id"`
}

// EventType is the name on disk.
func (Sent) EventType() string { return "message.sent.v1" }

func (Sent) apply(m Message) Message {
	m.Status = StatusSent
	return m
}

// Failed says that the mail was given up: the server refused it for good.
type Failed struct {
	// Code is the server's reply code, such as 550. Its words may name people
	// and are not kept.
	Code int `json:"code"`
}

// EventType is the name on disk.
func (Failed) EventType() string { return "message.failed.v1" }

func (Failed) apply(m Message) Message {
	m.Status = StatusFailed
	return m
}

// MarkSent notes that a server took the mail; a repeat needs nothing.
func (m Message) MarkSent(messageID string) ([]Event, error) {
	switch m.Status {
	case StatusNone:
		return nil, ErrMissing
	case StatusSent:
		return nil, nil
	case StatusFailed:
		return nil, ErrFailed
	case StatusQueued:
	}
	return []Event{Sent{MessageID: messageID}}, nil
}

// MarkFailed notes that the mail was given up; a repeat needs nothing.
func (m Message) MarkFailed(code int) ([]Event, error) {
	switch m.Status {
	case StatusNone:
		return nil, ErrMissing
	case StatusSent:
		return nil, ErrSent
	case StatusFailed:
		return nil, nil
	case StatusQueued:
	}
	return []Event{Failed{Code: code}}, nil
}
