package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestAdminHidesWhatIsNotAskedForRightly(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	open := func() *parts { return &parts{} }
	admin := adminHandler(newHealth(), newMetrics(), control("secret", log, map[string]func() tool{"echo": func() tool { return &echoTool{} }}, open))
	for _, c := range []struct {
		name, method, target, host, origin, secret, body string
		want                                             int
		text                                             string
	}{
		{name: "a command with the secret is done", method: "POST", target: "/control/echo", secret: "secret", body: `{"Text":"hello"}`, want: 200, text: `{"out":"hello"}`},
		{name: "a failed command says why", method: "POST", target: "/control/echo", secret: "secret", body: `{}`, want: 200, text: `{"end":"nothing to say"}`},
		{name: "without the secret there is nothing", method: "POST", target: "/control/echo", body: `{"Text":"hello"}`, want: 404},
		{name: "with a wrong secret neither", method: "POST", target: "/control/echo", secret: "secre", body: `{"Text":"hello"}`, want: 404},
		{name: "an unknown command is nothing", method: "POST", target: "/control/nonsense", secret: "secret", body: `{}`, want: 404},
		{name: "an unknown option is refused", method: "POST", target: "/control/echo", secret: "secret", body: `{"Txet":"hello"}`, want: 400},
		{name: "a page of another site is refused", method: "GET", target: "/metrics", origin: "http://evil.example", want: 403},
		{name: "a rebound name is refused", method: "GET", target: "/metrics", host: "evil.example:8081", want: 403},
		{name: "an address is answered", method: "GET", target: "/metrics", host: "127.0.0.1:8081", want: 200, text: "go_goroutines"},
		{name: "health says that it is starting", method: "GET", target: "/readyz", want: 503, text: `"status":"starting"`},
		{name: "life is answered", method: "GET", target: "/livez", want: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), c.method, c.target, strings.NewReader(c.body))
			r.Host = "localhost"
			if c.host != "" {
				r.Host = c.host
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.secret != "" {
				r.Header.Set("Authorization", "Bearer "+c.secret)
			}
			w := httptest.NewRecorder()
			admin.ServeHTTP(w, r)
			if w.Code != c.want || !strings.Contains(w.Body.String(), c.text) {
				t.Errorf("it answers %d %s, want %d with %q", w.Code, w.Body, c.want, c.text)
			}
		})
	}
}

// echoTool says what it was told.
type echoTool struct{ Text string }

func (e *echoTool) work(_ context.Context, _ *parts, t terms) error {
	if e.Text == "" {
		return errors.New("nothing to say")
	}
	_, err := t.Write([]byte(e.Text))
	return err
}

func TestTheGateIsClosedUntilItIsOpened(t *testing.T) {
	t.Parallel()
	g := &gate{}
	ask := func(path string) int {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w.Code
	}
	if got := ask("/"); got != http.StatusServiceUnavailable {
		t.Errorf("closed, it answers %d", got)
	}
	if got := ask("/livez"); got != http.StatusOK {
		t.Errorf("closed, it is dead: %d", got)
	}
	g.open(http.NotFoundHandler())
	if got := ask("/"); got != http.StatusNotFound {
		t.Errorf("open, it answers %d itself", got)
	}
}

func TestServicesStopTheLastFirst(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ended []string
	s := newServices(slog.New(slog.DiscardHandler))
	for _, name := range []string{"database", "lanes", "portal"} {
		s.start(name, func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, name)
			return nil
		})
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"portal", "lanes", "database"}; !slices.Equal(ended, want) {
		t.Errorf("they ended as %v, want %v", ended, want)
	}
}

func TestAServiceThatEndsByItselfIsAFailure(t *testing.T) {
	t.Parallel()
	s := newServices(slog.New(slog.DiscardHandler))
	s.start("lanes", func(context.Context) error { return errors.New("broken") })
	<-s.failed
	s.start("jobs", func(context.Context) error { return context.Canceled })
	<-s.failed
	if err := s.stop(); err == nil || err.Error() != "jobs: context canceled\nlanes: broken" {
		t.Errorf("the failure is %v", err)
	}
}
