package http

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/projections"
)

// Session is a log-in that was just opened: its token is told this once.
type Session struct {
	Token     string      `json:"token" doc:"Send it as Authorization: Bearer. It is told this once."`
	ExpiresAt time.Time   `json:"expires_at"`
	User      SessionUser `json:"user"`
}

// SessionUser is who logged in.
type SessionUser struct {
	ID     string `json:"id"`
	Email  string `json:"email"`
	Name   string `json:"name"`
	Locale string `json:"locale" enum:"fr,en"`
}

// OwnSession is one open session of the caller.
type OwnSession struct {
	vault.Session
	Current bool `json:"current" doc:"True for the session that asks."`
}

// opened is the answer of a log-in.
type opened struct {
	Location string        `header:"Location"`
	Cookies  []http.Cookie `header:"Set-Cookie" doc:"The session cookie, for browsers, and the device cookie, by which limits of attempts know a device again."`
	Body     Session
}

// closed is the answer of a log-out.
type closed struct {
	Cookie http.Cookie `header:"Set-Cookie" doc:"Removes the session cookie."`
}

// known is the answer to a device that is known from now on.
type known struct {
	Cookie http.Cookie `header:"Set-Cookie" doc:"The device cookie, by which limits of attempts know a device again."`
}

func (a *api) users() {
	write(a, operation{
		method: http.MethodPost, path: "/v1/users", summary: "Register a user", status: http.StatusCreated, location: "/v1/me",
		public: true, latest: true, limited: true,
		notes: "An address that is known gets the same kind of answer; its owner is told by mail. A new one gets a mail with a link that verifies it.",
	}, func(r *request, c *commands.RegisterUser) { c.IP = a.Source(r.raw).IP },
		func(ctx context.Context, call commands.Call, c commands.RegisterUser) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.RegisterUser(ctx, call, c))
		})
	silently(a, operation{
		method: http.MethodPost, path: "/v1/users/verify-email", summary: "Verify an address", status: http.StatusNoContent,
		public: true, known: true, limited: true, refuses: []int{http.StatusForbidden},
		notes: "The token of a mailed link, of a registration or of a change of address. It can be used once. " +
			"That of a change of address is followed in a session of its user. In one, a registration is proven whole; " +
			"without one somebody else may know the password: second factors that were set up before are removed, with the sessions, " +
			"the user is not hired, and a password reset that takes its log-in over revokes its API tokens.",
	}, func(r *request, c *commands.VerifyEmail) { c.IP = a.Source(r.raw).IP }, a.Dispatcher.VerifyEmail)
	silently(a, operation{
		method: http.MethodPost, path: "/v1/users/stop-factor-reset", summary: "Keep second factors that are about to be removed", status: http.StatusNoContent,
		public: true, limited: true,
		notes: "The token of the link of a mail that warned of it.",
	}, func(r *request, c *commands.StopFactorReset) { c.IP = a.Source(r.raw).IP }, a.Dispatcher.StopFactorReset)
	logIn := operation{
		method: http.MethodPost, path: "/v1/sessions", summary: "Log in", status: http.StatusCreated, public: true, secret: true,
		refuses: []int{http.StatusUnauthorized, http.StatusForbidden},
	}
	huma.Register(a.huma, a.document(logIn), func(ctx context.Context, in *bodied[commands.OpenSession]) (*opened, error) {
		r := requestOf(ctx)
		in.Body.From = a.Source(r.raw)
		done, err := a.Dispatcher.OpenSession(ctx, a.call(logIn, r, nil), in.Body)
		if err != nil {
			return nil, fail(ctx, err)
		}
		return &opened{
			Location: "/v1/sessions/current",
			Cookies:  []http.Cookie{*a.SessionCookie(done.Token, done.ExpiresAt), *a.DeviceCookie(in.Body.From)},
			Body: Session{
				Token: done.Token, ExpiresAt: done.ExpiresAt,
				User: SessionUser{ID: done.UserID, Email: done.User.Email, Name: done.User.Name, Locale: string(done.User.Locale)},
			},
		}, nil
	})
	logOut := operation{method: http.MethodDelete, path: "/v1/sessions/current", summary: "Log out", status: http.StatusNoContent, secret: true}
	huma.Register(a.huma, a.document(logOut), func(ctx context.Context, _ *none) (*closed, error) {
		r := requestOf(ctx)
		err := a.Dispatcher.EndSession(ctx, a.call(logOut, r, nil), commands.EndSession{SessionID: r.caller.Session, Current: r.caller.Session})
		if err != nil {
			return nil, fail(ctx, err)
		}
		return &closed{Cookie: *a.SessionCookie("", time.Time{})}, nil
	})
	a.passwordResets()
}

func (a *api) passwordResets() {
	ask := operation{
		method: http.MethodPost, path: "/v1/password-resets", summary: "Ask for a password reset", status: http.StatusAccepted, public: true, secret: true,
		notes: "The answer is the same whether the address is known or not. If it is, it gets a mail with a link that holds for an hour; one mail in a quarter of an hour.",
	}
	huma.Register(a.huma, a.document(ask), func(ctx context.Context, in *bodied[commands.RequestPasswordReset]) (*struct{}, error) {
		r := requestOf(ctx)
		in.Body.From = a.Source(r.raw)
		if err := a.Dispatcher.RequestPasswordReset(ctx, a.call(ask, r, nil), in.Body); err != nil {
			return nil, fail(ctx, err)
		}
		return nil, nil //nolint:nilnil // huma answers the status alone
	})
	confirm := operation{
		method: http.MethodPost, path: "/v1/password-resets/confirm", summary: "Reset a password", status: http.StatusNoContent, public: true, secret: true,
		notes: "It ends all sessions and opens none: log in next. A second factor is asked for as ever, unless it was set up before anybody had shown to read the mail of the address. " +
			"Until the address is verified in a session, a passkey from before the reset needs the password, too.",
	}
	huma.Register(a.huma, a.document(confirm), func(ctx context.Context, in *bodied[commands.ResetPassword]) (*known, error) {
		r := requestOf(ctx)
		in.Body.From = a.Source(r.raw)
		if err := a.Dispatcher.ResetPassword(ctx, a.call(confirm, r, nil), in.Body); err != nil {
			return nil, fail(ctx, err)
		}
		return &known{Cookie: *a.DeviceCookie(in.Body.From)}, nil
	})
}

// usersInput chooses users.
type usersInput struct {
	Query string `query:"q" maxLength:"254" doc:"A user's id, or its e-mail address."`
}

// ownLogin adds what a user does with its own log-in.
func (a *api) ownLogin() {
	silently(a, operation{
		method: http.MethodPost, path: "/v1/me/email-verification", summary: "Mail the verification again", status: http.StatusAccepted, latest: true, limited: true,
	}, func(r *request, c *commands.ResendVerification) { c.UserID = r.caller.Grants.User }, a.Dispatcher.ResendVerification)
	silently(a, operation{
		method: http.MethodPost, path: "/v1/me/email", summary: "Change my address", status: http.StatusAccepted, latest: true, limited: true,
		notes: "The new address gets a mail with a link; with that link it becomes yours, and the old one is told.",
	}, func(r *request, c *commands.ChangeEmail) { c.UserID = r.caller.Grants.User }, a.Dispatcher.ChangeEmail)
	silently(a, operation{
		method: http.MethodPost, path: "/v1/me/password", summary: "Change my password", status: http.StatusNoContent, limited: true,
		notes: "Your other sessions end.",
	}, func(r *request, c *commands.ChangePassword) {
		c.UserID, c.Session = r.caller.Grants.User, r.caller.Session
	}, a.Dispatcher.ChangePassword)
	silently(a, operation{
		method: http.MethodPost, path: "/v1/me/close", summary: "Close my user", status: http.StatusNoContent, limited: true, rights: true,
		notes: "For good: your sessions end, and your API tokens are refused. It is refused while you own an account.",
	}, func(r *request, c *commands.CloseUser) { c.UserID = r.caller.Grants.User }, a.Dispatcher.CloseUser)
	list(a, operation{
		method: http.MethodGet, path: "/v1/me/logins", summary: "List my log-ins",
		notes: "Those of the last twelve months, and attempts that failed.",
	}, func(ctx context.Context, r *request, in *Paging) (projections.List[vault.PastLogin], error) {
		return projections.Listed(in.page(), "logins", func(from projections.From, limit int) ([]vault.PastLogin, error) {
			return a.Vault.Logins(ctx, r.caller.Grants.User, from.At, from.ID, limit)
		}, func(l vault.PastLogin) (time.Time, string) { return l.At, l.ID })
	})
}

// staffUsers adds what staff do with users.
func (a *api) staffUsers() {
	write(a, operation{
		method: http.MethodPost, path: "/v1/staff/users/{user}/lock", summary: "Lock a user", rights: true,
		notes: "It ends the user's sessions and keeps it, and its API tokens, out until it is unlocked.",
	}, func(r *request, c *commands.LockUser) { c.UserID = r.path("user") },
		func(ctx context.Context, call commands.Call, c commands.LockUser) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.LockUser(ctx, call, c))
		})
	list(a, operation{
		method: http.MethodGet, path: "/v1/staff/users", summary: "Find a user", model: "logins",
		notes: "By its id or its whole e-mail address; there is no list of everybody.",
	}, func(ctx context.Context, r *request, in *usersInput) (projections.List[projections.UserRow], error) {
		found, err := a.Reader.StaffUsers(ctx, r.caller.Grants, strings.TrimSpace(in.Query))
		return projections.List[projections.UserRow]{Items: found}, err
	})
	single(a, operation{method: http.MethodGet, path: "/v1/staff/users/{user}", summary: "Read a user", model: "logins"},
		func(ctx context.Context, r *request) (projections.UserRow, uint64, error) {
			row, err := a.Reader.StaffUser(ctx, r.caller.Grants, r.path("user"))
			return row, row.StreamRevision, err
		})
	command(a, operation{method: http.MethodPost, path: "/v1/staff/users/{user}/unlock", summary: "Unlock a user", rights: true},
		func(r *request, c *commands.UnlockUser) { c.UserID = r.path("user") })
	write(a, operation{
		method: http.MethodPost, path: "/v1/staff/users/{user}/factor-reset", summary: "Reset a user's second factors",
		notes: "For a user who lost all of them; you have made sure that it is that person, and confirmed your own session. " +
			"Every known address of the user is told at once. After a day the second factors are removed and the sessions ended, " +
			"unless the user cancels it with the mailed link, or by showing a second factor. Staff members are reset on the machine.",
	}, func(r *request, c *commands.RequestFactorReset) { c.UserID = r.path("user") }, a.Dispatcher.RequestFactorReset)
	command(a, operation{
		method: http.MethodDelete, path: "/v1/staff/users/{user}/factor-reset", summary: "Cancel the reset of a user's second factors",
	}, func(r *request, c *commands.CancelFactorReset) { c.UserID = r.path("user") })
}

func (a *api) ownSessions() {
	view(a, operation{method: http.MethodGet, path: "/v1/me/sessions", summary: "List my sessions"},
		func(ctx context.Context, r *request) (projections.List[OwnSession], error) {
			open, err := a.Vault.Sessions(ctx, r.caller.Grants.User)
			items := make([]OwnSession, len(open))
			for i, s := range open {
				items[i] = OwnSession{Session: s, Current: s.ID == r.caller.Session}
			}
			return projections.List[OwnSession]{Items: items}, err
		})
	revoke := operation{
		method: http.MethodDelete, path: "/v1/me/sessions/{id}", summary: "End one of my sessions", status: http.StatusNoContent, secret: true,
		notes: "Another one than that which asks needs a log-in or a confirmation of the last ten minutes.",
	}
	huma.Register(a.huma, a.document(revoke), func(ctx context.Context, _ *none) (*struct{}, error) {
		r := requestOf(ctx)
		if err := a.Dispatcher.EndSession(ctx, a.call(revoke, r, nil), commands.EndSession{SessionID: r.path("id"), Current: r.caller.Session}); err != nil {
			return nil, fail(ctx, err)
		}
		return nil, nil //nolint:nilnil // huma answers the status alone
	})
}
