package commands

import (
	"context"
	"errors"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/reservation"
)

// CreateProduct puts a new product on sale: it is drafted, priced and
// published at once.
type CreateProduct struct {
	Code   string          `json:"code"`
	Name   string          `json:"name"`
	Prices []product.Price `json:"prices"`
}

// CreateProduct launches the product, unless another one has its code.
func (d *Dispatcher) CreateProduct(ctx context.Context, call Call, cmd CreateProduct) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	create := createProduct{CreateProduct: cmd, id: NewID(call.CommandID, "prd")}
	resource := delegation.Resource{Kind: product.Decider.Category, ID: create.id}
	if err := authorise(call, create.Permission(), resource); err != nil {
		return Receipt{}, err
	}
	launched, err := create.Decide(product.Product{}, Env{})
	if err != nil {
		return Receipt{}, err
	}
	code := product.Decider.Fold(launched...).Code
	receipt, err := claim(ctx, d, call, create, reservation.ProductCode, code)
	if errors.Is(err, reservation.ErrTaken) {
		return Receipt{}, product.ErrTaken
	}
	return receipt, err
}

type createProduct struct {
	CreateProduct
	id string
}

func (c createProduct) Target() product.Target      { return product.Decider.At(c.id) }
func (createProduct) Permission() domain.Permission { return delegation.StaffServices }

func (c createProduct) Decide(p product.Product, _ Env) ([]product.Event, error) {
	return p.Launch(c.Code, c.Name, c.Prices)
}
