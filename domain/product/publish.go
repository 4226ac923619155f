package product

import (
	"fmt"
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// VersionPublished says what is on sale from now on, whole.
type VersionPublished struct {
	Version int     `json:"version"`
	Code    string  `json:"code"`
	Name    string  `json:"name"`
	Prices  []Price `json:"prices"`
}

// EventType is the name on disk.
func (VersionPublished) EventType() string { return "product.version_published.v1" }

func (e VersionPublished) apply(p Product) Product {
	p.Version, p.Published = e.Version, e.Prices
	return p
}

// Publish puts the draft on sale as the next version.
func (p Product) Publish() ([]Event, error) {
	switch {
	case !p.Exists():
		return nil, ErrMissing
	case p.Retired:
		return nil, ErrRetired
	case len(p.Prices) == 0:
		return nil, ErrUnpriced
	case p.Version > 0 && slices.Equal(p.Prices, p.Published):
		return nil, nil
	}
	return []Event{VersionPublished{Version: p.Version + 1, Code: p.Code, Name: p.Name, Prices: p.Prices}}, nil
}

// Launch drafts, prices and publishes a new product in one decision.
func (p Product) Launch(code, name string, prices []Price) ([]Event, error) {
	events, err := p.Draft(code, name)
	if err != nil {
		return nil, err
	}
	p = Decider.Evolve(p, events[0])
	var c domain.Check
	c.That(len(prices) > 0, "prices", "must not be empty")
	for i, price := range prices {
		twice := slices.ContainsFunc(prices[:i], price.same)
		c.That(!twice, fmt.Sprintf("prices[%d]", i), "repeats a cycle and currency")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	for _, price := range prices {
		priced, err := p.SetPrice(price.Cycle, price.Price)
		if err != nil {
			return nil, err
		}
		for _, e := range priced {
			p = Decider.Evolve(p, e)
		}
		events = append(events, priced...)
	}
	published, err := p.Publish()
	return append(events, published...), err
}
