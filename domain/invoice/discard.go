package invoice

// DraftDiscarded says that the draft will never be an invoice. It had no
// number, so no number is lost.
type DraftDiscarded struct{}

// EventType is the name on disk.
func (DraftDiscarded) EventType() string { return "invoice.draft_discarded.v1" }

func (DraftDiscarded) apply(inv Invoice) Invoice {
	inv.Status = StatusDiscarded
	return inv
}

// Discard gives a draft up; a repeat has nothing to do.
func (inv Invoice) Discard() ([]Event, error) {
	if inv.Status == StatusDiscarded {
		return nil, nil
	}
	if err := inv.mustBeDraft(); err != nil {
		return nil, err
	}
	return []Event{DraftDiscarded{}}, nil
}
