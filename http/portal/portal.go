// Package portal serves the customer's pages: server-rendered HTML in French
// and English that works without JavaScript. A form posts a command, the page
// waits shortly for the read side, and redirects to what it shows then; one
// small module keeps open pages up to date.
//
// It must not hold a rule or any SQL, and it does not establish who is asking:
// the session is that of package http, the rows are those of projections. The
// pages are in templates, their words in locales, their looks in assets.
package portal

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
)

// pages is what the handlers close over.
type pages struct {
	Config
	views  *views
	assets *assets
}

// New is the handler of every page. It panics when a template or a catalogue
// does not parse, which is a defect that any test finds.
func New(c Config) http.Handler {
	files, err := loadAssets()
	if err != nil {
		panic(err)
	}
	drawn, err := loadViews(files, c.Zone)
	if err != nil {
		panic(err)
	}
	p := &pages{Config: c, views: drawn, assets: files}
	mux := chi.NewMux()
	mux.Use(guarded, p.textOnly)
	mux.NotFound(p.missing)
	mux.MethodNotAllowed(p.formOnly)
	mux.Handle(assetPath+"*", files)
	mux.Get("/", p.home)
	mux.Get("/login", func(w http.ResponseWriter, r *http.Request) { see(w, r, loginPath) })
	mux.Get("/portal", p.home)
	p.gates(mux)
	mux.Route(staffPath, p.desk)
	mux.Post("/portal/logout", p.logOut)
	mux.Post("/portal/theme", p.theme)
	mux.Route(alonePath, func(mux chi.Router) {
		mux.Get("/", p.home)
		p.own(mux)
	})
	mux.Route("/portal/{account}", func(mux chi.Router) {
		p.account(mux)
		p.own(mux)
	})
	return mux
}

// account adds the pages of one account.
func (p *pages) account(mux chi.Router) {
	get := func(at string, h func(*visit) error) { mux.Get(at, p.visited(h)) }
	post := func(at string, h func(*visit) error) { mux.Post(at, p.visited(p.received(h, nil))) }
	get("/", p.dashboard)
	get("/stream", p.stream)
	get("/services", p.services)
	get("/services/{id}", p.service)
	post("/services/{id}/label", p.renameService)
	get("/domains", p.domains)
	get("/domains/{name}", p.domain)
	post("/domains/{name}/contacts", p.setDomainContacts)
	get("/contacts", p.contacts)
	post("/contacts", p.createContact)
	get("/contacts/new", p.newContact)
	get("/contacts/{id}", p.contact)
	post("/contacts/{id}", p.amendContact)
	post("/contacts/{id}/verification", p.resendContact)
	post("/contacts/{id}/archive", p.archiveContact)
	get("/invoices", p.invoices)
	get("/invoices/{id}", p.invoice)
	get("/tickets", p.tickets)
	post("/tickets", p.openTicket)
	get("/tickets/new", p.newTicket)
	get("/tickets/{id}", p.ticket)
	post("/tickets/{id}/replies", p.replyTicket)
	post("/tickets/{id}/close", p.closeTicket)
	post("/tickets/{id}/reopen", p.reopenTicket)
	get("/account", p.profile)
	post("/account", p.updateProfile)
	get("/billing", p.billing)
	post("/billing", p.updateBilling)
	get("/communication", p.communication)
	post("/communication", p.updateCommunication)
	get("/close", p.closeAccount)
	post("/close", p.requestClosing)
	post("/close/withdraw", p.withdrawClosing)
	get("/transfer", p.transfer)
	post("/transfer", p.proposeTransfer)
	post("/transfer/{id}/withdraw", p.withdrawTransfer)
	get("/users", p.users)
	post("/users", p.inviteDelegate)
	get("/users/new", p.newDelegate)
	get("/users/{id}", p.delegate)
	post("/users/{id}", p.changeDelegate)
	post("/users/{id}/revoke", p.revokeDelegate)
	post("/users/{id}/resend", p.resendInvitation)
	get("/accounts", p.accounts)
	get("/leave", p.leaving)
	post("/leave", p.leave)
	get("/tokens", p.tokens)
	post("/tokens", p.issueToken)
	post("/tokens/{id}/revoke", p.revokeToken)
	get("/history", p.history)
	get("/impersonation", p.act)
	post("/impersonation", p.startActing)
	post("/impersonation/end", p.stopActing)
	get("/notifications", p.notifications)
	post("/notifications/read", p.readAllNotifications)
	post("/notifications/{id}/read", p.readNotification)
	get("/news", p.news)
	get("/news/{id}", p.newsItem)
}

// own adds the pages about the viewer's own log-in. They are there beside each
// account's, and by themselves for who has none.
func (p *pages) own(mux chi.Router) {
	get := func(at string, h func(*visit) error) { mux.Get(at, p.visited(h)) }
	post := func(at string, h func(*visit) error) { mux.Post(at, p.visited(p.received(h, nil))) }
	// form is a page whose form is sent to its own address.
	form := func(at string, show, do func(*visit) error) {
		get(at, show)
		mux.Post(at, p.visited(p.received(do, show)))
	}
	form("/confirm", p.confirm, p.confirm)
	form("/profile", p.ownProfile, p.updateOwnProfile)
	form("/password", p.password, p.changePassword)
	form("/email", p.email, p.changeEmail)
	post("/email/resend", p.resendVerification)
	get("/security", p.security)
	get("/security/logins", p.logins)
	get("/security/inspections", p.inspections)
	form("/security/close", p.closing, p.closeUser)
	post("/security/sessions/{id}/end", p.endSession)
	get("/data", p.data)
	form("/data/erasure", p.erasing, p.askErasure)
	post("/data/erasure/withdraw", p.withdrawErasure)
	get("/security/second-factor", p.secondFactor)
	post("/security/second-factor/keep", p.keepFactors)
	form("/security/totp", p.totp, p.enrolTOTP)
	post("/security/totp/confirm", p.confirmTOTP)
	form("/security/totp/off", p.totpOff, p.disableTOTP)
	post("/security/recovery-codes", p.newCodes)
	form("/security/passkeys/new", p.newPasskey, p.addPasskey)
	form("/security/passkeys/{id}/name", p.passkeyName, p.renamePasskey)
	form("/security/passkeys/{id}/remove", p.passkeyOff, p.removePasskey)
}

// policy lets a page load what this server serves, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		next.ServeHTTP(w, r)
	})
}

// longestName is more than any id or name in an address has, in bytes.
const longestName = 500

// textOnly answers addresses that are no text, or name something longer than any
// name is, as those that lead nowhere: no database and no store can look for them.
func (p *pages) textOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.QueryUnescape(r.URL.RawQuery)
		if at := r.URL.Path + query; err != nil || !utf8.ValidString(at) || strings.ContainsRune(at, 0) ||
			slices.ContainsFunc(strings.Split(r.URL.Path, "/"), func(name string) bool { return len(name) > longestName }) {
			p.missing(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// formOnly leads from an address that only takes a form to the page that has it.
func (p *pages) formOnly(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		see(w, r, path.Dir(r.URL.Path))
		return
	}
	p.missing(w, r)
}

// see sends the browser to a page of ours with a GET.
func see(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // ours checks what comes from outside
}

// patience is how long a page waits for the read side to show a write.
const patience = 2 * time.Second
