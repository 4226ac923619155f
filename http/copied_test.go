package http_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/logcopy"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// moved is the world after its log was copied to another store and the read
// models were built from that.
func (w *world) moved(t *testing.T) *world {
	t.Helper()
	store, err := node.Open("copy", node.Options{FS: vfs.NewMem(), Clock: time.Now, NewID: uuid.New})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := logcopy.Copy(t.Context(), logcopy.Config{From: w.Store, FromLog: w.LogID, To: store, NewID: uuid.New}); err != nil {
		t.Fatal(err)
	}
	m := &world{Side: projectiontest.New(t, catalog.Types(), projections.Models()...), vault: w.vault, keyFile: w.keyFile}
	m.Store, m.Codec = store, w.Codec
	if m.LogID, err = eventstore.LogID(t.Context(), store, uuid.New(), time.Now()); err != nil {
		t.Fatal(err)
	}
	m.Run(projections.Lanes(m.Models...)...)
	m.serve(t)
	m.Settle()
	return m
}

// A copied log is another log: what clients keep of the old one could lead
// them past events, so it is refused, and not taken for a place in the new one.
func TestWhatTheOldLogGaveIsRefusedAfterACopy(t *testing.T) {
	t.Parallel()
	old := begin(t)
	ada, clerk := old.customer(t, "ada"), old.staff(t)
	own := "/v1/accounts/" + ada.account
	token := old.must(t, ada, http.MethodPatch, own, `{"name":"new"}`, 200).header.Get("Consistency-Token")
	old.Settle()
	events, _ := old.batch(t, ada, "account="+ada.account)
	cursor := events[0].Cursor
	page, _ := old.must(t, clerk, http.MethodGet, "/v1/audit/events?limit=1", "", 200).fields(t)["next_cursor"].(string)
	list, _ := old.must(t, clerk, http.MethodGet, "/v1/staff/accounts?limit=1", "", 200).fields(t)["next_cursor"].(string)
	if token == "" || cursor == "" || page == "" || list != "" {
		t.Fatalf("the old log gave %q, %q, %q, %q", token, cursor, page, list)
	}

	w := old.moved(t)
	if w.LogID == old.LogID {
		t.Fatal("the copy has the id of the log")
	}
	feed, stream := "/v1/events?account="+ada.account, []string{"Accept", "text/event-stream"}
	w.play(t,
		step{"a read with its token", ada, "GET", own, "", []string{"Consistency-Token", token}, 422, "invalid_consistency_token", nil},
		step{"the feed after its cursor", ada, "GET", feed + "&after=" + cursor, "", nil, 422, "invalid_field", []string{`"in":"query"`, `"field":"after"`}},
		step{"the feed after its event", ada, "GET", feed, "", []string{"Last-Event-ID", cursor}, 422, "invalid_field", []string{`"in":"header"`, `"field":"Last-Event-ID"`}},
		step{"a stream after its event", ada, "GET", feed, "", append(stream, "Last-Event-ID", cursor), 422, "invalid_field", []string{`"in":"header"`, `"field":"Last-Event-ID"`}},
		step{"its page of the log", clerk, "GET", "/v1/audit/events?cursor=" + page, "", nil, 422, "invalid_field", []string{`"in":"query"`, `"field":"cursor"`}},
		step{"a read without", ada, "GET", own, "", nil, 200, "", []string{`"name":"new"`}},
	)
	again, _ := w.batch(t, ada, "account="+ada.account)
	again = slices.DeleteFunc(again, func(e projections.CloudEvent) bool { return e.Type == "inspection.looked_at.v1" }) // staff looked meanwhile
	if len(again) != len(events) || again[0].ID != events[0].ID || again[0].Cursor == cursor {
		t.Errorf("the feed of the copy has %v", names(again))
	}
	token = w.must(t, ada, http.MethodPatch, own, `{"name":"newer"}`, 200).header.Get("Consistency-Token")
	w.must(t, ada, http.MethodGet, own, "", 200, "Consistency-Token", token)
}
