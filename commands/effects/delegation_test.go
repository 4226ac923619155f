package effects_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
)

// TestAnInvitationIsMailed follows the link of a mail that nobody but its
// reader has.
func TestAnInvitationIsMailed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newCompany(t, mail.Folder{Dir: dir})
	c.start()
	call := commandtest.Call()
	call.Actor.ID, call.Grants.User = c.owner, c.owner
	terms := delegation.Terms{Permissions: []domain.Permission{delegation.TicketsRead}, Scope: delegation.Scope{All: true}}
	invited, err := c.InviteDelegate(t.Context(), call, commands.InviteDelegate{AccountID: "acc_1", Email: "ana@example.com", Terms: terms})
	if err != nil {
		t.Fatal(err)
	}
	queued := string(c.waitFor("message.queued.", 1)[0].Data)
	c.waitFor("message.sent.", 1)
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(content), "=\r\n", ""), "=3D", "=")
	link := regexp.MustCompile(`https://portal\.example\.com/portal/invitation#([A-Za-z0-9_-]{20,})`).FindStringSubmatch(text)
	if link == nil || !strings.Contains(text, "ana@example.com") {
		t.Fatalf("%s", text)
	}
	if strings.Contains(queued, link[1]) {
		t.Error("the event holds the secret")
	}

	ana, err := c.RegisterUser(t.Context(), commandtest.SystemCall(), commands.RegisterUser{Email: "ana@example.com", Password: "tulip bridge copper ten", Name: "Ana", Locale: "en", Vouched: true})
	if err != nil {
		t.Fatal(err)
	}
	accept := commandtest.Call()
	accept.Actor.ID, accept.Account = ana.ID, ""
	accept.Grants = delegation.Grants{User: ana.ID}
	done, account, err := c.AcceptInvitation(t.Context(), accept, commands.AcceptInvitation{Token: link[1]})
	if err != nil || account != "acc_1" || done.ID != invited.ID {
		t.Fatal(done, account, err)
	}
}

// TestWhatRunsOutIsNoted lets a delegation's time pass.
func TestWhatRunsOutIsNoted(t *testing.T) {
	t.Parallel()
	c := newCompany(t, mail.Folder{Dir: t.TempDir()})
	c.start()
	end := time.Now().Add(time.Second)
	call := commandtest.SystemCall()
	call.Account = "acc_1"
	invited, err := c.InviteDelegate(t.Context(), call, commands.InviteDelegate{AccountID: "acc_1", Email: "ana@example.com", Terms: delegation.Terms{
		Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}, ExpiresAt: &end,
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.waitFor("delegation.invitation_expired.", 1)
	d, err := commands.Load(t.Context(), c.Streams(), delegation.Decider.At(invited.ID))
	if err != nil || d.Status != delegation.StatusExpired || time.Now().Before(end) {
		t.Error(d, err)
	}
}

// TestTheTokensOfADelegateEndWithTheDelegation revokes one that a program used,
// and lets another one's time pass. None comes back with another delegation: not
// one that ran out before anybody noted it, nor one that came after the end.
func TestTheTokensOfADelegateEndWithTheDelegation(t *testing.T) {
	t.Parallel()
	c := newCompany(t, mail.Folder{Dir: t.TempDir()})
	bob, ana, cleo := c.also("bob"), c.also("ana"), c.also("cleo")
	everything := delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}
	issues := func(user, delegationID string) (token string) {
		t.Helper()
		issue := by(user, &delegation.Grant{Delegation: delegationID, Terms: everything})
		made, _, err := c.IssueToken(t.Context(), issue, commands.IssueToken{AccountID: "acc_1", Name: "x", Permissions: []domain.Permission{"*"}})
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	acts := func(user, name string, end *time.Time) (delegationID, token string) {
		t.Helper()
		call := commandtest.SystemCall()
		call.Account = "acc_1"
		terms := everything
		terms.ExpiresAt = end
		invited, err := c.InviteDelegate(t.Context(), call, commands.InviteDelegate{AccountID: "acc_1", Email: name + "@example.com", Terms: terms})
		if err != nil {
			t.Fatal(err)
		}
		run(c, commands.VouchDelegation{DelegationID: invited.ID, UserID: user})
		return invited.ID, issues(user, invited.ID)
	}
	past := time.Now().Add(-time.Hour)
	c.Clock = func() time.Time { return past.Add(-time.Hour) }
	_, lapsed := acts(cleo, "cleo", &past)
	c.Clock = time.Now
	_, anew := acts(cleo, "cleo", nil)
	c.start()
	end := time.Now().Add(2 * time.Second)
	_, passes := acts(ana, "ana", &end)
	revoked, program := acts(bob, "bob", nil)
	run(c, commands.RevokeDelegation{DelegationID: revoked})
	c.waitFor("apitoken.revoked.", 3)
	late := issues(bob, revoked) // by a request that was let in before
	_, again := acts(bob, "bob", nil)
	c.waitFor("apitoken.revoked.", 4)
	c.stop() // after what the jobs have begun
	for id, dead := range map[string]bool{passes: true, program: true, lapsed: true, late: true, anew: false, again: false} {
		if got, err := commands.Load(t.Context(), c.Streams(), apitoken.Decider.At(id)); err != nil || got.IsRevoked != dead {
			t.Errorf("the token %s: revoked %v, %v", id, got.IsRevoked, err)
		}
	}
}
