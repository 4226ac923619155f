package http_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	portalhttp "github.com/hostfold/hostfold/http"
)

// scene is a world with a seller, staff, and two customers: alice owns one
// thing of every kind, bob owns an account and nothing else.
type scene struct {
	*world
	clerk, alice, bob party

	product, service, draft, invoice, credited, creditNote, ticket, notification, news, session, contact string
	// domainName is alice's.
	domainName string
}

const domainName = "alice-secret.example"

// set makes a scene through the API alone.
func set(t testing.TB) *scene {
	t.Helper()
	return setWith(t)
}

// setWith is set for a server with another configuration.
func setWith(t testing.TB, change ...func(*portalhttp.Config)) *scene {
	t.Helper()
	s := &scene{world: begin(t, change...)}
	s.sells(t)
	s.people(t, "")
	return s
}

// people makes the scene's people and their things. The number keeps them
// apart from others of the same world.
func (s *scene) people(t testing.TB, number string) {
	t.Helper()
	s.clerk, s.alice, s.bob = s.hired(t, "staff"+number, delegation.RoleAdmin), s.customer(t, "alice"+number), s.customer(t, "bob"+number)
	s.domainName = strings.Replace(domainName, ".", number+".", 1)
	post := func(as party, path, body string, status int) answer {
		t.Helper()
		return s.must(t, as, http.MethodPost, path, body, status)
	}
	staffPath := "/v1/staff/accounts/" + s.alice.account
	s.product = post(s.clerk, "/v1/staff/products", productBody("vps-5"+number), 201).ID(t)
	s.service = post(s.clerk, staffPath+"/services", `{"product":"`+s.product+`","label":"alice-secret label","cycle":"monthly"}`, 201).ID(t)
	post(s.clerk, staffPath+"/services/"+s.service+"/activate", "", 200)
	post(s.clerk, staffPath+"/domains", `{"name":"`+s.domainName+`","registered_on":"2026-01-02","expires_on":"2027-01-02"}`, 201)
	s.contact = post(s.alice, "/v1/accounts/"+s.alice.account+"/contacts", contactBody, 201).ID(t)
	s.vouch(t, s.contact)
	s.must(t, s.alice, http.MethodPut, "/v1/accounts/"+s.alice.account+"/domains/"+s.domainName+"/contacts", `{"owner":"`+s.contact+`"}`, 200)
	s.draft = post(s.clerk, staffPath+"/invoices", invoiceBody, 201).ID(t)
	s.invoice = s.issued(t)
	s.credited = s.issued(t)
	s.creditNote = post(s.clerk, staffPath+"/invoices/"+s.credited+"/credit", `{"reason":"alice-secret reason"}`, 201).ID(t)
	s.ticket = post(s.alice, "/v1/accounts/"+s.alice.account+"/tickets", ticketBody, 201).ID(t)
	s.notification = s.notify(t, s.alice.account)
	s.news = post(s.clerk, "/v1/staff/news", `{"title":"Maintenance","body":"Tonight.","published_at":"2026-01-02T03:04:05Z"}`, 201).ID(t)
	open := s.must(t, s.alice, http.MethodGet, "/v1/me/sessions", "", 200).items(t)
	s.session, _ = open[0].(map[string]any)["id"].(string)
	s.Settle()
}

const (
	invoiceBody = `{"lines":[{"description":"alice-secret line","quantity":"2","unit_price":{"amount":"10.00","currency":"EUR"},"vat_rate":"20"}]}`
	contactBody = `{"kind":"person","name":"alice-secret contact","email":"alice-secret@example.net","phone":"+33 6 12 34 56 78","address":{"line1":"alice-secret street","city":"Paris","country":"FR"}}`
	ticketBody  = `{"department":"technical","priority":"normal","subject":"alice-secret subject","message":"alice-secret message"}`
)

func productBody(code string) string {
	return `{"code":"` + code + `","name":"VPS","prices":[{"cycle":"monthly","price":{"amount":"12.00","currency":"EUR"}}]}`
}

// issued is an invoice over 24.00 EUR for alice.
func (s *scene) issued(t testing.TB) string {
	t.Helper()
	path := "/v1/staff/accounts/" + s.alice.account + "/invoices"
	id := s.must(t, s.clerk, http.MethodPost, path, invoiceBody, 201).ID(t)
	s.must(t, s.clerk, http.MethodPost, path+"/"+id+"/issue", "", 200)
	return id
}

// vouch verifies a contact's address.
func (w *world) vouch(t testing.TB, contact string) {
	t.Helper()
	if _, err := commands.Execute(t.Context(), w.dispatcher, system(), commands.VouchContact{ContactID: contact}); err != nil {
		t.Fatal(err)
	}
}

// notify tells an account something, as parts of the system do.
func (w *world) notify(t testing.TB, account string) string {
	t.Helper()
	call := system()
	call.Account = account
	done, err := commands.Execute(t.Context(), w.dispatcher, call, commands.Notify{
		AccountID: account, Class: "service", Title: "alice-secret title", Body: "alice-secret body",
	})
	if err != nil {
		t.Fatal(err)
	}
	return done.ID
}

// secrets are the texts and ids that nobody but alice and staff may see.
func (s *scene) secrets() []string {
	return []string{
		"alice-secret", s.alice.email, s.alice.account, s.alice.id, s.service, s.draft, s.invoice, s.credited,
		s.creditNote, s.ticket, s.notification, s.session, s.contact,
	}
}

// leaks names the secrets that an answer tells, other than those asked with.
func (s *scene) leaks(a answer, path string) []string {
	var told []string
	for _, secret := range s.secrets() {
		if strings.Contains(path, secret) {
			continue
		}
		if strings.Contains(fmt.Sprint(a.header, string(a.body)), secret) {
			told = append(told, secret)
		}
	}
	return told
}
