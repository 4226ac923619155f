package http_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
)

func TestListsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account + "/tickets"
	var opened []string
	for range 7 {
		opened = append(opened, w.must(t, ada, http.MethodPost, path, ticketBody, 201).ID(t))
	}
	w.Settle()
	slices.Reverse(opened)
	for _, limit := range []int{1, 3, 7, 100} {
		var seen []string
		for cursor := ""; ; {
			page := w.must(t, ada, http.MethodGet, fmt.Sprintf("%s?limit=%d%s", path, limit, cursor), "", 200)
			for _, item := range page.items(t) {
				row, _ := item.(map[string]any)
				id, _ := row["id"].(string)
				seen = append(seen, id)
			}
			next, more := page.fields(t)["next_cursor"].(string)
			if !more {
				break
			}
			cursor = "&cursor=" + next
		}
		if !slices.Equal(seen, opened) {
			t.Errorf("by %d came %v, not %v", limit, seen, opened)
		}
	}
}

// FuzzReads sends what a client may make up: cursors and tokens.
func FuzzReads(f *testing.F) {
	w := begin(f)
	ada := w.customer(f, "ada")
	path := "/v1/accounts/" + ada.account
	f.Add("x", "y")
	f.Add("eyJsIjoidGlja2V0cyIsInQiOiIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsImkiOiJ0a3RfMSJ9", "")
	f.Add("eyJsIjoidGlja2V0cyIsInQiOiIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsImkiOiJcdTAwMDAifQ", "")
	f.Fuzz(func(t *testing.T, cursor, token string) {
		cursor = url.QueryEscape(cursor)
		for _, read := range []string{
			path + "/tickets?cursor=" + cursor, path + "/invoices?cursor=" + cursor, "/v1/news?cursor=" + cursor,
			"/v1/events?account=" + ada.account + "&after=" + cursor,
		} {
			a := w.do(t, ada, http.MethodGet, read, "", "Consistency-Token", token, "Prefer", "wait=0")
			if a.status != 200 && a.status != 422 && a.status != 400 {
				t.Fatalf("%s with %q answered %d: %s", read, token, a.status, a.body)
			}
		}
	})
}
