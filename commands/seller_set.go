package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/seller"
)

// SetSeller says who sells and on which terms from now on.
type SetSeller struct {
	seller.Details
}

// Target is the one seller.
func (SetSeller) Target() seller.Target { return seller.Decider.At(seller.ID) }

// Permission is that of the command line.
func (SetSeller) Permission() domain.Permission { return delegation.System }

// Decide configures the seller.
func (c SetSeller) Decide(s seller.Seller, _ Env) ([]seller.Event, error) {
	return s.Configure(c.Details)
}
