package projections_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

func TestWhoHasNothingLive(t *testing.T) {
	t.Parallel()
	side := projectiontest.Start(t, catalog.Types(), projections.Models()...)
	who := func(name string) string {
		side.Given("", "user-usr_"+name, user.Registered{Email: name + "@example.com", Name: name, Locale: "fr", Credential: "cred_" + name})
		side.Given("acc_"+name, "account-acc_"+name, account.Opened{Owner: "usr_" + name, Name: name, Kind: account.Individual, Country: "FR", Currency: "EUR"})
		return "acc_" + name
	}
	who("bare")
	served := who("served")
	side.Given(served, "hosting-hst_1", hosting.Created{Account: served, Label: "a"})
	for name, until := range map[string]domain.Date{"named": "2026-03-10", "expired": "2026-03-09"} {
		of := who(name)
		side.Given(of, "domainname-dom_"+name, domainname.Registered{Account: of, Name: name + ".example", ExpiresOn: until})
	}
	works := who("works")
	side.Given("", "staff-usr_works", staff.Hired{Role: delegation.RoleSupport})
	side.Given(works, "apitoken-tok_1", apitoken.Issued{Account: works, User: "usr_expired", Name: "t", Permissions: []domain.Permission{"*"}})
	side.Given("", "user-usr_erased", user.Registered{Email: "[erased]", Name: "[erased]", Locale: "fr", Credential: "cred_e"})
	side.Settle()

	asked := []string{"usr_expired", "usr_served", "usr_named", "usr_bare", "usr_works", "usr_erased", "usr_nobody"}
	got, err := side.Reader.IdleUsers(t.Context(), delegation.Grants{System: true}, asked, "2026-03-10")
	if err != nil {
		t.Fatal(err)
	}
	want := []projections.IdleUser{
		{ID: "usr_expired", Email: "expired@example.com", Tokens: []string{"tok_1"}},
		{ID: "usr_bare", Email: "bare@example.com", Tokens: []string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := side.Reader.IdleUsers(t.Context(), owner("acc_bare"), asked, "2026-03-10"); domain.KindOf(err) != domain.KindDenied {
		t.Error("a customer is told who does not come")
	}
}
