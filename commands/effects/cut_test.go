package effects_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/commands/process"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/roster"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// story is a request of several appends, some of them by jobs that follow.
type story struct {
	// given is what was before; it answers the request.
	given func(c *company) (request func() error)
	// last is how the type of the event begins that comes last, and times how many
	// there are of it after the request.
	last  string
	times int
}

// TestWhatIsCutOffAtAnyAppendEndsAsWithoutTheCut has the process die before and
// after each append of a request and of what follows from it: nothing at all has
// happened, when it was the first, or in the end everything has, once.
func TestWhatIsCutOffAtAnyAppendEndsAsWithoutTheCut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	for name, s := range stories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole, appends := s.play(t, -1, false, true)
			if len(appends) < 2 {
				t.Fatalf("it has the appends %v alone", appends)
			}
			t.Logf("%v", appends)
			first := slices.IndexFunc(appends, func(of string) bool { return !slices.Contains(before, of) })
			for at := range appends {
				for _, written := range []bool{false, true} {
					if os.Getenv("HOSTFOLD_SOAK") == "" && written != (at%2 == 0) && at != first {
						continue // make soak does all
					}
					t.Run(fmt.Sprintf("%d %s, written %v", at, appends[at], written), func(t *testing.T) {
						t.Parallel()
						happens := at > first || at == first && written
						got, _ := s.play(t, at, written, happens)
						want := whole
						if !happens {
							want = nil
						}
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("without the cut (-) and with it (+):\n%s", diff)
						}
					})
				}
			}
		})
	}
}

// before are written before the fact that needs them, and of nothing comes
// nothing: a key, and a claim that ends by itself.
var before = []string{"subjectkey.created.v1", "user.hiring_claimed.v1", "user.ownership_claimed.v3"}

// play lets the story happen, with a cut at one of its appends, and answers the
// types of its events, sorted, and of each of its appends.
func (s story) play(t *testing.T, cut int, written, happens bool) (events, appends []string) {
	t.Helper()
	c := newCompany(t, mail.Folder{Dir: t.TempDir()})
	request := s.given(c)
	c.start() // what follows from what was before is over, too
	c.idle()
	c.stop()
	from, err := c.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	c.store.Fail(commandtest.Fault{Written: written, Fails: func(_ string, events []eventstore.NewEvent) error {
		if appends = append(appends, events[0].Type); n == cut {
			n++
			return eventstore.ErrUnavailable
		}
		n++
		return nil
	}})
	already := 0
	for e := range s.log(c, eventstore.Start) {
		if strings.HasPrefix(e, s.last) {
			already++
		}
	}
	if err := request(); err != nil && domain.KindOf(err) != domain.KindUnavailable {
		t.Fatal(err)
	}
	c.start()
	if happens {
		c.waitFor(s.last, already+s.times)
	}
	c.idle()
	c.stop()
	c.store.Heal()
	for e := range s.log(c, from) {
		if !slices.Contains(before, e) {
			events = append(events, e)
		}
	}
	slices.Sort(events)
	return events, appends
}

// log is the types of the events after a position.
func (s story) log(c *company, after eventstore.Position) func(func(string) bool) {
	return func(yield func(string) bool) {
		for r, err := range c.store.ReadAll(c.t.Context(), after) {
			if err != nil {
				c.t.Fatal(err)
			}
			if after.Before(r.Position) && !yield(r.Type) {
				return
			}
		}
	}
}

// idle waits until every lane has passed the end of the log and every job that
// is due is done.
func (c *company) idle() {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		head, err := c.store.Head(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		lanes, due := 0, 0
		err = c.db.QueryRow(c.t.Context(), `
			SELECT (SELECT count(*) FROM river.river_job WHERE state IN ('available', 'running', 'retryable') AND kind NOT IN ('clean_vault', 'observe_logins'))
			     + (SELECT count(*) FROM feed.lane WHERE commit_pos < $1), (SELECT count(*) FROM feed.lane)`, int64(head.Commit)).Scan(&due, &lanes)
		if err != nil {
			c.t.Fatal(err)
		}
		now, err := c.store.Head(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		if due == 0 && now == head && lanes == len(process.Lanes(nil, 0)) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%d jobs and lanes are not done", due)
		}
	}
}

// as is a call of a user.
func as(user string) commands.Call {
	call := commandtest.Call()
	call.Actor.ID, call.Grants.User, call.Grants.Fresh = user, user, delegation.Fresh{Password: true}
	return call
}

// also registers another user.
func (c *company) also(name string) string {
	c.t.Helper()
	r, err := c.RegisterUser(c.t.Context(), commandtest.SystemCall(), commands.RegisterUser{
		Email: name + "@example.com", Password: zoe.Password, Name: name, Locale: user.English, Vouched: true,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return r.ID
}

// ago has something happen some time ago.
func (c *company) ago(d time.Duration, do func() error) error {
	c.Clock = func() time.Time { return time.Now().Add(-d) }
	defer func() { c.Clock = time.Now }()
	return do()
}

var ana = contact.Details{
	Kind: contact.Person, Name: "Ana Souza", Email: "ana@example.com", Phone: "+33612345678",
	Address: contact.Address{Line1: "3 rue du Four", City: "Paris", Country: "FR"},
}

func (c *company) hire(name string) error {
	_, err := c.HireStaff(c.t.Context(), commandtest.SystemCall(), commands.HireStaff{Email: name + "@example.com", Role: delegation.RoleAdmin})
	return err
}

// admins are staff members who look after the others.
func (c *company) admins(names ...string) (ids []string) {
	c.t.Helper()
	for _, name := range names {
		ids = append(ids, c.also(name))
		if err := c.hire(name); err != nil {
			c.t.Fatal(err)
		}
	}
	return ids
}

// support is a staff member of the support, who can act for acc_1.
func (c *company) support(name string) (id string, act func() error) {
	c.t.Helper()
	id = c.also(name)
	if _, err := c.HireStaff(c.t.Context(), commandtest.SystemCall(), commands.HireStaff{Email: name + "@example.com", Role: delegation.RoleSupport}); err != nil {
		c.t.Fatal(err)
	}
	_, session, err := c.Vault.OpenSession(c.t.Context(), id, vault.Client{IP: "192.0.2.1"}, vault.LifeOf(true), vault.Proof{StaffRights: true})
	if err != nil {
		c.t.Fatal(err)
	}
	call := as(id)
	call.Actor.Kind, call.Grants.Role, call.Grants.Accounts = domain.ActorStaff, delegation.RoleSupport, nil
	return id, func() error {
		_, err := c.StartImpersonation(c.t.Context(), call, commands.StartImpersonation{AccountID: "acc_1", Session: session.ID, Reason: "asked", Consent: true})
		return err
	}
}

// acts has a staff member act for acc_1.
func (c *company) acts(name string) (id string) {
	c.t.Helper()
	id, act := c.support(name)
	if err := act(); err != nil {
		c.t.Fatal(err)
	}
	return id
}

// closing asks to close acc_1.
func (c *company) closing() error {
	_, err := c.RequestClosing(c.t.Context(), as(c.owner), commands.RequestClosing{AccountID: "acc_1"})
	return err
}

// TestAnAdminWhoseRemovalIsCutOffIsCountedAgain has the process die between the
// roster, which counts one admin less, and the end of its role: it stays one.
func TestAnAdminWhoseRemovalIsCutOffIsCountedAgain(t *testing.T) {
	t.Parallel()
	c := newCompany(t, mail.Folder{Dir: t.TempDir()})
	ids := c.admins("ada", "eve")
	c.away("staff.deactivated.")
	if _, err := c.DeactivateStaff(t.Context(), commandtest.SystemCall(), commands.DeactivateStaff{MemberID: ids[1]}); domain.KindOf(err) != domain.KindUnavailable {
		t.Fatal(err)
	}
	c.store.Heal()
	c.Clock = func() time.Time { return time.Now().Add(time.Hour) } // no request can be at it any more
	c.start()
	c.waitFor("roster.admin_added.", 3)
	r, err := commands.Load(t.Context(), c.Streams(), roster.Decider.At(roster.ID))
	if err != nil || !slices.Equal(r.Admins, ids) {
		t.Errorf("counted are %v of %v, %v", r.Admins, ids, err)
	}
}

// TestTheEndOfActingForAClosedAccountIsNotedAfterACut has the process die when
// staff's rights are gone and that is not written: it is once it runs again, and
// not as something that ran out.
func TestTheEndOfActingForAClosedAccountIsNotedAfterACut(t *testing.T) {
	t.Parallel()
	c := newCompany(t, mail.Folder{Dir: t.TempDir()})
	c.acts("eve")
	if err := c.closing(); err != nil {
		t.Fatal(err)
	}
	a, err := commands.Load(t.Context(), c.Streams(), account.Decider.At("acc_1"))
	if err != nil {
		t.Fatal(err)
	}
	c.away("impersonation.ended.")
	if err := c.AnswerClosing(t.Context(), commandtest.SystemCall(), "acc_1", a.Closing); domain.KindOf(err) != domain.KindUnavailable {
		t.Fatal(err)
	}
	c.store.Heal()
	c.start()
	e, _, err := c.Codec.Decode(t.Context(), c.waitFor("impersonation.ended.", 1)[0])
	if want := (impersonation.Ended{Account: "acc_1", By: impersonation.ByClosing}); err != nil || e != want {
		t.Errorf("noted is %+v, %v", e, err)
	}
}

func stories() map[string]story {
	return map[string]story{
		"acting for a customer, until its time": {last: "impersonation.ended.v1", times: 1, given: func(c *company) func() error {
			_, act := c.support("eve")
			return func() error { return c.ago(29*time.Minute+59*time.Second, act) }
		}},
		"a reset of second factors": {last: "message.sent.v1", times: 2, given: func(c *company) func() error {
			call := as(c.owner)
			_, shown, err := c.EnrolTOTP(c.t.Context(), call, commands.EnrolTOTP{UserID: c.owner})
			if err != nil {
				c.t.Fatal(err)
			}
			code, err := totp.GenerateCode(shown.Secret, time.Now())
			if err != nil {
				c.t.Fatal(err)
			}
			call = as(c.owner)
			call.Grants.System = true // there is no session
			if _, _, err := c.ConfirmTOTP(c.t.Context(), call, commands.ConfirmTOTP{UserID: c.owner, Code: code}); err != nil {
				c.t.Fatal(err)
			}
			return func() error {
				return c.ago(user.FactorResetWait-4*time.Second, func() error {
					_, _, err := c.RequestFactorReset(c.t.Context(), commandtest.SystemCall(), commands.RequestFactorReset{UserID: c.owner, Reason: "seen"})
					return err
				})
			}
		}},
		"an erasure, with a contact elsewhere": {last: "account.closed.", times: 1, given: func(c *company) func() error {
			bob := c.also("bob")
			run(c, commands.OpenAccount{AccountID: "acc_2", Owner: bob, Name: "Bob", Kind: account.Individual, Country: "FR", Currency: "EUR"})
			details := ana
			details.Email = zoe.Email
			call := as(bob)
			call.Account, call.Grants.Accounts = "acc_2", map[string]delegation.Grant{"acc_2": {Owner: true}}
			if _, err := commands.Execute(c.t.Context(), c.Dispatcher, call, commands.CreateContact{AccountID: "acc_2", Details: details}); err != nil {
				c.t.Fatal(err)
			}
			return func() error {
				_, err := c.RequestErasureFor(c.t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: c.owner})
				return err
			}
		}},
		"a contact's address": {last: "message.sent.v1", times: 1, given: func(c *company) func() error {
			return func() error {
				_, err := commands.Execute(c.t.Context(), c.Dispatcher, as(c.owner), commands.CreateContact{AccountID: "acc_1", Details: ana})
				return err
			}
		}},
		"an invitation": {last: "message.sent.v1", times: 1, given: func(c *company) func() error {
			return func() error {
				_, err := c.InviteDelegate(c.t.Context(), as(c.owner), commands.InviteDelegate{
					AccountID: "acc_1", Email: "ana@example.com",
					Terms: delegation.Terms{Permissions: []domain.Permission{delegation.TicketsRead}, Scope: delegation.Scope{All: true}},
				})
				return err
			}
		}},
		"hiring an admin": {last: "roster.admin_added.v1", times: 1, given: func(c *company) func() error {
			c.admins("ada", "eve")
			c.also("bob")
			return func() error { return c.hire("bob") }
		}},
		"closing an account": {last: "message.sent.v1", times: 2, given: func(c *company) func() error {
			terms := delegation.Terms{Permissions: []domain.Permission{delegation.TicketsRead}, Scope: delegation.Scope{All: true}}
			invite := func(email string) (id string) {
				invited, err := c.InviteDelegate(c.t.Context(), as(c.owner), commands.InviteDelegate{AccountID: "acc_1", Email: email, Terms: terms})
				if err != nil {
					c.t.Fatal(err)
				}
				return invited.ID
			}
			invite("bob@example.com")
			run(c, commands.VouchDelegation{DelegationID: invite("ana@example.com"), UserID: c.also("ana")})
			c.acts("eve")
			return c.closing
		}},
		"a closing that is refused": {last: "message.sent.v1", times: 2, given: func(c *company) func() error {
			c.draft()
			return c.closing
		}},
		"dismissing who acts for a customer": {last: "impersonation.ended.v1", times: 1, given: func(c *company) func() error {
			c.admins("ada")
			eve := c.acts("eve")
			return func() error {
				_, err := c.DeactivateStaff(c.t.Context(), commandtest.SystemCall(), commands.DeactivateStaff{MemberID: eve})
				return err
			}
		}},
		"opening an account": {last: "account.opened.v2", times: 1, given: func(c *company) func() error {
			bob := c.also("bob")
			call := as(bob)
			call.Grants.Accounts = nil
			return func() error {
				_, err := c.OpenAccount(c.t.Context(), call, commands.OpenAccount{Name: "Bob", Kind: account.Individual, Country: "FR", Currency: "EUR"})
				return err
			}
		}},
		"closing a user": {last: "reservation.freed.v1", times: 1, given: func(c *company) func() error {
			bob := c.also("bob")
			call := as(bob)
			call.Grants.Accounts = nil
			return func() error {
				_, err := c.CloseUser(c.t.Context(), call, commands.CloseUser{UserID: bob, Password: zoe.Password})
				return err
			}
		}},
	}
}
