package portal

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	portalhttp "github.com/hostfold/hostfold/http"
)

const (
	loginPath      = "/portal/login"
	languageCookie = "hostfold_lang"
)

// loginPage is what the log-in form needs beside its fields.
type loginPage struct {
	// Return is where to go after.
	Return string
	// Challenge is what a second factor is asked for, "" while the password is.
	Challenge string
	// Passkey is true where passkeys log in.
	Passkey bool
}

func (p *pages) login(w http.ResponseWriter, r *http.Request) {
	if _, err := p.Authenticate(r); err == nil {
		see(w, r, ours(r.URL.Query().Get("return")))
		return
	}
	p.showLogin(w, r, http.StatusOK, loginPage{Return: r.URL.Query().Get("return")}, &page{})
}

func (p *pages) showLogin(w http.ResponseWriter, r *http.Request, status int, body loginPage, content *page) {
	body.Passkey = p.Dispatcher.Passkeys != nil
	content.Body = body
	if body.Return != "" {
		content.Keep = kept(url.Values{"return": {body.Return}})
	}
	title := "login.title"
	if body.Challenge != "" {
		title = "factor.title"
	}
	p.gate(w, r, status, "login", title, content)
}

// spoken is the language of the pages of the gate: the one chosen there, or else the
// browser's.
func spoken(r *http.Request) string {
	if l := known(r.URL.Query().Get("lang")); l != "" {
		return l
	}
	if l := known(chosen(r, languageCookie)); l != "" {
		return l
	}
	return accepted(r)
}

func (p *pages) logIn(w http.ResponseWriter, r *http.Request) {
	ask := commands.OpenSession{Email: r.PostFormValue("email"), Password: r.PostFormValue("password")}
	challenge := r.PostFormValue("challenge")
	switch answer := r.PostFormValue("passkey"); {
	case answer != "":
		ask = commands.OpenSession{
			Challenge: r.PostFormValue("passkey_challenge"), Factor: commands.Factor{Passkey: json.RawMessage(answer)},
		}
	case challenge != "":
		ask = commands.OpenSession{Challenge: challenge, Factor: commands.FactorOf(r.PostFormValue("code"))}
	}
	ask.From = p.Source(r)
	opened, err := p.Dispatcher.OpenSession(r.Context(), p.FormCall(r, portalhttp.Caller{}, "", nil), ask)
	if err == nil {
		http.SetCookie(w, p.SessionCookie(opened.Token, opened.ExpiresAt))
		http.SetCookie(w, p.DeviceCookie(ask.From))
		to := ours(r.PostFormValue("return"))
		if opened.WantsFactor {
			to = alonePath + "/security/second-factor?" + url.Values{"return": {to}}.Encode()
		}
		see(w, r, to)
		return
	}
	portalhttp.Note(r.Context(), err)
	content := &page{Form: form{values: url.Values{"email": {r.PostFormValue("email")}}}}
	body := loginPage{Return: r.PostFormValue("return")}
	if asked, ok := errors.AsType[*commands.ChallengeError](err); ok {
		body.Challenge = asked.Challenge
	} else {
		said := p.views.words[spoken(r)]
		content.Form.explain(said, err)
		if domain.KindOf(err) == domain.KindLimited && challenge == "" {
			content.Form.Problem = said.textOr("login.limited", content.Form.Problem)
		}
		if challenge != "" && !errors.Is(err, commands.ErrChallenge) {
			body.Challenge = challenge
		}
	}
	p.showLogin(w, r, portalhttp.Status(err), body, content)
}

func (p *pages) logOut(w http.ResponseWriter, r *http.Request) {
	caller, err := p.Authenticate(r)
	if err == nil {
		err = p.Dispatcher.EndSession(r.Context(), p.FormCall(r, caller, "", nil), commands.EndSession{SessionID: caller.Session, Current: caller.Session})
	}
	if err != nil && !errors.Is(err, domain.ErrUnauthenticated) {
		p.fail(w, r, nil, err)
		return
	}
	http.SetCookie(w, p.endedCookie())
	see(w, r, loginPath+"?done=logged_out")
}

// endedCookie takes the session cookie away.
func (p *pages) endedCookie() *http.Cookie { return p.SessionCookie("", time.Time{}) }
