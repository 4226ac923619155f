package ticket

import "time"

// Closed says that the request is settled.
type Closed struct {
	// ReopenUntil is when it is closed for good.
	ReopenUntil time.Time `json:"reopen_until"`
}

// EventType is the name on disk.
func (Closed) EventType() string { return "ticket.closed.v1" }

// Public is the new status and how long it can be taken back.
func (e Closed) Public() any {
	return struct {
		Status      Status    `json:"status"`
		ReopenUntil time.Time `json:"reopen_until"`
	}{StatusClosed, e.ReopenUntil}
}

func (e Closed) apply(t Ticket) Ticket {
	t.Status, t.ReopenUntil = StatusClosed, e.ReopenUntil
	return t
}

// Reopened says that the request was not settled after all.
type Reopened struct{}

// EventType is the name on disk.
func (Reopened) EventType() string { return "ticket.reopened.v1" }

// Public is the new status.
func (Reopened) Public() any { return publicStatus{StatusOpen} }

func (Reopened) apply(t Ticket) Ticket {
	t.Status, t.ReopenUntil = StatusOpen, time.Time{}
	return t
}

// Close settles the ticket; a closed one needs nothing.
func (t Ticket) Close(now time.Time) ([]Event, error) {
	switch t.Status {
	case StatusNone:
		return nil, ErrMissing
	case StatusClosed:
		return nil, nil
	case StatusOpen, StatusAnswered, StatusCustomerReply, StatusOnHold, StatusInProgress:
	}
	return []Event{Closed{ReopenUntil: now.Add(ReopenWindow)}}, nil
}

// Reopen takes a ticket up again within the window; an open one needs nothing.
func (t Ticket) Reopen(now time.Time) ([]Event, error) {
	switch {
	case t.Status == StatusNone:
		return nil, ErrMissing
	case t.Status != StatusClosed:
		return nil, nil
	case now.After(t.ReopenUntil):
		return nil, ErrTooLate
	}
	return []Event{Reopened{}}, nil
}
