package portal_test

import (
	"cmp"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/eventstore"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/http/portal"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/answers"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

func TestMain(m *testing.M) { vaulttest.Main(m) }

// house is a whole portal on a port of the loopback: an engine in memory, a
// real Postgres, lanes that run.
type house struct {
	*projectiontest.Side
	url        string
	dispatcher *commands.Dispatcher
	vault      *vault.Vault
}

const password = "correct horse battery staple"

// open starts an empty house.
func open(t *testing.T) *house {
	t.Helper()
	return openAt(t, "127.0.0.1")
}

// openAt is open for a house with another name of the loopback in its address.
func openAt(t *testing.T, host string) *house {
	t.Helper()
	h := &house{Side: projectiontest.Start(t, catalog.Types(), projections.Models()...)}
	h.vault = vaulttest.Open(t, h.DB, h.Store)
	h.dispatcher = &commands.Dispatcher{
		Store: h.Store, Codec: h.Codec, Vault: h.vault, Pepper: h.vault.Pepper(), Clock: time.Now, Rand: rand.Reader,
	}
	h.Reader.Witnessed(commands.NewWitness(h.dispatcher))
	server := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + net.JoinHostPort(host, port)
	public, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	if h.dispatcher.Passkeys, err = commands.NewRelyingParty(h.url, "hostfold"); err != nil {
		t.Fatal(err)
	}
	c := portalhttp.Config{
		PublicURL: public, Hosts: portalhttp.OwnHosts(public, server.Listener.Addr()), Version: "test",
		Dispatcher: h.dispatcher, Vault: h.vault, Reader: h.Reader, Answers: answers.Store{DB: h.DB},
		Feed: projections.NewFeed(h.Reader, h.Store, h.Codec), Clock: time.Now, NewID: uuid.New, Log: slog.New(slog.DiscardHandler),
	}
	c.Pages = portal.New(portal.Config{Config: c, Brand: "hostfold", Zone: time.UTC})
	server.Config.Handler = portalhttp.New(c)
	server.Start()
	t.Cleanup(server.Close)
	return h
}

// browser is a visitor without JavaScript.
type browser struct {
	t      *testing.T
	house  *house
	client *http.Client
	// locale is what Accept-Language says.
	locale string
	// referer is the page that a form is sent from.
	referer string
}

// visit is a visitor who has not logged in.
func (h *house) visit(t *testing.T, locale string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, house: h, client: &http.Client{Jar: jar}, locale: locale}
}

// logIn is a visitor who has.
func (h *house) logIn(t *testing.T, email string) *browser {
	t.Helper()
	b := h.visit(t, "fr")
	page := b.post("/portal/login", url.Values{"email": {email}, "password": {password}})
	if page.path == "/portal/login" {
		t.Fatalf("%s cannot log in: %s", email, page.text("form"))
	}
	return b
}

// shown is a page that a browser ended on.
type shown struct {
	*goquery.Document
	status int
	path   string
	header http.Header
}

func (b *browser) get(path string) shown {
	b.t.Helper()
	return b.send(http.MethodGet, path, nil)
}

func (b *browser) post(path string, form url.Values) shown {
	b.t.Helper()
	return b.send(http.MethodPost, path, form)
}

func (b *browser) send(method, path string, form url.Values) shown {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.house.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", cmp.Or(b.locale, "fr"))
	if b.referer != "" {
		req.Header.Set("Referer", b.house.url+b.referer)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := goquery.NewDocumentFromReader(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return shown{Document: doc, status: res.StatusCode, path: res.Request.URL.Path, header: res.Header}
}

// submit fills in the form whose action ends so, and sends it.
func (b *browser) submit(on shown, action string, fields ...string) shown {
	b.t.Helper()
	to, form := on.form(b.t, action)
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.post(to, form)
}

// form is where a form goes to and what it holds as the page shows it.
func (s shown) form(t *testing.T, action string) (to string, form url.Values) {
	t.Helper()
	found := s.Find(`form[method="post"][action$="` + action + `"]`)
	if found.Length() != 1 {
		t.Fatalf("%s has %d forms %q", s.path, found.Length(), action)
	}
	form = url.Values{}
	found.Find("input[name]").Each(func(_ int, in *goquery.Selection) {
		_, checked := in.Attr("checked")
		if kind := in.AttrOr("type", ""); kind != "radio" && kind != "checkbox" || checked {
			form.Set(in.AttrOr("name", ""), in.AttrOr("value", ""))
		}
	})
	found.Find("textarea[name]").Each(func(_ int, in *goquery.Selection) { form.Set(in.AttrOr("name", ""), in.Text()) })
	found.Find("select[name]").Each(func(_ int, in *goquery.Selection) {
		form.Set(in.AttrOr("name", ""), in.Find("option[selected]").AttrOr("value", in.Find("option").AttrOr("value", "")))
	})
	return found.AttrOr("action", ""), form
}

// text is what a selection says, with its white space as a reader sees it.
func (s shown) text(selector string) string { return plain(s.Find(selector).Text()) }

// texts are what each element of a selection says.
func (s shown) texts(selector string) []string {
	return s.Find(selector).Map(func(_ int, e *goquery.Selection) string { return plain(e.Text()) })
}

func plain(s string) string { return strings.Join(strings.Fields(s), " ") }

// system is a call of a part of the system, demo one with given facts.
func system(account string) commands.Call {
	return commands.Call{
		CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorSystem, ID: "test"}, Account: account,
		Grants: delegation.Grants{System: true},
	}
}

func demo(account string, at time.Time, number string) commands.Call {
	c := system(account)
	c.Actor, c.At, c.Number = domain.Actor{Kind: domain.ActorDemo, ID: "demo"}, at, number
	return c
}

// secret is that of the link in the last mail of a template.
func (h *house) secret(t *testing.T, template string) string {
	t.Helper()
	id := ""
	for r, err := range h.Store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type != (message.Queued{}).EventType() {
			continue
		}
		e, _, err := h.Codec.Decode(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if q, ok := e.(message.Queued); ok && q.Template == template {
			id = strings.TrimPrefix(r.Stream, message.Decider.Category+"-")
		}
	}
	secret, found, err := h.vault.MailSecret(t.Context(), id)
	if err != nil || !found {
		t.Fatalf("no link of %s: %v", template, err)
	}
	return secret
}
