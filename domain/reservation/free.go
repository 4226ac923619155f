package reservation

// Freed says that the value may be held again.
type Freed struct {
	By string `json:"by"`
}

// EventType is the name on disk.
func (Freed) EventType() string { return "reservation.freed.v1" }

func (e Freed) apply(Reservation) Reservation { return Reservation{} }

// Free gives the value up. Only who holds or has it can; a value that is free
// already needs nothing.
func (r Reservation) Free(by string) ([]Event, error) {
	switch r.By {
	case "":
		return nil, nil
	case by:
		return []Event{Freed{By: by}}, nil
	}
	return nil, ErrTaken
}
