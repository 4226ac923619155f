package catalog_test

import (
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/audit"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/demo"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/roster"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/series"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
)

// samples has one event of every type with every field set.
func samples() []domain.Event {
	noon := time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)
	address := account.Address{Line1: "1 rue de la Paix", Line2: "Bâtiment B", PostalCode: "75002", City: "Paris"}
	prices := []product.Price{{Cycle: product.Monthly, Price: money.EUR(1200)}}
	return []domain.Event{
		account.Opened{Owner: "usr_1", Name: "Pierre", Kind: account.Individual, Country: "FR", Currency: "EUR", VATNumber: "FR32123456789", Address: address, Kept: customer()},
		account.ProfileUpdated{Name: "Pierre", Country: "BE", Address: address, Kept: customer()},
		account.BillingIdentityChanged{BillingIdentity: account.BillingIdentity{
			Kind: account.Company, Name: "Lannoy SARL", CompanyNumber: "123456782", VATNumber: "FR32123456789", Country: "FR",
			Address: address, Email: "compta@example.com",
		}, Kept: customer()},
		account.CommunicationPreferencesChanged{Services: true, Tickets: true, News: true},
		account.ClosingRequested{Request: "clo_1"},
		account.ClosingWithdrawn{},
		account.ClosingRefused{Why: []account.Reason{account.UnpaidInvoices, account.OpenTickets}},
		account.Closed{Owner: "usr_1", Erasure: true, Delegations: []string{"dlg_1"}},
		account.Reopened{Owner: "usr_1"},
		account.OwnershipTransferProposed{Transfer: "otr_1", Email: "zoe@example.com", OpenUntil: noon, Keep: kept(noon)},
		account.OwnershipTransferWithdrawn{Transfer: "otr_1"},
		account.OwnershipTransferDeclined{Transfer: "otr_1"},
		account.OwnershipTransferExpired{Transfer: "otr_1"},
		account.OwnershipTransferred{Transfer: "otr_1", From: "usr_1", To: "usr_2", Keep: kept(noon)},
		announcement.Drafted{Title: "Noms de domaines", Body: "Du nouveau."},
		announcement.Published{Title: "Noms de domaines", Body: "Du nouveau.", PublishedAt: noon},
		announcement.Amended{Title: "Noms de domaines", Body: "Corrigé."},
		apitoken.Issued{Account: "acc_1", User: "usr_1", Name: "sauvegarde", Permissions: []domain.Permission{delegation.InvoicesRead}, ExpiresAt: &noon},
		apitoken.Revoked{Account: "acc_1", User: "usr_1"},
		audit.DecryptionStarted{What: "all"},
		contact.Created{Account: "acc_1", Details: person()},
		contact.Amended{Details: person(), EmailChanged: true, Kept: holder()},
		contact.EmailVerified{Email: "zoe@example.com"},
		contact.Archived{},
		contact.Claimed{Domain: "dom_1", After: 1, Until: noon, Kept: holder()},
		creditnote.IssueRequested{
			Account: "acc_1", Invoice: "inv_1", InvoiceNumber: "F2026-000001", InvoiceIssuedOn: "2026-01-31",
			Reason: "Erreur", Content: content(),
		},
		creditnote.Issued{
			Account: "acc_1", Number: "A2026-000001", IssuedOn: "2026-02-01", Invoice: "inv_1", InvoiceNumber: "F2026-000001",
			Totals: content().Totals, VATBreakdown: content().VATBreakdown,
		},
		delegation.DelegateInvited{Account: "acc_1", Invitation: "ivt_1", Email: "agence@example.com", OpenUntil: noon, Terms: granted(noon)},
		delegation.InvitationAccepted{Account: "acc_1", User: "usr_2", Terms: granted(noon)},
		delegation.InvitationDeclined{Account: "acc_1"},
		delegation.InvitationExpired{Account: "acc_1"},
		delegation.GrantChanged{Account: "acc_1", User: "usr_2", Terms: granted(noon)},
		delegation.Revoked{Account: "acc_1", User: "usr_2"},
		delegation.Expired{Account: "acc_1", User: "usr_2"},
		delegation.Kept{Account: "acc_1", Invitation: "ivt_1", Email: "pierre@example.com", User: "usr_1", Terms: granted(noon)},
		delegation.Left{Account: "acc_1", User: "usr_2"},
		impersonation.Started{Account: "acc_1", Staff: "usr_2", Reason: "Certificat", Ticket: "tkt_1", Consent: true, Until: noon},
		impersonation.Ended{Account: "acc_1", By: impersonation.ByStaff},
		inspection.LookedAt{Account: "acc_1", What: delegation.InvoicesRead, At: noon},
		inspection.PersonLookedAt{User: "usr_1", What: delegation.StaffAudit, At: noon},
		demo.Started{},
		demo.Loaded{},
		domainname.Registered{Account: "acc_1", Name: "xn--caf-dma.fr", RegisteredOn: "2025-02-01", ExpiresOn: "2027-02-01"},
		domainname.ContactsChanged{Contacts: domainname.Contacts{Owner: "ctc_1", Admin: "ctc_2", Tech: "ctc_3", Billing: "ctc_4"}, Released: []string{"ctc_5"}},
		hosting.Created{Account: "acc_1", Product: "prd_1", ProductVersion: 1, Name: "VPS-5", Label: "hst-test.eu", Cycle: product.Monthly},
		hosting.ProvisioningStarted{},
		hosting.Provisioned{ActiveFrom: "2026-01-31", RenewsOn: "2026-02-28"},
		hosting.Suspended{Reason: hosting.Overdue, Reasons: []hosting.Reason{"abuse", hosting.Overdue}},
		hosting.SuspensionLifted{Reason: hosting.Overdue, Reasons: []hosting.Reason{"abuse"}, Status: hosting.StatusSuspended},
		hosting.Renamed{Label: "hst-test.fr"},
		invoice.Drafted{Account: "acc_1", Currency: "EUR", DueOn: "2026-02-28"},
		invoice.LineAdded{Line: content().Lines[0], Totals: content().Totals},
		invoice.LineRemoved{Line: 1, Totals: content().Totals},
		invoice.DraftDiscarded{},
		invoice.IssueRequested{Content: content()},
		invoice.Issued{
			Account: "acc_1", Number: "F2026-000001", IssuedOn: "2026-01-31", DueOn: "2026-03-02",
			Totals: content().Totals, VATBreakdown: content().VATBreakdown,
		},
		invoice.PaymentAllocated{Amount: money.EUR(1000), Remaining: money.EUR(440), Reference: "VIR 1", ReceivedOn: "2026-02-02"},
		invoice.Paid{PaidOn: "2026-02-02", Total: money.EUR(1440)},
		invoice.CreditRequested{CreditNote: "crn_1", Amount: money.EUR(1440), Reason: "Erreur"},
		invoice.CreditApplied{CreditNote: "crn_1", Number: "A2026-000001", Amount: money.EUR(1440), Remaining: money.EUR(0), Surplus: money.EUR(1000)},
		invoice.Credited{Total: money.EUR(1440)},
		message.Queued{
			User: "usr_1", Account: "acc_1", Template: "invoice_issued", Version: 1, Locale: "fr",
			Recipient: "demo@example.com", Subject: "Facture F2026-000001", Text: "Bonjour", HTML: "<p>Bonjour</p>",
		},
		message.Sent{MessageID: "<msg_1@example.com>"},
		message.Failed{Code: 550},
		notification.Notified{
			Account: "acc_1", Class: notification.Billing, Title: "Facture émise", Body: "F2026-000001",
			Related: &notification.Related{Kind: "invoice", ID: "inv_1"},
		},
		notification.Read{},
		privacy.RequestSubmitted{},
		privacy.RequestWithdrawn{},
		privacy.IdentityVerified{Method: privacy.ByPassword},
		privacy.RequestRefused{Reasons: []privacy.Reason{privacy.LiveServices, privacy.UnpaidInvoices}},
		privacy.RequestAccepted{Accounts: []string{"acc_1"}, Keys: []privacy.Key{{Subject: "ctc_1", Purpose: subjectkey.Identity, After: "2031-07-01", Account: "acc_2"}}},
		privacy.RequestWidened{Keys: []privacy.Key{{Subject: "ctc_1", Purpose: subjectkey.Profile, After: "2026-07-02", Account: "acc_2"}}},
		privacy.SubjectKeyDestroyed{Subject: "usr_1", Purpose: subjectkey.Profile},
		privacy.ErasureCompleted{Keys: []privacy.Gone{{Subject: "usr_1", Purpose: subjectkey.Profile}}},
		privacy.ExportProduced{Account: "acc_1", At: noon},
		privacy.LegalHoldSet{Reference: "2026/17"},
		privacy.LegalHoldLifted{Reference: "2026/17"},
		product.Drafted{Code: "vps-5", Name: "VPS-5"},
		product.Priced{Cycle: product.Monthly, Price: money.EUR(1200)},
		product.VersionPublished{Version: 1, Code: "vps-5", Name: "VPS-5", Prices: prices},
		product.Retired{},
		reservation.Held{Kind: reservation.Email, By: "usr_1", Until: noon},
		reservation.Taken{By: "usr_1"},
		reservation.Freed{By: "usr_1"},
		roster.AdminAdded{User: "usr_1"},
		roster.AdminRemoved{User: "usr_1", After: 2, Until: noon},
		seller.Configured{Details: sellerDetails()},
		series.Opened{Kind: series.Invoice, Year: 2026},
		series.NumberAllocated{Number: "F2026-000001", Sequence: 1, Document: "inv_1", IssueDate: "2026-01-31"},
		staff.Hired{Role: delegation.RoleAdmin},
		staff.RoleAssigned{Role: delegation.RoleSupport},
		staff.Deactivated{},
		subjectkey.Created{Subject: "usr_1", Purpose: subjectkey.Profile},
		subjectkey.Destroyed{Reason: "erasure"},
		ticket.Opened{
			Account: "acc_1", Number: "HPJ-613904", Department: ticket.Technical, Priority: ticket.Normal,
			Subject: "Test de ticket", Message: "Bonjour", Related: &ticket.Related{Kind: "service", ID: "hst_1"},
		},
		ticket.CustomerReplied{Message: "Merci"},
		ticket.StaffReplied{Message: "Voilà"},
		ticket.Closed{ReopenUntil: noon},
		ticket.Reopened{},
		user.Registered{Email: "demo@example.com", Name: "Pierre", Locale: user.French, Credential: "cred_1", Kept: user.Identity{Name: "Pierre", Email: "demo@example.com"}},
		user.ProfileUpdated{Name: "Pierre", Locale: user.English, Kept: user.Identity{Name: "Pierre", Email: "demo@example.com"}},
		user.EmailVerified{Email: "demo@example.com", Apart: true},
		user.EmailChanged{Email: "demo@example.com", Previous: "old@example.com", Kept: user.Identity{Name: "Pierre", Email: "demo@example.com"}},
		user.PasswordChanged{Credential: "cred_2"},
		user.PasswordResetRequested{},
		user.NewDeviceSeen{Browser: "Firefox", System: "Linux", IP: "192.0.2.7"},
		user.LoginFailuresObserved{Hour: "2026-01-31T12:00:00Z", Count: 3},
		user.Locked{Reason: "Abus"},
		user.Unlocked{},
		user.Closed{},
		user.TOTPEnrolled{Secret: "otp_1"},
		user.TOTPConfirmed{Secret: "otp_1"},
		user.TOTPDisabled{Secret: "otp_1"},
		user.PasskeyAdded{Passkey: "psk_1", Name: "Téléphone"},
		user.PasskeyRenamed{Passkey: "psk_1", Name: "Clé de secours"},
		user.PasskeyRemoved{Passkey: "psk_1"},
		user.RecoveryCodesRegenerated{Codes: "rcs_2", Replaced: "rcs_1"},
		user.RecoveryCodeUsed{Codes: "rcs_1", Number: 3, Left: 9},
		user.PasskeyCopySuspected{Passkey: "psk_1"},
		user.FactorResetRequested{Reset: "rst_1", Reason: "Pièce d'identité vue", TakesEffectAt: time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)},
		user.FactorResetCancelled{Reset: "rst_1", By: user.CancelledByFactor},
		user.FactorsReset{Reset: "rst_1"},
		user.HiringClaimed{After: 2, Until: noon},
		user.OwnershipClaimed{Account: "acc_1", Transfer: "otr_1", Reopening: 1, Until: noon},
	}
}

func customer() account.Identity {
	return account.Identity{
		Name: "Lannoy SARL", CompanyNumber: "123456782", VATNumber: "FR32123456789", Line1: "1 rue de la Paix", Line2: "Bâtiment B",
		PostalCode: "75002", City: "Paris", Country: "FR", Email: "compta@example.com",
	}
}

func person() contact.Details {
	return contact.Details{
		Kind: contact.Organisation, Name: "Zoé Martin", Organisation: "Martin SARL", Email: "zoe@example.com", Phone: "+33612345678",
		Address: contact.Address{Line1: "1 rue de la Paix", Line2: "Bâtiment B", PostalCode: "75002", City: "Paris", Region: "Île-de-France", Country: "FR"},
	}
}

func holder() contact.Identity {
	return contact.Identity{
		Name: "Zoé Martin", Organisation: "Martin SARL", Email: "zoe@example.com", Phone: "+33612345678",
		Line1: "1 rue de la Paix", Line2: "Bâtiment B", PostalCode: "75002", City: "Paris", Region: "Île-de-France", Country: "FR",
	}
}

func kept(until time.Time) *delegation.Terms {
	terms := granted(until)
	return &terms
}

func granted(until time.Time) delegation.Terms {
	return delegation.Terms{
		Permissions: []domain.Permission{delegation.ServicesRead, delegation.TicketsRead},
		Scope: delegation.Scope{
			All: true, Services: []string{"hst_1"}, Domains: []string{"dom_1"}, Certificates: []string{"crt_1"}, Tickets: []string{"tkt_1"},
		},
		ExpiresAt: &until,
	}
}

func content() invoice.Content {
	return invoice.Content{
		Currency: "EUR",
		Seller:   sellerDetails(),
		Buyer: invoice.Buyer{
			Name: "Pierre", Kind: "individual", Line1: "1 rue de la Paix", Line2: "Bâtiment B", PostalCode: "75002", City: "Paris",
			Country: "FR", VATNumber: "FR32123456789", CompanyNumber: "123456782",
		},
		Lines: []invoice.Line{{
			Number: 1, Description: "VPS-5", Quantity: "2.5", UnitPrice: money.EUR(480), VATRate: "20",
			Period: &invoice.Period{From: "2026-02-01", To: "2026-02-28"}, Net: money.EUR(1200),
		}},
		Totals:       invoice.Totals{Net: money.EUR(1200), VAT: money.EUR(240), Gross: money.EUR(1440)},
		VATBreakdown: []invoice.VAT{{Rate: "20", Net: money.EUR(1200), VAT: money.EUR(240)}},
	}
}

func sellerDetails() seller.Details {
	return seller.Details{
		Name: "Hébergement Lyon", LegalForm: "SAS", ShareCapital: money.EUR(1000000),
		Address: seller.Address{Line1: "2 rue du Port", Line2: "Étage 3", PostalCode: "69001", City: "Lyon", Country: "FR"},
		SIREN:   "123456789", SIRET: "12345678900012", RCS: "Lyon", VATNumber: "FR32123456789",
		Email: "facturation@example.com", Phone: "+33 4 00 00 00 00", IBAN: "FR7630006000011234567890189", BIC: "AGRIFRPP",
		VATOnDebits: true, PaymentDays: 30, LatePenalty: "BCE + 10 points", RecoveryCharge: money.EUR(4000),
		EarlyDiscount: "Aucun", Zone: "Europe/Paris",
	}
}
