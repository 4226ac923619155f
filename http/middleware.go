package http

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// RequestID is the id of the request that ctx belongs to, "" outside of one.
func RequestID(ctx context.Context) string { return noteOf(ctx).id }

// observed gives the request its id and, when it is answered, its log line. A
// panic becomes a 500 that says nothing but the id.
func (c Config) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := c.Clock()
		n := &note{id: "req_" + strings.ReplaceAll(c.NewID().String(), "-", ""), input: "body"}
		if reads(r) {
			n.input = "query"
		}
		ctx := context.WithValue(r.Context(), noteKey{}, n)
		// chi fills the route context in while it routes.
		routed := chi.NewRouteContext()
		if r.Method == http.MethodHead {
			routed.RouteMethod = http.MethodGet // the server leaves the body out
		}
		r = r.WithContext(context.WithValue(ctx, chi.RouteCtxKey, routed))
		w.Header().Set("X-Request-Id", n.id)
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this
					panic(p)
				}
				n.err = fmt.Errorf("panic: %v", p)
				if rec.status == 0 {
					Refuse(rec, r, n.err)
				}
			}
			n.route = routed.RoutePattern()
			took := c.Clock().Sub(began)
			level := slog.LevelInfo
			if rec.sent() >= http.StatusInternalServerError && rec.sent() != http.StatusServiceUnavailable {
				level = slog.LevelError
			}
			c.Log.Log(r.Context(), level, "request", n.attrs(r, rec.sent(), took)...)
			if c.Observe != nil {
				c.Observe(r.Method, n.route, rec.sent(), took)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// reads reports whether a request changes nothing: HEAD is GET without a body.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// recorder remembers the status. Unwrap keeps http.ResponseController working.
type recorder struct {
	http.ResponseWriter
	status int
}

// sent is the status that the client sees: a handler that says nothing says 200.
func (r *recorder) sent() int { return cmp.Or(r.status, http.StatusOK) }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b) //nolint:wrapcheck // a pass-through
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// apiPolicy is the content security policy of everything that does not set its
// own: nothing may load, run or frame it.
const apiPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// secured sets the security headers that every answer has. A page widens the
// policy by setting its own.
func (c Config) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", apiPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if c.TLS() {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		next.ServeHTTP(w, r)
	})
}

// own refuses requests for another host and requests that another site's page
// makes: the loopback is not trusted, and a cookie travels by itself.
func (c Config) own(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Refuse(w, r, errForeignOrigin) }))
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(c.Hosts, hostPort(r.Host, c.PublicURL.Scheme)) {
			Refuse(w, r, errForeignHost)
			return
		}
		if c.plain(r) {
			c.toTLS(w, r)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && !c.ownOrigin(origin) {
			Refuse(w, r, errForeignOrigin)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// plain reports whether a request crossed a network without TLS though clients
// are to use it: this process was asked for by another machine, or a trusted
// proxy says so. This machine itself may ask as it likes.
func (c Config) plain(r *http.Request) bool {
	if !c.TLS() || r.TLS != nil {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return true
	}
	addr := peer.Addr().Unmap()
	if c.trusted(addr) {
		proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
		proto = strings.TrimSpace(proto)
		return proto != "" && !strings.EqualFold(proto, "https")
	}
	return !addr.IsLoopback()
}

// trusted reports whether an address is a proxy's whose headers count.
func (c Config) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(c.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// toTLS leads people to the page that they asked for; programs are refused, so
// that they do not send secrets in clear again and again without being told.
func (c Config) toTLS(w http.ResponseWriter, r *http.Request) {
	if !reads(r) || strings.HasPrefix(r.URL.Path, "/v1") {
		Refuse(w, r, errPlain)
		return
	}
	to := *c.PublicURL
	to.Path, to.RawPath, to.RawQuery = r.URL.Path, r.URL.RawPath, r.URL.RawQuery
	http.Redirect(w, r, to.String(), http.StatusPermanentRedirect)
}

// hostPort is a host in one form, with the port that its scheme implies.
func hostPort(host, scheme string) string {
	name, port, err := net.SplitHostPort(strings.ToLower(host))
	if err != nil {
		name, port = strings.Trim(strings.ToLower(host), "[]"), "80"
		if scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(name, port)
}

func (c Config) ownOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	host := hostPort(u.Host, u.Scheme)
	if host == hostPort(c.PublicURL.Host, c.PublicURL.Scheme) {
		return u.Scheme == c.PublicURL.Scheme
	}
	return u.Scheme == "http" && slices.Contains(c.Hosts, host)
}

// bounded ends a request's work in time and its body in size. Streams go on:
// they bound each of their steps themselves. A body is there before anybody looks
// who sends it: whoever keeps it back is let in by the rights of its end. One that
// does not come is refused here: its connection is of no use any more, and net/http
// has ended the request's context.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !wantsStream(r) {
			ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
			defer cancel()
			r = r.WithContext(ctx)
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if !reads(r) {
			content, err := io.ReadAll(r.Body)
			switch {
			case err == nil:
				err = io.EOF
			case isTimeout(err):
				Refuse(w, r, errSlow)
				return
			case !errors.As(err, new(*http.MaxBytesError)):
				Refuse(w, r, errMalformed)
				return
			}
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content), ended{err}))
		}
		next.ServeHTTP(w, r)
	})
}

func isTimeout(err error) bool {
	var wait net.Error
	return errors.As(err, &wait) && wait.Timeout()
}

// ended is the end of a body, or of what was read of one that is too large.
type ended struct{ err error }

func (e ended) Read([]byte) (int, error) { return 0, e.err }

// clientIP is the address of the client: the nearest one that is not a trusted
// proxy.
func (c Config) clientIP(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !c.trusted(addr) {
			return addr
		}
		before, err := hopAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr
		}
		addr = before.Unmap()
	}
	return addr
}

// hopAddr reads one entry of a forwarding header; some proxies write the port,
// too.
func hopAddr(hop string) (netip.Addr, error) {
	if with, err := netip.ParseAddrPort(hop); err == nil {
		return with.Addr(), nil
	}
	return netip.ParseAddr(strings.Trim(hop, "[]")) //nolint:wrapcheck // the caller only asks whether
}

// RetryAfter is the header's value for a wait, at least a second.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(max(1, int(wait.Round(time.Second)/time.Second)))
}
