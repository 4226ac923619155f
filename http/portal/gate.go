package portal

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/user"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
)

// The pages of whoever has not logged in, or has no account yet.
const (
	signUpPath        = "/portal/sign-up"
	verifyPath        = "/portal/verify-email"
	forgotPath        = "/portal/forgot-password"
	resetPath         = "/portal/reset-password"
	openAccountPath   = "/portal/open-account"
	invitationPath    = "/portal/invitation"
	ownershipPath     = "/portal/transfer"
	stopResetPath     = "/portal/stop-reset"
	verifyContactPath = "/portal/verify-contact"
)

// sent is what a page says after a form: what was done, and where to go next,
// "" for nowhere.
type sent struct{ Icon, Text, To, ToText string }

// gates adds the pages before an account's own.
func (p *pages) gates(mux chi.Router) {
	mux.Get(loginPath, p.login)
	mux.Post(loginPath, p.logIn)
	mux.Get(signUpPath, p.asked("sign_up", "sign_up.title"))
	mux.Post(signUpPath, p.signUp)
	mux.Get(verifyPath, p.verifyForm)
	mux.Post(verifyPath, p.verifyEmail)
	mux.Get(verifyContactPath, p.asked("verify_contact", "verify_contact.title"))
	mux.Post(verifyContactPath, p.verifyContact)
	mux.Get(forgotPath, p.asked("forgot_password", "forgot.title"))
	mux.Post(forgotPath, p.forgotPassword)
	mux.Get(resetPath, p.asked("reset_password", "reset.title"))
	mux.Post(resetPath, p.resetPassword)
	mux.Get(stopResetPath, p.asked("stop_reset", "stop_reset.title"))
	mux.Post(stopResetPath, p.stopReset)
	for _, o := range []offer{p.delegationOffer(), p.ownershipOffer()} {
		mux.Get(o.path, p.opened(o))
		mux.Post(o.path, p.answered(o))
	}
	mux.Get(openAccountPath, p.openAccountForm)
	mux.Post(openAccountPath, p.openAccount)
}

// gateDone are the messages that the log-in page may begin with.
var gateDone = []string{"logged_out", "password_reset", "user_closed"}

// sentBy are the pages that say what a form has done, by the form's page.
var sentBy = map[string]sent{
	signUpPath:        {Icon: "send", Text: "sign_up.sent", To: loginPath, ToText: "gate.login"},
	verifyPath:        {Icon: "circle-check", Text: "verify.done", To: "/portal", ToText: "continue"},
	invitationPath:    {Icon: "circle-check", Text: "invitation.declined", To: "/portal", ToText: "problem.back"},
	ownershipPath:     {Icon: "circle-check", Text: "ownership.declined", To: "/portal", ToText: "problem.back"},
	stopResetPath:     {Icon: "shield-lock", Text: "stop_reset.done", To: loginPath, ToText: "gate.login"},
	forgotPath:        {Icon: "send", Text: "forgot.sent", To: loginPath, ToText: "gate.login"},
	verifyContactPath: {Icon: "circle-check", Text: "verify_contact.done"},
}

// asked shows a form of the gate, or what it has done.
func (p *pages) asked(name, title string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if told, ok := sentBy[r.URL.Path]; ok && r.URL.Query().Get("done") != "" {
			said := p.views.words[spoken(r)]
			body := sent{Icon: told.Icon, To: told.To, Text: said.textOr(told.Text, "")}
			if told.To != "" {
				body.ToText = said.textOr(told.ToText, "")
			}
			p.gate(w, r, http.StatusOK, "sent", told.Text+".title", &page{Keep: kept(url.Values{"done": {"1"}}), Body: body})
			return
		}
		p.gate(w, r, http.StatusOK, name, title, &page{})
	}
}

// kept is what the language switch keeps of the address.
func kept(query url.Values) template.URL {
	return template.URL("&" + query.Encode()) //nolint:gosec // encoded; whatever it says stands in the query of our own address
}

// gate sends a page of the gate in the language that the reader chose there.
func (p *pages) gate(w http.ResponseWriter, r *http.Request, status int, name, title string, content *page) {
	if l := known(r.URL.Query().Get("lang")); l != "" {
		http.SetCookie(w, p.remember(languageCookie, l))
	}
	said := p.views.words[spoken(r)]
	content.Brand, content.Theme, content.Path = p.Brand, themeOf(r), r.URL.Path
	content.Title = said.textOr(title, "")
	if done := r.URL.Query().Get("done"); slices.Contains(gateDone, done) {
		content.Done = "done." + done
	}
	if content.Form.Key == "" {
		content.Form.Key = p.NewID().String()
	}
	if err := p.send(w, said.locale, status, name, content); err != nil {
		p.fail(w, r, nil, err)
	}
}

// again shows a form of the gate with what is wrong with it. What was typed
// stays, but for passwords.
func (p *pages) again(w http.ResponseWriter, r *http.Request, err error, name, title string, content *page, fields ...string) {
	portalhttp.Note(r.Context(), err)
	if k := domain.KindOf(err); k == domain.KindInternal || k == domain.KindMissing {
		p.fail(w, r, nil, err)
		return
	}
	values := url.Values{}
	for name, typed := range r.PostForm {
		if name != "password" && name != "idempotency_key" {
			values[name] = typed
		}
	}
	content.Form = form{values: values}
	content.Form.explain(p.views.words[spoken(r)], err, fields...)
	p.gate(w, r, portalhttp.Status(err), name, title, content)
}

// gateCall is the call of a form of the gate, once for each rendering.
func (p *pages) gateCall(r *http.Request, by portalhttp.Caller, command any) (commands.Call, error) {
	body, err := json.Marshal(command)
	return p.FormCall(r, by, r.PostFormValue("idempotency_key"), body), err
}

func (p *pages) signUp(w http.ResponseWriter, r *http.Request) {
	ask := commands.RegisterUser{
		Email: r.PostFormValue("email"), Password: r.PostFormValue("password"), Name: r.PostFormValue("name"),
		Locale: user.Locale(spoken(r)), IP: p.Source(r).IP,
	}
	call, err := p.gateCall(r, portalhttp.Caller{}, ask)
	if err == nil {
		_, err = p.Dispatcher.RegisterUser(r.Context(), call, ask)
	}
	if err != nil {
		p.again(w, r, err, "sign_up", "sign_up.title", &page{}, "name", "email", "password")
		return
	}
	see(w, r, signUpPath+"?done=1")
}

// verifier is what the form that verifies an address shows.
type verifier struct {
	// In is true for who is logged in.
	In bool
}

// verifyForm takes a link's secret of who is logged in. Whoever is not logs in
// first: a stranger who registered an address would else get it by a click of
// its owner.
func (p *pages) verifyForm(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("done") != "" {
		p.asked("", "")(w, r)
		return
	}
	_, err := p.Authenticate(r)
	if err != nil && !errors.Is(err, domain.ErrUnauthenticated) {
		p.fail(w, r, nil, err)
		return
	}
	p.gate(w, r, http.StatusOK, "verify_email", "verify.title", &page{Body: verifier{In: err == nil}})
}

func (p *pages) verifyEmail(w http.ResponseWriter, r *http.Request) {
	caller, err := p.Authenticate(r)
	if errors.Is(err, domain.ErrUnauthenticated) {
		see(w, r, verifyPath)
		return
	}
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	ask := commands.VerifyEmail{Token: r.PostFormValue("token"), IP: p.Source(r).IP, Together: true}
	receipt, err := p.Dispatcher.VerifyEmail(r.Context(), p.FormCall(r, caller, "", nil), ask)
	if err != nil {
		if errors.Is(err, user.ErrToken) {
			r.PostForm.Del("token")
		}
		p.again(w, r, err, "verify_email", "verify.title", &page{Body: verifier{In: true}}, "token")
		return
	}
	p.await(r.Context(), receipt.Position, "logins")
	see(w, r, verifyPath+"?done=1")
}

// refusedToken shows a form with a mailed link's secret again. A secret that
// holds no longer is not offered once more.
func (p *pages) refusedToken(w http.ResponseWriter, r *http.Request, err error, name, title string, fields ...string) {
	if errors.Is(err, user.ErrToken) {
		r.PostForm.Del("token")
	}
	p.again(w, r, err, name, title, &page{}, append(fields, "token")...)
}

// stopReset keeps second factors that were about to be removed. The form has to
// be sent by hand: a program that follows links in mails stops nothing.
func (p *pages) stopReset(w http.ResponseWriter, r *http.Request) {
	ask := commands.StopFactorReset{Token: r.PostFormValue("token"), IP: p.Source(r).IP}
	if _, err := p.Dispatcher.StopFactorReset(r.Context(), p.FormCall(r, portalhttp.Caller{}, "", nil), ask); err != nil {
		p.refusedToken(w, r, err, "stop_reset", "stop_reset.title")
		return
	}
	see(w, r, stopResetPath+"?done=1")
}

func (p *pages) forgotPassword(w http.ResponseWriter, r *http.Request) {
	ask := commands.RequestPasswordReset{Email: r.PostFormValue("email"), From: p.Source(r)}
	if err := p.Dispatcher.RequestPasswordReset(r.Context(), p.FormCall(r, portalhttp.Caller{}, "", nil), ask); err != nil {
		p.again(w, r, err, "forgot_password", "forgot.title", &page{}, "email")
		return
	}
	see(w, r, forgotPath+"?done=1")
}

func (p *pages) resetPassword(w http.ResponseWriter, r *http.Request) {
	ask := commands.ResetPassword{Token: r.PostFormValue("token"), Password: r.PostFormValue("password"), From: p.Source(r)}
	if err := p.Dispatcher.ResetPassword(r.Context(), p.FormCall(r, portalhttp.Caller{}, "", nil), ask); err != nil {
		p.refusedToken(w, r, err, "reset_password", "reset.title", "password")
		return
	}
	http.SetCookie(w, p.DeviceCookie(ask.From))
	http.SetCookie(w, p.endedCookie())
	see(w, r, loginPath+"?done=password_reset")
}

// opener is what the form of a new account shows.
type opener struct {
	Name, Email string
	// Own is true for who has another account to go back to.
	Own bool
}

// openAccountForm offers an account to who is logged in.
func (p *pages) openAccountForm(w http.ResponseWriter, r *http.Request) {
	if _, body, ok := p.opener(w, r); ok {
		p.gate(w, r, http.StatusOK, "open_account", "open_account.title", &page{Body: body})
	}
}

// opener finds who would open an account; not ok, it has answered already.
func (p *pages) opener(w http.ResponseWriter, r *http.Request) (caller portalhttp.Caller, body opener, ok bool) {
	caller, err := p.Authenticate(r)
	if errors.Is(err, domain.ErrUnauthenticated) {
		see(w, r, loginFor(r))
		return caller, body, false
	}
	var me projections.LoginRow
	if err == nil {
		me, err = p.Reader.Login(r.Context(), caller.Grants, caller.Grants.User)
	}
	if err == nil && caller.Grants.Role != "" {
		err = errNoAccount // staff act for customers, and are none
	}
	if err != nil {
		p.fail(w, r, nil, err)
		return caller, body, false
	}
	return caller, opener{Name: me.Name, Email: me.Email, Own: len(caller.Grants.Accounts) > 0}, true
}

func (p *pages) openAccount(w http.ResponseWriter, r *http.Request) {
	caller, body, ok := p.opener(w, r)
	if !ok {
		return
	}
	ask := commands.OpenAccount{
		Name: r.PostFormValue("name"), Kind: account.Kind(r.PostFormValue("kind")),
		Country: r.PostFormValue("country"), Currency: "EUR",
	}
	call, err := p.gateCall(r, caller, ask)
	var receipt commands.Receipt
	if err == nil {
		receipt, err = p.Dispatcher.OpenAccount(r.Context(), call, ask)
	}
	if err == nil {
		err = p.inForce(r, receipt.Position)
	}
	if err != nil {
		p.again(w, r, err, "open_account", "open_account.title", &page{Body: body}, "kind", "name", "country")
		return
	}
	p.await(r.Context(), receipt.Position, "accounts", "dashboard")
	see(w, r, base(receipt.ID))
}
