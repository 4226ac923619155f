package commands_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
)

func TestCommandIDsTellEveryFieldApart(t *testing.T) {
	t.Parallel()
	base := commands.CommandID("usr_1", "POST", "/v1/a/{id}", []string{"1", "2"}, "key")
	if again := commands.CommandID("usr_1", "POST", "/v1/a/{id}", []string{"1", "2"}, "key"); again != base {
		t.Fatalf("the same fields gave %s and %s", base, again)
	}
	for name, other := range map[string]uuid.UUID{
		"principal":        commands.CommandID("usr_2", "POST", "/v1/a/{id}", []string{"1", "2"}, "key"),
		"method":           commands.CommandID("usr_1", "PUT", "/v1/a/{id}", []string{"1", "2"}, "key"),
		"route":            commands.CommandID("usr_1", "POST", "/v1/b/{id}", []string{"1", "2"}, "key"),
		"path id":          commands.CommandID("usr_1", "POST", "/v1/a/{id}", []string{"1", "3"}, "key"),
		"joined path ids":  commands.CommandID("usr_1", "POST", "/v1/a/{id}", []string{"12"}, "key"),
		"path id and key":  commands.CommandID("usr_1", "POST", "/v1/a/{id}", []string{"1"}, "2key"),
		"key":              commands.CommandID("usr_1", "POST", "/v1/a/{id}", []string{"1", "2"}, "yek"),
		"principal+method": commands.CommandID("usr_1P", "OST", "/v1/a/{id}", []string{"1", "2"}, "key"),
	} {
		if other == base {
			t.Errorf("another %s gave the same id", name)
		}
	}
}

// The ids are on disk and in clients' hands: this test fails when a change
// would make old requests unrecognisable.
func TestDerivedIDsNeverChange(t *testing.T) {
	t.Parallel()
	id := commands.CommandID("usr_1", "POST", "/v1/accounts", nil, "k")
	if got, want := id.String(), "8578fa9e-154b-5370-a2f8-6015279452a6"; got != want {
		t.Errorf("command id %s, want %s", got, want)
	}
	if got, want := commands.NewID(id, "inv"), "inv_7bdde57ea059551c901fe1eff2d6e182"; got != want {
		t.Errorf("invoice id %s, want %s", got, want)
	}
	if got, want := commands.StepID(id, "allocate").String(), "48dac72e-edb1-5b4c-9780-87e0bc72206f"; got != want {
		t.Errorf("step id %s, want %s", got, want)
	}
}
