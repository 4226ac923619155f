package domainname_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestSetContacts(t *testing.T) {
	t.Parallel()
	set := func(c domainname.Contacts) func(domainname.DomainName) ([]domainname.Event, error) {
		return func(d domainname.DomainName) ([]domainname.Event, error) { return d.SetContacts(c) }
	}
	all := domainname.Contacts{Owner: "ctc_1", Admin: "ctc_1", Tech: "ctc_2", Billing: "ctc_1"}
	c := domaintest.For(t, domainname.Decider)
	c.When(set(all)).Refused(domain.Missing("domain"))
	registered := c.Given(domainname.Registered{Account: "acc_1", Name: "a.fr", RegisteredOn: "2025-02-01", ExpiresOn: "2027-02-01"})
	registered.When(set(domainname.Contacts{Tech: "ctc_2"})).RefusedField("owner")
	first := registered.When(set(domainname.Contacts{Owner: "ctc_1", Tech: "ctc_2"})).Then(domainname.ContactsChanged{Contacts: all})
	first.When(set(all)).ThenNothing()
	second := first.When(set(domainname.Contacts{Owner: "ctc_3"})).
		Then(domainname.ContactsChanged{Contacts: domainname.Contacts{Owner: "ctc_3"}.Full(), Released: []string{"ctc_1", "ctc_2"}})
	if got := second.State(); got.ContactsSet != 2 || len(got.Contacts.IDs()) != 1 {
		t.Errorf("%+v", got)
	}
}
