package node

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// handler answers what tools ask before they connect, and lets operators
// scavenge. No event can be written or read here. Requests that a web page of another site may have caused are
// refused: under a foreign name (a rebound DNS name) or origin.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"msgTypeId":70,"text":"Ping request successfully handled"}`))
	})
	s.scavengeHandlers(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isOurs(r.Host) || r.Header.Get("Origin") != "" && !s.isOurOrigin(r) {
			http.Error(w, "foreign host or origin", http.StatusForbidden)
			return
		}
		if s.shared != nil && r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			s.shared.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) isOurOrigin(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && u.Host == r.Host && s.isOurs(u.Host)
}

// isOurs reports whether a host, with or without port, names this machine: as
// loopback does, an option, the advertised address or the certificate.
func (s *Server) isOurs(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	is := func(h string) bool { return strings.EqualFold(h, name) }
	if is("localhost") || slices.ContainsFunc(s.o.Hosts, is) {
		return true
	}
	if advertised, _, err := net.SplitHostPort(s.o.Advertise); err == nil && is(advertised) {
		return true
	}
	if a, err := netip.ParseAddr(name); err == nil && a.Unmap().IsLoopback() {
		return true
	}
	return covers(s.o.TLS, name)
}
