package domainname_test

import (
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	record := func(name string, from, to domain.Date) func(domainname.DomainName) ([]domainname.Event, error) {
		return func(d domainname.DomainName) ([]domainname.Event, error) { return d.Record("acc_1", name, from, to) }
	}
	c := domaintest.For(t, domainname.Decider)
	c.When(record("xn--caf-dma.fr", "2025-02-01", "2027-02-01")).
		Then(domainname.Registered{Account: "acc_1", Name: "xn--caf-dma.fr", RegisteredOn: "2025-02-01", ExpiresOn: "2027-02-01"}).
		When(record("xn--caf-dma.fr", "2025-02-01", "2027-02-01")).Refused(domainname.ErrExists)
	c.When(record("a.fr", "2027-02-01", "2027-02-01")).RefusedField("expires_on")
	c.When(record("a.fr", "", "2027-02-31")).RefusedField("registered_on", "expires_on")
	for _, name := range []string{"", "fr", "Example.fr", "a..fr", "-a.fr", "a-.fr", "a.fr.", "a_b.fr", "café.fr", "192.0.2.1", "*.fr", strings.Repeat("a", 64) + ".fr", strings.Repeat("a.", 127) + "fr"} {
		c.When(record(name, "2025-02-01", "2027-02-01")).RefusedField("name")
	}
}
