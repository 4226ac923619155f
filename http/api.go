package http

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// api is what the routes close over.
type api struct {
	Config
	huma huma.API
	mux  *chi.Mux
	// handler is mux behind the middleware.
	handler http.Handler
}

// New is the handler of the whole main port. It panics when the routes
// contradict each other, which is a defect that any test finds.
func New(c Config) http.Handler {
	a := newAPI(c)
	a.routes()
	a.publish()
	return a
}

// publish serves the document. It is made at the first request, and once: two
// first requests at huma's own route would both make it.
func (a *api) publish() {
	document := a.huma.OpenAPI()
	for path, form := range map[string]struct {
		kind  string
		bytes func() ([]byte, error)
	}{
		"/openapi.json": {"application/openapi+json", sync.OnceValues(document.MarshalJSON)},
		"/openapi.yaml": {"application/openapi+yaml", sync.OnceValues(document.YAML)},
	} {
		a.mux.Get(path, func(w http.ResponseWriter, r *http.Request) {
			content, err := form.bytes()
			if err != nil {
				Refuse(w, r, err)
				return
			}
			w.Header().Set("Content-Type", form.kind)
			_, _ = w.Write(content) // the client may be gone
		})
	}
}

func newAPI(c Config) *api {
	useProblems()
	a := &api{Config: c, mux: chi.NewMux()}
	a.mux.NotFound(a.elsewhere)
	a.mux.MethodNotAllowed(a.wrongMethod)
	a.huma = humachi.New(a.mux, a.document31())
	a.docs()
	a.handler = c.observed(c.secured(a.probed(c.own(bounded(a.mux)))))
	return a
}

// ServeHTTP serves the main port.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// elsewhere gives what is not the API's to the pages.
func (a *api) elsewhere(w http.ResponseWriter, r *http.Request) {
	if a.Pages == nil || r.URL.Path == "/v1" || strings.HasPrefix(r.URL.Path, "/v1/") {
		Refuse(w, r, errRouteMissing)
		return
	}
	a.Pages.ServeHTTP(w, r)
}

// wrongMethod names the methods that an address knows.
func (a *api) wrongMethod(w http.ResponseWriter, r *http.Request) {
	var known []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if !a.mux.Match(chi.NewRouteContext(), method, r.URL.Path) {
			continue
		}
		known = append(known, method)
		if method == http.MethodGet {
			known = append(known, http.MethodHead)
		}
	}
	w.Header().Set("Allow", strings.Join(known, ", "))
	Refuse(w, r, errMethod)
}

// probed answers the probes, which come by address, under any host name.
func (a *api) probed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/livez":
		case "/readyz":
			a.readyz(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// readyz answers a bare status; the admin port says why.
func (a *api) readyz(w http.ResponseWriter) {
	if a.Ready != nil && a.Ready() != nil {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// document31 is huma's configuration: OpenAPI 3.1 at /openapi.json and .yaml,
// strict input, no hooks that add to bodies.
func (a *api) document31() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "hostfold", Version: a.Version, Description: aboutTheAPI,
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				Schemas: schemas(),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":   {Type: "http", Scheme: "bearer", Description: "The token that POST /v1/sessions answers."},
					"session": {Type: "apiKey", In: "cookie", Name: a.CookieName(), Description: "The cookie that POST /v1/sessions sets."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": strictJSON, "json": strictJSON},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

const aboutTheAPI = `The JSON API of the hosting portal.

Writes are commands; reads show what they led to a moment later. A write answers a Consistency-Token: a read that
sends it back waits until it shows that write. Money is a decimal string with its currency. Refusals are problem
documents (RFC 9457) with a stable code. HEAD answers what GET would, without the body.`

// fail is what an operation answers for an error.
func fail(ctx context.Context, err error) error {
	noteFailure(ctx, err)
	return problemOf(err).finish(ctx)
}
