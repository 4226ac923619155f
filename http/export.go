package http

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/projections"
)

const (
	// exportsAtOnce bounds the exports that one server writes at the same time,
	// one a user: each holds a database transaction for as long as its reader takes.
	exportsAtOnce = 2
	// exportTime is how long one export may take, exportWrite how long its reader
	// may keep it from going on.
	exportTime  = 15 * time.Minute
	exportWrite = 30 * time.Second
)

// errExports says that other exports are being written.
var errExports = &domain.Error{Kind: domain.KindLimited, Code: "exports_busy", Detail: "Other exports are being written; try again in a minute."}

// exporters are the users whose exports are being written.
type exporters struct {
	mu    sync.Mutex
	users map[string]bool
}

// begin takes a slot for a user; end gives it back.
func (e *exporters) begin(user string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.users[user] || len(e.users) >= exportsAtOnce {
		return errExports
	}
	e.users[user] = true
	return nil
}

func (e *exporters) end(user string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.users, user)
}

// pieces is a writer whose deadline moves on with every piece that is written.
type pieces struct {
	http.ResponseWriter
	clock func() time.Time
}

func (p pieces) Write(piece []byte) (int, error) {
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(p.clock().Add(exportWrite)) // a writer without one has no deadline
	return p.ResponseWriter.Write(piece)
}

func (a *api) exports() {
	under := &exporters{users: map[string]bool{}}
	export[AsOf](a, under, operation{
		method: http.MethodGet, path: "/v1/accounts/{account}/export", summary: "Export everything an account holds",
		refuses: []int{http.StatusTooManyRequests},
		notes:   "One JSON document, for the owner alone, as everything was at the position that it states. Its last member is complete: true; without it the document was cut short. That an export was made is recorded.",
	}, func(ctx context.Context, r *request, x *projections.Export, w http.ResponseWriter) error {
		return x.Account(ctx, r.account, w)
	})
	export[none](a, under, operation{
		method: http.MethodGet, path: "/v1/me/export", summary: "Export everything held about me",
		refuses: []int{http.StatusTooManyRequests},
		notes:   "One JSON document: profile, sessions, mails and what the log says of me. What accounts hold is in their own exports. Its last member is complete: true.",
	}, func(ctx context.Context, r *request, x *projections.Export, w http.ResponseWriter) error {
		sessions, err := a.Vault.Sessions(ctx, r.caller.Grants.User)
		if err != nil {
			return err
		}
		logins, err := a.allLogins(ctx, r.caller.Grants.User)
		if err != nil {
			return err
		}
		return x.User(ctx, map[string]any{"sessions": sessions, "logins": logins}, w)
	})
}

// export adds a route that writes an export. That it is made is noted first.
func export[I any](a *api, under *exporters, o operation, write func(context.Context, *request, *projections.Export, http.ResponseWriter) error) {
	doc := a.document(o)
	doc.Responses = map[string]*huma.Response{"200": {
		Description: "The document.",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: "object"}}},
	}}
	huma.Register(a.huma, doc, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		r := requestOf(ctx)
		if past, ok := any(in).(interface{ now() error }); ok {
			if err := past.now(); err != nil {
				return nil, fail(ctx, err)
			}
		}
		if err := projections.MayExport(r.caller.Grants, r.account); err != nil {
			return nil, fail(ctx, err) // who may not takes no slot
		}
		user := r.caller.Grants.User
		if err := under.begin(user); err != nil {
			return nil, fail(ctx, err)
		}
		x, err := a.openExport(ctx, o, r)
		if err != nil {
			under.end(user)
			return nil, fail(ctx, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer under.end(user)
			raw, w := humachi.Unwrap(hc)
			ctx, cancel := context.WithTimeout(raw.Context(), exportTime)
			defer cancel()
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Disposition", `attachment; filename="export.json"`)
			if err := write(ctx, r, x, pieces{w, a.Clock}); err != nil {
				a.Log.WarnContext(ctx, "an export was cut short", "error", err)
			}
			if err := x.Close(); err != nil {
				a.Log.WarnContext(ctx, "an export was not closed", "error", err)
			}
		}}, nil
	})
}

// allLogins is a user's whole log-in history, which is kept for a year.
func (a *api) allLogins(ctx context.Context, user string) ([]vault.PastLogin, error) {
	const page = 100
	all, before, id := []vault.PastLogin{}, a.Clock().Add(time.Hour), ""
	for {
		some, err := a.Vault.Logins(ctx, user, before, id, page)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < page {
			return all, nil
		}
		before, id = some[len(some)-1].At, some[len(some)-1].ID
	}
}

func (a *api) openExport(ctx context.Context, o operation, r *request) (*projections.Export, error) {
	opened, cancel := context.WithTimeout(ctx, r.wait+10*time.Second)
	defer cancel()
	// Its transaction outlives this call; what it waits for does not.
	x, err := a.Feed.Export(opened, r.caller.Grants, r.account, a.Clock())
	if err != nil {
		return nil, err
	}
	// It has waited, as a read does.
	if err = a.identify(r, o); err == nil {
		err = projections.MayExport(r.caller.Grants, r.account)
	}
	if err == nil {
		_, err = commands.Execute(ctx, a.Dispatcher, a.call(o, r, nil), commands.NoteExport{UserID: r.caller.Grants.User, AccountID: r.account})
	}
	if err != nil {
		_ = x.Close() // nothing was written
		return nil, err
	}
	return x, nil
}
