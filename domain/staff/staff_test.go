package staff_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/staff"
)

func TestHire(t *testing.T) {
	t.Parallel()
	hire := func(r delegation.Role) func(staff.Member) ([]staff.Event, error) {
		return func(m staff.Member) ([]staff.Event, error) { return m.Hire(r) }
	}
	domaintest.For(t, staff.Decider).When(hire(delegation.RoleAdmin)).Then(staff.Hired{Role: delegation.RoleAdmin}).
		When(hire(delegation.RoleAdmin)).ThenNothing()
	domaintest.For(t, staff.Decider).When(hire("king")).RefusedField("role")
	domaintest.For(t, staff.Decider).Given(staff.Hired{Role: "support"}).When(hire(delegation.RoleAdmin)).Refused(staff.ErrHired)
}
