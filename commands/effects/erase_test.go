package effects_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// timers are the days on which keys are to be destroyed, as the jobs say.
func (c *company) timers() []string {
	c.t.Helper()
	rows, err := c.db.Query(c.t.Context(), `
		SELECT args -> 'key' ->> 'purpose' || ' ' || to_char(scheduled_at, 'YYYY-MM-DD')
		FROM river.river_job
		WHERE kind = 'end_retention'
		ORDER BY 1`)
	if err != nil {
		c.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

func TestAnErasureRemovesMailsAndItsTimersAreMadeAnewFromTheLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newCompany(t, mail.Folder{Dir: dir})
	c.start()
	id := c.draft()
	if err := c.issue(id); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 1)
	if mails, _ := filepath.Glob(filepath.Join(dir, "*.eml")); len(mails) != 1 {
		t.Fatalf("mails: %v", mails)
	}
	if err := os.WriteFile(filepath.Join(dir, ".mail-half"), []byte("zoe@example.com"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(c, commands.RecordPayment{InvoiceID: id, Amount: money.EUR(1200), Reference: "r", ReceivedOn: "2026-01-05"})
	if _, err := c.RequestErasureFor(t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: c.owner}); err != nil {
		t.Fatal(err)
	}
	c.waitFor("privacy.subject_key_destroyed.", 2) // of the user and of its account
	c.emptied(dir)
	if u, err := commands.Load(t.Context(), c.Streams(), user.Decider.At(c.owner)); err != nil || u.Email != eventstore.Erased {
		t.Errorf("the user reads %+v, %v", u, err)
	}
	before := c.timers()
	if len(before) != 3 { // fiscal of the account, identity of both
		t.Errorf("timers: %v", before)
	}
	c.stop()
	for _, sql := range []string{`DELETE FROM river.river_job`, `DELETE FROM feed.lane`} {
		if _, err := c.db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	c.start()
	for deadline := time.Now().Add(patience); !slices.Equal(c.timers(), before); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timers made anew: %v, before: %v", c.timers(), before)
		}
	}
}

// TestWhoInvitesIsErasedFromTheMail erases a delegate who invited another one:
// the mail named it, and what the other one holds stays.
func TestWhoInvitesIsErasedFromTheMail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newCompany(t, mail.Folder{Dir: dir})
	c.start()
	bob, ana := c.also("bob"), c.also("ana")
	everything := delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}
	invite := func(call commands.Call, email string) (id string) {
		t.Helper()
		invited, err := c.InviteDelegate(t.Context(), call, commands.InviteDelegate{AccountID: "acc_1", Email: email, Terms: everything})
		if err != nil {
			t.Fatal(err)
		}
		return invited.ID
	}
	invite(as(c.owner), "bob@example.com")
	hers := invite(by(bob, &delegation.Grant{Delegation: "dlg_bob", Terms: everything}), "ana@example.com")
	c.waitFor("message.sent.", 2)
	run(c, commands.VouchDelegation{DelegationID: hers, UserID: ana})

	if _, err := c.RequestErasureFor(t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: bob}); err != nil {
		t.Fatal(err)
	}
	c.waitFor("privacy.subject_key_destroyed.", 4) // of bob, of its invitation, and of both mails
	c.emptied(dir)
	for _, queued := range c.waitFor("message.queued.", 2) {
		e, _, err := c.Codec.Decode(t.Context(), queued)
		if m, ok := e.(message.Queued); err != nil || !ok || m.Text != eventstore.Erased || m.Recipient != eventstore.Erased {
			t.Errorf("the mail reads %+v, %v", e, err)
		}
	}
	d, err := commands.Load(t.Context(), c.Streams(), delegation.Decider.At(hers))
	if err != nil || d.Status != delegation.StatusActive || d.Email != "ana@example.com" {
		t.Errorf("what the other holds reads %+v, %v", d, err)
	}
}

// TestAMailThatAHoldKeptGoesWithItsKey erases who was invited to an account whose
// owner is under a legal hold: the mail goes once the hold is lifted.
func TestAMailThatAHoldKeptGoesWithItsKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newCompany(t, mail.Folder{Dir: dir})
	c.start()
	bob := c.also("bob")
	run(c, commands.SetLegalHold{UserID: c.owner, Reference: "2026/17"})
	_, err := c.InviteDelegate(t.Context(), as(c.owner), commands.InviteDelegate{
		AccountID: "acc_1", Email: "bob@example.com", Terms: delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 1)
	if _, err := c.RequestErasureFor(t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: bob}); err != nil {
		t.Fatal(err)
	}
	c.waitFor("privacy.subject_key_destroyed.", 1) // bob's own
	c.stop()
	kept := func() (files, jobs int) {
		t.Helper()
		mails, err := filepath.Glob(filepath.Join(dir, "*.eml"))
		if err == nil {
			err = c.db.QueryRow(t.Context(), `SELECT count(*) FROM river.river_job WHERE kind = $1`, mail.Send{}.Kind()).Scan(&jobs)
		}
		if err != nil {
			t.Fatal(err)
		}
		return len(mails), jobs
	}
	profiles := slices.DeleteFunc(c.timers(), func(timer string) bool { return !strings.HasPrefix(timer, "profile ") })
	if files, jobs := kept(); files != 1 || jobs != 1 || len(profiles) != 2 { // of the invitation, and of its mail
		t.Errorf("under the hold %d mails, %d jobs, and timers %v", files, jobs, c.timers())
	}
	run(c, commands.LiftLegalHold{UserID: c.owner})
	tomorrow := time.Now().Add(25 * time.Hour)
	c.Clock = func() time.Time { return tomorrow }
	if _, err := c.db.Exec(t.Context(), `UPDATE river.river_job SET scheduled_at = now(), state = 'available' WHERE kind = 'end_retention'`); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.waitFor("privacy.subject_key_destroyed.", 3)
	c.emptied(dir)
	c.stop() // after what the jobs have begun
	if files, jobs := kept(); files != 0 || jobs != 0 {
		t.Errorf("after it %d mails, %d jobs", files, jobs)
	}
	e, _, err := c.Codec.Decode(t.Context(), c.waitFor("message.queued.", 1)[0])
	if m, ok := e.(message.Queued); err != nil || !ok || m.Text != eventstore.Erased || m.Recipient != eventstore.Erased {
		t.Errorf("the mail reads %+v, %v", e, err)
	}
}

// emptied waits until nothing is left of the mails in a folder.
func (c *company) emptied(dir string) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		left, err := os.ReadDir(dir)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("left of the mails: %v", left)
		}
	}
}
