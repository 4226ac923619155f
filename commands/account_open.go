package commands

import (
	"cmp"
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
)

// OpenAccount opens an account; the caller becomes its owner. What people ask
// for goes through the Dispatcher's method.
type OpenAccount struct {
	AccountID string          `json:"-"`
	Name      string          `json:"name"`
	Kind      account.Kind    `json:"kind"`
	Country   string          `json:"country"`
	Currency  string          `json:"currency"`
	VATNumber string          `json:"vat_number,omitempty"`
	Address   account.Address `json:"address,omitzero"`
	// Owner is given by the demo, imports and the command line, who open
	// accounts for others.
	Owner string `json:"-"`
}

// OpenAccount opens an account for the caller, who is claimed as its owner first.
func (d *Dispatcher) OpenAccount(ctx context.Context, call Call, cmd OpenAccount) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	cmd = cmd.Identify(func(kind string) string { return NewID(call.CommandID, kind) }).By(call.Actor)
	err := authorise(call, cmd.Permission(), delegation.Resource{Kind: account.Decider.Category, ID: cmd.AccountID})
	if err == nil {
		err = claimFor(ctx, d, call, cmd, claimOwnership{cmd.Owner, user.OwnershipClaimed{Account: cmd.AccountID}})
	}
	if err != nil {
		return Receipt{}, err
	}
	return Execute(ctx, d, call, cmd)
}

// Identify gives the account its id.
func (c OpenAccount) Identify(newID func(kind string) string) OpenAccount {
	c.AccountID = cmp.Or(c.AccountID, newID("acc"))
	return c
}

// Target is the new account.
func (c OpenAccount) Target() account.Target { return account.Decider.At(c.AccountID) }

// Permission is being logged in.
func (OpenAccount) Permission() domain.Permission { return delegation.SignedIn }

// By makes whoever is logged in the owner.
func (c OpenAccount) By(actor domain.Actor) OpenAccount {
	if actor.Kind == domain.ActorUser || actor.Kind == domain.ActorStaff {
		c.Owner = ""
	}
	c.Owner = cmp.Or(c.Owner, actor.ID)
	return c
}

// Gather refuses an owner who is to be erased: the account would stay.
func (c OpenAccount) Gather(ctx context.Context, s Streams) (OpenAccount, error) {
	return c, mayNotBeErased(ctx, s, c.Owner)
}

// Decide opens the account.
func (c OpenAccount) Decide(a account.Account, _ Env) ([]account.Event, error) {
	return a.Open(account.Opened{
		Owner: c.Owner, Name: c.Name, Kind: c.Kind, Country: c.Country, Currency: c.Currency,
		VATNumber: c.VATNumber, Address: c.Address,
	})
}
