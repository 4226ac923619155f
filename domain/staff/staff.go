// Package staff holds who works for the hosting company and in which role. A
// staff member logs in as a user; the aggregate's id is the user's id.
//
// What a role may do is the part of domain/delegation.
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
	Types:    []domain.Type{domain.TypeOf[Hired]()},
}

// Member is the state of a staff member; without a role it is nobody.
type Member struct {
	Role delegation.Role
}

// ErrHired says that the user works here already, in another role.
var ErrHired = domain.Conflict("staff_hired", "This user is a staff member already.")

// Hired says that a user became a staff member.
type Hired struct {
	Role delegation.Role `json:"role"`
}

// EventType is the name on disk.
func (Hired) EventType() string { return "staff.hired.v1" }

func (e Hired) apply(Member) Member { return Member(e) }

// Hire gives a user a role; a repeat has nothing to do.
func (m Member) Hire(role delegation.Role) ([]Event, error) {
	var c domain.Check
	delegation.CheckRole(&c, role)
	if err := c.Err(); err != nil {
		return nil, err
	}
	switch m.Role {
	case role:
		return nil, nil
	case "":
		return []Event{Hired{Role: role}}, nil
	}
	return nil, ErrHired
}
