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

// TestAFormerOwnerIsInvitedAsAnyOtherDelegate: who kept something of an account
// acts for it already, until that ends; of others nothing is told.
func TestAFormerOwnerIsInvitedAsAnyOtherDelegate(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	reading := delegation.Terms{Permissions: []domain.Permission{delegation.TicketsRead}, Scope: delegation.Scope{All: true}}
	do(s, says[account.Account, account.Event]{account.Decider.At("acc_1"), account.OwnershipTransferred{
		Transfer: "otr_1", From: id, To: "usr_neighbour", Keep: &reading,
	}})
	if err := s.FinishTransfer(t.Context(), commandtest.SystemCall(), "acc_1", s.last(account.OwnershipTransferred{}).ID); err != nil {
		t.Fatal(err)
	}
	kept := strings.TrimPrefix(s.last(delegation.Kept{}).Stream, "delegation-")
	call := func() commands.Call {
		call := commandtest.SystemCall()
		call.Account = "acc_1"
		return call
	}
	invite := func(email string) error {
		_, err := s.InviteDelegate(t.Context(), call(), commands.InviteDelegate{AccountID: "acc_1", Email: email, Terms: reading})
		return err
	}
	if err := invite(strings.ToUpper(zoe.Email)); !errors.Is(err, delegation.ErrActive) {
		t.Errorf("while she acts for it: %v", err)
	}
	if err := invite("ana@example.com"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if _, err := commands.Execute(t.Context(), s.Dispatcher, call(), commands.RevokeDelegation{DelegationID: kept}); err != nil {
		t.Fatal(err)
	}
	if err := invite(zoe.Email); err != nil {
		t.Errorf("after that: %v", err)
	}
}
