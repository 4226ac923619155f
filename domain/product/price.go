package product

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// Priced says what a cycle costs in the next version.
type Priced struct {
	Cycle Cycle        `json:"cycle"`
	Price money.Amount `json:"price"`
}

// EventType is the name on disk.
func (Priced) EventType() string { return "product.priced.v1" }

func (e Priced) apply(p Product) Product {
	p.Prices = slices.DeleteFunc(slices.Clone(p.Prices), func(old Price) bool { return old.same(Price(e)) })
	p.Prices = append(p.Prices, Price(e))
	return p
}

// same reports whether two prices are for one cycle and currency.
func (p Price) same(other Price) bool {
	return p.Cycle == other.Cycle && p.Price.Currency() == other.Price.Currency()
}

// SetPrice gives the next version a price for a cycle and currency, in the
// place of an earlier one for both.
func (p Product) SetPrice(cycle Cycle, price money.Amount) ([]Event, error) {
	switch {
	case !p.Exists():
		return nil, ErrMissing
	case p.Retired:
		return nil, ErrRetired
	}
	var c domain.Check
	c.That(cycle.Months() > 0, "cycle", "must be monthly, quarterly, half_yearly, yearly, biennial or triennial")
	c.That(price.Currency() != "" && price.Sign() >= 0, "price", "must be an amount of zero or more")
	if err := c.Err(); err != nil {
		return nil, err
	}
	if slices.Contains(p.Prices, Price{Cycle: cycle, Price: price}) {
		return nil, nil
	}
	return []Event{Priced{Cycle: cycle, Price: price}}, nil
}
