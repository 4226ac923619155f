package portal_test

import (
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
)

func TestCommunicationForm(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	path := "/portal/" + s.account + "/communication"
	ticked := func(page shown) []string {
		return page.Find("input[name=mail][checked]").Map(func(_ int, e *goquery.Selection) string { return e.AttrOr("value", "") })
	}
	page := b.get(path)
	if diff := cmp.Diff([]string{"services", "tickets"}, ticked(page)); diff != "" || page.Find("input[disabled][checked]").Length() != 2 {
		t.Errorf("the form begins with %s", diff)
	}
	done := b.post(path, map[string][]string{"mail": {"news"}})
	if diff := cmp.Diff([]string{"news"}, ticked(done)); diff != "" || done.text(".note.ok") == "" {
		t.Errorf("%d %s %s", done.status, diff, done.text("main"))
	}
	if none := ticked(b.post(path, nil)); len(none) > 0 {
		t.Errorf("nothing was chosen, and it is %v", none)
	}
}
