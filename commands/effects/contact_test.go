package effects_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/domain/contact"
)

// TestAContactIsMailed follows the links of the mails that a contact and its
// next address get; another change brings none.
func TestAContactIsMailed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newCompany(t, mail.Folder{Dir: dir})
	c.start()
	call := func() commands.Call {
		call := commandtest.Call()
		call.CommandID, call.Actor.ID, call.Grants.User = uuid.New(), c.owner, c.owner
		return call
	}
	made, err := commands.Execute(t.Context(), c.Dispatcher, call(), commands.CreateContact{AccountID: "acc_1", Details: contact.Details{
		Kind: contact.Person, Name: "Ana Souza", Email: "ana@example.com", Phone: "+33612345678",
		Address: contact.Address{Line1: "3 rue du Four", City: "Paris", Country: "FR"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 1)
	phone, email := "+33698765432", "ana@new.example"
	for _, change := range []contact.Amendment{{Phone: &phone}, {Email: &email}} {
		if _, err := commands.Execute(t.Context(), c.Dispatcher, call(), commands.AmendContact{ContactID: made.ID, Amendment: change}); err != nil {
			t.Fatal(err)
		}
	}
	c.waitFor("message.sent.", 2)
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	follow := func(address string) error {
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(strings.ReplaceAll(string(content), "=\r\n", ""), "=3D", "=")
			link := regexp.MustCompile(`https://portal\.example\.com/portal/verify-contact#([A-Za-z0-9_-]{20,})`).FindStringSubmatch(text)
			if link == nil {
				t.Fatalf("%s", text)
			}
			if strings.Contains(text, "<"+address+">") {
				_, err := c.VerifyContact(t.Context(), commandtest.Call(), commands.VerifyContact{Token: link[1]})
				return err
			}
		}
		t.Fatalf("no mail to %s", address)
		return nil
	}
	if err := follow("ana@example.com"); err == nil {
		t.Error("the former address was verified")
	}
	if err := follow(email); err != nil {
		t.Error(err)
	}
	got, err := commands.Load(t.Context(), c.Streams(), contact.Decider.At(made.ID))
	if err != nil || !got.Verified {
		t.Error(got, err)
	}
}
