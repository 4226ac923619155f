package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
)

// scavengeNotFound refuses to stop a scavenge that is not under way.
func scavengeNotFound(id string) *refusal {
	return &refusal{
		code: codes.NotFound, text: "Scavenge id was invalid.",
		exception: "scavenge-not-found", more: []string{"scavenge-id", id},
	}
}

// startScavenge starts a scavenge that ends with the server at the latest.
// Begun is false when one is under way, whose id it answers.
func (s *Server) startScavenge() (id uuid.UUID, begun bool, err error) {
	run, err := s.e.beginScavenge()
	if errors.Is(err, ErrScavenging) {
		now, last, _ := s.e.scavengeNow()
		if now == uuid.Nil {
			now = last // It has ended since.
		}
		return now, false, nil
	}
	if err != nil {
		return uuid.Nil, false, err
	}
	s.scavenging.Go(func() {
		// The engine says in its log how it ends.
		_, _ = run.run(s.stopping)
	})
	return run.out.ID, true, nil
}

// stopScavenge stops the scavenge with an id.
func (s *Server) stopScavenge(id string) error {
	parsed, err := uuid.Parse(id)
	if err != nil || !s.e.StopScavenge(parsed) {
		return scavengeNotFound(id)
	}
	return nil
}

// scavengeHandlers adds scavenges over HTTP, as the store's own tools ask for
// them. Threads and chunks are taken and mean nothing here.
func (s *Server) scavengeHandlers(mux *http.ServeMux) {
	mux.HandleFunc("POST /admin/scavenge", s.operator(func(w http.ResponseWriter, r *http.Request) {
		for name, least := range map[string]int{"startFromChunk": 0, "threads": 1} {
			text := r.URL.Query().Get(name)
			if n, err := strconv.Atoi(text); text != "" && (err != nil || n < least) {
				http.Error(w, name+" must be a number of at least "+strconv.Itoa(least), http.StatusBadRequest)
				return
			}
		}
		id, begun, err := s.startScavenge()
		switch {
		case err != nil:
			http.Error(w, "the event store cannot be scavenged now", http.StatusServiceUnavailable)
		case !begun:
			http.Error(w, "Scavenge is already running", http.StatusBadRequest)
		default:
			answerScavenge(w, id, "")
		}
	}))
	mux.HandleFunc("DELETE /admin/scavenge/{id}", s.operator(func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if err := s.stopScavenge(id); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		answerScavenge(w, uuid.MustParse(id), "")
	}))
	mux.HandleFunc("GET /admin/scavenge/current", s.operator(func(w http.ResponseWriter, _ *http.Request) {
		now, _, _ := s.e.scavengeNow()
		answerScavenge(w, now, "")
	}))
	mux.HandleFunc("GET /admin/scavenge/last", s.operator(func(w http.ResponseWriter, _ *http.Request) {
		_, last, result := s.e.scavengeNow()
		answerScavenge(w, last, result)
	}))
}

// answerScavenge answers an id, none for the nil one, and a result if there is one.
func answerScavenge(w http.ResponseWriter, id uuid.UUID, result scavengeResult) {
	answer := struct {
		ID     string         `json:"scavengeId"`
		Result scavengeResult `json:"scavengeResult,omitempty"`
	}{Result: result}
	if id != uuid.Nil {
		answer.ID = id.String()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // A client that is gone is not told.
}

// operator lets only those through who may operate the store.
func (s *Server) operator(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if s.auth != nil {
			login, password, given := r.BasicAuth()
			if !given {
				w.Header().Set("WWW-Authenticate", `Basic realm="event store"`)
				http.Error(w, errUnauthenticated.text, http.StatusUnauthorized)
				return
			}
			p, err := s.auth.logIn(ctx, login, password)
			if err != nil {
				http.Error(w, errUnauthenticated.text, http.StatusUnauthorized)
				return
			}
			ctx = context.WithValue(ctx, principalKey{}, p)
		}
		if err := s.auth.mayOperate(ctx); err != nil {
			http.Error(w, errAccessDenied.text, http.StatusForbidden)
			return
		}
		next(w, r.WithContext(ctx))
	}
}
