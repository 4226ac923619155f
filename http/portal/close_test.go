package portal_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/account"
)

func TestCloseAccount(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	path := "/portal/" + s.account + "/close"
	answer := func(id string) {
		t.Helper()
		a, err := commands.Load(t.Context(), s.dispatcher.Streams(), account.Decider.At(id))
		if err == nil {
			err = s.dispatcher.AnswerClosing(t.Context(), system(""), id, a.Closing)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Settle()
	}
	asked := b.submit(b.get(path), "/close")
	if asked.text(".note.ok") == "" || asked.Find("form[action$='/withdraw']").Length() != 1 {
		t.Fatalf("%d %s", asked.status, asked.text("main"))
	}
	answer(s.account)
	refused := b.get(path)
	if got := refused.texts("#closing .note.bad li"); len(got) != 3 || got[0] != "des services" {
		t.Errorf("refused for %v", got)
	}
	if page := b.submit(b.submit(refused, "/close"), "/withdraw"); page.text(".note.ok") != "Le compte reste ouvert." {
		t.Errorf("%d %s", page.status, page.text("main"))
	}

	// An account with nothing in it ends, and is only read.
	empty := s.opens(t, s.user, "Vide")
	s.Settle()
	path = "/portal/" + empty + "/close"
	b.submit(b.get(path), "/close")
	answer(empty)
	closed := b.get(path)
	if closed.Find("form[action*='/close']").Length() != 0 || closed.Find("#closing a[href$='/invoices']").Length() != 1 {
		t.Errorf("%d %s", closed.status, closed.text("main"))
	}
	for _, at := range []string{"/account", "/users", "/tokens"} {
		if page := b.get("/portal/" + empty + at); page.status != http.StatusOK || page.Find("main form, main a[href$='/new'], main a[href$='/transfer']").Length() != 0 {
			t.Errorf("%s of a closed account offers what is refused: %d %s", at, page.status, page.text("main"))
		}
	}
	if page := b.post("/portal/"+empty+"/account", url.Values{"name": {"x"}, "country": {"FR"}, "locale": {"fr"}}); page.status != http.StatusConflict || page.text(".note.bad") == "" {
		t.Errorf("the profile is changed: %d %s", page.status, page.text("main"))
	}
	if got := b.get("/portal/" + empty + "/accounts").texts("#list .badge"); len(got) == 0 || got[len(got)-1] == "" {
		t.Errorf("the list of accounts says %v", got)
	}
}
