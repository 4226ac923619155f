package commands

import (
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/seller"
)

// ActivateService notes that staff have set a service up.
type ActivateService struct {
	ServiceID string `json:"-"`
	// Zone is where the seller's day begins.
	Zone string `json:"-"`
}

// Target is the service.
func (c ActivateService) Target() hosting.Target { return hosting.Decider.At(c.ServiceID) }

// Permission is staff's.
func (ActivateService) Permission() domain.Permission { return delegation.StaffServices }

// Gather reads the seller's zone: the first period begins on a day there.
func (c ActivateService) Gather(ctx context.Context, s Streams) (ActivateService, error) {
	from, err := Load(ctx, s, seller.Decider.At(seller.ID))
	c.Zone = from.Zone
	if !from.IsConfigured() {
		c.Zone = seller.DefaultZone
	}
	return c, err
}

// Decide activates the service.
func (c ActivateService) Decide(h hosting.Hosting, env Env) ([]hosting.Event, error) {
	today, err := domain.In(c.Zone, env.Now)
	if err != nil {
		return nil, err
	}
	return h.Activate(today)
}
