// Package hosting holds the rules of a service: one hosting plan sold to one
// account, from its creation to its running and its suspensions.
//
// Making it real on a machine is the part of commands/effects; what it costs is
// the product's version that it pins (domain/product).
package hosting

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/product"
)

// Event is a fact about a service.
type Event interface {
	domain.Event
	apply(Hosting) Hosting
}

// Target is one service.
type Target = domain.Target[Hosting, Event]

// Decider folds a service's facts.
var Decider = domain.Decider[Hosting, Event]{
	Category: "hosting",
	Evolve:   func(h Hosting, e Event) Hosting { return e.apply(h) },
	Types: []domain.Type{
		domain.PublicTypeOf[Created](delegation.ServicesRead),
		domain.TypeOf[ProvisioningStarted](),
		domain.PublicTypeOf[Provisioned](delegation.ServicesRead),
		domain.PublicTypeOf[Suspended](delegation.ServicesRead),
		domain.PublicTypeOf[SuspensionLifted](delegation.ServicesRead),
		domain.PublicTypeOf[Renamed](delegation.ServicesRead),
	},
}

// Status is where a service stands.
type Status string

// The states of a service; "" is one that does not exist.
const (
	StatusNone         Status = ""
	StatusPending      Status = "pending"
	StatusProvisioning Status = "provisioning"
	StatusActive       Status = "active"
	StatusSuspended    Status = "suspended"
)

// Reason is why a service is suspended: "overdue", "abuse", "requested".
type Reason string

// Overdue is the one reason that a payment lifts.
const Overdue Reason = "overdue"

// Hosting is the state of a service.
type Hosting struct {
	Account string
	Status  Status
	Label   string
	Cycle   product.Cycle
	// RenewsOn is the first day that is not paid for by the running period.
	RenewsOn domain.Date
	// Reasons are why it is suspended, sorted; it runs only without any.
	Reasons []Reason
}

// OwnerAccount is the account that the service belongs to.
func (h Hosting) OwnerAccount() string { return h.Account }

// Errors of this aggregate.
var (
	ErrExists       = domain.Conflict("service_exists", "This service exists already.")
	ErrMissing      = domain.Missing("service")
	ErrActive       = domain.Conflict("service_active", "This service was activated already.")
	ErrNotActive    = domain.Conflict("service_not_active", "Only a service that was activated can be suspended.")
	ErrNotSuspended = domain.Conflict("service_not_suspended", "The service is not suspended for that reason.")
)

func (h Hosting) has(r Reason) bool { return slices.Contains(h.Reasons, r) }
