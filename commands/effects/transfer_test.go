package effects_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
)

// by is a call of a user who has just proven who it is and holds a grant on acc_1.
func by(user string, grant *delegation.Grant) commands.Call {
	call := commandtest.Call()
	call.Actor.ID, call.Account = user, ""
	call.Grants = delegation.Grants{User: user, Fresh: delegation.Fresh{Password: true, SecondFactor: true}}
	if grant != nil {
		call.Account, call.Delegation = "acc_1", grant.Delegation
		call.Grants.Accounts = map[string]delegation.Grant{"acc_1": *grant}
	}
	return call
}

// TestAnAccountIsHandedOver follows it from the offer's mail to what the former
// owner keeps, and then gives up.
func TestAnAccountIsHandedOver(t *testing.T) {
	t.Parallel()
	c := newCompany(t, mail.Folder{Dir: t.TempDir()})
	owner := &delegation.Grant{Owner: true}
	everything := delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}
	// An offer whose time was over before anybody looked.
	c.Clock = func() time.Time { return time.Now().Add(-2 * account.TransferLife) }
	if _, err := c.ProposeTransfer(t.Context(), by(c.owner, owner), commands.ProposeTransfer{AccountID: "acc_1", Email: "ana@example.com"}); err != nil {
		t.Fatal(err)
	}
	c.Clock = time.Now
	c.start()
	c.waitFor("account.ownership_transfer_expired.", 1)

	token, program, err := c.IssueToken(t.Context(), by(c.owner, owner), commands.IssueToken{AccountID: "acc_1", Name: "x", Permissions: []domain.Permission{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	offered, err := c.ProposeTransfer(t.Context(), by(c.owner, owner), commands.ProposeTransfer{AccountID: "acc_1", Email: "ana@example.com", Keep: &everything})
	if err != nil {
		t.Fatal(err)
	}
	cause := c.waitFor("account.ownership_transfer_proposed.", 2)[1].ID
	c.waitFor("message.sent.", 3) // expired, and proposed with its link
	secret, found, err := c.Vault.MailSecret(t.Context(), commands.MessageID(cause, mailtext.OwnershipTransfer, offered.ID))
	if err != nil || !found {
		t.Fatal("there is no link", err)
	}
	ana, err := c.RegisterUser(t.Context(), commandtest.SystemCall(), commands.RegisterUser{Email: "ana@example.com", Password: "tulip bridge copper ten", Name: "Ana", Locale: "en", Vouched: true})
	if err != nil {
		t.Fatal(err)
	}
	done, id, err := c.AcceptTransfer(t.Context(), by(ana.ID, nil), commands.AcceptTransfer{Token: secret})
	if err != nil || id != "acc_1" || done.ID != offered.ID {
		t.Fatal(done, id, err)
	}
	kept := c.waitFor("delegation.kept.", 1)[0]
	revoked := c.waitFor("apitoken.revoked.", 1)[0]
	if !revoked.Position.Before(kept.Position) || revoked.Stream != apitoken.Decider.At(token.ID).Stream() {
		t.Errorf("%s at %s, %s at %s", revoked.Stream, revoked.Position, kept.Stream, kept.Position)
	}
	grant := &delegation.Grant{Delegation: kept.Stream[len("delegation-"):], Terms: everything}
	if _, err := c.LeaveAccount(t.Context(), by(c.owner, grant), commands.LeaveAccount{AccountID: "acc_1"}); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.queued.", 6)
	c.stop()
	want := []string{"delegate_left", "ownership_transfer", "transfer_notice", "transfer_notice", "transfer_notice", "transfer_notice"}
	if diff := cmp.Diff(want, c.templates()); diff != "" {
		t.Error(diff)
	}
	if id, err := c.Vault.APIToken(t.Context(), program); err == nil {
		t.Error("the vault still knows", id)
	}
	// Told again, all that stays as it is.
	from := c.waitFor("account.ownership_transferred.", 1)[0].ID
	again := commandtest.SystemCall()
	again.CommandID = commands.StepID(from, "transfer")
	if err := c.FinishTransfer(t.Context(), again, "acc_1", from); err != nil {
		t.Fatal(err)
	}
	d, err := commands.Load(t.Context(), c.Streams(), delegation.Decider.At(grant.Delegation))
	if err != nil || d.Status != delegation.StatusLeft {
		t.Error(d, err)
	}
}
