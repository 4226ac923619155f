package reservation

import "time"

// Taken says that the holder has the value for good.
type Taken struct {
	By string `json:"by"`
}

// EventType is the name on disk.
func (Taken) EventType() string { return "reservation.taken.v1" }

func (e Taken) apply(r Reservation) Reservation {
	r.By, r.Until = e.By, time.Time{}
	return r
}

// Take turns a hold into possession. A hold that expired meanwhile is still
// good as long as nobody else came: the holder's own stream is written by then.
func (r Reservation) Take(by string) ([]Event, error) {
	switch {
	case r.HolderOf() == by && by != "":
		return nil, nil
	case r.HolderOf() != "":
		return nil, ErrTaken
	case r.By != by:
		return nil, ErrNotHeld
	}
	return []Event{Taken{By: by}}, nil
}
