package portal

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
)

// visit is one request to a page of an account by somebody who may see it.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	caller  portalhttp.Caller
	account string
	words   *words
	// me is the viewer's own row.
	me projections.LoginRow
	// board is the account's dashboard, which every page shows the bell of.
	board projections.Dashboard
	page  *page
}

// alonePath is where the pages about a log-in are for who has no account.
const alonePath = "/portal/me"

// base is the address of an account's pages, or without one of the viewer's own.
func base(account string) string {
	if account == "" {
		return alonePath
	}
	return "/portal/" + account
}

// path is the address of a page of the visited account.
func (v *visit) path(elements ...string) string {
	return strings.Join(append([]string{base(v.account)}, elements...), "/")
}

// query is a parameter of the address.
func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

// id is the id in the address.
func (v *visit) id() string { return v.r.PathValue("id") }

// visited lets a request in to a page: it finds who is asking, hides accounts
// that the caller may not see, and shows errors as pages.
func (p *pages) visited(show func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := p.enter(w, r)
		if err == nil {
			err = show(v)
		}
		switch {
		case err == nil:
		case errors.Is(err, domain.ErrUnauthenticated) && r.Header.Get("Accept") == "text/event-stream":
			w.WriteHeader(http.StatusNoContent) // which ends a stream for good
		case errors.Is(err, domain.ErrUnauthenticated):
			see(w, r, loginFor(r))
		case errors.Is(err, commands.ErrConfirm):
			p.askToConfirm(v)
		case errors.Is(err, delegation.ErrSecondFactor) && r.Method == http.MethodGet:
			see(w, r, p.factorFirst(v))
		default:
			p.fail(w, r, v, err)
		}
	}
}

func (p *pages) enter(w http.ResponseWriter, r *http.Request) (*visit, error) {
	caller, err := p.Authenticate(r)
	if err != nil {
		return nil, err
	}
	account := r.PathValue("account")
	me, err := p.Reader.Login(r.Context(), caller.Grants, caller.Grants.User)
	if err != nil {
		return nil, err
	}
	locale := cmp.Or(known(string(me.Locale)), accepted(r))
	v := &visit{w: w, r: r, caller: caller, account: account, words: p.views.words[locale], me: me}
	v.page = &page{
		Brand: p.Brand, Theme: themeOf(r), Path: r.URL.RequestURI(),
		Idle:   int(vault.LifeOf(caller.Grants.Role != "").Idle / time.Second),
		Viewer: &viewer{ID: me.ID, Name: me.Name, Email: me.Email, Locale: locale, Verified: me.EmailVerified},
	}
	if account != "" && !delegation.Sees(caller.Grants, account) {
		return v, delegation.Hidden(caller.Grants)
	}
	v.page.Base, v.page.Alone = base(account), account == ""
	if v.page.Alone {
		v.page.Desk = desked(caller.Grants)
		return v, nil
	}
	return v, p.chrome(v)
}

// chrome fills in what every page of the account shows around its own part.
func (p *pages) chrome(v *visit) error {
	v.page.May = may{
		Services: v.can(delegation.ServicesRead, "hosting", ""), Domains: v.can(delegation.DomainsRead, "domainname", ""),
		Invoices: v.can(delegation.InvoicesRead, "invoice", ""), Tickets: v.can(delegation.TicketsRead, "ticket", ""),
		Write: v.can(delegation.TicketsWrite, "ticket", ""), Notifications: v.can(delegation.NotificationsRead, "notification", ""),
		Account: v.can(delegation.ProfileRead, "account", v.account), Profile: v.can(delegation.ProfileWrite, "account", v.account),
		SeesContacts: delegation.SeesContacts(v.caller.Grants, v.account), Contacts: v.can(delegation.ContactsManage, "contact", ""),
		Users:  v.can(delegation.UsersManage, "delegation", ""),
		Tokens: v.can(delegation.Member, "apitoken", ""), Own: v.can(delegation.Owner, "account", v.account),
		Mark: v.can(delegation.NotificationsMark, "notification", ""),
	}
	v.page.Closed = v.caller.Grants.Accounts[v.account].Closed
	var err error
	if v.page.Staff, err = p.asStaff(v); err != nil {
		return err
	}
	return p.bell(v.r.Context(), v)
}

// bell counts the unread notifications, which the dashboard tells. Staff see no
// more of a customer than the page is about: what they see is recorded.
func (p *pages) bell(ctx context.Context, v *visit) error {
	if v.page.Staff != nil {
		return nil
	}
	return p.readBoard(ctx, v)
}

// readBoard reads the dashboard. Whoever may see none of its parts sees an empty
// one, and what else it may.
func (p *pages) readBoard(ctx context.Context, v *visit) (err error) {
	v.board, err = p.Reader.Dashboard(ctx, v.caller.Grants, v.account)
	if errors.Is(err, domain.ErrDenied) {
		return nil
	}
	if err != nil {
		return err
	}
	if n := v.board.Counts.UnreadNotifications; n != nil {
		v.page.Unread = *n
	}
	return nil
}

// show sends a page.
func (p *pages) show(v *visit, status int, name, nav, title string, body any) error {
	v.page.Nav, v.page.Title, v.page.Body = nav, title, body
	if done := v.query("done"); slices.Contains(doneKeys, done) {
		v.page.Done = "done." + done
	}
	if v.page.Form.Key == "" {
		v.page.Form.Key = p.NewID().String()
	}
	return p.send(v.w, v.words.locale, status, name, v.page)
}

func (p *pages) send(w http.ResponseWriter, locale string, status int, name string, content *page) error {
	out, err := p.views.draw(locale, name, content)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", locale)
	w.WriteHeader(status)
	_, _ = w.Write(out) // the client may be gone
	return nil
}

// title is the words of a key, for a page's title.
func (v *visit) title(key string, data ...string) string { return v.words.textOr(key, key, data...) }

// fail shows an error as a page; v is nil when nobody is known to ask.
func (p *pages) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	portalhttp.Note(r.Context(), err)
	said := p.views.words[accepted(r)]
	content := &page{Brand: p.Brand, Theme: themeOf(r)}
	back := "/portal"
	if v != nil {
		said, content = v.words, v.page
		content.Form, content.Stream = form{}, ""
	}
	kind, nowhere := domain.KindOf(err), errors.Is(err, errNoAccount)
	key := "problem." + string(kind)
	if nowhere {
		key = "problem.no_account"
	}
	backText := "problem.back"
	switch kind { //nolint:exhaustive // the rest is our fault, or belongs to a form
	case domain.KindMissing, domain.KindDenied, domain.KindInvalid:
	case domain.KindUnavailable:
		w.Header().Set("Retry-After", "2")
		back, backText = r.URL.RequestURI(), "problem.retry"
	case domain.KindLimited:
		wait := time.Minute
		if limited, ok := errors.AsType[*vault.LimitedError](err); ok {
			wait = limited.RetryAfter
		}
		w.Header().Set("Retry-After", portalhttp.RetryAfter(wait))
		back, backText = r.URL.RequestURI(), "problem.retry"
	default:
		key = "problem.internal"
	}
	if content.Base == "" {
		content.Viewer = nil
	}
	content.Title = said.textOr(key, "problem.internal")
	content.Body = problem{
		Text: said.textOr(key+".text", "problem.internal.text", "Request", portalhttp.RequestID(r.Context())),
		Back: back, BackText: said.textOr(backText, "problem.back"), LogOut: nowhere,
	}
	if err := p.send(w, said.locale, portalhttp.Status(err), "problem", content); err != nil {
		portalhttp.Refuse(w, r, err)
	}
}

// problem is the part of a page that says what went wrong.
type problem struct {
	Text, Back, BackText string
	// LogOut offers to log out, too.
	LogOut bool
}

func (p *pages) missing(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, nil, domain.Missing("page"))
}

// home leads to the first account of whoever is logged in.
func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	caller, err := p.Authenticate(r)
	if errors.Is(err, domain.ErrUnauthenticated) {
		see(w, r, loginPath)
		return
	}
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	mine, err := p.Reader.OwnAccounts(r.Context(), caller.Grants)
	switch {
	case err != nil:
		p.fail(w, r, nil, err)
	case len(mine) == 0 && delegation.IsStaff(caller.Grants):
		see(w, r, staffPath)
	case len(mine) == 0 && caller.Grants.Role != "":
		see(w, r, base("")+"/security")
	case len(mine) == 0:
		see(w, r, openAccountPath)
	default:
		see(w, r, base(mine[0].ID))
	}
}

// errNoAccount is what staff meet who are sent to no customer's account.
var errNoAccount = &domain.Error{Kind: domain.KindDenied, Code: "no_account", Detail: "You have no account yet."}

// loginFor is the log-in page that leads back to a page.
func loginFor(r *http.Request) string {
	target := r.URL.RequestURI()
	if r.Method != http.MethodGet {
		// The form's page, rather than where the form goes.
		from, err := url.Parse(r.Referer())
		if err != nil || from.Host != r.Host {
			return loginPath
		}
		target = from.RequestURI()
	}
	return loginPath + "?" + url.Values{"return": {target}}.Encode()
}

const themeCookie = "hostfold_theme"

func themeOf(r *http.Request) string {
	if theme := chosen(r, themeCookie); theme == "light" || theme == "dark" {
		return theme
	}
	return ""
}

// theme remembers the looks that the reader prefers.
func (p *pages) theme(w http.ResponseWriter, r *http.Request) {
	choice := r.PostFormValue("theme")
	if choice != "light" && choice != "dark" {
		choice = ""
	}
	http.SetCookie(w, p.remember(themeCookie, choice))
	see(w, r, ours(r.PostFormValue("return")))
}

// hostOnly begins the names of cookies under TLS: browsers then refuse one that
// another host or an insecure page set.
const hostOnly = "__Host-"

// chosen is what remember keeps in the reader's browser, "" for nothing.
func chosen(r *http.Request, name string) string {
	for _, full := range []string{hostOnly + name, name} {
		if c, err := r.Cookie(full); err == nil {
			return c.Value
		}
	}
	return ""
}

// remember is a cookie that keeps a choice for a year; "" forgets it.
func (p *pages) remember(name, value string) *http.Cookie {
	if p.TLS() {
		name = hostOnly + name
	}
	life := 365 * 24 * 60 * 60
	if value == "" {
		life = -1
	}
	return &http.Cookie{ //nolint:gosec // Secure whenever there is TLS
		Name: name, Value: value, Path: "/", MaxAge: life,
		HttpOnly: true, Secure: p.TLS(), SameSite: http.SameSiteLaxMode,
	}
}

// ours is a path on this server, the start page for anything else.
func ours(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/portal") || strings.Contains(target, `\`) {
		return "/portal"
	}
	return u.RequestURI()
}
