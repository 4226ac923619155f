package http_test

import (
	"encoding/json"
	"net/http"
	"testing"
)

func TestAnExportHoldsWhatIsHeld(t *testing.T) {
	t.Parallel()
	s := set(t)
	path := "/v1/accounts/" + s.alice.account + "/export"
	var doc struct {
		Format   int `json:"format"`
		Position struct {
			Commit uint64 `json:"commit"`
		} `json:"position"`
		Account []struct {
			ID string `json:"id"`
		} `json:"account"`
		Services []struct {
			ID string `json:"id"`
		} `json:"services"`
		Domains  []json.RawMessage `json:"domains"`
		Invoices []struct {
			Number string          `json:"number"`
			Buyer  json.RawMessage `json:"buyer"`
		} `json:"invoices"`
		CreditNotes []json.RawMessage `json:"credit_notes"`
		Tickets     []struct {
			ID       string            `json:"id"`
			Messages []json.RawMessage `json:"messages"`
		} `json:"tickets"`
		Notifications []json.RawMessage `json:"notifications"`
		Events        []struct {
			Type string `json:"type"`
		} `json:"events"`
		Complete bool `json:"complete"`
	}
	a := s.must(t, s.alice, http.MethodGet, path, "", 200)
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if !doc.Complete || doc.Format != 1 || doc.Position.Commit == 0 || len(doc.Account) != 1 || doc.Account[0].ID != s.alice.account {
		t.Errorf("the document is not whole: %s", a.body)
	}
	if len(doc.Services) == 0 || len(doc.Domains) == 0 || len(doc.Invoices) == 0 || len(doc.Invoices[0].Buyer) == 0 ||
		len(doc.CreditNotes) == 0 || len(doc.Tickets) == 0 || len(doc.Tickets[0].Messages) == 0 || len(doc.Notifications) == 0 || len(doc.Events) == 0 {
		t.Errorf("something is missing: %s", a.body)
	}
	var me struct {
		Profile []struct {
			ID string `json:"id"`
		} `json:"profile"`
		OwnAccounts []json.RawMessage `json:"own_accounts"`
		Kept        struct {
			Sessions []json.RawMessage `json:"sessions"`
		} `json:"kept"`
		Complete bool `json:"complete"`
	}
	a = s.must(t, s.alice, http.MethodGet, "/v1/me/export", "", 200)
	if err := json.Unmarshal(a.body, &me); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if !me.Complete || len(me.Profile) != 1 || len(me.OwnAccounts) != 1 || len(me.Kept.Sessions) == 0 {
		t.Errorf("something is missing: %s", a.body)
	}

	// The owner alone: not another customer, not staff.
	s.must(t, s.bob, http.MethodGet, path, "", 404)
	s.must(t, s.clerk, http.MethodGet, path, "", 403)
	s.must(t, nobody, http.MethodGet, path, "", 401)

	// That it was made is a fact, one for the exports of ten minutes.
	s.must(t, s.alice, http.MethodGet, path, "", 200)
	facts := s.must(t, s.clerk, http.MethodGet, "/v1/audit/streams/privacy-"+me.Profile[0].ID, "", 200).items(t)
	if len(facts) != 2 {
		t.Errorf("%d facts of exports, want one of the account's and one of the user's: %v", len(facts), facts)
	}
}
