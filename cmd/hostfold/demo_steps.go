package main

import (
	"context"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
)

// steps are the demo: what its dashboard shows, and nothing else. The news and
// the ticket have their dates; what has a next renewal or a due date lies
// around now.
func (l *demoLoader) steps() []demoStep {
	opened := time.Date(2022, time.August, 26, 9, 0, 0, 0, time.UTC)
	steps := []demoStep{
		{name: "start", at: opened, do: execute(l, &l.none, commands.StartDemo{})},
		{name: "seller", at: opened, do: execute(l, &l.none, commands.SetSeller{Details: demoSeller()})},
		{name: "staff", at: opened, do: l.hire},
		{name: "customer", at: opened, do: l.register},
		{name: "account", at: opened, do: l.openAccount},
		{name: "product", at: opened, do: l.createProduct},
	}
	for i, label := range []string{"hst-test.eu", "hst-test.fr"} {
		steps = append(steps, l.service(label, l.now.AddDate(0, 0, -12-i))...)
	}
	for i, name := range []string{"hst-test.eu", "hst-test.fr", "hst-test.com", "hst-test.net", "hst-test.org", "hst-test.info"} {
		steps = append(steps, l.domain(name, opened.AddDate(0, 0, i)))
	}
	steps = append(steps, l.contacts(opened.AddDate(0, 0, 6))...)
	steps = append(steps, l.support()...)
	steps = append(steps, l.news()...)
	for i, name := range []string{"first invoice", "second invoice", "third invoice"} {
		steps = append(steps, l.invoice(name, l.now.AddDate(0, 0, 5*i-15)))
	}
	return append(steps,
		demoStep{name: "delegate", at: opened, do: l.registerDelegate},
		demoStep{name: "delegation", at: l.now.AddDate(0, 0, -2), own: true, do: l.share},
		demoStep{name: "delegation accepted", at: l.now.AddDate(0, 0, -2).Add(time.Hour), own: true, do: l.join},
		demoStep{name: "notification", at: l.now.AddDate(0, 0, -1), own: true, do: l.notify},
		demoStep{name: "auditor", at: opened, do: l.hireAuditor},
		demoStep{name: "finish", do: execute(l, &l.none, commands.FinishDemo{})},
	)
}

// execute is a step of one command on one stream; the id of what it aimed at
// goes to made.
func execute[C commands.Command[S, E], S any, E domain.Event](l *demoLoader, made *string, cmd C) func(context.Context, commands.Call) error {
	return func(ctx context.Context, call commands.Call) error {
		receipt, err := commands.Execute(ctx, l.Dispatcher, call, cmd)
		*made = receipt.ID
		return err
	}
}

func date(t time.Time) domain.Date { return domain.DateOf(t.Year(), t.Month(), t.Day()) }

func demoSeller() seller.Details {
	return seller.Details{
		Name: "Hostfold Démo", LegalForm: "SAS", ShareCapital: money.EUR(1000000), SIREN: "123456782", SIRET: "12345678200010",
		RCS: "Lille Métropole", VATNumber: "FR12123456782", Email: "facturation@example.com", IBAN: "FR7630006000011234567890189", BIC: "AGRIFRPP",
		Address: seller.Address{Line1: "12 rue des Hébergeurs", PostalCode: "59000", City: "Lille", Country: "FR"},
	}
}

func (l *demoLoader) hire(ctx context.Context, call commands.Call) error {
	hired, err := l.CreateStaff(ctx, call, commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: "staff@example.com", Password: l.password, Name: "Alex Durand", Locale: user.French},
		Role:         delegation.RoleAdmin,
	})
	l.staff = hired.ID
	return err
}

func (l *demoLoader) hireAuditor(ctx context.Context, call commands.Call) error {
	_, err := l.CreateStaff(ctx, call, commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: "auditor@example.com", Password: l.password, Name: "Dominique Petit", Locale: user.French},
		Role:         delegation.RoleAuditor,
	})
	return err
}

func (l *demoLoader) register(ctx context.Context, call commands.Call) error {
	receipt, err := l.RegisterUser(ctx, call, commands.RegisterUser{Email: "demo@example.com", Password: l.password, Name: "Camille Martin", Locale: user.French, Vouched: true})
	l.owner = receipt.ID
	return err
}

func (l *demoLoader) registerDelegate(ctx context.Context, call commands.Call) error {
	receipt, err := l.RegisterUser(ctx, call, commands.RegisterUser{Email: "delegate@example.com", Password: l.password, Name: "Agence Lumen", Locale: user.French, Vouched: true})
	l.delegate = receipt.ID
	return err
}

// share lets the delegate manage one service and its domain name, and answer
// the ticket.
func (l *demoLoader) share(ctx context.Context, call commands.Call) error {
	receipt, err := l.InviteDelegate(ctx, call, commands.InviteDelegate{AccountID: l.account, Email: "delegate@example.com", Terms: delegation.Terms{
		Permissions: []domain.Permission{delegation.ServicesManage, delegation.DNSManage, delegation.TicketsWrite},
		Scope:       delegation.Scope{Services: []string{l.shared}, Domains: []string{"hst-test.eu"}, Tickets: []string{l.ticket}},
	}})
	l.delegation = receipt.ID
	return err
}

func (l *demoLoader) join(ctx context.Context, call commands.Call) error {
	return execute(l, &l.none, commands.VouchDelegation{DelegationID: l.delegation, UserID: l.delegate})(ctx, call)
}

func (l *demoLoader) openAccount(ctx context.Context, call commands.Call) error {
	return execute(l, &l.account, commands.OpenAccount{
		Owner: l.owner, Name: "Camille Martin", Kind: account.Individual, Country: "FR", Currency: "EUR",
		Address: account.Address{Line1: "5 rue de la Paix", PostalCode: "75002", City: "Paris"},
	})(ctx, call)
}

func (l *demoLoader) createProduct(ctx context.Context, call commands.Call) error {
	receipt, err := l.CreateProduct(ctx, call, commands.CreateProduct{
		Code: "vps-5", Name: "Hébergement Web - VPS-5",
		Prices: []product.Price{{Cycle: product.Monthly, Price: money.EUR(2490)}, {Cycle: product.Yearly, Price: money.EUR(24900)}},
	})
	l.product = receipt.ID
	return err
}

func (l *demoLoader) service(label string, at time.Time) []demoStep {
	var id string
	return []demoStep{
		{name: "service " + label, at: at, own: true, do: func(ctx context.Context, call commands.Call) error {
			err := execute(l, &id, commands.CreateService{AccountID: l.account, Product: l.product, Label: label, Cycle: product.Monthly})(ctx, call)
			if l.shared == "" {
				l.shared = id
			}
			return err
		}},
		{name: "activate " + label, at: at.Add(10 * time.Minute), own: true, do: func(ctx context.Context, call commands.Call) error {
			return execute(l, &l.none, commands.ActivateService{ServiceID: id})(ctx, call)
		}},
	}
}

func (l *demoLoader) domain(name string, registered time.Time) demoStep {
	expires := registered
	for !expires.After(l.now) {
		expires = expires.AddDate(1, 0, 0)
	}
	return demoStep{name: "domain " + name, at: registered, own: true, do: func(ctx context.Context, call commands.Call) error {
		_, err := l.RecordDomain(ctx, call, commands.RecordDomain{
			AccountID: l.account, Name: name, RegisteredOn: date(registered), ExpiresOn: date(expires),
		})
		return err
	}}
}

// contacts are one that is verified and has a domain name, and one that waits.
func (l *demoLoader) contacts(at time.Time) []demoStep {
	var camille string
	return []demoStep{
		{name: "contact", at: at, own: true, do: func(ctx context.Context, call commands.Call) error {
			return execute(l, &camille, commands.CreateContact{AccountID: l.account, Details: contact.Details{
				Kind: contact.Person, Name: "Camille Martin", Email: "demo@example.com", Phone: "+33612345678",
				Address: contact.Address{Line1: "5 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR"},
			}})(ctx, call)
		}},
		{name: "contact verified", at: at.Add(time.Hour), own: true, do: func(ctx context.Context, call commands.Call) error {
			return execute(l, &l.none, commands.VouchContact{ContactID: camille})(ctx, call)
		}},
		{name: "contacts of hst-test.eu", at: at.Add(2 * time.Hour), own: true, do: func(ctx context.Context, call commands.Call) error {
			_, err := l.SetDomainContacts(ctx, call, commands.SetDomainContacts{Domain: "hst-test.eu", Owner: camille})
			return err
		}},
		{name: "contact that waits", at: l.now.AddDate(0, 0, -1), own: true, do: func(ctx context.Context, call commands.Call) error {
			return execute(l, &l.none, commands.CreateContact{AccountID: l.account, Details: contact.Details{
				Kind: contact.Organisation, Organisation: "Agence Lumen", Name: "Lou Bernard", Email: "contact@example.com", Phone: "+33123456789",
				Address: contact.Address{Line1: "12 quai de la Fosse", PostalCode: "44000", City: "Nantes", Country: "FR"},
			}})(ctx, call)
		}},
	}
}

func (l *demoLoader) support() []demoStep {
	at := func(hour, minute int) time.Time {
		return time.Date(2022, time.November, 20, hour, minute, 0, 0, time.UTC)
	}
	return []demoStep{
		{name: "ticket", at: at(11, 2), number: "HPJ-613904", own: true, do: func(ctx context.Context, call commands.Call) error {
			receipt, err := l.OpenTicket(ctx, call, commands.OpenTicket{
				AccountID: l.account, Department: ticket.Technical, Priority: ticket.Normal, Subject: "Test de ticket",
				Message: "Bonjour,\n\nCeci est un test de ticket : pouvez-vous confirmer sa bonne réception ?\n\nMerci d’avance.",
			})
			l.ticket = receipt.ID
			return err
		}},
		{name: "ticket answer", at: at(12, 10), own: true, do: func(ctx context.Context, call commands.Call) error {
			return execute(l, &l.none, commands.StaffReplyTicket{TicketID: l.ticket, Message: "Bonjour Camille,\n\nBien reçu ! Nous restons à votre disposition."})(ctx, call)
		}},
		{name: "ticket closed", at: at(12, 13), own: true, do: func(ctx context.Context, call commands.Call) error {
			return execute(l, &l.none, commands.StaffCloseTicket{TicketID: l.ticket})(ctx, call)
		}},
	}
}

func (l *demoLoader) news() []demoStep {
	var steps []demoStep
	for _, n := range []struct {
		at          time.Time
		title, body string
	}{
		{time.Date(2022, time.December, 30, 9, 0, 0, 0, time.UTC), "Noms de domaines", "La gestion des noms de domaines évolue : les contacts peuvent désormais être pré-enregistrés."},
		{time.Date(2023, time.January, 5, 9, 0, 0, 0, time.UTC), "Certificats SSL", "De nouveaux certificats SSL sont disponibles pour tous les hébergements."},
		{time.Date(2023, time.January, 8, 9, 0, 0, 0, time.UTC), "État des services", "Une page présente maintenant l’état des services et les maintenances prévues."},
	} {
		steps = append(steps, demoStep{name: "news " + n.title, at: n.at, do: execute(l, &l.none, commands.PublishAnnouncement{Title: n.title, Body: n.body, PublishedAt: &n.at})})
	}
	return steps
}

func (l *demoLoader) invoice(name string, at time.Time) demoStep {
	return demoStep{name: name, at: at, own: true, do: func(ctx context.Context, call commands.Call) error {
		var id string
		draft := call
		draft.CommandID = commands.StepID(call.CommandID, "draft")
		err := execute(l, &id, commands.DraftInvoice{AccountID: l.account, Lines: []invoice.NewLine{
			{Description: "Hébergement Web - VPS-5", Quantity: "1", UnitPrice: money.EUR(2490), VATRate: "20"},
		}})(ctx, draft)
		if err != nil {
			return err
		}
		_, err = l.IssueInvoice(ctx, call, commands.IssueInvoice{InvoiceID: id})
		return err
	}}
}

func (l *demoLoader) notify(ctx context.Context, call commands.Call) error {
	return execute(l, &l.none, commands.Notify{
		AccountID: l.account, Class: notification.Info, Title: "Bienvenue dans votre espace client",
		Body: "Vos services sont actifs ; retrouvez vos factures et vos demandes ici.",
	})(ctx, call)
}
