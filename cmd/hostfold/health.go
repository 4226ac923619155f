package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/hostfold/hostfold/domain"
	portalhttp "github.com/hostfold/hostfold/http"
)

// phase is where the server is in its life.
type phase string

// The phases.
const (
	starting phase = "starting"
	serving  phase = "ready"
	draining phase = "draining"
)

// health knows whether requests can be answered, and why not.
type health struct {
	mu     sync.Mutex
	phase  phase
	reason string // what it waits for, "" when it need not be said
	parts  *parts
}

func newHealth() *health { return &health{phase: starting} }

// wait says what a server that is starting waits for.
func (h *health) wait(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reason = reason
}

// ready says that every part serves.
func (h *health) ready(p *parts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase, h.reason, h.parts = serving, "", p
}

// drain says that the server is stopping.
func (h *health) drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase, h.reason, h.parts = draining, "", nil
}

// open is the parts while they serve, nil before and after.
func (h *health) open() *parts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.parts
}

func (h *health) now() (at phase, reason string, p *parts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.phase, h.reason, h.parts
}

// check is nil when requests can be answered: /readyz asks it.
func (h *health) check() error {
	at, _, p := h.now()
	if p == nil {
		return errors.New("the server is " + string(at))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return p.vital(ctx)
}

// detail is what operators see.
type detail struct {
	Status phase `json:"status"`
	// Reason says why requests are refused.
	Reason string `json:"reason,omitempty"`
	// Degraded names what does not work while requests are still answered.
	Degraded []string `json:"degraded,omitempty"`
	*partsDetail
}

func (h *health) detail(ctx context.Context) (detail, int) {
	at, reason, p := h.now()
	d := detail{Status: at, Reason: reason}
	if p == nil {
		return d, http.StatusServiceUnavailable
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	d.partsDetail = p.detail(ctx)
	d.Degraded = d.degraded()
	if err := p.vital(ctx); err != nil {
		d.Status, d.Reason = "unready", err.Error()
		return d, http.StatusServiceUnavailable
	}
	return d, http.StatusOK
}

// adminHandler serves operators: health, metrics and the control channel.
func adminHandler(h *health, m *metrics, control http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		d, status := h.detail(r.Context())
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(d) // a caller that went away needs no answer
	})
	mux.Handle("GET /metrics", m.handler())
	mux.HandleFunc("POST /control/{command}", control)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !addressed(r) {
			http.Error(w, "this address is not for browsers of other sites", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// addressed refuses what a web page of another site may have caused: a request
// under a name that is no address (a rebound DNS name), or with an origin.
func addressed(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	_, err = netip.ParseAddr(host)
	return (err == nil || host == "localhost") && r.Header.Get("Origin") == ""
}

// gate answers 503 until it is opened.
type gate struct {
	mu   sync.RWMutex
	next http.Handler
}

func (g *gate) open(next http.Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = next
}

// ServeHTTP passes requests on once the gate is open.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.RLock()
	next := g.next
	g.mu.RUnlock()
	switch {
	case next != nil:
		next.ServeHTTP(w, r)
	case r.URL.Path == "/livez":
		w.WriteHeader(http.StatusOK)
	case r.URL.Path == "/readyz":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		portalhttp.Refuse(w, r, domain.ErrUnavailable)
	}
}
