package commands_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/roster"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// meanwhile is a store in which something else happens right before the next
// append to a stream: after whoever appends has read all it decides on.
type meanwhile struct {
	eventstore.Store

	mu     sync.Mutex
	stream string
	happen func()
}

func (m *meanwhile) before(stream string, happen func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stream, m.happen = stream, happen
}

// Append lets the other thing happen first.
func (m *meanwhile) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	m.mu.Lock()
	happen := m.happen
	if strings.HasPrefix(stream, m.stream) {
		m.happen = nil
	} else {
		happen = nil
	}
	m.mu.Unlock()
	if happen != nil {
		happen()
	}
	return m.Store.Append(ctx, stream, expected, events...)
}

// office is a portal with Zoé, and another process of it.
type office struct {
	*shop
	other *commands.Dispatcher
	race  *meanwhile
	zoe   string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s := newPortal(t)
	o := &office{shop: s, zoe: s.mailed(), race: &meanwhile{Store: s.store}}
	if err := s.verify(s.secret("verify_email")); err != nil {
		t.Fatal(err)
	}
	o.other = &commands.Dispatcher{
		Store: s.store, Codec: s.Codec, Vault: s.Vault, Pepper: s.Pepper, Mails: s.Mails, Clock: s.Clock, Rand: s.Rand,
	}
	s.Store = o.race
	return o
}

// boss is a new request of an admin who has proven itself lately.
func boss() commands.Call {
	call := by("usr_boss")
	call.Actor.Kind, call.Grants.Role, call.Grants.Fresh = domain.ActorStaff, delegation.RoleAdmin, delegation.Fresh{Password: true, SecondFactor: true}
	return call
}

// works hires a new user.
func (o *office) works(name string, role delegation.Role) string {
	o.t.Helper()
	who := zoe
	who.Email, who.Name = name+"@example.com", name
	made, err := o.other.CreateStaff(o.t.Context(), commandtest.SystemCall(), commands.CreateStaff{RegisterUser: who, Role: role})
	if err != nil {
		o.t.Fatal(err)
	}
	return made.ID
}

func (o *office) hireZoe(d *commands.Dispatcher) error {
	_, err := d.HireStaff(o.t.Context(), boss(), commands.HireStaff{Email: zoe.Email, Role: delegation.RoleAdmin})
	return err
}

func (o *office) member(id string) staff.Member { return load(o.shop, staff.Decider.At(id)) }

// withFactor gives a user a second factor, as far as its stream goes.
type withFactor struct{ user string }

func (c withFactor) Target() user.Target         { return user.Decider.At(c.user) }
func (withFactor) Permission() domain.Permission { return delegation.System }

func (withFactor) Decide(user.User, commands.Env) ([]user.Event, error) {
	return []user.Event{user.TOTPEnrolled{Secret: "otp_1"}, user.TOTPConfirmed{Secret: "otp_1"}}, nil
}

func TestASessionOfBeforeTheHireHasNoRole(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	in, err := o.logIn(zoe.Email, zoe.Password)
	if err != nil {
		t.Fatal(err)
	}
	// What a customer proves in its session is nothing that staff's rights rest on.
	done, err := o.Confirm(t.Context(), by(o.zoe), commands.Confirm{UserID: o.zoe, Session: in.SessionID, Password: zoe.Password})
	if err != nil {
		t.Fatal(err)
	}
	in.Token = done.Token
	if s, err := o.Vault.Session(t.Context(), in.Token); err != nil || s.StaffRights {
		t.Errorf("a customer's session has staff's rights: %+v, %v", s.Proof, err)
	}
	if err := o.hireZoe(o.Dispatcher); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Vault.Session(t.Context(), in.Token); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("the session goes on: %v", err)
	}
	if in, err = o.logIn(zoe.Email, zoe.Password); err != nil {
		t.Fatal(err)
	}
	if s, err := o.Vault.Session(t.Context(), in.Token); err != nil || s.StaffRights || !in.WantsFactor {
		t.Errorf("staff's rights without a second factor: %+v, %v", s.Proof, err)
	}
	// Hiring again changes nothing, and nobody is thrown out.
	if err := o.hireZoe(o.Dispatcher); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Vault.Session(t.Context(), in.Token); err != nil {
		t.Errorf("hiring again ended a session: %v", err)
	}
}

func TestWhoIsHiredMeanwhileIsNotClosed(t *testing.T) {
	t.Parallel()
	closing := func(o *office, d *commands.Dispatcher) error {
		own := by(o.zoe)
		own.Grants.Fresh = delegation.Fresh{Password: true, SecondFactor: true}
		_, err := d.CloseUser(o.t.Context(), own, commands.CloseUser{UserID: o.zoe, Password: zoe.Password})
		return err
	}
	locking := func(o *office, d *commands.Dispatcher) error {
		_, err := d.LockUser(o.t.Context(), boss(), commands.LockUser{UserID: o.zoe, Reason: "abuse"})
		return err
	}
	resetting := func(o *office, d *commands.Dispatcher) error {
		_, _, err := d.RequestFactorReset(o.t.Context(), boss(), commands.RequestFactorReset{UserID: o.zoe, Reason: "seen"})
		return err
	}
	for name, c := range map[string]struct {
		do      func(*office, *commands.Dispatcher) error
		refusal error
		done    func(user.User) bool
	}{
		"closed": {closing, staff.ErrActive, func(u user.User) bool { return u.IsClosed }},
		"locked": {locking, staff.ErrActive, func(u user.User) bool { return u.IsLocked }},
		"reset":  {resetting, commands.ErrStaffFactors, func(u user.User) bool { return u.Reset.ID != "" }},
	} {
		t.Run(name+": the hire comes first", func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			do(o.shop, withFactor{o.zoe})
			o.race.before("user-", func() {
				if err := o.hireZoe(o.other); err != nil {
					t.Error(err)
				}
			})
			if err := c.do(o, o.Dispatcher); !errors.Is(err, c.refusal) {
				t.Errorf("answered %v", err)
			}
			if c.done(o.user(o.zoe)) || o.member(o.zoe).Role == "" {
				t.Errorf("the user is %+v, the member %+v", o.user(o.zoe), o.member(o.zoe))
			}
		})
		t.Run(name+": the hire is under way", func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			do(o.shop, withFactor{o.zoe})
			o.race.before("staff-", func() {
				if err := c.do(o, o.other); !errors.Is(err, c.refusal) {
					t.Errorf("answered %v", err)
				}
			})
			if err := o.hireZoe(o.Dispatcher); err != nil {
				t.Error(err)
			}
			if c.done(o.user(o.zoe)) || o.member(o.zoe).Role == "" {
				t.Errorf("the user is %+v, the member %+v", o.user(o.zoe), o.member(o.zoe))
			}
		})
	}
	t.Run("closed: the end comes first", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.race.before("user-", func() {
			if err := closing(o, o.other); err != nil {
				t.Error(err)
			}
		})
		if err := o.hireZoe(o.Dispatcher); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("answered %v", err)
		}
		if !o.user(o.zoe).IsClosed || o.member(o.zoe).Role != "" {
			t.Errorf("the user is %+v, the member %+v", o.user(o.zoe), o.member(o.zoe))
		}
	})
	t.Run("who was dismissed a moment ago is closed", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.works("ada", delegation.RoleAdmin)
		if err := o.hireZoe(o.Dispatcher); err != nil {
			t.Fatal(err)
		}
		if err := closing(o, o.Dispatcher); !errors.Is(err, staff.ErrActive) {
			t.Errorf("a staff member: %v", err)
		}
		if err := locking(o, o.Dispatcher); !errors.Is(err, staff.ErrActive) {
			t.Errorf("a staff member: %v", err)
		}
		if _, err := o.DeactivateStaff(t.Context(), boss(), commands.DeactivateStaff{MemberID: o.zoe}); err != nil {
			t.Fatal(err)
		}
		if err := closing(o, o.Dispatcher); err != nil {
			t.Error(err)
		}
	})
}

func TestWhoIsErasedIsNotHired(t *testing.T) {
	t.Parallel()
	erasing := func(o *office, d *commands.Dispatcher) error {
		if _, err := d.RequestErasureFor(o.t.Context(), boss(), commands.RequestErasureFor{UserID: o.zoe}); err != nil {
			return err
		}
		_, err := d.AnswerErasure(o.t.Context(), commandtest.SystemCall(), o.zoe)
		return err
	}
	status := func(o *office) privacy.Status { return load(o.shop, privacy.Decider.At(o.zoe)).Status }

	t.Run("while the erasure is answered", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		if _, err := o.RequestErasureFor(t.Context(), boss(), commands.RequestErasureFor{UserID: o.zoe}); err != nil {
			t.Fatal(err)
		}
		o.race.before("privacy-", func() {
			if err := o.hireZoe(o.other); !errors.Is(err, commands.ErrNobodyToHire) {
				t.Errorf("answered %v", err)
			}
		})
		if _, err := o.AnswerErasure(t.Context(), commandtest.SystemCall(), o.zoe); err != nil {
			t.Fatal(err)
		}
		if status(o) != privacy.StatusAccepted || o.member(o.zoe).Role != "" {
			t.Errorf("the erasure is %s, the member %+v", status(o), o.member(o.zoe))
		}
	})
	t.Run("when the hire is under way the erasure is refused", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.race.before("staff-", func() {
			if err := erasing(o, o.other); err != nil {
				t.Error(err)
			}
		})
		if err := o.hireZoe(o.Dispatcher); err != nil {
			t.Error(err)
		}
		if status(o) != privacy.StatusRefused || !slices.Contains(o.reasons(o.zoe), privacy.StaffMember) || o.member(o.zoe).Role == "" {
			t.Errorf("the erasure is %s, the member %+v", status(o), o.member(o.zoe))
		}
	})
}

func TestTheRosterHasNoGhosts(t *testing.T) {
	t.Parallel()
	assign := func(o *office, d *commands.Dispatcher, role delegation.Role) {
		o.t.Helper()
		if _, err := d.AssignStaffRole(o.t.Context(), boss(), commands.AssignStaffRole{MemberID: o.zoe, Role: role}); err != nil {
			o.t.Error(err)
		}
	}
	for name, race := range map[string]func(o *office){
		"who is made an admin is made none before it is counted": func(o *office) {
			o.race.before("roster-", func() { assign(o, o.other, delegation.RoleSupport) })
			assign(o, o.Dispatcher, delegation.RoleAdmin)
		},
		"who is about to be none is counted meanwhile": func(o *office) {
			assign(o, o.Dispatcher, delegation.RoleAdmin)
			o.race.before("staff-", func() { assign(o, o.other, delegation.RoleAdmin) })
			assign(o, o.Dispatcher, delegation.RoleSupport)
		},
		"who is about to be none is made another meanwhile": func(o *office) {
			assign(o, o.Dispatcher, delegation.RoleAdmin)
			o.race.before("staff-", func() { assign(o, o.other, delegation.RoleBilling) })
			assign(o, o.Dispatcher, delegation.RoleSupport)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			ada := o.works("ada", delegation.RoleAdmin)
			if _, err := o.HireStaff(t.Context(), boss(), commands.HireStaff{Email: zoe.Email, Role: delegation.RoleSupport}); err != nil {
				t.Fatal(err)
			}
			race(o)
			if m := o.member(o.zoe); m.Role != delegation.RoleSupport {
				t.Errorf("the member is %+v", m)
			}
			if on := load(o.shop, roster.Decider.At(roster.ID)).Admins; !slices.Equal(on, []string{ada}) {
				t.Errorf("on the roster are %v", on)
			}
		})
	}
	t.Run("a request that is repeated takes nobody off", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.works("ada", delegation.RoleAdmin)
		if err := o.hireZoe(o.Dispatcher); err != nil {
			t.Fatal(err)
		}
		once := boss()
		once.CommandID = uuid.New()
		down := commands.AssignStaffRole{MemberID: o.zoe, Role: delegation.RoleSupport}
		if _, err := o.AssignStaffRole(t.Context(), once, down); err != nil {
			t.Fatal(err)
		}
		assign(o, o.Dispatcher, delegation.RoleAdmin)
		if again, err := o.AssignStaffRole(t.Context(), once, down); err != nil || !again.Replayed {
			t.Errorf("the repeat: %+v, %v", again, err)
		}
		if on := load(o.shop, roster.Decider.At(roster.ID)).Admins; !slices.Contains(on, o.zoe) {
			t.Errorf("on the roster are %v", on)
		}
	})
}

// TestAHireAndADismissalAreToldApart: each mail tells what was before, whichever
// is written or read first.
func TestAHireAndADismissalAreToldApart(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.works("ana", delegation.RoleAdmin) // who stays
	if err := o.hireZoe(o.Dispatcher); err != nil {
		t.Fatal(err)
	}
	hired := o.last(staff.Hired{})
	o.mu.Lock()
	o.now = o.now.Add(time.Second)
	o.mu.Unlock()
	if _, err := o.DeactivateStaff(t.Context(), boss(), commands.DeactivateStaff{MemberID: o.zoe}); err != nil {
		t.Fatal(err)
	}
	for _, of := range []eventstore.Recorded{o.last(staff.Deactivated{}), hired} {
		if err := o.MailStaffRole(t.Context(), commandtest.SystemCall(), o.zoe, of.ID); err != nil {
			t.Fatal(err)
		}
	}
	mails, _ := o.mails(mailtext.StaffRole)
	if len(mails) != 2 || !strings.Contains(mails[0].Text, "12:00:00 UTC") || !strings.Contains(mails[0].Text, "12:00:01 UTC") || strings.Contains(mails[1].Text, "12:00:01") {
		t.Errorf("the mails are %+v", mails)
	}
}
