// Package account holds the rules of a payer: the customer that owns services,
// domain names, invoices and tickets, and whose one owner is a user.
//
// Who else may act for it is the part of domain/delegation; what an invoice
// says of it is copied into the invoice when it is issued.
package account

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about an account.
type Event interface {
	domain.Event
	apply(Account) Account
}

// Target is one account.
type Target = domain.Target[Account, Event]

// Decider folds an account's facts.
var Decider = domain.Decider[Account, Event]{
	Category: "account",
	Evolve:   func(a Account, e Event) Account { return e.apply(a) },
	Types: []domain.Type{
		domain.PublicTypeOf[Opened](delegation.ProfileRead).Since("account.opened.v1"),
		domain.PublicTypeOf[ProfileUpdated](delegation.ProfileRead).Since("account.profile_updated.v1"),
		domain.PublicTypeOf[BillingIdentityChanged](delegation.ProfileRead).Since("account.billing_identity_changed.v1"),
		domain.PublicTypeOf[CommunicationPreferencesChanged](delegation.ProfileRead),
		domain.PublicTypeOf[ClosingRequested](delegation.ProfileRead),
		domain.PublicTypeOf[ClosingWithdrawn](delegation.ProfileRead),
		domain.PublicTypeOf[ClosingRefused](delegation.ProfileRead),
		domain.PublicTypeOf[Closed](delegation.ProfileRead).Since("account.closed.v1"),
		domain.PublicTypeOf[Reopened](delegation.ProfileRead),
		domain.PublicTypeOf[OwnershipTransferProposed](delegation.UsersManage),
		domain.PublicTypeOf[OwnershipTransferWithdrawn](delegation.UsersManage),
		domain.PublicTypeOf[OwnershipTransferDeclined](delegation.UsersManage),
		domain.PublicTypeOf[OwnershipTransferExpired](delegation.UsersManage),
		domain.PublicTypeOf[OwnershipTransferred](delegation.UsersManage),
	},
}

// Kind tells private customers from businesses; laws differ for them.
type Kind string

// The kinds of account.
const (
	Individual Kind = "individual"
	Company    Kind = "company"
)

// Account is the state of an account.
type Account struct {
	// Owner is the one user that owns the account.
	Owner     string
	Name      string
	Kind      Kind
	Country   string
	Currency  string
	VATNumber string
	Address   Address
	// Billing is whom invoices are made out to; without a kind it is the profile.
	Billing BillingIdentity
	// Communication is which mail the account gets.
	Communication Communication
	Status        Status
	// Closing is the request to close that is not answered yet.
	Closing string
	// Closings is how often it was closed.
	Closings int
	// Transfer is the latest offer to hand the account over, nil before the first.
	Transfer *Transfer
	// Kept are the hand-overs at which a former owner kept something.
	Kept []string
}

// Exists reports whether the account was opened.
func (a Account) Exists() bool { return a.Owner != "" }

// Address is a postal address without its country, which is the account's.
type Address struct {
	Line1      string `json:"line1" personal:"self,profile"`
	Line2      string `json:"line2,omitempty" personal:"self,profile"`
	PostalCode string `json:"postal_code" personal:"self,profile"`
	City       string `json:"city" personal:"self,profile"`
}

// Errors of this aggregate.
var (
	ErrExists  = domain.Conflict("account_exists", "This account is open already.")
	ErrMissing = domain.Missing("account")
)

func checkAddress(c *domain.Check, a Address) Address {
	if a == (Address{}) {
		return a
	}
	return Address{
		Line1:      c.Line("address.line1", a.Line1, 200),
		Line2:      c.OptionalLine("address.line2", a.Line2, 200),
		PostalCode: c.OptionalLine("address.postal_code", a.PostalCode, 20),
		City:       c.Line("address.city", a.City, 100),
	}
}
