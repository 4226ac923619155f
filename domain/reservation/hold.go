package reservation

import "time"

// Held says that a value is kept for somebody until a time.
type Held struct {
	Kind  Kind      `json:"kind"`
	By    string    `json:"by"`
	Until time.Time `json:"until"`
}

// EventType is the name on disk.
func (Held) EventType() string { return "reservation.held.v1" }

func (e Held) apply(Reservation) Reservation {
	return Reservation(e)
}

// Hold keeps a free value for by. Its holder may repeat, which prolongs; who
// has it already has nothing to do.
func (r Reservation) Hold(kind Kind, by string, until, now time.Time) ([]Event, error) {
	switch {
	case r.HolderOf() == by && by != "":
		return nil, nil
	case r.Status(now) != StatusFree && r.By != by:
		return nil, ErrTaken
	}
	return []Event{Held{Kind: kind, By: by, Until: until}}, nil
}
