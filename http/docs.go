package http

import (
	"embed"
	"net/http"
)

// docsFiles are Swagger UI 5.35.0 (Apache-2.0), as the npm package
// swagger-ui-dist has it, and our page around it. Scalar was ruled out: its
// bundle evaluates code, sets inline styles and links to services of its maker.
//
//go:embed docs
var docsFiles embed.FS

// docsPolicy lets the docs page load what this server serves, and nothing else.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docs serves the readable docs; no request leaves this host.
func (a *api) docs() {
	a.mux.Get("/docs", a.docsFile("docs/index.html", "text/html; charset=utf-8"))
	for file, kind := range map[string]string{
		"swagger-ui-bundle.js": "text/javascript; charset=utf-8",
		"swagger-ui.css":       "text/css; charset=utf-8",
		"docs.js":              "text/javascript; charset=utf-8",
		"docs.css":             "text/css; charset=utf-8",
		"LICENSE":              "text/plain; charset=utf-8",
		"NOTICE":               "text/plain; charset=utf-8",
	} {
		a.mux.Get("/docs/"+file, a.docsFile("docs/"+file, kind))
	}
}

func (a *api) docsFile(name, kind string) http.HandlerFunc {
	content, err := docsFiles.ReadFile(name)
	if err != nil {
		panic(err) // the file is compiled in
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", docsPolicy)
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(content) // the client may be gone
	}
}
