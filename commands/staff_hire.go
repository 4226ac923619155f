package commands

import (
	"context"
	"errors"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/roster"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
)

// HireStaff makes a user who has registered and proven its address a staff
// member. Nobody but that user ever knows its password.
type HireStaff struct {
	Email string          `json:"email" format:"email" doc:"That of a user who has verified it."`
	Role  delegation.Role `json:"role" enum:"admin,billing,support,auditor"`
}

// ErrNobodyToHire says that no verified user has the address.
var ErrNobodyToHire = domain.Conflict("no_such_user", "No user has verified this address in a session of its own; the person registers first, or sets a password by mail.")

// HireStaff gives the user a role. It counts in sessions that are opened from
// then on and have shown a second factor; those that were open end.
func (d *Dispatcher) HireStaff(ctx context.Context, call Call, cmd HireStaff) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := d.mayManageStaff(ctx, call); err != nil {
		return Receipt{}, err
	}
	if _, err := (staff.Member{}).Hire(cmd.Role); err != nil {
		return Receipt{}, err
	}
	id, u, err := d.userOf(ctx, user.NormalEmail(cmd.Email))
	if err != nil {
		return Receipt{}, err
	}
	if id == "" || !u.Proven() || u.MayEnter() != nil {
		return Receipt{}, ErrNobodyToHire
	}
	return d.hire(ctx, call, call, hireStaff{user: id, role: cmd.Role, permission: delegation.StaffMembers})
}

// mayManageStaff lets in who looks after the staff, and has lately proven that
// it is no stolen session.
func (d *Dispatcher) mayManageStaff(ctx context.Context, call Call) error {
	if err := authorise(call, delegation.StaffMembers, delegation.Resource{Kind: staff.Decider.Category}); err != nil || call.Grants.System {
		return err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(call.Grants.User))
	if err != nil {
		return err
	}
	return RequireFresh(call, u)
}

// hire hires by a step of the call, which may be the call itself, and counts
// admins. The user is claimed on its own stream first, so that nobody closes or
// locks it meanwhile (domain/user); a claim of which nothing comes ends by
// itself. The user's sessions end: none that was opened before has the role.
func (d *Dispatcher) hire(ctx context.Context, call, step Call, cmd hireStaff) (Receipt, error) {
	for {
		f, err := fold(ctx, d.Streams(), cmd.Target(), step.CommandID, folded[staff.Member]{})
		if err != nil {
			return Receipt{}, err
		}
		cmd.facts = f.state.Facts
		receipt, err := d.hireClaimed(ctx, call, step, cmd, f)
		if err == nil {
			return receipt, d.countAdmin(ctx, call, cmd.user)
		}
		if !errors.Is(err, errMemberMoved) {
			return Receipt{}, err
		}
		if ctx.Err() != nil {
			return Receipt{}, storeError("hire "+cmd.user, ctx.Err())
		}
	}
}

// hireClaimed hires the user in the state that was read, unless that has
// changed. What was done before is done again without ending anything.
func (d *Dispatcher) hireClaimed(ctx context.Context, call, step Call, cmd hireStaff, f folded[staff.Member]) (Receipt, error) {
	ready, err := cmd.Gather(ctx, d.Streams())
	if err != nil {
		return Receipt{}, err
	}
	changes, err := ready.Decide(f.state, Env{})
	if f.own != nil || err == nil && len(changes) == 0 {
		return Execute(ctx, d, step, cmd)
	}
	if err != nil {
		return Receipt{}, err
	}
	until := d.Clock().Add(holdFor)
	claim := claimHiring{user: cmd.user, facts: cmd.facts, until: until}
	if _, err := Execute(ctx, d, call.Step("claim "+until.UTC().String()), claim); err != nil {
		return Receipt{}, err
	}
	return endingSessions(ctx, d, cmd.user, "", func() (Receipt, error) { return Execute(ctx, d, step, cmd) })
}

// errMemberMoved says that a staff member's stream has moved since another
// stream was told how many facts it has.
var errMemberMoved = errors.New("the staff member changed meanwhile")

type hireStaff struct {
	user       string
	role       delegation.Role
	permission domain.Permission
	// facts is how many the member's stream had when the user was claimed.
	facts int
	// erased is true when the user is being erased.
	erased bool
}

func (c hireStaff) Target() staff.Target          { return staff.Decider.At(c.user) }
func (c hireStaff) Permission() domain.Permission { return c.permission }

// Gather looks whether the user is being erased. An erasure that is asked for
// later sees the claim.
func (c hireStaff) Gather(ctx context.Context, s Streams) (hireStaff, error) {
	p, err := Load(ctx, s, privacy.Decider.At(c.user))
	c.erased = p.UnderWay()
	return c, err
}

func (c hireStaff) Decide(m staff.Member, _ Env) ([]staff.Event, error) {
	events, err := unmoved(m, c.facts)(m.Hire(c.role))
	if len(events) > 0 && c.erased {
		return nil, ErrNobodyToHire
	}
	return events, err
}

type claimHiring struct {
	user  string
	facts int
	until time.Time
}

func (c claimHiring) Target() user.Target         { return user.Decider.At(c.user) }
func (claimHiring) Permission() domain.Permission { return delegation.System }

func (c claimHiring) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.ClaimHiring(c.facts, c.until)
}

// countAdmin puts a user on the roster if it is an admin.
func (d *Dispatcher) countAdmin(ctx context.Context, call Call, id string) error {
	_, err := Execute(ctx, d, call.Step("count admin"), addAdmin{user: id})
	return err
}

type addAdmin struct {
	user   string
	member staff.Member
}

func (addAdmin) Target() roster.Target         { return roster.Decider.At(roster.ID) }
func (addAdmin) Permission() domain.Permission { return delegation.System }

// Gather looks what the user is by now.
func (c addAdmin) Gather(ctx context.Context, s Streams) (addAdmin, error) {
	var err error
	c.member, err = Load(ctx, s, staff.Decider.At(c.user))
	return c, err
}

func (c addAdmin) Decide(r roster.Roster, env Env) ([]roster.Event, error) {
	if c.member.Role != delegation.RoleAdmin {
		return nil, nil
	}
	return r.Add(c.user, c.member.Facts, env.Now)
}

type removeAdmin struct {
	user  string
	facts int
	until time.Time
}

func (removeAdmin) Target() roster.Target         { return roster.Decider.At(roster.ID) }
func (removeAdmin) Permission() domain.Permission { return delegation.System }

func (c removeAdmin) Decide(r roster.Roster, _ Env) ([]roster.Event, error) {
	return r.Remove(c.user, c.facts, c.until)
}
