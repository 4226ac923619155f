// Package staff holds who works for the hosting company and in which role. A
// staff member logs in as a user; the aggregate's id is the user's id.
//
// What a role may do is the part of domain/delegation; that there is always an
// admin is that of domain/roster.
package staff

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about a staff member.
type Event interface {
	domain.Event
	apply(Member) Member
}

// Target is one staff member.
type Target = domain.Target[Member, Event]

// Decider folds a staff member's facts.
var Decider = domain.Decider[Member, Event]{
	Category: "staff",
	Evolve:   func(m Member, e Event) Member { return e.apply(m) },
	Types: []domain.Type{
		domain.TypeOf[Hired](),
		domain.TypeOf[RoleAssigned](),
		domain.TypeOf[Deactivated](),
	},
}

// Member is the state of a staff member; without a role it is nobody.
type Member struct {
	// Role is "" for who is no staff member, or no more.
	Role delegation.Role
	// Was is true for who is no more.
	Was bool
	// Facts is how many there are. What is decided in another stream first says
	// how many it has seen, and is decided anew when that has changed.
	Facts int
}

// Errors of this aggregate.
var (
	ErrMissing = domain.Missing("staff member")
	// ErrHired says that the user works here already, in another role.
	ErrHired = domain.Conflict("staff_hired", "This user is a staff member already.")
	// ErrSelf says that nobody raises, lowers or removes itself.
	ErrSelf = &domain.Error{Kind: domain.KindDenied, Code: "own_role", Detail: "You cannot change your own role; another admin can."}
	// ErrActive says that a user cannot go while it is staff.
	ErrActive = domain.Conflict("staff_member", "This user is a staff member; an admin has to deactivate it first.")
)

// Hired says that a user became a staff member.
type Hired struct {
	Role delegation.Role `json:"role"`
}

// EventType is the name on disk.
func (Hired) EventType() string { return "staff.hired.v1" }

func (e Hired) apply(m Member) Member { return Member{Role: e.Role, Facts: m.Facts + 1} }

// Hire gives a user a role; a repeat has nothing to do.
func (m Member) Hire(role delegation.Role) ([]Event, error) {
	if err := check(role); err != nil {
		return nil, err
	}
	switch {
	case m.Role == role:
		return nil, nil
	case m.Role != "":
		return nil, ErrHired
	}
	return []Event{Hired{Role: role}}, nil
}

func check(role delegation.Role) error {
	var c domain.Check
	delegation.CheckRole(&c, role)
	return c.Err()
}

// RoleAssigned says that a staff member has another role from now on.
type RoleAssigned struct {
	Role delegation.Role `json:"role"`
}

// EventType is the name on disk.
func (RoleAssigned) EventType() string { return "staff.role_assigned.v1" }

func (e RoleAssigned) apply(m Member) Member {
	m.Role, m.Facts = e.Role, m.Facts+1
	return m
}

// Assign gives a staff member another role. self is true when it is the
// member who asks.
func (m Member) Assign(role delegation.Role, self bool) ([]Event, error) {
	if m.Role == "" {
		return nil, ErrMissing
	}
	if err := check(role); err != nil {
		return nil, err
	}
	switch {
	case self:
		return nil, ErrSelf
	case m.Role == role:
		return nil, nil
	}
	return []Event{RoleAssigned{Role: role}}, nil
}

// Deactivated says that the user is no staff member any more. It stays a user.
type Deactivated struct{}

// EventType is the name on disk.
func (Deactivated) EventType() string { return "staff.deactivated.v1" }

func (Deactivated) apply(m Member) Member { return Member{Was: true, Facts: m.Facts + 1} }

// Deactivate ends a staff member's work; a repeat has nothing to do. self is
// true when it is the member who asks.
func (m Member) Deactivate(self bool) ([]Event, error) {
	switch {
	case m.Role == "" && !m.Was:
		return nil, ErrMissing
	case m.Role == "":
		return nil, nil
	case self:
		return nil, ErrSelf
	}
	return []Event{Deactivated{}}, nil
}
