package hosting

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/product"
)

// Created says that an account has a service of a product's version. Name is
// the product's name on that day; label tells one service from another, in the
// customer's own words or by its domain name.
type Created struct {
	Account        string        `json:"account"`
	Product        string        `json:"product"`
	ProductVersion int           `json:"product_version"`
	Name           string        `json:"name"`
	Label          string        `json:"label" personal:"account,profile"`
	Cycle          product.Cycle `json:"cycle"`
}

// EventType is the name on disk.
func (Created) EventType() string { return "hosting.created.v1" }

// Public is the service as its account sees it.
func (e Created) Public() any {
	return struct {
		Product string        `json:"product"`
		Name    string        `json:"name"`
		Label   string        `json:"label"`
		Cycle   product.Cycle `json:"cycle"`
		Status  Status        `json:"status"`
	}{e.Product, e.Name, e.Label, e.Cycle, StatusPending}
}

func (e Created) apply(Hosting) Hosting {
	return Hosting{Account: e.Account, Status: StatusPending, Label: e.Label, Cycle: e.Cycle}
}

// Create makes a service of a product on sale for an account.
func (h Hosting) Create(account, productID string, p product.Product, label string, cycle product.Cycle) ([]Event, error) {
	if h.Status != StatusNone {
		return nil, ErrExists
	}
	var c domain.Check
	label = c.Line("label", label, labelLimit)
	c.That(account != "", "account", "must not be empty")
	c.That(cycle.Months() > 0, "cycle", "must be a cycle such as monthly or yearly")
	c.That(p.Exists(), "product", "does not exist")
	if err := c.Err(); err != nil {
		return nil, err
	}
	if !p.Sells(cycle) {
		return nil, product.ErrNotOnSale
	}
	return []Event{Created{
		Account: account, Product: productID, ProductVersion: p.Version, Name: p.Name, Label: label, Cycle: cycle,
	}}, nil
}
