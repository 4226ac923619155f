package commands

import (
	"cmp"
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/product"
)

// CreateService gives an account a service of a product on sale.
type CreateService struct {
	ServiceID string        `json:"-"`
	AccountID string        `json:"-"`
	Product   string        `json:"product"`
	Label     string        `json:"label"`
	Cycle     product.Cycle `json:"cycle"`
	// Sold is the product as it is on sale.
	Sold product.Product `json:"-"`
}

// Target is the service to be.
func (c CreateService) Target() hosting.Target { return hosting.Decider.At(c.ServiceID) }

// Permission is staff's.
func (CreateService) Permission() domain.Permission { return delegation.StaffServices }

// Identify gives the service its id.
func (c CreateService) Identify(newID func(string) string) CreateService {
	c.ServiceID = cmp.Or(c.ServiceID, newID("hst"))
	return c
}

// Gather reads the product, and refuses an account that does not exist.
func (c CreateService) Gather(ctx context.Context, s Streams) (CreateService, error) {
	if err := mustBeOpen(ctx, s, c.AccountID); err != nil {
		return c, err
	}
	var err error
	c.Sold, err = Load(ctx, s, product.Decider.At(c.Product))
	return c, err
}

// Decide creates the service.
func (c CreateService) Decide(h hosting.Hosting, env Env) ([]hosting.Event, error) {
	if c.AccountID != env.Account {
		return nil, account.ErrMissing
	}
	return h.Create(c.AccountID, c.Product, c.Sold, c.Label, c.Cycle)
}

// mustBeOpen refuses an account that does not exist, closes or is closed: it
// takes on nothing new.
func mustBeOpen(ctx context.Context, s Streams, accountID string) error {
	a, err := Load(ctx, s, account.Decider.At(accountID))
	if err != nil {
		return err
	}
	return a.MayTakeOn()
}
