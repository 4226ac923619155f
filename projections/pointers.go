package projections

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// EventsModel is the lane of the event feed's pointers.
const EventsModel = "events"

// pointers keeps read.event_pointer: where in the log each account's public
// events are. It holds no content, so that an erased person's words are gone
// from the feed as well.
func pointers() Model {
	m := Define(EventsModel, pointerView{audience: audience()})
	m.metaOnly = true
	return m
}

// audience is the permission that each public event needs, by its name without
// the version.
func audience() map[string]domain.Permission {
	public := make(map[string]domain.Permission)
	for _, t := range catalog.Types() {
		if t.Permission != "" {
			public[anyVersion(t.Name)] = t.Permission
		}
	}
	return public
}

// pointerView only ever adds rows, so it loads none.
type pointerView struct{ audience map[string]domain.Permission }

func (pointerView) Table() string { return "read.event_pointer" }
func (pointerView) key() string   { return "commit_pos, t.prepare_pos" }

func (v pointerView) types() []string {
	types := make([]string, 0, len(v.audience))
	for name := range v.audience {
		types = append(types, name)
	}
	return types
}

func (v pointerView) begin() work { return &pointerRows{} }

type pointerRows struct {
	commits, prepares, revisions []int64
	accounts, types, streams     []string
}

func (*pointerRows) declare(domain.Event, Meta) {}
func (*pointerRows) load(*pgx.Batch)            {}

func (p *pointerRows) apply(_ context.Context, _ *feed.Tx, _ domain.Event, m Meta) error {
	p.commits = append(p.commits, int64(m.Position.Commit))    //nolint:gosec // the lane has refused what does not fit
	p.prepares = append(p.prepares, int64(m.Position.Prepare)) //nolint:gosec // the lane has refused what does not fit
	p.revisions = append(p.revisions, int64(m.Revision))       //nolint:gosec // a stream has fewer events than the log
	p.accounts = append(p.accounts, owningAccount(m))
	p.types, p.streams = append(p.types, m.Type), append(p.streams, m.Stream)
	return nil
}

func (p *pointerRows) write(tx *feed.Tx) error {
	tx.Queue(`
		INSERT INTO read.event_pointer (commit_pos, prepare_pos, account, type, stream, revision)
		SELECT commit_pos, prepare_pos, account, type, stream, revision
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[])
		     AS t(commit_pos, prepare_pos, account, type, stream, revision)`,
		p.commits, p.prepares, p.accounts, p.types, p.streams, p.revisions)
	return nil
}
