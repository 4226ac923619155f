package projections

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/eventstore"
)

// MaxEvents is the most events of one page of the feed.
const MaxEvents = 100

// Feed answers the event feed: public events of an account, in the log's
// order, in their public form. Somebody must Run it for waits to end early.
type Feed struct {
	reader   *Reader
	store    eventstore.Store
	codec    *eventstore.Codec
	audience map[string]domain.Permission

	mu sync.Mutex
	// woken has a channel per account that somebody waits for, closed when the
	// account has a new event; "" is everybody's.
	woken map[string]chan struct{}
}

// NewFeed makes a Feed.
func NewFeed(reader *Reader, store eventstore.Store, codec *eventstore.Codec) *Feed {
	return &Feed{reader: reader, store: store, codec: codec, audience: audience(), woken: make(map[string]chan struct{})}
}

// EventQuery asks for the events after a place.
type EventQuery struct {
	// Account is whose events; "" is everybody's, for staff.
	Account string
	// After is a cursor, "" for the start of the log, "now" for its head.
	After string
	// From is the field that After came in, as errors name it; "" is "after".
	From string
	// Types are event names, of whatever version; none means all.
	Types []string
	// Limit is 1 to 100; 0 is 100.
	Limit int
	// Wait is how long to wait for a first event.
	Wait time.Duration
	// Rights are the caller's; they are asked for again after a wait.
	Rights func(ctx context.Context) (delegation.Grants, error)
}

// EventPage is a run of events. Next is the cursor to go on from; it moves on
// over events that the caller may not see.
type EventPage struct {
	Events []CloudEvent `json:"events"`
	Next   string       `json:"next"`
}

// CloudEvent is a public event as CloudEvents 1.0 writes it, with two extension
// attributes: the account, and the cursor after it.
type CloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
	Account         string          `json:"account,omitempty"`
	Cursor          string          `json:"cursor"`
}

// pointer is a row of read.event_pointer.
type pointer struct {
	Commit   int64  `db:"commit_pos"`
	Prepare  int64  `db:"prepare_pos"`
	Account  string `db:"account"`
	Type     string `db:"type"`
	Stream   string `db:"stream"`
	Revision int64  `db:"revision"`
}

func (p pointer) position() eventstore.Position {
	return eventstore.Position{Commit: uint64(p.Commit), Prepare: uint64(p.Prepare)} //nolint:gosec // only written from positions
}

// Next is the next page. With nothing to show it waits, and then answers an
// empty page with the cursor to ask again with.
func (f *Feed) Next(ctx context.Context, q EventQuery) (EventPage, error) {
	if q.Limit == 0 {
		q.Limit = MaxEvents
	}
	if q.Limit < 1 || q.Limit > MaxEvents {
		return EventPage{}, domain.Invalid("limit", "must be 1 to 100")
	}
	types, err := f.everyVersion(q.Types)
	if err != nil {
		return EventPage{}, err
	}
	q.Types = types
	after, err := f.start(q)
	if err != nil {
		return EventPage{}, err
	}
	patience := time.NewTimer(q.Wait)
	defer patience.Stop()
	var g delegation.Grants
	for waited := false; ; waited = true {
		woken := f.wakes(q.Account)
		found, through, err := f.pointers(ctx, q, after)
		if err != nil {
			return EventPage{}, err
		}
		// Rights are asked for after the events were found: those that ended
		// before an event was written must not show it.
		if len(found) > 0 || !waited {
			if g, err = f.admit(ctx, q); err != nil {
				return EventPage{}, err
			}
		}
		page, err := f.page(ctx, g, found)
		if err != nil {
			return EventPage{}, err
		}
		after = through
		page.Next = f.reader.Token(after).String()
		if len(page.Events) > 0 || q.Wait <= 0 || len(found) == q.Limit {
			return page, nil
		}
		select {
		case <-woken:
		case <-patience.C:
			return page, nil
		case <-ctx.Done():
			return EventPage{}, ctx.Err()
		}
	}
}

// admit asks for the caller's rights and refuses who may not see the account.
func (f *Feed) admit(ctx context.Context, q EventQuery) (delegation.Grants, error) {
	g, err := q.Rights(ctx)
	if err != nil {
		return g, err
	}
	if q.Account == "" {
		every := delegation.Resource{Kind: "event"}
		if !delegation.Can(g, "", delegation.StaffAccountsRead, every) {
			if refused := delegation.Refusal(g, "", delegation.StaffAccountsRead, every); errors.Is(refused, delegation.ErrSecondFactor) {
				return g, refused
			}
			return g, domain.Invalid("account", "is required")
		}
		return g, nil
	}
	if !delegation.Sees(g, q.Account) {
		return g, delegation.Hidden(g)
	}
	return g, nil
}

// everyVersion are the names under which events of some types are stored: all
// versions of each, since older ones are shown in their present form.
func (f *Feed) everyVersion(types []string) (stored []string, err error) {
	for _, name := range types {
		if f.audience[anyVersion(name)] == "" {
			return nil, domain.Invalid("types", fmt.Sprintf("%q is not a public event", name))
		}
		for _, t := range catalog.Types() {
			if anyVersion(t.Name) == anyVersion(name) {
				stored = append(append(stored, t.Name), t.Former...)
			}
		}
	}
	return stored, nil
}

// start is where a cursor begins.
func (f *Feed) start(q EventQuery) (eventstore.Position, error) {
	if q.After == "now" {
		s, err := f.reader.lanes.LaneStatus(EventsModel)
		return s.Position, err
	}
	t, err := ParseToken(q.After)
	if err != nil || t != (Token{}) && t.LogID != f.reader.logID {
		return eventstore.Position{}, domain.Invalid(cmp.Or(q.From, "after"), "is not a cursor of this feed")
	}
	return t.Position, nil
}

// pointers are the next ones, and how far the feed is known after them.
func (f *Feed) pointers(ctx context.Context, q EventQuery, after eventstore.Position) ([]pointer, eventstore.Position, error) {
	s, err := f.reader.lanes.LaneStatus(EventsModel)
	if err != nil {
		return nil, after, err
	}
	// An account's own events and everybody's are two ordered scans of one
	// index; together with OR they would be a sort of all that follows.
	rows, _ := f.reader.db.Query(ctx, `
		SELECT commit_pos, prepare_pos, account, type, stream, revision
		FROM (
			(SELECT commit_pos, prepare_pos, account, type, stream, revision FROM read.event_pointer
			 WHERE $1 <> '' AND account = $1 AND (commit_pos, prepare_pos) > ($2, $3)
			   AND ($4::text[] IS NULL OR type = ANY($4))
			 ORDER BY commit_pos, prepare_pos LIMIT $5)
			UNION ALL
			(SELECT commit_pos, prepare_pos, account, type, stream, revision FROM read.event_pointer
			 WHERE $1 <> '' AND account = '' AND (commit_pos, prepare_pos) > ($2, $3)
			   AND ($4::text[] IS NULL OR type = ANY($4))
			 ORDER BY commit_pos, prepare_pos LIMIT $5)
			UNION ALL
			(SELECT commit_pos, prepare_pos, account, type, stream, revision FROM read.event_pointer
			 WHERE $1 = '' AND (commit_pos, prepare_pos) > ($2, $3)
			   AND ($4::text[] IS NULL OR type = ANY($4))
			 ORDER BY commit_pos, prepare_pos LIMIT $5)
		) p
		ORDER BY commit_pos, prepare_pos
		LIMIT $5`, q.Account, int64(after.Commit), int64(after.Prepare), q.Types, q.Limit) //nolint:gosec // a cursor of ours
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[pointer])
	if err != nil {
		return nil, after, fmt.Errorf("read the event feed: %w", err)
	}
	through := after
	if len(found) > 0 {
		through = found[len(found)-1].position()
	}
	if len(found) < q.Limit && through.Before(s.Position) {
		through = s.Position
	}
	return found, through, nil
}

// page reads the events that the caller may see and gives them their public form.
func (f *Feed) page(ctx context.Context, g delegation.Grants, found []pointer) (EventPage, error) {
	page := EventPage{Events: []CloudEvent{}}
	for _, p := range found {
		needed := f.audience[anyVersion(p.Type)]
		if !delegation.Hears(g, p.Account, needed, p.resource()) {
			continue
		}
		hidden, err := f.outOfSight(ctx, g, p.Account, p.Stream, p.position())
		if err != nil {
			return page, err
		}
		if hidden {
			continue
		}
		if err := f.reader.saw(ctx, g, p.resource(), inspection.Sight{Account: p.Account, What: needed}); err != nil {
			return page, err
		}
		event, err := f.public(ctx, g, p)
		if err != nil {
			return page, err
		}
		page.Events = append(page.Events, event)
	}
	return page, nil
}

// outOfSight reports whether an event is about a delegation that the viewer must
// not know of, as it stood then: who manages users and is limited to chosen things.
func (f *Feed) outOfSight(ctx context.Context, g delegation.Grants, account, stream string, at eventstore.Position) (bool, error) {
	if !strings.HasPrefix(stream, delegation.Decider.Category+"-") || !delegation.Limited(g, account) {
		return false, nil
	}
	var d delegation.Delegation
	for r, err := range f.store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return false, fmt.Errorf("read %s: %w", stream, err)
		}
		if at.Before(r.Position) {
			break
		}
		decoded, _, err := f.codec.Decode(ctx, r)
		if err != nil {
			return false, err
		}
		if e, ok := decoded.(delegation.Event); ok {
			d = delegation.Decider.Evolve(d, e)
		}
	}
	return !delegation.SeesDelegation(g, account, d.Terms.Scope), nil
}

// resource is what the event is about.
func (p pointer) resource() delegation.Resource {
	kind, id, _ := strings.Cut(p.Stream, "-")
	return delegation.Resource{Kind: kind, ID: id}
}

func (f *Feed) public(ctx context.Context, g delegation.Grants, p pointer) (CloudEvent, error) {
	for r, err := range f.store.ReadStream(ctx, p.Stream, uint64(p.Revision)) { //nolint:gosec // only written from revisions
		if err != nil {
			return CloudEvent{}, fmt.Errorf("read %s: %w", p.Stream, err)
		}
		e, m, err := f.codec.Decode(ctx, r)
		if err != nil {
			return CloudEvent{}, err
		}
		public, ok := e.(domain.Public)
		if !ok || r.Position != p.position() {
			return CloudEvent{}, fmt.Errorf("event at %s is not the public one that the feed points to", p.position())
		}
		if linking, ok := e.(domain.Linking); ok {
			if kind, id := linking.Link(); kind != "" && !delegation.SeesLink(g, p.Account, kind, id) {
				public = linking.Unlinked()
			}
		}
		data, err := json.Marshal(public.Public())
		if err != nil {
			return CloudEvent{}, fmt.Errorf("publish %s: %w", m.Type, err)
		}
		source := "/v1"
		if p.Account != "" {
			source = "/v1/accounts/" + p.Account
		}
		return CloudEvent{
			SpecVersion: "1.0", ID: m.EventID.String(), Source: source, Type: e.EventType(), Subject: m.AggregateID,
			Time: m.OccurredAt, DataContentType: "application/json", Data: data,
			Account: p.Account, Cursor: f.reader.Token(p.position()).String(),
		}, nil
	}
	return CloudEvent{}, fmt.Errorf("event %d of %s is not there", p.Revision, p.Stream)
}

// wakes is closed when the account may have a new event.
func (f *Feed) wakes(account string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.woken[account]
	if !ok {
		c = make(chan struct{})
		f.woken[account] = c
	}
	return c
}

// Run wakes those who wait for an account when it has new events. One query
// serves all of them.
func (f *Feed) Run(ctx context.Context) error {
	s, err := f.reader.lanes.LaneStatus(EventsModel)
	if err != nil {
		return err
	}
	for after := s.Position; ctx.Err() == nil; {
		next := eventstore.Position{Commit: after.Commit, Prepare: after.Prepare + 1}
		err := f.reader.lanes.Wait(ctx, EventsModel, next)
		if err == nil {
			after, err = f.wake(ctx, after)
		}
		if err != nil && ctx.Err() == nil {
			// The lane is halted or the database away: look again soon.
			t := time.NewTimer(time.Second)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
		}
	}
	return nil
}

// wake wakes the waiters of the accounts with events after a position.
func (f *Feed) wake(ctx context.Context, after eventstore.Position) (eventstore.Position, error) {
	s, err := f.reader.lanes.LaneStatus(EventsModel)
	if err != nil {
		return after, err
	}
	rows, _ := f.reader.db.Query(ctx, `
		SELECT DISTINCT account
		FROM read.event_pointer
		WHERE (commit_pos, prepare_pos) > ($1, $2)`, int64(after.Commit), int64(after.Prepare)) //nolint:gosec // a position of ours
	accounts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return after, fmt.Errorf("read the event feed: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	everybody := slices.Contains(accounts, "")
	for account, c := range f.woken {
		// Staff who look at everybody's events wait under "".
		if len(accounts) > 0 && (everybody || account == "" || slices.Contains(accounts, account)) {
			close(c)
			delete(f.woken, account)
		}
	}
	return s.Position, nil
}
