package http

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// CookieName is the session cookie's name. Under TLS the prefix makes browsers
// refuse one that another host or an insecure page set.
func (c Config) CookieName() string {
	if c.TLS() {
		return "__Host-hostfold_session"
	}
	return "hostfold_session"
}

// SessionCookie carries a session's token until it expires; an empty token
// removes it.
func (c Config) SessionCookie(token string, expires time.Time) *http.Cookie {
	cookie := &http.Cookie{ //nolint:gosec // without TLS there is no Secure to ask for
		Name: c.CookieName(), Value: token, Path: "/", Expires: expires,
		HttpOnly: true, Secure: c.TLS(), SameSite: http.SameSiteLaxMode,
	}
	if token == "" {
		cookie.MaxAge = -1
		cookie.Expires = time.Time{}
	}
	return cookie
}

// GoOn has a browser's session go on under another token, from this very request
// on: a confirmation gave it one.
func (c Config) GoOn(w http.ResponseWriter, r *http.Request, done commands.Confirmed) {
	http.SetCookie(w, c.SessionCookie(done.Token, done.ExpiresAt))
	if r.Header.Get("Authorization") != "" {
		r.Header.Set("Authorization", "Bearer "+done.Token)
		return
	}
	sent := r.Cookies()
	r.Header.Del("Cookie")
	for _, cookie := range sent {
		if cookie.Name == c.CookieName() {
			cookie.Value = done.Token
		}
		r.AddCookie(cookie)
	}
}

// deviceCookie is the name of the cookie by which a device is known again.
func (c Config) deviceCookie() string {
	if c.TLS() {
		return "__Host-hostfold_device"
	}
	return "hostfold_device"
}

// deviceFor is how long a browser keeps the device cookie, from each log-in.
const deviceFor = 180 * 24 * time.Hour

// DeviceCookie makes a browser known: what strangers try with an address that
// was logged in to from it does not keep it out. It opens nothing.
func (c Config) DeviceCookie(from vault.Client) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // without TLS there is no Secure to ask for
		Name: c.deviceCookie(), Value: from.Device, Path: "/", MaxAge: int(deviceFor / time.Second),
		HttpOnly: true, Secure: c.TLS(), SameSite: http.SameSiteLaxMode,
	}
}

// Source is where a request comes from.
func (c Config) Source(r *http.Request) vault.Client {
	device := ""
	if cookie, err := r.Cookie(c.deviceCookie()); err == nil {
		device = cookie.Value
	}
	return commands.ClientOf(device, r.UserAgent(), c.clientIP(r).String())
}

// Authenticate finds who is behind a request's session or API token and what
// that user, or the token, holds. It refuses while rights cannot be told, and who
// asks for more than Pace allows.
func (c Config) Authenticate(r *http.Request) (Caller, error) {
	asked := c.Clock()
	caller, err := c.authenticate(r)
	if err != nil {
		return Caller{}, err
	}
	caller.asked = asked
	n := noteOf(r.Context())
	if n.by != "" {
		return caller, nil // a request is counted once
	}
	n.by = cmp.Or(caller.Grants.Token, caller.Grants.User)
	return caller, c.Pace.take(caller.Grants.User, r)
}

func (c Config) authenticate(r *http.Request) (Caller, error) {
	token, err := c.tokenOf(r)
	if err != nil {
		return Caller{}, err
	}
	if vault.IsAPIToken(token) {
		return c.program(r.Context(), token)
	}
	var held delegation.Grants
	current := c.Reader.RightsCurrent() // before they are read, so that they are no older
	session, err := c.Vault.Session(r.Context(), token, projections.AskRights(&held))
	if err == nil {
		err = current
	}
	if err != nil {
		return Caller{}, err
	}
	held.User = session.UserID
	held.Unproven = held.Role != "" && !session.StaffRights
	held.Fresh.Password, held.Fresh.SecondFactor = session.Fresh(c.Clock())
	if now := c.Clock(); session.Acts.On(now) {
		over, err := c.Reader.Closed(r.Context(), session.Acts.Account)
		if err != nil {
			return Caller{}, err
		}
		if !over {
			held = held.Impersonating(delegation.Impersonation{ID: session.Acts.ID, Account: session.Acts.Account, Until: *session.Acts.Until})
		}
	}
	return Caller{Session: session.ID, Grants: held}, nil
}

// program is the caller behind an API token.
func (c Config) program(ctx context.Context, token string) (Caller, error) {
	id, err := c.Vault.APIToken(ctx, token)
	if err != nil {
		return Caller{}, err
	}
	grants, err := c.Reader.TokenRights(ctx, id)
	return Caller{Grants: grants}, err
}

// tokenOf is the session token of a request: that of the Authorization header,
// or else the cookie's.
func (c Config) tokenOf(r *http.Request) (string, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		token = strings.TrimSpace(token)
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return "", domain.ErrUnauthenticated
		}
		return token, nil
	}
	cookie, err := r.Cookie(c.CookieName())
	if err != nil || cookie.Value == "" || vault.IsAPIToken(cookie.Value) {
		return "", domain.ErrUnauthenticated
	}
	return cookie.Value, nil
}
