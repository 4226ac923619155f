package portal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
)

// An open page follows what it shows: the stream tells it a version whenever
// the read model has changed, and the page fetches itself again.
const (
	// streamLife is how long one stream lasts. Its end is a clean one, and the
	// browser opens the next: who is asking is found anew.
	streamLife = 30 * time.Second
	// streamPace is the least time between two versions.
	streamPace = 250 * time.Millisecond
	// boardModel is the read model whose progress wakes the streams: every event
	// of an account that a page shows passes through it.
	boardModel = "dashboard"
	// retryMillis is how long the browser waits before it opens the next.
	retryMillis = 1000
)

// shown is what a page shows: the read models that keep it, and the query.
type shown struct {
	models []string
	look   func(ctx context.Context) (any, error)
}

// follows are the pages that can be followed.
func (p *pages) follows(v *visit, what, id, status string) (shown, bool) {
	first, read := projections.Page{}, p.Reader
	g := func() delegation.Grants { return v.caller.Grants }
	all := map[string]shown{
		"dashboard": {[]string{"news"}, func(ctx context.Context) (any, error) {
			if v.page.Staff == nil {
				return v.board, nil
			}
			err := p.readBoard(ctx, v)
			return v.board, err
		}},
		"services": {[]string{"services"}, func(ctx context.Context) (any, error) { return read.Services(ctx, g(), v.account, first) }},
		"service":  {[]string{"services"}, func(ctx context.Context) (any, error) { return read.Service(ctx, g(), v.account, id) }},
		"domains":  {[]string{"domain_names"}, func(ctx context.Context) (any, error) { return read.DomainNames(ctx, g(), v.account, first) }},
		"invoices": {[]string{"invoices"}, func(ctx context.Context) (any, error) { return read.Invoices(ctx, g(), v.account, status, first) }},
		"invoice":  {[]string{"invoices"}, func(ctx context.Context) (any, error) { return read.Invoice(ctx, g(), v.account, id) }},
		"tickets":  {[]string{"tickets"}, func(ctx context.Context) (any, error) { return read.Tickets(ctx, g(), v.account, first) }},
		"ticket":   {[]string{"tickets"}, func(ctx context.Context) (any, error) { return read.Ticket(ctx, g(), v.account, id) }},
	}
	s, ok := all[what]
	return s, ok
}

// follow makes the page keep itself up to date with what it shows.
func (p *pages) follow(v *visit, what, id string, content any) error {
	version, err := p.version(v, content)
	if err != nil {
		return err
	}
	q := url.Values{"of": {what}}
	if id != "" {
		q.Set("id", id)
	}
	if status := v.query("status"); status != "" {
		q.Set("status", status)
	}
	v.page.Stream, v.page.Version = v.path("stream")+"?"+q.Encode(), version
	return nil
}

// version stands for what a page shows, the bell included.
func (p *pages) version(v *visit, content any) (string, error) {
	b, err := json.Marshal([]any{content, v.page.Unread})
	if err != nil {
		return "", fmt.Errorf("tell the version of a page: %w", err)
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:12]), nil
}

// stream tells an open page the version of what it shows, at once and at every
// change, as server-sent events.
func (p *pages) stream(v *visit) error {
	q := v.r.URL.Query()
	what, ok := p.follows(v, q.Get("of"), q.Get("id"), q.Get("status"))
	if !ok {
		return domain.Missing("stream")
	}
	release, err := p.Pace.Hold(v.caller.Grants.User)
	if err != nil {
		return err // the page goes on without, and asks again
	}
	defer release()
	ctx, cancel := context.WithTimeout(v.r.Context(), streamLife)
	defer cancel()
	ctx, stop := portalhttp.UntilDraining(ctx)
	defer stop()
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	if v.r.Method == http.MethodHead {
		return nil
	}
	out := http.NewResponseController(v.w)
	fmt.Fprintf(v.w, "retry: %d\n\n", retryMillis)
	told := ""
	for {
		after, err := p.Reader.Passed(boardModel)
		if err != nil {
			return nil // the page asks again
		}
		version, err := p.look(ctx, v, what, after)
		if err != nil {
			return nil // the page asks again, and is told by then
		}
		if version != told {
			told = version
			fmt.Fprintf(v.w, "event: version\ndata: %s\n\n", version)
		}
		if err := out.Flush(); err != nil {
			return nil // the page is gone
		}
		if !pause(ctx, streamPace) || p.Reader.Follow(ctx, boardModel, after) != nil {
			return nil
		}
	}
}

// look finds who is asking anew, and the version of what the page shows once
// its read models have come as far as the dashboard's.
func (p *pages) look(ctx context.Context, v *visit, what shown, after projections.Token) (_ string, err error) {
	if v.caller, err = p.Authenticate(v.r); err != nil {
		return "", err
	}
	for _, model := range what.models {
		if _, err := p.Reader.Wait(ctx, model, after); err != nil {
			return "", err
		}
	}
	if err := p.bell(ctx, v); err != nil {
		return "", err
	}
	content, err := what.look(ctx)
	if err != nil {
		return "", err
	}
	return p.version(v, content)
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
