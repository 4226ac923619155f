package http_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/projections"
)

// invite asks the person with an address to act for as's account, and answers
// what stands after # in the mail's link.
func (w *world) invite(t testing.TB, as party, email, terms string) (id, secret string) {
	t.Helper()
	a := w.must(t, as, http.MethodPost, "/v1/accounts/"+as.account+"/delegations", fmt.Sprintf(`{"email":%q,%s}`, email, terms), http.StatusCreated)
	return a.ID(t), w.mailed(t, a.ID(t), as.id)
}

// mailed is the secret of the mail that an open invitation leads to.
func (w *world) mailed(t testing.TB, id, inviter string) string {
	t.Helper()
	d, err := commands.Load(t.Context(), w.dispatcher.Streams(), delegation.Decider.At(id))
	if err != nil {
		t.Fatal(err)
	}
	cause := uuid.New()
	if err := w.dispatcher.MailInvitation(t.Context(), system(), cause, id, d.Invitation, inviter); err != nil {
		t.Fatal(err)
	}
	secret, found, err := w.vault.MailSecret(t.Context(), commands.MessageID(cause, mailtext.DelegationInvitation, d.Invitation))
	if err != nil || !found {
		t.Fatal("no mail was queued", err)
	}
	return secret
}

func token(secret string) string { return `{"token":"` + secret + `"}` }

// delegate makes a party act for another's account.
func (w *world) delegate(t testing.TB, owner, who party, terms string) (id string, acting party) {
	t.Helper()
	id, secret := w.invite(t, owner, who.email, terms)
	w.must(t, who, http.MethodPost, "/v1/delegations/accept", token(secret), 200)
	who.account = owner.account
	return id, who
}

const (
	onTickets  = `"permissions":["tickets.write"],"scope":{"all":true}`
	onAll      = `"permissions":["*"],"scope":{"all":true}`
	managing   = `"permissions":["users.manage","tickets.read"],"scope":{"all":true}`
	oneService = `"permissions":["*"],"scope":{"services":[%q]}`
)

func TestADelegation(t *testing.T) {
	t.Parallel()
	s := set(t)
	base := "/v1/accounts/" + s.alice.account
	list := base + "/delegations"
	carol := s.member(t, "carol")

	id, first := s.invite(t, s.alice, "Carol@Example.com", onTickets)
	again, second := s.invite(t, s.alice, "carol@example.com", onTickets)
	if id != again {
		t.Error("the same address has two delegations")
	}
	one := list + "/" + id
	s.play(t,
		step{"an invitation gives nothing", carol, "GET", base + "/tickets", "", nil, 404, "not_found", nil},
		step{"it is for who has the address", s.bob, "POST", "/v1/delegations/accept", token(second), nil, 403, "invitation_for_another", nil},
		step{"it verifies no address", nobody, "POST", "/v1/users/verify-email", token(second), nil, 422, "invalid_token", nil},
		step{"nor sets a password", nobody, "POST", "/v1/password-resets/confirm", `{"token":"` + second + `","password":"` + password + `"}`, nil, 422, "invalid_token", nil},
		step{"and not for nobody", nobody, "POST", "/v1/delegations/accept", token(second), nil, 401, "", nil},
		step{"one that was sent again is void", carol, "POST", "/v1/delegations/accept", token(first), nil, 409, "invitation_over", nil},
		step{"accepted it is in force", carol, "POST", "/v1/delegations/accept", token(second), nil, 200, "", []string{s.alice.account}},
		step{"tickets are read", carol, "GET", base + "/tickets", "", nil, 200, "", []string{s.ticket}},
		step{"and written", carol, "POST", base + "/tickets/" + s.ticket + "/replies", `{"message":"I am Carol"}`, nil, 201, "", nil},
		step{"nothing else is", carol, "GET", base + "/services", "", nil, 403, "denied", nil},
		step{"no users are seen", carol, "GET", list, "", nil, 403, "denied", nil},
		step{"a repeat answers the same", carol, "POST", "/v1/delegations/accept", token(second), nil, 200, "", []string{s.alice.account}},
		step{"it is not declined any more", carol, "POST", "/v1/delegations/decline", token(second), nil, 409, "invitation_over", nil},
		step{"who acts is not invited again", s.alice, "POST", list, `{"email":"carol@example.com",` + onTickets + `}`, nil, 409, "delegation_active", nil},
		step{"nor sent the invitation again", s.alice, "POST", one + "/resend", "", nil, 409, "delegation_not_invited", nil},
		step{"she sees her accounts", carol, "GET", "/v1/me/accounts", "", nil, 200, "", []string{`"role":"delegate"`, `"tickets.read","tickets.write"`, `"scope":{"all":true}`}},
		step{"bob sees no delegation", s.bob, "GET", one, "", nil, 404, "", nil},
		step{"nor under his account", s.bob, "GET", "/v1/accounts/" + s.bob.account + "/delegations/" + id, "", nil, 404, "", nil},
		step{"a narrower grant", s.alice, "PATCH", one, `{"permissions":["tickets.read"]}`, nil, 200, "", nil},
		step{"is in force at once", carol, "POST", base + "/tickets/" + s.ticket + "/close", "", nil, 403, "denied", nil},
		step{"she leaves others alone", carol, "DELETE", one, "", nil, 403, "denied", nil},
		step{"revoked", s.alice, "DELETE", one, "", []string{"Idempotency-Key", "k1"}, 200, "", nil},
		step{"she is out at once", carol, "GET", base + "/tickets", "", nil, 404, "not_found", nil},
		step{"revoked again", s.alice, "DELETE", one, "", nil, 200, "", nil},
		step{"revoked by the same key", s.alice, "DELETE", one, "", []string{"Idempotency-Key", "k1"}, 200, "", nil},
		step{"the old link is void", carol, "POST", "/v1/delegations/accept", token(second), nil, 409, "invitation_over", nil},
	)
	s.Settle()
	shown := s.must(t, s.alice, http.MethodGet, one, "", 200)
	if shown.text(t, "status") != "revoked" || shown.text(t, "user") != carol.id || shown.text(t, "email") != "carol@example.com" {
		t.Errorf("%s", shown.body)
	}
	// Invited anew after all, and now with an end.
	_, third := s.invite(t, s.alice, "carol@example.com", onAll)
	s.play(t,
		step{"declined", carol, "POST", "/v1/delegations/decline", token(third), nil, 200, "", nil},
		step{"declined again", carol, "POST", "/v1/delegations/decline", token(third), nil, 200, "", nil},
		step{"not accepted after that", carol, "POST", "/v1/delegations/accept", token(third), nil, 409, "invitation_over", nil},
		step{"the owner is not a delegate", s.alice, "POST", list, `{"email":"alice@example.com",` + onAll + `}`, nil, 201, "", nil},
		step{"no end in the past", s.alice, "POST", list, `{"email":"d@example.com","expires_at":"2020-01-01T00:00:00Z",` + onAll + `}`, nil, 422, "invalid_field", []string{"expires_at"}},
		step{"no unknown permission", s.alice, "POST", list, `{"email":"d@example.com","permissions":["all"],"scope":{"all":true}}`, nil, 422, "invalid_field", []string{"permissions"}},
		step{"no address that is none", s.alice, "POST", list, `{"email":"d",` + onAll + `}`, nil, 422, "invalid_field", []string{"email"}},
		step{"no service of another", s.alice, "POST", list, `{"email":"d@example.com",` + fmt.Sprintf(oneService, "hst_of_nobody") + `}`, nil, 422, "invalid_field", []string{"scope.services"}},
		step{"a domain by its name", s.alice, "POST", list, `{"email":"d@example.com","permissions":["dns.manage"],"scope":{"domains":["` + domainName + `"]}}`, nil, 201, "", nil},
		step{"no domain of another", s.bob, "POST", "/v1/accounts/" + s.bob.account + "/delegations", `{"email":"d@example.com","permissions":["dns.manage"],"scope":{"domains":["` + domainName + `"]}}`, nil, 422, "invalid_field", []string{"scope.domains"}},
	)
	own := s.mailed(t, s.idOf(t, s.alice, "alice@example.com"), s.alice.id)
	s.play(t, step{"the owner acts already", s.alice, "POST", "/v1/delegations/accept", token(own), nil, 409, "delegation_own_account", nil})
}

// TestAnInvitationIsReadBeforeItIsAnswered looks at one, by the secret of its
// link and as the invited address alone.
func TestAnInvitationIsReadBeforeItIsAnswered(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, bob := w.customer(t, "ada"), w.signUp(t, "bob")
	list, preview := "/v1/accounts/"+ada.account+"/delegations", "/v1/delegations/preview"
	id, secret := w.invite(t, ada, "carol@example.com", `"permissions":["dns.manage"],"scope":{"all":true},"expires_at":"2999-01-01T00:00:00Z"`)
	w.play(t,
		step{"without a log-in", nobody, "POST", preview, token(secret), nil, 401, "", nil},
		step{"without a secret", ada, "POST", preview, token("x"), nil, 422, "invalid_token", nil},
		step{"another address", ada, "POST", preview, token(secret), nil, 403, "invitation_for_another", nil},
		step{"one that is not verified", bob, "POST", preview, token(secret), nil, 403, "email_not_verified", nil},
	)
	carol := w.member(t, "carol")
	shown := string(w.must(t, carol, http.MethodPost, preview, token(secret), 200).body)
	for _, want := range []string{
		`"account":"` + ada.account + `"`, `"account_name":"ada"`, `"invited_by":{"name":"ada","email":"ada@example.com"}`,
		`"permissions":["domains.read","dns.manage"]`, `"scope":{"all":true}`, `"expires_at":"2999-01-01T00:00:00Z"`, `"open_until":"`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %s in %s", want, shown)
		}
	}
	w.play(t,
		step{"it gives nothing", carol, "GET", "/v1/accounts/" + ada.account, "", nil, 404, "", nil},
		step{"it does not replay", carol, "POST", preview, token(secret), []string{"Idempotency-Key", "k"}, 400, "idempotency_not_supported", nil},
		step{"the account is to be closed", ada, "POST", "/v1/accounts/" + ada.account + "/closing", "", nil, 202, "", nil},
		step{"what cannot be accepted is not shown", carol, "POST", preview, token(secret), nil, 409, "account_closing", nil},
		step{"it stays open", ada, "DELETE", "/v1/accounts/" + ada.account + "/closing", "", nil, 200, "", nil},
		step{"it can be seen again", carol, "POST", preview, token(secret), nil, 200, "", nil},
		step{"withdrawn", ada, "DELETE", list + "/" + id, "", nil, 200, "", nil},
		step{"there is nothing to see", carol, "POST", preview, token(secret), nil, 409, "invitation_over", nil},
	)
}

// TestInvitationsAreLimited keeps accounts from having mail sent without end:
// to one address, by one user and for one account.
func TestInvitationsAreLimited(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, bob := w.customer(t, "ada"), w.customer(t, "bob")
	_, dan := w.delegate(t, ada, w.member(t, "dan"), managing)
	invite := func(as party, email string) answer {
		return w.do(t, as, http.MethodPost, "/v1/accounts/"+as.account+"/delegations", `{"email":"`+email+`","permissions":["tickets.read"],"scope":{"all":true}}`)
	}
	limited := func(what string, a answer) {
		t.Helper()
		if a.status != 429 || a.code(t) != "too_many_invitations" || a.header.Get("Retry-After") == "" || a.header.Get("Retry-After") == "60" && what == "to" {
			t.Errorf("%s: %d %v %s", what, a.status, a.header, a.body)
		}
	}
	last := ""
	for i := range 5 { // refused ones mail nothing, and do not count
		as := []party{ada, bob}[i%2]
		w.must(t, as, http.MethodPost, "/v1/accounts/"+as.account+"/delegations", `{"email":"carol@example.com","permissions":["x"],"scope":{"all":true}}`, 422)
		last = invite(as, "Carol@example.com").ID(t)
	}
	limited("to", invite(bob, "carol@example.com"))
	limited("again", w.do(t, ada, http.MethodPost, "/v1/accounts/"+ada.account+"/delegations/"+last+"/resend", ""))
	w.must(t, bob, http.MethodPost, "/v1/accounts/"+bob.account+"/delegations/"+last+"/resend", "", 404)
	w.ahead.Add(int64(time.Hour))
	if a := invite(bob, "carol@example.com"); a.status != 201 {
		t.Errorf("an hour later: %d %s", a.status, a.body)
	}
	if testing.Short() {
		return // the rest is quantity
	}
	var a answer
	sent := 0
	for ; sent < 60 && a.status != 429; sent++ {
		a = invite(ada, fmt.Sprintf("a%d@example.com", sent))
	}
	limited("by", a)
	if sent < 20 {
		t.Errorf("ada sent %d", sent)
	}
	a, sent = answer{}, 0
	for ; sent < 60 && a.status != 429; sent++ {
		a = invite(dan, fmt.Sprintf("d%d@example.com", sent))
	}
	limited("of", a)
	if sent < 15 || sent > 25 {
		t.Errorf("dan sent %d", sent)
	}
}

func TestADelegateLeaves(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, carol := w.customer(t, "ada"), w.member(t, "carol")
	base := "/v1/accounts/" + ada.account
	leave := base + "/leave"
	id, carol := w.delegate(t, ada, carol, onAll)
	_, program := w.token(t, carol, ada.account, `{"name":"x","permissions":["*"]}`)
	w.play(t,
		step{"the owner stays", ada, "POST", leave, "", nil, 409, "owner_stays", nil},
		step{"a stranger has nothing to leave", w.member(t, "bob"), "POST", leave, "", nil, 404, "not_found", nil},
		step{"a program leaves nothing", program, "POST", leave, "", nil, 403, "", nil},
		step{"she leaves", carol, "POST", leave, "", nil, 200, "", nil},
		step{"and is out at once", carol, "GET", base, "", nil, 404, "not_found", nil},
		step{"her tokens, too", program, "GET", base, "", nil, 404, "not_found", nil},
		step{"once is enough", carol, "POST", leave, "", nil, 404, "not_found", nil},
	)
	w.Settle()
	w.play(t,
		step{"the owner sees it", ada, "GET", base + "/delegations/" + id, "", nil, 200, "", []string{`"status":"left"`}},
		step{"and the history", ada, "GET", base + "/history", "", nil, 200, "", []string{`"type":"delegation.left.v1"`}},
	)
	w.leaves(t, id)
	w.delegate(t, ada, carol, onAll)
	w.play(t,
		step{"asked again, she is back", carol, "GET", base, "", nil, 200, "", nil},
		step{"and her old token is not", program, "GET", base, "", nil, 401, "", nil},
	)
}

// TestWhoIsInvitedAgainGetsNoTokenBack revokes a delegate who has an API token.
func TestWhoIsInvitedAgainGetsNoTokenBack(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, carol := w.customer(t, "ada"), w.member(t, "carol")
	base := "/v1/accounts/" + ada.account
	id, carol := w.delegate(t, ada, carol, onAll)
	_, program := w.token(t, carol, ada.account, `{"name":"x","permissions":["*"]}`)
	w.must(t, ada, http.MethodDelete, base+"/delegations/"+id, "", 200)
	w.leaves(t, id)
	w.delegate(t, ada, carol, onAll)
	_, another := w.token(t, carol, ada.account, `{"name":"y","permissions":["*"]}`)
	w.leaves(t, id) // as jobs repeat it
	w.play(t,
		step{"she is back", carol, "GET", base, "", nil, 200, "", nil},
		step{"her old token is not", program, "GET", base, "", nil, 401, "", nil},
		step{"a new one is", another, "GET", base, "", nil, 200, "", nil},
	)
}

// leaves does what follows from the end of a delegation.
func (w *world) leaves(t *testing.T, id string) {
	t.Helper()
	var cause uuid.UUID
	for r, err := range w.Store.ReadStream(t.Context(), "delegation-"+id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == (delegation.Left{}).EventType() || r.Type == (delegation.Revoked{}).EventType() {
			cause = r.ID
		}
	}
	if err := w.dispatcher.FinishLeaving(t.Context(), system(), id, cause); err != nil {
		t.Fatal(err)
	}
}

// idOf finds a delegation by its address.
func (w *world) idOf(t *testing.T, as party, email string) string {
	t.Helper()
	w.Settle()
	for _, item := range w.must(t, as, http.MethodGet, "/v1/accounts/"+as.account+"/delegations", "", 200).items(t) {
		if row, ok := item.(map[string]any); ok && row["email"] == email {
			return row["id"].(string)
		}
	}
	t.Fatal("no delegation of", email)
	return ""
}

// TestTheHistorySaysWhoDidWhatByWhatRight has a delegate act under two grants.
func TestTheHistorySaysWhoDidWhatByWhatRight(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	id, carol := w.delegate(t, ada, w.member(t, "carol"), `"permissions":["profile.write"],"scope":{"all":true}`)
	base := "/v1/accounts/" + ada.account
	w.must(t, carol, http.MethodPatch, base, `{"name":"by Carol"}`, 200)
	w.must(t, ada, http.MethodPatch, base+"/delegations/"+id, `{"permissions":["*"]}`, 200)
	_, program := w.token(t, carol, ada.account, `{"name":"x","permissions":["*"]}`)
	w.must(t, program, http.MethodPatch, base, `{"name":"by her token"}`, 200)
	w.must(t, ada, http.MethodDelete, base+"/delegations/"+id, "", 200)
	w.Settle()

	var got []string
	cursor := ""
	for {
		page := w.must(t, ada, http.MethodGet, base+"/history?limit=2"+cursor, "", 200)
		var list projections.List[projections.Act]
		if err := json.Unmarshal(page.body, &list); err != nil {
			t.Fatal(err)
		}
		for _, act := range list.Items {
			line := fmt.Sprintf("%s %s %s %s", act.Type, act.Actor.Name, act.Grant.Role, act.Permission)
			if act.Grant.Terms != nil {
				line += fmt.Sprint(" ", act.Grant.Terms.Permissions)
			}
			if act.Actor.Token != "" {
				line += " token"
			}
			if act.OnBehalfOf != "" {
				line += " for " + strings.ReplaceAll(act.OnBehalfOf, ada.account, "the account")
			}
			got = append(got, line)
		}
		if list.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *list.NextCursor
	}
	want := []string{
		"delegation.revoked.v1 ada owner users.manage",
		"account.profile_updated.v2 carol delegate profile.write [*] token for the account",
		"apitoken.issued.v1 carol delegate member [*] for the account",
		"delegation.grant_changed.v1 ada owner users.manage",
		"account.profile_updated.v2 carol delegate profile.write [profile.read profile.write] for the account",
		"delegation.invitation_accepted.v1 carol user signed_in",
		"delegation.delegate_invited.v1 ada owner users.manage",
		"account.opened.v2 ada user signed_in",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	hers := w.must(t, ada, http.MethodGet, base+"/history?actor="+carol.id+"&since=2020-01-01T00:00:00Z&until=2999-01-01T00:00:00Z", "", 200)
	if len(hers.items(t)) != 4 {
		t.Errorf("%s", hers.body)
	}
}

func TestInvitingTellsNothingOfUsers(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	w.signUp(t, "known")
	path := "/v1/accounts/" + ada.account + "/delegations"
	var shapes []string
	for _, email := range []string{"known@example.com", "unknown@example.com"} {
		a := w.must(t, ada, http.MethodPost, path, `{"email":"`+email+`",`+onTickets+`}`, 201)
		w.Settle()
		row := w.must(t, ada, http.MethodGet, path+"/"+a.ID(t), "", 200)
		text := string(a.body) + a.header.Get("ETag") + string(row.body) + row.header.Get("ETag")
		for _, own := range []string{a.ID(t), email, row.text(t, "created_at"), row.text(t, "open_until")} {
			text = strings.ReplaceAll(text, own, "-")
		}
		shapes = append(shapes, text)
	}
	if shapes[0] != shapes[1] {
		t.Errorf("%s\n%s", shapes[0], shapes[1])
	}
}

func TestADelegateOfOneServiceSeesNothingElse(t *testing.T) {
	t.Parallel()
	s := set(t)
	other := s.must(t, s.clerk, http.MethodPost, "/v1/staff/accounts/"+s.alice.account+"/services", `{"product":"`+s.product+`","label":"shared label","cycle":"monthly"}`, 201).ID(t)
	about := s.must(t, s.alice, http.MethodPost, "/v1/accounts/"+s.alice.account+"/tickets", `{"department":"technical","priority":"normal","subject":"shared subject","message":"shared message","related":{"kind":"service","id":"`+s.service+`"}}`, 201).ID(t)
	s.Settle()
	_, carol := s.delegate(t, s.alice, s.member(t, "carol"), fmt.Sprintf(`"permissions":["*"],"scope":{"services":[%q],"tickets":[%q]}`, other, about))
	hidden := []string{"alice-secret", s.service, s.draft, s.invoice, s.creditNote, s.ticket, s.notification}
	for _, route := range routes(t, s.handler) {
		method, template, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(template, "/v1/accounts/{account}") && template != "/v1/events" || strings.HasSuffix(template, "/leave") {
			continue
		}
		for _, path := range s.fill(template, s.alice.account) {
			if template == "/v1/events" {
				path += "?account=" + s.alice.account
			}
			a := s.do(t, carol, method, path, expectations()[route].body)
			body := strings.ReplaceAll(string(a.body), path, "")
			for _, secret := range hidden {
				if strings.Contains(body, secret) {
					t.Errorf("%s %s tells %s: %d %s", method, path, secret, a.status, a.body)
				}
			}
			if strings.Contains(template, "{id}") && a.status != 403 && a.status != 404 {
				t.Errorf("%s %s answered %d: %s", method, path, a.status, a.body)
			}
		}
	}
	base := "/v1/accounts/" + s.alice.account
	s.play(t,
		step{"its own is read", carol, "GET", base + "/services/" + other, "", nil, 200, "", []string{"shared label"}},
		step{"and renamed", carol, "PATCH", base + "/services/" + other, `{"label":"renamed"}`, nil, 200, "", nil},
		step{"another is missing", carol, "PATCH", base + "/services/" + s.service, `{"label":"x"}`, nil, 404, "not_found", []string{"There is no such service."}},
		step{"as one that is nobody's", carol, "PATCH", base + "/services/hst_none", `{"label":"x"}`, nil, 404, "not_found", []string{"There is no such service."}},
		step{"what it is not given is denied", carol, "GET", base + "/invoices", "", nil, 403, "denied", nil},
		step{"no ticket is added", carol, "POST", base + "/tickets", ticketBody, nil, 403, "denied", nil},
		step{"the ticket does not say what it is about", carol, "GET", base + "/tickets/" + about, "", nil, 200, "", []string{"shared subject"}},
	)
}

func TestADelegateRaisesNobody(t *testing.T) {
	t.Parallel()
	s := set(t)
	base := "/v1/accounts/" + s.alice.account + "/delegations"
	_, carol := s.delegate(t, s.alice, s.member(t, "carol"), managing)
	dan := s.member(t, "dan")
	wide, dan := s.delegate(t, s.alice, dan, onAll)
	s.Settle()
	s.play(t,
		step{"what it holds", carol, "POST", base, `{"email":"eve@example.com","permissions":["tickets.read"],"scope":{"all":true}}`, nil, 201, "", nil},
		step{"what it does not hold", carol, "POST", base, `{"email":"eve@example.com","permissions":["tickets.write"],"scope":{"all":true}}`, nil, 403, "grant_too_wide", nil},
		step{"everything", carol, "POST", base, `{"email":"eve@example.com",` + onAll + `}`, nil, 403, "grant_too_wide", nil},
		step{"a wider one is not ended", carol, "DELETE", base + "/" + wide, "", nil, 403, "grant_too_wide", nil},
		step{"nor changed", carol, "PATCH", base + "/" + wide, `{"permissions":["tickets.read"]}`, nil, 403, "grant_too_wide", nil},
		step{"nor its own", dan, "PATCH", base + "/" + wide, `{"permissions":["tickets.read"]}`, nil, 403, "own_grant", nil},
		step{"a narrower one is ended by a wider", dan, "DELETE", base + "/" + s.idOf(t, s.alice, "carol@example.com"), "", nil, 200, "", nil},
	)
}

// TestWhoIsLimitedHearsNothingOfWiderDelegations: what others hold beside the
// chosen things of a manager of users shows nowhere.
func TestWhoIsLimitedHearsNothingOfWiderDelegations(t *testing.T) {
	t.Parallel()
	s := set(t)
	base := "/v1/accounts/" + s.alice.account
	scope := fmt.Sprintf(`"scope":{"services":[%q]}`, s.service)
	own, carol := s.delegate(t, s.alice, s.member(t, "carol"), `"permissions":["users.manage","services.read"],`+scope)
	wide, dan := s.delegate(t, s.alice, s.member(t, "dan"), onAll)
	narrow, _ := s.invite(t, s.alice, "eve@example.com", `"permissions":["services.read"],`+scope)
	s.Settle()
	for _, path := range []string{base + "/delegations", "/v1/events?account=" + s.alice.account, base + "/history"} {
		shown := string(s.must(t, carol, http.MethodGet, path, "", 200).body)
		if !strings.Contains(shown, own) || !strings.Contains(shown, narrow) || strings.Contains(shown, wide) || strings.Contains(shown, dan.id) {
			t.Errorf("%s shows %s", path, shown)
		}
		if all := string(s.must(t, s.alice, http.MethodGet, path, "", 200).body); !strings.Contains(all, wide) {
			t.Errorf("%s shows its owner %s", path, all)
		}
	}
}

// TestANarrowerGrantEndsAStream has a delegate listen while its grant is narrowed.
func TestANarrowerGrantEndsAStream(t *testing.T) {
	t.Parallel()
	w, server := served(t)
	ada := w.customer(t, "ada")
	id, carol := w.delegate(t, ada, w.member(t, "carol"), `"permissions":["profile.read","tickets.read"],"scope":{"all":true}`)
	path := "/v1/accounts/" + ada.account
	stream := listen(t, server, carol, "/v1/events?after=now&account="+ada.account, "")
	w.must(t, ada, http.MethodPatch, path, `{"name":"one"}`, 200)
	if e, _, ok := stream.next(t); !ok || e.Type != "account.profile_updated.v2" {
		t.Fatalf("first came %+v", e)
	}
	w.must(t, ada, http.MethodPatch, path+"/delegations/"+id, `{"permissions":["profile.read"]}`, 200)
	w.must(t, ada, http.MethodPatch, path, `{"name":"two"}`, 200)
	if e, _, ok := stream.next(t); ok {
		t.Errorf("after the change came %+v", e)
	}
	w.Settle()
	if got, _ := w.batch(t, carol, "account="+ada.account+"&types=account.profile_updated.v1"); len(got) != 2 {
		t.Error("who asks again is shown", names(got))
	}
}

// poisoning is a store to which somebody else writes an event that no lane of
// rights can read, just before a delegation's next event.
type poisoning struct {
	eventstore.Store
	armed atomic.Bool
}

func (p *poisoning) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	if strings.HasPrefix(stream, "delegation-") && p.armed.CompareAndSwap(true, false) {
		poison := eventstore.NewEvent{ID: uuid.New(), Type: "staff.hired.v99", Data: []byte(`{}`), Metadata: events[0].Metadata}
		if _, err := p.Store.Append(ctx, "staff-usr_poison", eventstore.NoStream(), poison); err != nil {
			return eventstore.Appended{}, err
		}
	}
	return p.Store.Append(ctx, stream, expected, events...)
}

// TestARevocationThatIsNotInForceIsNotAnswered halts the lane of rights between
// a request and its answer.
func TestARevocationThatIsNotInForceIsNotAnswered(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	id, carol := w.delegate(t, ada, w.member(t, "carol"), onAll)
	store := &poisoning{Store: w.Store}
	w.dispatcher.Store = store
	store.armed.Store(true)
	a := w.do(t, ada, http.MethodDelete, "/v1/accounts/"+ada.account+"/delegations/"+id, "")
	if a.status != 503 || a.code(t) != "not_in_force" || a.header.Get("Retry-After") == "" {
		t.Errorf("the answer was %d %s", a.status, a.body)
	}
	// Nobody is let in by old rights.
	w.must(t, carol, http.MethodGet, "/v1/accounts/"+ada.account, "", 503)
	w.must(t, ada, http.MethodGet, "/v1/accounts/"+ada.account, "", 503)
}

func TestAnExpiredDelegateIsOut(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	given := func(id, user string, end time.Time) {
		terms := delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}, ExpiresAt: &end}
		w.Given(ada.account, "delegation-"+id,
			delegation.DelegateInvited{Account: ada.account, Invitation: "ivt_" + id, Email: user, OpenUntil: end, Terms: terms},
			delegation.InvitationAccepted{Account: ada.account, User: user, Terms: terms})
	}
	carol, dan := w.member(t, "carol"), w.member(t, "dan")
	given("dlg_over", carol.id, time.Now().Add(-time.Second))
	given("dlg_open", dan.id, time.Now().Add(time.Hour))
	w.Settle()
	// Nobody has noted it, and carol is out.
	w.must(t, carol, http.MethodGet, "/v1/accounts/"+ada.account, "", 404)
	w.must(t, dan, http.MethodGet, "/v1/accounts/"+ada.account, "", 200)
	list := "/v1/accounts/" + ada.account + "/delegations"
	for id, want := range map[string]string{"dlg_over": "expired", "dlg_open": "active"} {
		if row := w.must(t, ada, http.MethodGet, list+"/"+id, "", 200); row.text(t, "status") != want {
			t.Errorf("%s", row.body)
		}
	}
	w.must(t, ada, http.MethodPatch, list+"/dlg_over", `{"permissions":["*"]}`, 409)
}

// TestAStolenSessionHandsNothingOn that would outlive it, but to read.
func TestAStolenSessionHandsNothingOn(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account + "/delegations"
	terms := func(email, permission string) string {
		return `{"email":"` + email + `@example.com","permissions":["` + permission + `"],"scope":{"all":true}}`
	}
	writer := w.must(t, ada, http.MethodPost, path, terms("writer", "dns.manage"), 201).ID(t)
	w.ahead.Add(int64(vault.FreshFor))
	reader := w.must(t, ada, http.MethodPost, path, terms("reader", "domains.read"), 201).ID(t)
	change := func(permissions string) string { return `{"permissions":[` + permissions + `]}` }
	w.play(t,
		step{"all of it", ada, "POST", path, terms("eve", "*"), nil, 403, "confirmation_required", nil},
		step{"a part that changes something", ada, "POST", path, terms("eve", "contacts.manage"), nil, 403, "confirmation_required", nil},
		step{"more for who reads", ada, "PATCH", path + "/" + reader, change(`"domains.manage"`), nil, 403, "confirmation_required", nil},
		step{"more for who writes", ada, "PATCH", path + "/" + writer, change(`"dns.manage","domains.manage"`), nil, 403, "confirmation_required", nil},
		step{"more to read", ada, "PATCH", path + "/" + reader, change(`"domains.read","invoices.read"`), nil, 200, "", nil},
		step{"less", ada, "PATCH", path + "/" + writer, change(`"domains.read"`), nil, 200, "", nil},
		step{"nothing", ada, "DELETE", path + "/" + writer, "", nil, 200, "", nil},
	)
	ada.token = w.must(t, ada, http.MethodPost, "/v1/me/confirmations", `{"password":"`+password+`"}`, 200).text(t, "token")
	w.play(t, step{"once confirmed", ada, "POST", path, terms("eve", "*"), nil, 201, "", nil})
}
