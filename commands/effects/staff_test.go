package effects_test

import (
	"strings"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain/delegation"
)

// TestAStaffMemberIsMailedItsHireAndItsDismissal: and nobody else is.
func TestAStaffMemberIsMailedItsHireAndItsDismissal(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	c := newCompany(t, sink)
	c.start()
	if _, err := c.HireStaff(t.Context(), commandtest.SystemCall(), commands.HireStaff{Email: zoe.Email, Role: delegation.RoleSupport}); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 1)
	if _, err := c.DeactivateStaff(t.Context(), commandtest.SystemCall(), commands.DeactivateStaff{MemberID: c.owner}); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 2)
	c.idle()
	got := p.received()
	if len(got) != 2 {
		t.Fatalf("received %q", got)
	}
	for i, want := range []string{"assistance", "plus aucun r=C3=B4le"} {
		if text := strings.ReplaceAll(got[i], "=\r\n", ""); !strings.Contains(header(got[i], "To"), zoe.Email) || !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
