package http_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// erase has a person erased, asked for by staff and carried out as jobs do.
func (s *scene) erase(t *testing.T, id string) {
	t.Helper()
	s.must(t, s.clerk, http.MethodPost, "/v1/staff/users/"+id+"/erasure", "", 202)
	if _, err := s.dispatcher.AnswerErasure(t.Context(), system(), id); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the job comes again until it is complete
		if err := s.dispatcher.EraseSubject(t.Context(), system(), id); err != nil {
			t.Fatal(err)
		}
		wait, err := s.dispatcher.CompleteErasure(t.Context(), system(), id)
		if err != nil {
			t.Fatal(err)
		}
		s.ahead.Add(int64(wait))
	}
	s.Settle()
	if got := s.must(t, s.clerk, http.MethodGet, "/v1/staff/users/"+id+"/erasure", "", 200).text(t, "status"); got != "completed" {
		t.Fatalf("the erasure is %s", got)
	}
}

// TestWhatAnErasedPersonHeldOpensNothing erases a delegate who has API tokens.
func TestWhatAnErasedPersonHeldOpensNothing(t *testing.T) {
	t.Parallel()
	s := set(t)
	carol := s.customer(t, "carol")
	_, mine := s.token(t, carol, carol.account, `{"name":"mine","permissions":["*"]}`)
	delegation, carol := s.delegate(t, s.alice, carol, onAll)
	_, program := s.token(t, carol, s.alice.account, `{"name":"theirs","permissions":["*"]}`)
	base := "/v1/accounts/" + s.alice.account
	list := base + "/delegations/" + delegation
	s.must(t, program, http.MethodGet, base+"/invoices", "", 200)
	s.must(t, mine, http.MethodGet, "/v1/accounts/"+mine.account, "", 200)

	s.erase(t, carol.id)
	s.play(t,
		step{"its session is over", carol, "GET", base + "/invoices", "", nil, 401, "", nil},
		step{"its API token reads nothing", program, "GET", base + "/invoices", "", nil, 401, "", nil},
		step{"and writes nothing", program, "POST", base + "/tickets", ticketBody, nil, 401, "", nil},
		step{"nor on its own account", mine, "GET", "/v1/accounts/" + mine.account, "", nil, 401, "", nil},
		step{"the delegation is over", s.alice, "GET", list, "", nil, 200, "", []string{`"status":"left"`, `"email":"[erased]"`}},
		step{"and nobody's token is left", s.alice, "GET", base + "/api-tokens", "", nil, 200, "", []string{`"items":[]`}},
		step{"who else acts still does", s.alice, "GET", base + "/invoices", "", nil, 200, "", nil},
	)
	s.ahead.Store(int64(time.Hour)) // and nothing comes back with time
	s.play(t, step{"later neither", program, "GET", base + "/invoices", "", nil, 401, "", nil})
}

// TestWhatStaffReadOfAnErasureIsRecorded reads it before any account is erased
// with it; that there is a hold is not told.
func TestWhatStaffReadOfAnErasureIsRecorded(t *testing.T) {
	t.Parallel()
	w := begin(t)
	clerk, ada := w.staff(t), w.customer(t, "ada")
	path := "/v1/staff/users/" + ada.id
	w.must(t, clerk, http.MethodPost, path+"/legal-hold", `{"reference":"2026/17"}`, 200)
	w.Settle()
	w.must(t, clerk, http.MethodGet, path+"/erasure", "", 200)
	w.Settle()
	list := w.must(t, ada, http.MethodGet, "/v1/me/inspections", "", 200)
	row, _ := list.items(t)[0].(map[string]any)
	if row["what"] != "erasure" || row["reader"] != clerk.id || strings.Contains(string(list.body), "2026/17") {
		t.Errorf("the person is told %s", list.body)
	}
}
