package http

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

// OwnPasskey is one of the caller's passkeys.
type OwnPasskey struct {
	projections.Passkey
	UsedAt *time.Time `json:"used_at" nullable:"true" doc:"When it was last used; null if never."`
}

// told is an answer that is told once and changes nothing that can be read.
type told[A any] struct{ Body A }

// renewed is the answer of a confirmation.
type renewed struct {
	Cookie http.Cookie `header:"Set-Cookie" doc:"The session cookie, for browsers."`
	Body   commands.Confirmed
}

// ask adds a route that begins something: what it answers is told once.
func ask[C, A any](a *api, o operation, bind func(*request, *C), do func(context.Context, commands.Call, C) (A, error)) {
	o.secret = true
	huma.Register(a.huma, a.document(o), func(ctx context.Context, in *bare[C]) (*told[A], error) {
		r := requestOf(ctx)
		if in.Body == nil {
			in.Body = new(C)
		}
		bind(r, in.Body)
		body, err := do(ctx, a.call(o, r, nil), *in.Body)
		if err != nil {
			return nil, fail(ctx, err)
		}
		return &told[A]{body}, nil
	})
}

// askWith is ask for what needs a body.
func askWith[C, A any](a *api, o operation, bind func(*request, *C), do func(context.Context, commands.Call, C) (A, error)) {
	o.secret = true
	huma.Register(a.huma, a.document(o), func(ctx context.Context, in *bodied[C]) (*told[A], error) {
		r := requestOf(ctx)
		bind(r, &in.Body)
		body, err := do(ctx, a.call(o, r, nil), in.Body)
		if err != nil {
			return nil, fail(ctx, err)
		}
		return &told[A]{body}, nil
	})
}

// ownFactors adds what a user does with its second factors.
func (a *api) ownFactors() {
	write(a, operation{
		method: http.MethodPost, path: "/v1/me/totp", secret: true, summary: "Ask for a one-time code secret",
		notes: "Show it to an app, then confirm it with a code. It needs a log-in or a confirmation of the last ten minutes.",
	}, func(r *request, c *commands.EnrolTOTP) { c.UserID = r.caller.Grants.User }, a.Dispatcher.EnrolTOTP)
	write(a, operation{
		method: http.MethodPost, path: "/v1/me/totp/confirm", secret: true, summary: "Turn one-time codes on",
	}, func(r *request, c *commands.ConfirmTOTP) {
		c.UserID, c.Session = r.caller.Grants.User, r.caller.Session
	}, a.Dispatcher.ConfirmTOTP)
	silently(a, operation{
		method: http.MethodPost, path: "/v1/me/totp/disable", secret: true, summary: "Turn one-time codes off", status: http.StatusNoContent,
	}, func(r *request, c *commands.DisableTOTP) { c.UserID = r.caller.Grants.User }, a.Dispatcher.DisableTOTP)
	write(a, operation{
		method: http.MethodPost, path: "/v1/me/recovery-codes", secret: true, summary: "Ask for new recovery codes",
		notes: "Those before hold no more.",
	}, func(r *request, c *commands.RegenerateRecoveryCodes) {
		c.UserID, c.Session = r.caller.Grants.User, r.caller.Session
	}, a.Dispatcher.RegenerateRecoveryCodes)
	command(a, operation{
		method: http.MethodDelete, path: "/v1/me/factor-reset", summary: "Keep my second factors",
		notes: "Cancels the reset that staff asked for; GET /v1/me shows one that waits.",
	}, func(r *request, c *commands.KeepOwnFactors) { c.UserID = r.caller.Grants.User })
	confirm := operation{
		method: http.MethodPost, path: "/v1/me/confirmations", summary: "Confirm that it is me", secret: true,
		notes: "For ten minutes this session may then do what a stolen one must not. Send your second factor if you have one, else your password. " +
			"The session goes on under the token that is answered; the one that you sent holds no more.",
	}
	huma.Register(a.huma, a.document(confirm), func(ctx context.Context, in *bodied[commands.Confirm]) (*renewed, error) {
		r := requestOf(ctx)
		in.Body.UserID, in.Body.Session = r.caller.Grants.User, r.caller.Session
		done, err := a.Dispatcher.Confirm(ctx, a.call(confirm, r, nil), in.Body)
		if err != nil {
			return nil, fail(ctx, err)
		}
		return &renewed{Cookie: *a.SessionCookie(done.Token, done.ExpiresAt), Body: done}, nil
	})
	ask(a, operation{
		method: http.MethodPost, path: "/v1/me/confirmations/passkey-options", summary: "Ask for options to confirm by passkey",
	}, func(r *request, c *commands.BeginConfirm) { c.UserID = r.caller.Grants.User }, a.Dispatcher.BeginConfirm)
}

// ownPasskeys adds what a user does with its passkeys.
func (a *api) ownPasskeys() {
	view(a, operation{method: http.MethodGet, path: "/v1/me/passkeys", summary: "List my passkeys", model: "logins"}, a.listPasskeys)
	ask(a, operation{
		method: http.MethodPost, path: "/v1/me/passkeys/options", summary: "Ask for options to add a passkey",
	}, func(r *request, c *commands.BeginPasskey) { c.UserID = r.caller.Grants.User }, a.Dispatcher.BeginPasskey)
	write(a, operation{
		method: http.MethodPost, path: "/v1/me/passkeys", secret: true, summary: "Add a passkey", status: http.StatusCreated, location: "/v1/me/passkeys",
		notes: "From then on the password alone does not log in.",
	}, func(r *request, c *commands.AddPasskey) {
		c.UserID, c.Session = r.caller.Grants.User, r.caller.Session
	}, a.Dispatcher.AddPasskey)
	write(a, operation{method: http.MethodPatch, path: "/v1/me/passkeys/{id}", summary: "Rename a passkey"},
		func(r *request, c *commands.RenamePasskey) {
			c.UserID, c.PasskeyID = r.caller.Grants.User, r.path("id")
		}, func(ctx context.Context, call commands.Call, c commands.RenamePasskey) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.RenamePasskey(ctx, call, c))
		})
	silently(a, operation{
		method: http.MethodDelete, path: "/v1/me/passkeys/{id}", secret: true, summary: "Remove a passkey", status: http.StatusNoContent,
	}, func(r *request, c *commands.RemovePasskey) {
		c.UserID, c.PasskeyID = r.caller.Grants.User, r.path("id")
	}, a.Dispatcher.RemovePasskey)
	ask(a, operation{
		method: http.MethodPost, path: "/v1/sessions/passkey-options", summary: "Ask for options to log in by passkey", public: true,
		refuses: []int{http.StatusUnauthorized},
	}, func(r *request, c *commands.BeginPasskeyLogin) { c.IP = a.Source(r.raw).IP }, a.Dispatcher.BeginPasskeyLogin)
}

func (a *api) listPasskeys(ctx context.Context, r *request) (projections.List[OwnPasskey], error) {
	row, err := a.Reader.Login(ctx, r.caller.Grants, r.caller.Grants.User)
	if err != nil {
		return projections.List[OwnPasskey]{}, err
	}
	items, err := a.PasskeysOf(ctx, row)
	return projections.List[OwnPasskey]{Items: items}, err
}

// PasskeysOf are a user's passkeys with their last use, which the vault knows.
func (c Config) PasskeysOf(ctx context.Context, row projections.LoginRow) ([]OwnPasskey, error) {
	ids := make([]string, len(row.Passkeys))
	items := make([]OwnPasskey, len(row.Passkeys))
	for i, p := range row.Passkeys {
		ids[i], items[i] = p.ID, OwnPasskey{Passkey: p}
	}
	used, err := c.Vault.Passkeys(ctx, ids)
	for _, u := range used {
		for i, id := range ids {
			if id == u.ID {
				items[i].UsedAt = u.UsedAt
			}
		}
	}
	return items, err
}
