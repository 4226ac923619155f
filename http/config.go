package http

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/answers"
)

// Config is what the server is made of.
type Config struct {
	// PublicURL is the base of every link; https turns on what TLS allows.
	PublicURL *url.URL
	// Hosts are the names this server answers for; OwnHosts makes them.
	Hosts []string
	// TrustedProxies are the networks whose forwarding headers count.
	TrustedProxies []netip.Prefix
	// Dispatcher carries out commands.
	Dispatcher *commands.Dispatcher
	// Vault holds sessions and the pepper by which requests are recognised.
	Vault *vault.Vault
	// Pace bounds how much each user asks for; nil does not.
	Pace *Pace
	// Reader answers queries.
	Reader *projections.Reader
	// Feed answers the event feed, Audit raw history.
	Feed  *projections.Feed
	Audit *projections.Audit
	// Answers remembers what was said to requests with an Idempotency-Key.
	Answers answers.Store
	// Version is printed in the OpenAPI document.
	Version string
	// Ready is asked by /readyz; an error makes it 503.
	Ready func() error
	// Pages serves what is not the API: the portal. Nil is nothing there.
	Pages http.Handler
	// Clock and NewID bring time and ids.
	Clock func() time.Time
	NewID func() uuid.UUID
	// Log gets one line per request.
	Log *slog.Logger
	// Observe is told of every request answered, for metrics; it may be nil.
	Observe func(method, route string, status int, took time.Duration)
}

// TLS reports whether clients reach the server over TLS.
func (c Config) TLS() bool { return c.PublicURL.Scheme == "https" }

// OwnHosts are the hosts a server answers for: that of its public URL and, on
// a loopback listener, the names of the loopback.
func OwnHosts(public *url.URL, listener net.Addr) []string {
	hosts := []string{hostPort(public.Host, public.Scheme)}
	addr, err := netip.ParseAddrPort(listener.String())
	if err != nil || !addr.Addr().IsLoopback() {
		return hosts
	}
	_, port, _ := net.SplitHostPort(listener.String())
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		hosts = append(hosts, net.JoinHostPort(name, port))
	}
	return hosts
}

// Limits of a connection. A client that is slower than these is cut off; the
// event feed moves its own write deadline on as long as it is read.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 20 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 90 * time.Second
	maxHeader     = 32 << 10
	maxBody       = 256 << 10
	// answerTimeout ends a request's work, so that an answer can still be sent.
	answerTimeout = 40 * time.Second
)

// NewServer is the HTTP server for a handler, with the limits against slow
// and greedy clients. Its streams end when it is told to shut down.
func NewServer(h http.Handler, errorLog *slog.Logger) *http.Server {
	draining := make(chan struct{})
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(errorLog.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, drainingKey{}, (<-chan struct{})(draining))
		},
	}
	s.RegisterOnShutdown(sync.OnceFunc(func() { close(draining) }))
	return s
}

type drainingKey struct{}

// UntilDraining ends with ctx, or when the server of ctx's request is told to
// shut down, so that a stream does not hold the end back.
func UntilDraining(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	draining, _ := ctx.Value(drainingKey{}).(<-chan struct{}) // never closed without a server
	go func() {
		select {
		case <-draining:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
