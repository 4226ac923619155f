package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// eventsInput asks for a part of the feed.
type eventsInput struct {
	Account     string   `query:"account" maxLength:"64" doc:"The account whose events to read; only staff may leave it out."`
	After       string   `query:"after" maxLength:"512" doc:"The cursor to go on from: none is the beginning, now is the end."`
	Types       []string `query:"types" maxItems:"50" doc:"Names of events, with commas between; none means all."`
	Wait        int      `query:"wait" minimum:"0" maximum:"30" doc:"How many seconds to wait when there is no event yet."`
	LastEventID string   `header:"Last-Event-ID" maxLength:"512" doc:"The id that an event stream goes on from; it goes before after."`
}

const (
	batchType  = "application/cloudevents-batch+json"
	streamType = "text/event-stream"
	// heartbeat is how long a silent stream says nothing.
	heartbeat = 15 * time.Second
	// streamWrite is how long a reader may keep a stream from going on.
	streamWrite = 30 * time.Second
)

// events adds the feed: a JSON batch, or with Accept: text/event-stream a
// stream of the same events that goes on until one of the sides ends it.
func (a *api) events() {
	o := operation{
		method: http.MethodGet, path: "/v1/events", summary: "Follow events", refuses: []int{http.StatusNotFound},
		notes: "CloudEvents 1.0 in the order of the log, in their public form. An empty batch waits as long as is asked for. " +
			"The header Next-Cursor, or the cursor of the last event, says where to go on. " +
			"With Accept: text/event-stream the events come as a stream that can be resumed by Last-Event-ID.",
	}
	doc := a.document(o)
	doc.Responses = map[string]*huma.Response{"200": a.eventsAnswer()}
	huma.Register(a.huma, doc, func(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
		r := requestOf(ctx)
		q, streaming := a.eventQuery(r, in), wantsStream(r.raw)
		if streaming {
			// What is refused must be refused before the stream begins.
			q.Wait = 0
			q.Rights = steady(q.Account, q.Rights)
		}
		release := func() {}
		if streaming || q.Wait > 0 {
			var err error
			if release, err = a.Pace.Hold(r.caller.Grants.User); err != nil {
				return nil, fail(ctx, err)
			}
		}
		page, err := a.Feed.Next(ctx, q)
		if err != nil {
			release()
			return nil, fail(ctx, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer release()
			raw, w := humachi.Unwrap(hc)
			if streaming {
				w.Header().Set("Content-Type", streamType)
				w.Header().Set("X-Accel-Buffering", "no")
				if raw.Method != http.MethodHead {
					a.stream(raw.Context(), w, q, page)
				}
				return
			}
			w.Header().Set("Content-Type", batchType)
			w.Header().Set("Next-Cursor", page.Next)
			_ = json.NewEncoder(w).Encode(page.Events) // the client may be gone
		}}, nil
	})
}

func (a *api) eventsAnswer() *huma.Response {
	event := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[projections.CloudEvent](), true, "CloudEvent")
	return &huma.Response{
		Description: "Events, or an empty batch when none came in time.",
		Headers: map[string]*huma.Param{
			"Next-Cursor": {Description: "Where to go on.", Schema: &huma.Schema{Type: "string"}},
		},
		Content: map[string]*huma.MediaType{
			batchType:  {Schema: &huma.Schema{Type: "array", Items: event}},
			streamType: {Schema: &huma.Schema{Type: "string"}},
		},
	}
}

// eventQuery is the caller's question. The session and its rights are asked
// for again with every batch.
func (a *api) eventQuery(r *request, in *eventsInput) projections.EventQuery {
	q := projections.EventQuery{Account: in.Account, After: in.After, Types: in.Types, Wait: time.Duration(in.Wait) * time.Second}
	if q.Account == "" && r.caller.Grants.Token != "" {
		for account := range r.caller.Grants.Accounts {
			q.Account = account // a token has the one
		}
	}
	if in.LastEventID != "" {
		q.After, q.From = in.LastEventID, "header:Last-Event-ID"
	}
	q.Rights = func(ctx context.Context) (delegation.Grants, error) {
		caller, err := a.Authenticate(r.raw.WithContext(ctx))
		return caller.Grants, err
	}
	return q
}

// steady refuses once the caller holds less on the account than at first, which
// ends a stream: the client then asks again, as what it is now.
func steady(account string, rights func(context.Context) (delegation.Grants, error)) func(context.Context) (delegation.Grants, error) {
	var first *delegation.Grant
	return func(ctx context.Context) (delegation.Grants, error) {
		g, err := rights(ctx)
		if err != nil {
			return g, err
		}
		now := g.Accounts[account]
		if first == nil {
			first = &now
		}
		if !now.Covers(*first) {
			return g, errAccountMissing
		}
		return g, nil
	}
}

func wantsStream(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), streamType) }

// stream writes events as they come. It ends when the client goes, when the
// server drains, or when the caller's rights no longer reach the account: the
// client then asks again and is told why.
func (a *api) stream(ctx context.Context, w http.ResponseWriter, q projections.EventQuery, page projections.EventPage) {
	ctx, cancel := UntilDraining(ctx)
	defer cancel()
	out := http.NewResponseController(w)
	for {
		if err := a.write(w, out, page); err != nil {
			return // the client is gone or too slow
		}
		q.After, q.Wait = page.Next, heartbeat
		var err error
		if page, err = a.Feed.Next(ctx, q); err != nil {
			if !errors.Is(err, context.Canceled) && domain.KindOf(err) == domain.KindInternal {
				noteFailure(ctx, err)
			}
			return
		}
	}
}

// write sends a page, or a comment that keeps the connection alive.
func (a *api) write(w http.ResponseWriter, out *http.ResponseController, page projections.EventPage) error {
	// Writers that have no deadline, as those of tests, are not slow either.
	if err := out.SetWriteDeadline(a.Clock().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if len(page.Events) == 0 {
		// The id moves over events that the caller may not see.
		if _, err := fmt.Fprintf(w, ": still here\nid: %s\n\n", page.Next); err != nil {
			return err
		}
	}
	for _, e := range page.Events {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", e.Cursor, e.Type, data); err != nil {
			return err
		}
	}
	return out.Flush()
}
