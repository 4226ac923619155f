package http_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// offer has a party offer its account, and answers the secret of the mail.
func (w *world) offer(t testing.TB, as party, email, keep string) (id, secret string) {
	t.Helper()
	body := `{"email":"` + email + `"` + keep + `}`
	id = w.must(t, as, http.MethodPost, "/v1/accounts/"+as.account+"/ownership-transfers", body, 201).ID(t)
	cause := uuid.New()
	if err := w.dispatcher.MailTransfer(t.Context(), system(), cause, as.account, id); err != nil {
		t.Fatal(err)
	}
	secret, found, err := w.vault.MailSecret(t.Context(), commands.MessageID(cause, mailtext.OwnershipTransfer, id))
	if err != nil || !found {
		t.Fatal("no mail was queued", err)
	}
	return id, secret
}

// finishTransfer does what the process manager does after the last acceptance.
func (w *world) finishTransfer(t testing.TB, id string) {
	t.Helper()
	var cause uuid.UUID
	for r, err := range w.Store.ReadStream(t.Context(), "account-"+id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == (account.OwnershipTransferred{}).EventType() {
			cause = r.ID
		}
	}
	for range 2 { // it may be told again
		call := system()
		call.CommandID = commands.StepID(cause, "transfer")
		if err := w.dispatcher.FinishTransfer(t.Context(), call, id, cause); err != nil {
			t.Fatal(err)
		}
	}
	w.Settle()
}

const (
	previewed, acceptedAt, declinedAt = "/v1/ownership-transfers/preview", "/v1/ownership-transfers/accept", "/v1/ownership-transfers/decline"
	keepAll                           = `,"keep":{"permissions":["*"],"scope":{"all":true}}`
)

// TestAnAccountGetsAnotherOwner hands alice's account over, with all that it
// has, to one of its delegates.
func TestAnAccountGetsAnotherOwner(t *testing.T) {
	t.Parallel()
	s := set(t)
	base := "/v1/accounts/" + s.alice.account
	list := base + "/ownership-transfers"
	s.must(t, s.alice, http.MethodPut, base+"/billing-identity", billingBody, 200)
	_, dan := s.delegate(t, s.alice, s.member(t, "dan"), onTickets)
	old, carol := s.delegate(t, s.alice, s.member(t, "carol"), onTickets)
	_, hers := s.token(t, carol, s.alice.account, `{"name":"x","permissions":["*"]}`)
	tok, program := s.token(t, s.alice, s.alice.account, `{"name":"alice-token","permissions":["*"]}`)
	s.must(t, s.clerk, http.MethodPost, "/v1/staff/accounts/"+s.alice.account+"/impersonation", `{"reason":"x","ticket":"`+s.ticket+`"}`, 201)

	s.play(t,
		step{"a delegate does not", carol, "POST", list, `{"email":"eve@example.com"}`, nil, 403, "denied", nil},
		step{"nor does a token", program, "POST", list, `{"email":"eve@example.com"}`, nil, 403, "", nil},
		step{"nor staff who act", s.clerk, "POST", list, `{"email":"eve@example.com"}`, nil, 403, "impersonation_out_of_reach", nil},
		step{"not to oneself", s.alice, "POST", list, `{"email":"Alice@example.com"}`, nil, 422, "invalid_field", []string{`"field":"email"`, "own_address"}},
		step{"not without an address", s.alice, "POST", list, `{"email":"x"}`, nil, 422, "invalid_field", []string{`"field":"email"`}},
		step{"nothing that is not there is kept", s.alice, "POST", list, `{"email":"carol@example.com","keep":{"permissions":["*"],"scope":{"services":["hst_none"]}}}`, nil, 422, "invalid_field", []string{`"field":"keep.scope.services"`}},
	)
	first, void := s.offer(t, s.alice, "carol@example.com", "")
	s.Settle()
	s.play(t,
		step{"one at a time", s.alice, "POST", list, `{"email":"bob@example.com"}`, nil, 409, "transfer_open", nil},
		step{"it is not closed meanwhile", s.alice, "POST", base + "/closing", "", nil, 409, "transfer_open", nil},
		step{"the owner sees it", s.alice, "GET", list, "", nil, 200, "", []string{first, "carol@example.com", `"open_until"`}},
		step{"delegates do not", carol, "GET", list, "", nil, 403, "denied", nil},
		step{"taken back", s.alice, "DELETE", list + "/" + first, "", nil, 200, "", nil},
		step{"once more", s.alice, "DELETE", list + "/" + first, "", nil, 200, "", nil},
		step{"one that never was", s.alice, "DELETE", list + "/otr_none", "", nil, 404, "not_found", nil},
		step{"it is void", carol, "POST", acceptedAt, token(void), nil, 409, "transfer_over", nil},
	)
	_, secret := s.offer(t, s.alice, "Carol@example.com", keepAll)
	s.Settle()
	s.play(t,
		step{"nobody reads it", nobody, "POST", previewed, token(secret), nil, 401, "", nil},
		step{"nor does another address", s.bob, "POST", previewed, token(secret), nil, 403, "invitation_for_another", nil},
		step{"nor accept it", s.bob, "POST", acceptedAt, token(secret), nil, 403, "invitation_for_another", nil},
		step{"it is no invitation", carol, "POST", "/v1/delegations/accept", token(secret), nil, 422, "invalid_token", nil},
		step{"it verifies no address", nobody, "POST", "/v1/users/verify-email", token(secret), nil, 422, "invalid_token", nil},
		step{"who is offered it sees what comes with it", carol, "POST", previewed, token(secret), nil, 200, "", []string{
			`"account_name":"alice"`, `"offered_by":{"name":"alice","email":"alice@example.com"}`, `"keep":{"permissions":["*"],"scope":{"all":true}}`,
			`"unpaid_invoices":1`, `"services":1`, `"email":"dan@example.com","status":"active"`,
		}},
		step{"and has no right yet", carol, "GET", base + "/invoices", "", nil, 403, "denied", nil},
		step{"accepted", carol, "POST", acceptedAt, token(secret), []string{"Idempotency-Key", "k"}, 200, "", []string{s.alice.account}},
		step{"she owns it at once", carol, "GET", base + "/invoices/" + s.invoice, "", nil, 200, "", nil},
		step{"the former owner does not", s.alice, "GET", base, "", nil, 404, "not_found", nil},
		step{"nor do her tokens", program, "GET", base, "", nil, 404, "not_found", nil},
		step{"staff act no more", s.clerk, "PATCH", base, `{"name":"x"}`, nil, 403, "denied", nil},
		step{"delegates stay", dan, "GET", base + "/tickets", "", nil, 200, "", []string{s.ticket}},
		step{"the new owner's token goes on", hers, "GET", base + "/tickets", "", nil, 200, "", nil},
		step{"again", carol, "POST", acceptedAt, token(secret), nil, 200, "", []string{s.alice.account}},
		step{"there is nothing to read any more", carol, "POST", previewed, token(secret), nil, 409, "transfer_over", nil},
		step{"by the same key", carol, "POST", acceptedAt, token(secret), []string{"Idempotency-Key", "k"}, 200, "", []string{s.alice.account}},
		step{"not declined any more", carol, "POST", declinedAt, token(secret), nil, 409, "transfer_over", nil},
		step{"what the former owner would close stays open", s.alice, "POST", base + "/closing", "", nil, 404, "not_found", nil},
	)
	s.finishTransfer(t, s.alice.account)
	s.leaves(t, old)
	s.play(t,
		step{"the new owner's token goes on, though what she held as a delegate is over", hers, "GET", base + "/tickets", "", nil, 200, "", nil},
		step{"what was kept is a delegate's", s.alice, "GET", base + "/invoices", "", nil, 200, "", []string{s.invoice}},
		step{"and no owner's", s.alice, "GET", list, "", nil, 403, "denied", nil},
		step{"her tokens stay dead", program, "GET", base, "", nil, 401, "", nil},
		step{"invoices go to the same payer", carol, "GET", base + "/billing-identity", "", nil, 200, "", []string{"Alice SARL"}},
		step{"what she held as a delegate is over", carol, "GET", base + "/delegations/" + old, "", nil, 200, "", []string{`"status":"revoked"`}},
		step{"she sees who keeps what", carol, "GET", base + "/delegations", "", nil, 200, "", []string{"alice@example.com", "dan@example.com"}},
		step{"nothing is offered", carol, "GET", list, "", nil, 200, "", []string{`"items":[]`}},
		step{"she has nothing to take back", carol, "DELETE", list + "/" + first, "", nil, 404, "not_found", nil},
		step{"the account is in her list", carol, "GET", "/v1/me/accounts", "", nil, 200, "", []string{`"role":"owner"`}},
	)
	if shown := string(s.must(t, carol, http.MethodGet, base+"/api-tokens", "", 200).body); strings.Contains(shown, tok) || strings.Contains(shown, "alice-token") {
		t.Errorf("the new owner sees the former one's tokens: %s", shown)
	}
	var acts projections.List[projections.Act]
	if err := json.Unmarshal(s.must(t, carol, http.MethodGet, base+"/history?limit=100", "", 200).body, &acts); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, act := range acts.Items {
		said[act.Type] += act.Actor.Name + ","
	}
	if said["account.ownership_transfer_proposed.v1"] != "alice,alice," || said["account.ownership_transfer_withdrawn.v1"] != "alice," ||
		said["account.ownership_transferred.v1"] != "carol," || said["impersonation.ended.v1"] == "" || said["delegation.kept.v1"] == "" {
		t.Errorf("the history says %v", said)
	}
	if a := s.Checksums(); a["read.ownership_transfer"] == "" {
		t.Error("the offers are not compared")
	}
	s.play(t,
		step{"the new owner takes it away", carol, "DELETE", base + "/delegations/" + s.idOf(t, carol.owning(s.alice.account), "alice@example.com"), "", nil, 200, "", nil},
		step{"and she is out", s.alice, "GET", base, "", nil, 404, "", nil},
	)
	s.finishTransfer(t, s.alice.account) // a log that is read anew gives nothing back
	s.play(t, step{"for good", s.alice, "GET", base, "", nil, 404, "", nil})
}

// owning is the party with an account that it came to own.
func (p party) owning(account string) party {
	p.account = account
	return p
}

// TestAnOfferIsHeldUp looks at those who may not give or take, at offers that
// end, and at what races.
func TestAnOfferIsHeldUp(t *testing.T) {
	t.Parallel()
	w := begin(t)
	clerk, phone := w.hire(t, "clerk", delegation.RoleAdmin)
	ada, carol := w.customer(t, "ada"), w.member(t, "carol")
	base := "/v1/accounts/" + ada.account
	list := base + "/ownership-transfers"
	_, toStaff := w.offer(t, ada, clerk.email, "")
	w.play(t,
		step{"staff take nothing over", clerk, "POST", acceptedAt, token(toStaff), nil, 409, "transfer_to_staff", nil},
		step{"they decline", clerk, "POST", declinedAt, token(toStaff), nil, 200, "", nil},
		step{"again", clerk, "POST", declinedAt, token(toStaff), nil, 200, "", nil},
		step{"and cannot accept after that", clerk, "POST", acceptedAt, token(toStaff), nil, 409, "transfer_over", nil},
	)
	_, secret := w.offer(t, ada, carol.email, "")
	w.confirm(t, &clerk, phone)
	lock, unlock := "/v1/staff/users/"+ada.id+"/lock", "/v1/staff/users/"+ada.id+"/unlock"
	w.must(t, clerk, http.MethodPost, lock, `{"reason":"stolen"}`, 200)
	w.play(t,
		step{"a locked user hands nothing over", carol, "POST", acceptedAt, token(secret), nil, 409, "transfer_held", nil},
		step{"nor is it shown", carol, "POST", previewed, token(secret), nil, 409, "transfer_held", nil},
		step{"unlocked", clerk, "POST", unlock, "", nil, 200, "", nil},
		step{"it is shown", carol, "POST", previewed, token(secret), nil, 200, "", nil},
	)
	ada = w.logIn(t, ada)

	// Of all that happen at once, one does.
	var wg sync.WaitGroup
	codes, open := make([]int, 4), w.openOffer(t, ada)
	for i, do := range []func() answer{
		func() answer { return w.do(t, carol, http.MethodPost, acceptedAt, token(secret)) },
		func() answer { return w.do(t, carol, http.MethodPost, declinedAt, token(secret)) },
		func() answer { return w.do(t, ada, http.MethodDelete, list+"/"+open, "") },
		func() answer { return w.do(t, carol, http.MethodPost, acceptedAt, token(secret)) },
	} {
		wg.Go(func() { codes[i] = do().status })
	}
	wg.Wait()
	a, err := commands.Load(t.Context(), w.dispatcher.Streams(), account.Decider.At(ada.account))
	if err != nil {
		t.Fatal(err)
	}
	w.Settle()
	owners := 0
	for _, p := range []party{ada, carol} {
		if w.do(t, p, http.MethodGet, list, "").status == 200 {
			owners++
		}
	}
	if accepted := a.Transfer.Status == account.TransferAccepted; owners != 1 || accepted != (a.Owner == carol.id) || accepted != (codes[0] == 200) || codes[0] != codes[3] {
		t.Errorf("%d owners, %+v, answers %v", owners, a, codes)
	}

	// What is about to be erased changes hands no more.
	dora := w.customer(t, "dora")
	_, hers := w.offer(t, dora, carol.email, "")
	w.must(t, dora, http.MethodPost, "/v1/me/erasure", `{"password":"`+password+`"}`, 202)
	w.play(t,
		step{"it is held", carol, "POST", acceptedAt, token(hers), nil, 409, "transfer_held", nil},
	)
	if _, err := w.dispatcher.AnswerErasure(t.Context(), system(), dora.id); err != nil {
		t.Fatal(err)
	}
	w.play(t,
		step{"and stays so", carol, "POST", acceptedAt, token(hers), nil, 409, "transfer_held", nil},
		step{"nothing is opened any more", dora, "POST", "/v1/accounts", `{"name":"Dora","kind":"individual","country":"FR","currency":"EUR"}`, nil, 409, "erased", nil},
		step{"nothing is offered any more", dora, "POST", "/v1/accounts/" + dora.account + "/ownership-transfers", `{"email":"carol@example.com"}`, nil, 409, "user_closed", nil},
	)
	if err := w.dispatcher.EraseSubject(t.Context(), system(), dora.id); err != nil {
		t.Fatal(err)
	}
	w.play(t, step{"and is over then", carol, "POST", acceptedAt, token(hers), nil, 409, "transfer_over", nil})

	// A session that was not confirmed lately offers nothing, and offers end.
	eve := w.customer(t, "eve")
	id, late := w.offer(t, eve, carol.email, "")
	w.ahead.Add(int64(vault.FreshFor))
	path := "/v1/accounts/" + eve.account + "/ownership-transfers"
	w.play(t,
		step{"taking back needs no confirmation", eve, "DELETE", path + "/" + id, "", nil, 200, "", nil},
		step{"a stolen session offers nothing", eve, "POST", path, `{"email":"carol@example.com"}`, nil, 403, "confirmation_required", nil},
		step{"it was taken back", carol, "POST", acceptedAt, token(late), nil, 409, "transfer_over", nil},
	)
}

// openOffer is the id of the offer of a party's account.
func (w *world) openOffer(t testing.TB, as party) string {
	t.Helper()
	a, err := commands.Load(t.Context(), w.dispatcher.Streams(), account.Decider.At(as.account))
	if err != nil {
		t.Fatal(err)
	}
	return a.Transfer.ID
}

func TestAnOfferRunsOut(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, carol := w.customer(t, "ada"), w.member(t, "carol")
	_, secret := w.offer(t, ada, carol.email, "")
	w.ahead.Add(int64(account.TransferLife) - int64(time.Hour))
	carol = w.logIn(t, carol)
	w.must(t, carol, http.MethodPost, previewed, token(secret), 200)
	w.ahead.Add(int64(time.Hour))
	// Its link is no more than its offer.
	w.play(t, step{"a week later", carol, "POST", acceptedAt, token(secret), nil, 422, "invalid_token", nil})
}
