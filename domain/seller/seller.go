// Package seller holds who sells: what the law wants on every invoice about
// the hosting company, its time zone, and how long a customer has to pay.
// There is one seller, the stream seller-main; no invoice is issued before it
// is configured.
package seller

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// ID is the id of the one seller.
const ID = "main"

// Defaults of a seller's settings.
const (
	DefaultZone        = "Europe/Paris"
	DefaultPaymentDays = 30
)

// Event is a fact about the seller.
type Event interface {
	domain.Event
	apply(Seller) Seller
}

// Target is the seller.
type Target = domain.Target[Seller, Event]

// Decider folds the seller's facts.
var Decider = domain.Decider[Seller, Event]{
	Category: "seller",
	Evolve:   func(s Seller, e Event) Seller { return e.apply(s) },
	Types:    []domain.Type{domain.TypeOf[Configured]()},
}

// Seller is the state of the seller; it is Configured's content.
type Seller struct {
	Details
}

// IsConfigured reports whether invoices can be issued.
func (s Seller) IsConfigured() bool { return s.Name != "" }

// ErrNotConfigured says that the company is not known yet.
var ErrNotConfigured = domain.Conflict("seller_not_configured", "Set the seller first: hostfold seller set FILE.")

// Details are the mentions that an invoice must carry about its seller, and
// the terms it grants. They name a company, not a person.
type Details struct {
	Name string `json:"name"`
	// LegalForm is "SAS", "SARL", "EI"; ShareCapital is absent for forms
	// without one.
	LegalForm    string       `json:"legal_form"`
	ShareCapital money.Amount `json:"share_capital,omitzero"`
	Address      Address      `json:"address"`
	SIREN        string       `json:"siren"`
	SIRET        string       `json:"siret,omitempty"`
	// RCS is the trade register's town: "Lyon".
	RCS       string `json:"rcs,omitempty"`
	VATNumber string `json:"vat_number"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"`
	// IBAN and BIC are where customers pay to.
	IBAN string `json:"iban,omitempty"`
	BIC  string `json:"bic,omitempty"`
	// VATOnDebits is the option "pour le paiement de la taxe d'après les débits".
	VATOnDebits bool `json:"vat_on_debits"`
	// PaymentDays is how long after its issue an invoice is due.
	PaymentDays int `json:"payment_days"`
	// LatePenalty, RecoveryCharge and EarlyDiscount are the terms of late and
	// early payment between businesses.
	LatePenalty    string       `json:"late_penalty"`
	RecoveryCharge money.Amount `json:"recovery_charge"`
	EarlyDiscount  string       `json:"early_discount"`
	// Zone is where the seller's day begins and ends.
	Zone string `json:"zone"`
}

// Address is the registered office.
type Address struct {
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	PostalCode string `json:"postal_code"`
	City       string `json:"city"`
	Country    string `json:"country"`
}
