package delegation

import (
	"maps"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
)

// Impersonation is as whom a staff member's session acts, and until when.
type Impersonation struct {
	// ID is that of the impersonation in the log.
	ID      string
	Account string
	Until   time.Time
}

// outOfReach are what an owner may hand on and staff who act for it do not get:
// to hand rights on, and passwords; to say who owns and who is warned (the
// profile with the address that invoices go to and the choice of mail, the
// contacts of domain names); and to bind the customer to pay.
var outOfReach = []domain.Permission{
	UsersManage, ServicesPassword, ProfileWrite, ContactsManage,
	OrdersPlace, QuotesAccept, InvoicesPay, WalletTopUp, WalletSpend, PaymentMethods,
}

// ErrOutOfReach refuses what an owner may do and staff who act for it may not.
var ErrOutOfReach = &domain.Error{
	Kind: domain.KindDenied, Code: "impersonation_out_of_reach",
	Detail: "You act for the customer: who owns, who is warned, who has access and what is paid is for the customer alone to say.",
}

// Impersonating are the grants of a staff member whose session acts for an
// account: with what its owner may hand on, but for what is out of reach. What
// the owner alone may do, API tokens, second factors, and to mark what the
// account is told as read are out of reach anyway. A role that may not act for
// accounts gets nothing, nor does one that lacks its second factor, nor who has
// the account's rights otherwise.
func (g Grants) Impersonating(i Impersonation) Grants {
	if _, own := g.Accounts[i.Account]; own || !Can(g, "", StaffImpersonate, Resource{}) {
		return g
	}
	terms := Terms{Scope: Scope{All: true}, ExpiresAt: &i.Until}
	for _, p := range delegable {
		if !slices.Contains(outOfReach, p) {
			terms.Permissions = append(terms.Permissions, p)
		}
	}
	accounts := map[string]Grant{i.Account: {Impersonation: i.ID, Terms: terms}}
	maps.Copy(accounts, g.Accounts)
	g.Accounts, g.Impersonation = accounts, &i
	return g
}
