package hosting

import "github.com/hostfold/hostfold/domain"

const labelLimit = 100

// Renamed says how the account calls the service from now on.
type Renamed struct {
	Label string `json:"label" personal:"account,profile"`
}

// EventType is the name on disk.
func (Renamed) EventType() string { return "hosting.renamed.v1" }

// Public is the new label.
func (e Renamed) Public() any { return e }

func (e Renamed) apply(h Hosting) Hosting {
	h.Label = e.Label
	return h
}

// Rename gives the service another label.
func (h Hosting) Rename(label string) ([]Event, error) {
	if h.Status == StatusNone {
		return nil, ErrMissing
	}
	var c domain.Check
	label = c.Line("label", label, labelLimit)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if label == h.Label {
		return nil, nil
	}
	return []Event{Renamed{Label: label}}, nil
}
