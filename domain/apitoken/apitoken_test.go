package apitoken_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestAToken(t *testing.T) {
	t.Parallel()
	type events = []apitoken.Event
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	issue := func(asked apitoken.Issued) func(apitoken.Token) (events, error) {
		return func(t apitoken.Token) (events, error) { return t.Issue(asked, now) }
	}
	revoke := func(by delegation.Grants) func(apitoken.Token) (events, error) {
		return func(t apitoken.Token) (events, error) { return t.Revoke(by) }
	}
	holds := func(user string, grant delegation.Grant) delegation.Grants {
		return delegation.Grants{User: user, Accounts: map[string]delegation.Grant{"acc_1": grant}}
	}
	all := delegation.Grant{Terms: delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}}
	asked := apitoken.Issued{Account: "acc_1", User: "usr_1", Name: "backup", Permissions: []domain.Permission{delegation.InvoicesRead, delegation.InvoicesPay}, ExpiresAt: &later}

	c := domaintest.For(t, apitoken.Decider)
	pays := asked
	pays.Permissions = []domain.Permission{delegation.InvoicesPay}
	made := c.When(issue(pays)).Then(asked)
	made.When(issue(asked)).Refused(apitoken.ErrExists)
	c.When(issue(apitoken.Issued{Permissions: []domain.Permission{delegation.UsersManage}, ExpiresAt: &now})).
		RefusedField("name", "permissions", "expires_at")

	gone := made.When(revoke(holds("usr_1", all))).Then(apitoken.Revoked{Account: "acc_1", User: "usr_1"})
	gone.When(revoke(holds("usr_1", all))).ThenNothing()
	made.When(revoke(holds("usr_9", delegation.Grant{Owner: true}))).Then(apitoken.Revoked{Account: "acc_1", User: "usr_1"})
	made.When(revoke(holds("usr_2", all))).Refused(apitoken.ErrMissing)
	c.When(revoke(holds("usr_1", all))).Refused(apitoken.ErrMissing)
}
