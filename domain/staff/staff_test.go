package staff_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/staff"
)

type decision = func(staff.Member) ([]staff.Event, error)

func hire(r delegation.Role) decision {
	return func(m staff.Member) ([]staff.Event, error) { return m.Hire(r) }
}

func assign(r delegation.Role, self bool) decision {
	return func(m staff.Member) ([]staff.Event, error) { return m.Assign(r, self) }
}

func deactivate(self bool) decision {
	return func(m staff.Member) ([]staff.Event, error) { return m.Deactivate(self) }
}

func TestHire(t *testing.T) {
	t.Parallel()
	domaintest.For(t, staff.Decider).When(hire(delegation.RoleAdmin)).Then(staff.Hired{Role: delegation.RoleAdmin}).
		When(hire(delegation.RoleAdmin)).ThenNothing()
	domaintest.For(t, staff.Decider).When(hire("king")).RefusedField("role")
	domaintest.For(t, staff.Decider).Given(staff.Hired{Role: "support"}).When(hire(delegation.RoleAdmin)).Refused(staff.ErrHired)
	domaintest.For(t, staff.Decider).Given(staff.Hired{Role: "support"}, staff.Deactivated{}).
		When(hire(delegation.RoleBilling)).Then(staff.Hired{Role: delegation.RoleBilling})
}

func TestAssign(t *testing.T) {
	t.Parallel()
	clerk := domaintest.For(t, staff.Decider).Given(staff.Hired{Role: delegation.RoleSupport})
	billing := clerk.When(assign(delegation.RoleBilling, false)).Then(staff.RoleAssigned{Role: delegation.RoleBilling})
	billing.When(assign(delegation.RoleBilling, false)).ThenNothing()
	billing.When(assign(delegation.RoleAdmin, true)).Refused(staff.ErrSelf)
	billing.When(assign("king", false)).RefusedField("role")
	domaintest.For(t, staff.Decider).When(assign(delegation.RoleBilling, false)).Refused(staff.ErrMissing)
	clerk.Given(staff.Deactivated{}).When(assign(delegation.RoleBilling, false)).Refused(staff.ErrMissing)
}

func TestDeactivate(t *testing.T) {
	t.Parallel()
	clerk := domaintest.For(t, staff.Decider).Given(staff.Hired{Role: delegation.RoleSupport})
	clerk.When(deactivate(true)).Refused(staff.ErrSelf)
	gone := clerk.When(deactivate(false)).Then(staff.Deactivated{})
	gone.When(deactivate(false)).ThenNothing()
	gone.When(hire(delegation.RoleSupport)).Then(staff.Hired{Role: delegation.RoleSupport})
	domaintest.For(t, staff.Decider).When(deactivate(false)).Refused(staff.ErrMissing)
}
