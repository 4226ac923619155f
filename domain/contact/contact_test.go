package contact_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/user"
)

type (
	events = []contact.Event
	decide = func(contact.Contact) (events, error)
)

func zoe() contact.Details {
	return contact.Details{
		Kind: contact.Person, Name: "Zoé Martin", Email: "zoe@example.com", Phone: "+33612345678",
		Address: contact.Address{Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR"},
	}
}

func keptZoe() contact.Identity {
	return contact.Identity{
		Name: "Zoé Martin", Email: "zoe@example.com", Phone: "+33612345678",
		Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR",
	}
}

func create(d contact.Details) decide {
	return func(c contact.Contact) (events, error) { return c.Create("acc_1", d) }
}

func amend(a contact.Amendment) decide {
	return func(c contact.Contact) (events, error) { return c.Amend(a) }
}

func verify(email string) decide {
	return func(c contact.Contact) (events, error) { return c.VerifyEmail(email) }
}

func TestCreate(t *testing.T) {
	t.Parallel()
	c := domaintest.For(t, contact.Decider)
	made := c.When(create(zoe())).Then(contact.Created{Account: "acc_1", Details: zoe()})
	made.When(create(zoe())).Refused(contact.ErrExists)

	typed := zoe()
	typed.Name, typed.Phone, typed.Address.City = "  Zoé Martin ", "+33 (0)6 12.34-56\u00a078", " Paris "
	c.When(create(typed)).Then(contact.Created{Account: "acc_1", Details: zoe()})

	c.When(create(contact.Details{})).
		RefusedField("kind", "name", "email", "phone", "address.line1", "address.city", "address.country")
	company := zoe()
	company.Kind = contact.Organisation
	c.When(create(company)).RefusedField("organisation")
	company.Kind, company.Organisation = contact.Person, "Martin SARL"
	c.When(create(company)).RefusedField("organisation")
	company.Kind = contact.Organisation
	c.When(create(company)).Then(contact.Created{Account: "acc_1", Details: company})

	for _, phone := range []string{"", "0612345678", "+", "+0612345678", "+336", "+1234567890123456", "+33612a45678", "33612345678", "++33612345678", "+33612345678x9"} {
		wrong := zoe()
		wrong.Phone = phone
		c.When(create(wrong)).RefusedField("phone")
	}
	for _, email := range []string{"", "zoe", "zoe@localhost", "Zoé <zoe@example.com>", "a@example.com, b@example.com", "zoe@example.com\r\nBcc: x@example.com"} {
		wrong := zoe()
		wrong.Email = email
		c.When(create(wrong)).RefusedField("email")
	}
}

func TestAmend(t *testing.T) {
	t.Parallel()
	name, phone, email, same := "Zoé Durand", "+33698765432", "new@example.com", "ZOE@example.com"
	made := domaintest.For(t, contact.Decider).Given(contact.Created{Account: "acc_1", Details: zoe()})
	verified := made.Given(contact.EmailVerified{Email: "zoe@example.com"})
	with := func(change func(*contact.Details)) contact.Details {
		d := zoe()
		change(&d)
		return d
	}

	renamed := with(func(d *contact.Details) { d.Name = name })
	verified.When(amend(contact.Amendment{Name: &name})).Then(contact.Amended{Details: renamed})
	verified.When(amend(contact.Amendment{})).ThenNothing()
	spelt := verified.When(amend(contact.Amendment{Email: &same})).Then(contact.Amended{Details: with(func(d *contact.Details) { d.Email = same })})
	if !spelt.State().Verified {
		t.Error("another spelling of the address has to be verified again")
	}
	moved := verified.When(amend(contact.Amendment{Email: &email})).
		Then(contact.Amended{Details: with(func(d *contact.Details) { d.Email = email }), EmailChanged: true})
	if moved.State().Verified {
		t.Error("another address counts as verified")
	}
	moved.When(verify("zoe@example.com")).Refused(user.ErrToken) // the old link
	empty := ""
	verified.When(amend(contact.Amendment{Name: &empty, Phone: &empty, Address: &contact.Address{}})).
		RefusedField("name", "phone", "address.line1", "address.city", "address.country")
	domaintest.For(t, contact.Decider).When(amend(contact.Amendment{Phone: &phone})).Refused(contact.ErrMissing)
	verified.Given(contact.Archived{}).When(amend(contact.Amendment{Phone: &phone})).Refused(contact.ErrArchived)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	made := domaintest.For(t, contact.Decider).Given(contact.Created{Account: "acc_1", Details: zoe()})
	made.When(verify("other@example.com")).Refused(user.ErrToken)
	verified := made.When(verify("Zoe@example.com")).Then(contact.EmailVerified{Email: "zoe@example.com"})
	verified.When(verify("zoe@example.com")).ThenNothing()
	made.Given(contact.Archived{}).When(verify("zoe@example.com")).Refused(user.ErrToken)
	domaintest.For(t, contact.Decider).When(verify("zoe@example.com")).Refused(user.ErrToken)
	if err := made.State().MayOwn(); err != contact.ErrNotVerified { //nolint:errorlint // the very sentinel
		t.Errorf("an unverified contact may own: %v", err)
	}
	if err := made.State().MayServe(); err != nil {
		t.Errorf("an unverified contact may not serve: %v", err)
	}
	if err := verified.State().MayOwn(); err != nil {
		t.Error(err)
	}
}

func TestWhatADomainHasIsNotArchived(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	until := noon.Add(10 * time.Minute)
	made := domaintest.For(t, contact.Decider).Given(contact.Created{Account: "acc_1", Details: zoe()})
	claim := func(set int) decide {
		return func(c contact.Contact) (events, error) { return c.Claim("dom_1", set, until) }
	}
	archive := func(now time.Time, set int, uses bool) decide {
		return func(c contact.Contact) (events, error) {
			return c.Archive(now, func(id string) (int, bool) {
				if id != "dom_1" {
					t.Errorf("asked about %s", id)
				}
				return set, uses
			})
		}
	}
	free := made.When(archive(noon, 0, false)).Then(contact.Archived{})
	free.When(archive(noon, 0, false)).ThenNothing()
	free.When(claim(0)).Refused(contact.ErrArchived)
	domaintest.For(t, contact.Decider).When(archive(noon, 0, false)).Refused(contact.ErrMissing)
	domaintest.For(t, contact.Decider).When(claim(0)).Refused(contact.ErrMissing)

	claimed := made.When(claim(0)).Then(contact.Claimed{Domain: "dom_1", Until: until, Kept: keptZoe()})
	claimed.When(archive(noon, 0, false)).Refused(contact.ErrInUse) // the name's fact may come
	claimed.When(archive(noon, 1, true)).Refused(contact.ErrInUse)  // it came
	claimed.When(archive(noon, 1, false)).Then(contact.Archived{})  // another one came first, or followed
	claimed.When(archive(until, 0, false)).Then(contact.Archived{}) // it never came
	again := claimed.When(claim(1)).Then(contact.Claimed{Domain: "dom_1", After: 1, Until: until})
	again.When(archive(noon, 1, false)).Refused(contact.ErrInUse)
	again.When(claim(0)).ThenNothing() // late: it must not hide the later claim
}

func TestWhoHadADomainIsKept(t *testing.T) {
	t.Parallel()
	name := "Zoé Durand"
	renamed, kept := zoe(), keptZoe()
	renamed.Name, kept.Name = name, name
	made := domaintest.For(t, contact.Decider).Given(contact.Created{Account: "acc_1", Details: zoe()})
	made.When(amend(contact.Amendment{Name: &name})).Then(contact.Amended{Details: renamed}).
		When(func(c contact.Contact) (events, error) { return c.Claim("dom_1", 0, time.Time{}) }).
		Then(contact.Claimed{Domain: "dom_1", Kept: kept})
	made.Given(contact.Claimed{Domain: "dom_1", Kept: keptZoe()}).When(amend(contact.Amendment{Name: &name})).
		Then(contact.Amended{Details: renamed, Kept: kept}).
		When(func(c contact.Contact) (events, error) { return c.Claim("dom_2", 0, time.Time{}) }).
		Then(contact.Claimed{Domain: "dom_2"})
}

func TestAContactIsItsAccounts(t *testing.T) {
	t.Parallel()
	made := domaintest.For(t, contact.Decider).Given(contact.Created{Account: "acc_1", Details: zoe()})
	var owned domain.Owned = made.State()
	if owned.OwnerAccount() != "acc_1" {
		t.Errorf("it is %s's", owned.OwnerAccount())
	}
	domaintest.For(t, contact.Decider).When(func(c contact.Contact) (events, error) { return c.Create("", zoe()) }).RefusedField("account")
}
