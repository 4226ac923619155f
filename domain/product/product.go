// Package product holds what the company sells: a code, a name, and prices per
// cycle and currency, published as numbered versions. A published version
// never changes; a service pins the version it was sold with.
package product

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// Event is a fact about a product.
type Event interface {
	domain.Event
	apply(Product) Product
}

// Target is one product.
type Target = domain.Target[Product, Event]

// Decider folds a product's facts.
var Decider = domain.Decider[Product, Event]{
	Category: "product",
	Evolve:   func(p Product, e Event) Product { return e.apply(p) },
	Types: []domain.Type{
		domain.TypeOf[Drafted](),
		domain.TypeOf[Priced](),
		domain.TypeOf[VersionPublished](),
		domain.TypeOf[Retired](),
	},
}

// Cycle is how often a product is billed.
type Cycle string

// The cycles.
const (
	Monthly    Cycle = "monthly"
	Quarterly  Cycle = "quarterly"
	HalfYearly Cycle = "half_yearly"
	Yearly     Cycle = "yearly"
	Biennial   Cycle = "biennial"
	Triennial  Cycle = "triennial"
)

// Months is how long a cycle lasts, 0 for none of ours.
func (c Cycle) Months() int {
	switch c {
	case Monthly:
		return 1
	case Quarterly:
		return 3
	case HalfYearly:
		return 6
	case Yearly:
		return 12
	case Biennial:
		return 24
	case Triennial:
		return 36
	}
	return 0
}

// Price is what one cycle costs, net.
type Price struct {
	Cycle Cycle        `json:"cycle"`
	Price money.Amount `json:"price"`
}

// Product is the state of a product.
type Product struct {
	Code string
	Name string
	// Prices are the draft's; Published is the last version on sale.
	Prices    []Price
	Version   int
	Published []Price
	Retired   bool
}

// Exists reports whether the product was drafted.
func (p Product) Exists() bool { return p.Code != "" }

// OnSale reports whether services of it can be created.
func (p Product) OnSale() bool { return p.Version > 0 && !p.Retired }

// Sells reports whether the published version has a price for the cycle.
func (p Product) Sells(cycle Cycle) bool {
	return p.OnSale() && slices.ContainsFunc(p.Published, func(pr Price) bool { return pr.Cycle == cycle })
}

// Errors of this aggregate.
var (
	ErrExists    = domain.Conflict("product_exists", "This product exists already.")
	ErrMissing   = domain.Missing("product")
	ErrRetired   = domain.Conflict("product_retired", "This product is no longer sold.")
	ErrUnpriced  = domain.Conflict("product_unpriced", "Give the product a price first.")
	ErrTaken     = domain.Conflict("product_code_taken", "Another product has this code.")
	ErrNotOnSale = domain.Conflict("product_not_on_sale", "This product is not on sale for that cycle.")
)
