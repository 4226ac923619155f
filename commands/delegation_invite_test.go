package commands_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
)

// TestWhoHangsUpHasInvited: an invitation whose answer nobody heard may have
// been mailed, and counts.
func TestWhoHangsUpHasInvited(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	do(o.shop, commands.OpenAccount{AccountID: "acc_1", Owner: o.zoe, Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR"})
	invite := func() error {
		call := by(o.zoe)
		call.Account, call.Grants.Accounts = "acc_1", map[string]delegation.Grant{"acc_1": {Owner: true}}
		_, err := o.InviteDelegate(t.Context(), call, commands.InviteDelegate{
			AccountID: "acc_1", Email: "ana@example.com",
			Terms: delegation.Terms{Permissions: []domain.Permission{delegation.TicketsRead}, Scope: delegation.Scope{All: true}},
		})
		return err
	}
	o.store.Fail(commandtest.Fault{Fails: func(stream string, _ []eventstore.NewEvent) error {
		if strings.HasPrefix(stream, "delegation-") {
			return eventstore.ErrUnavailable
		}
		return nil
	}})
	for range 5 {
		if err := invite(); !errors.Is(err, domain.ErrUnavailable) {
			t.Fatalf("answered %v", err)
		}
	}
	if limited, ok := errors.AsType[*vault.LimitedError](invite()); !ok {
		t.Errorf("the sixth is not limited: %v", limited)
	}
}
