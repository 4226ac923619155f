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

// TestWhoIsLimitedLearnsNothingOfOtherDelegates: whoever is limited to chosen
// things gets one answer for every address, whatever others gave it.
func TestWhoIsLimitedLearnsNothingOfOtherDelegates(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	do(o.shop, commands.OpenAccount{AccountID: "acc_1", Owner: "usr_owner", Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR"})
	owner := func() commands.Call {
		call := commandtest.SystemCall()
		call.Account = "acc_1"
		return call
	}
	limited := func() commands.Call {
		call := by(o.zoe)
		call.Account, call.Grants.Accounts = "acc_1", map[string]delegation.Grant{"acc_1": {Delegation: "dlg_zoe", Terms: delegation.Terms{
			Permissions: []domain.Permission{delegation.UsersManage, delegation.ProfileRead}, Scope: delegation.Scope{Services: []string{"hst_1"}},
		}}}
		return call
	}
	everything := delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}
	invite := func(call commands.Call, email string, terms delegation.Terms) (commands.Receipt, error) {
		return o.InviteDelegate(t.Context(), call, commands.InviteDelegate{AccountID: "acc_1", Email: email, Terms: terms})
	}
	invited := func(email string) string {
		t.Helper()
		done, err := invite(owner(), email, everything)
		if err != nil {
			t.Fatal(err)
		}
		return done.ID
	}
	gone := invited("gone@example.com")
	if _, err := commands.Execute(t.Context(), o.Dispatcher, owner(), commands.RevokeDelegation{DelegationID: gone}); err != nil {
		t.Fatal(err)
	}
	active := invited("active@example.com")
	do(o.shop, commands.VouchDelegation{DelegationID: active, UserID: "usr_active"})
	for _, id := range []string{active, invited("open@example.com"), gone} {
		_, revoke := commands.Execute(t.Context(), o.Dispatcher, limited(), commands.RevokeDelegation{DelegationID: id})
		_, change := o.ChangeDelegation(t.Context(), limited(), commands.ChangeDelegation{DelegationID: id, Permissions: []domain.Permission{delegation.UsersManage}})
		_, resend := o.ResendInvitation(t.Context(), limited(), commands.ResendInvitation{DelegationID: id})
		for name, err := range map[string]error{"revoking": revoke, "changing": change, "sending it again": resend} {
			if domain.KindOf(err) != domain.KindMissing {
				t.Errorf("%s %s: %v", name, id, err)
			}
		}
	}
	widened := ""
	for _, email := range []string{"nobody@example.com", "active@example.com", "open@example.com", "gone@example.com", "active@example.com"} {
		terms := delegation.Terms{Permissions: []domain.Permission{delegation.ProfileRead}}
		first, err := invite(limited(), email, terms)
		if err != nil || first.Revision != 0 || first.ID == widened {
			t.Errorf("%s: %+v, %v", email, first, err)
		}
		if again, err := invite(limited(), email, terms); err != nil || again.Revision != 1 || again.ID != first.ID {
			t.Errorf("%s again: %+v, %v", email, again, err)
		}
		if email == "active@example.com" { // and now the owner gives it more, in its place
			_, err := o.ChangeDelegation(t.Context(), owner(), commands.ChangeDelegation{DelegationID: first.ID, Scope: &delegation.Scope{All: true}})
			if err != nil {
				t.Fatal(err)
			}
			widened = first.ID
		}
	}
	if d := load(o.shop, delegation.Decider.At(active)); d.Status != delegation.StatusActive || !d.Terms.Scope.All {
		t.Errorf("of what the owner gave became %+v", d)
	}
	if _, err := invite(owner(), "active@example.com", everything); !errors.Is(err, delegation.ErrActive) {
		t.Errorf("the owner is answered %v", err)
	}
}
