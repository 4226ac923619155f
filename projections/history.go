package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// Act is one thing that was done on an account: who did it, for whom, and by
// what right at that time.
type Act struct {
	// ID is the event's, Type its name.
	ID       uuid.UUID   `json:"id"`
	Type     string      `json:"type"`
	At       time.Time   `json:"at"`
	Resource ActResource `json:"resource"`
	Actor    ActActor    `json:"actor"`
	// OnBehalfOf is the account that a delegate or staff acted for.
	OnBehalfOf string `json:"on_behalf_of,omitempty"`
	// Permission is what the act needed.
	Permission domain.Permission `json:"permission,omitempty"`
	// Grant is what the actor held then. It is absent when the viewer may not
	// know what it reached.
	Grant *ActGrant `json:"grant,omitempty"`
	// Impersonation is that under which staff acted for the account, or that
	// began or ended.
	Impersonation *ActImpersonation `json:"impersonation,omitempty"`
}

// ActImpersonation is why and until when staff may act for an account.
type ActImpersonation struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Reason  string    `json:"reason"`
	Ticket  string    `json:"ticket,omitempty" doc:"The ticket that asks for it."`
	Consent bool      `json:"consent" doc:"The customer agreed otherwise."`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until" doc:"When it ends, unless it was ended before."`
}

// ActResource is what an act was done to.
type ActResource struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// ActActor is who acted.
type ActActor struct {
	// Kind is user, staff, system, gateway, demo or import.
	Kind domain.ActorKind `json:"kind"`
	ID   string           `json:"id,omitempty"`
	// Name is that of a user, as it is now.
	Name string `json:"name,omitempty"`
	// Impersonator is the staff member who acted as the user, Token the API
	// token by which the user acted.
	Impersonator string `json:"impersonator,omitempty"`
	Token        string `json:"token,omitempty"`
}

// ActGrant is by what right somebody acted.
type ActGrant struct {
	// Role is owner, delegate, user (who held nothing yet), staff, impersonator
	// (staff who acted for the account) or system.
	Role string `json:"role"`
	// Delegation and the terms are a delegate's, as they were before the act.
	Delegation string            `json:"delegation,omitempty"`
	Terms      *delegation.Terms `json:"terms,omitempty"`
}

// historyRow is one row of read.history.
type historyRow struct {
	Commit       int64             `db:"commit_pos"`
	Prepare      int64             `db:"prepare_pos"`
	EventID      uuid.UUID         `db:"event_id"`
	Type         string            `db:"type"`
	Stream       string            `db:"stream"`
	ActorKind    domain.ActorKind  `db:"actor_kind"`
	Actor        string            `db:"actor"`
	ActorName    string            `db:"actor_name"`
	Impersonator string            `db:"impersonator"`
	Token        string            `db:"token"`
	OnBehalfOf   string            `db:"on_behalf_of"`
	Permission   domain.Permission `db:"permission"`
	Delegation   string            `db:"delegation"`
	Impersonated string            `db:"impersonation"`
	OccurredAt   time.Time         `db:"occurred_at"`
}

// HistoryModel is the lane of what was done.
const HistoryModel = "history"

// history keeps read.history: the public events of accounts, without content.
func history() Model {
	m := Define(HistoryModel, historyView{pointerView{audience: audience()}})
	m.metaOnly = true
	return m
}

// historyView only ever adds rows, as the pointers do.
type historyView struct{ pointerView }

func (historyView) Table() string { return "read.history" }
func (historyView) begin() work   { return &historyRows{} }

type historyRows struct {
	pointerRows
	ids                                                           []uuid.UUID
	facts, kinds, actors, impersonators, tokens, behalves, rights []string
	delegations, impersonations                                   []string
	times                                                         []time.Time
}

func (p *historyRows) apply(ctx context.Context, _ *feed.Tx, e domain.Event, m Meta) error {
	if owningAccount(m) == "" {
		return nil // what concerns everybody is under inspection.Everybody
	}
	p.ids, p.facts = append(p.ids, m.EventID), append(p.facts, anyVersion(m.Type))
	p.kinds, p.actors = append(p.kinds, string(m.Actor.Kind)), append(p.actors, m.Actor.ID)
	p.impersonators, p.tokens = append(p.impersonators, m.Actor.Impersonator), append(p.tokens, m.Actor.Token)
	p.behalves, p.rights = append(p.behalves, m.OnBehalfOf), append(p.rights, string(m.Permission))
	p.delegations, p.times = append(p.delegations, m.Delegation), append(p.times, m.OccurredAt)
	p.impersonations = append(p.impersonations, m.Impersonation)
	return p.pointerRows.apply(ctx, nil, e, m)
}

func (p *historyRows) write(tx *feed.Tx) error {
	if len(p.ids) == 0 {
		return nil
	}
	tx.Queue(`
		INSERT INTO read.history (commit_pos, prepare_pos, account, event_id, type, fact, stream, actor_kind, actor,
		                          impersonator, token, on_behalf_of, permission, delegation, occurred_at, impersonation)
		SELECT *
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
		            $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::text[])`,
		p.commits, p.prepares, p.accounts, p.ids, p.types, p.facts, p.streams, p.kinds, p.actors,
		p.impersonators, p.tokens, p.behalves, p.rights, p.delegations, p.times, p.impersonations)
	return nil
}

// HistoryQuery chooses acts; empty fields choose all.
type HistoryQuery struct {
	// Actor is the id of who acted.
	Actor string
	// Since and Until bound the time of the act; Until is excluded.
	Since, Until time.Time
}

// History is what was done on an account, newest first: to whoever manages its
// users, as far as they may see the thing that it was done to.
func (f *Feed) History(ctx context.Context, g delegation.Grants, account string, q HistoryQuery, p Page) (List[Act], error) {
	if err := f.reader.allowUsers(ctx, g, account); err != nil {
		return List[Act]{}, err
	}
	_, limit, err := Page{Limit: p.Limit}.open(HistoryModel)
	if err != nil {
		return List[Act]{}, err
	}
	before, err := ParseToken(p.Cursor)
	if err != nil || before != (Token{}) && before.LogID != f.reader.logID {
		return List[Act]{}, domain.Invalid("cursor", "is not the next_cursor of this list")
	}
	whole, chosen, streams := f.shown(g, account)
	// The account's own acts and those that concern everybody who was there by
	// then are two ordered scans of one index.
	const chooses = `
		  AND ($2 OR (h.commit_pos, h.prepare_pos) < ($3, $4))
		  AND ($5 = '' OR h.actor = $5)
		  AND ($6::timestamptz IS NULL OR h.occurred_at >= $6)
		  AND ($7::timestamptz IS NULL OR h.occurred_at < $7)
		  AND (h.fact = ANY($8) OR h.fact = ANY($9) AND h.stream = ANY($10))
		ORDER BY h.commit_pos DESC, h.prepare_pos DESC
		LIMIT $11`
	rows, _ := f.reader.db.Query(ctx, `
		SELECT h.commit_pos, h.prepare_pos, h.event_id, h.type, h.stream, h.actor_kind, h.actor, coalesce(l.name, '') AS actor_name,
		       h.impersonator, h.token, h.on_behalf_of, h.permission, h.delegation, h.impersonation, h.occurred_at
		FROM (
			(SELECT * FROM read.history h
			 WHERE h.account = $1`+chooses+`)
			UNION ALL
			(SELECT * FROM read.history h
			 WHERE h.account = '`+inspection.Everybody+`'
			   AND h.commit_pos > (SELECT min(commit_pos) FROM read.history WHERE account = $1)`+chooses+`)
		) h
		LEFT JOIN read.login l ON l.id = h.actor AND h.actor_kind = 'user'
		ORDER BY h.commit_pos DESC, h.prepare_pos DESC
		LIMIT $11`, account, before == Token{}, int64(before.Position.Commit), int64(before.Position.Prepare), //nolint:gosec // a cursor of ours
		q.Actor, optional(q.Since), optional(q.Until), whole, chosen, streams, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[historyRow])
	if err != nil {
		return List[Act]{}, fmt.Errorf("read the history: %w", err)
	}
	list := List[Act]{}
	if len(found) > limit {
		found = found[:limit]
		next := f.reader.Token(found[limit-1].position()).String()
		list.NextCursor = &next
	}
	list.Items, err = f.acts(ctx, g, account, found)
	return list, err
}

// shown are the facts that the viewer may see of the whole account, and those
// that it may see of chosen things, with the streams of these.
func (f *Feed) shown(g delegation.Grants, account string) (whole, chosen, streams []string) {
	for fact, p := range f.audience {
		list := delegation.ListOf(p)
		if p == delegation.UsersManage && mayUsers(g, account) == nil {
			whole = append(whole, fact)
			continue
		}
		if !delegation.Hears(g, account, p, list) {
			continue
		}
		ids := delegation.Reach(g, account, p)
		if ids == nil {
			whole = append(whole, fact)
			continue
		}
		chosen = append(chosen, fact)
		for _, id := range ids {
			streams = append(streams, list.Kind+"-"+id)
		}
	}
	slices.Sort(streams)
	return whole, chosen, slices.Compact(streams)
}

func (row historyRow) position() eventstore.Position {
	return eventstore.Position{Commit: uint64(row.Commit), Prepare: uint64(row.Prepare)} //nolint:gosec // only written from positions
}

// acts are the rows with the grants as they were.
func (f *Feed) acts(ctx context.Context, g delegation.Grants, account string, rows []historyRow) ([]Act, error) {
	acts := make([]Act, 0, len(rows))
	terms, err := f.termsAt(ctx, rows)
	if err != nil {
		return nil, err
	}
	begun := map[string]*ActImpersonation{}
	for i, row := range rows {
		hidden, err := f.outOfSight(ctx, g, account, row.Stream, row.position())
		if err != nil {
			return nil, err
		}
		if hidden {
			continue
		}
		kind, id, _ := strings.Cut(row.Stream, "-")
		act := Act{
			ID: row.EventID, Type: row.Type, At: row.OccurredAt, Resource: ActResource{Kind: kind, ID: id},
			Actor:      ActActor{Kind: row.ActorKind, ID: row.Actor, Name: row.ActorName, Impersonator: row.Impersonator, Token: row.Token},
			OnBehalfOf: row.OnBehalfOf, Permission: row.Permission,
		}
		// What another delegate reached may be what a limited viewer must not know of.
		if !delegation.Limited(g, account) || row.Actor == g.User {
			act.Grant = &ActGrant{Role: row.role(), Delegation: row.Delegation, Terms: terms[i]}
		}
		under := row.Impersonated
		if kind == impersonation.Decider.Category {
			under = id
		}
		if act.Impersonation, err = f.impersonation(ctx, g, account, under, begun); err != nil {
			return nil, err
		}
		acts = append(acts, act)
	}
	return acts, nil
}

func (row historyRow) role() string {
	switch {
	case row.Delegation != "":
		return "delegate"
	case row.ActorKind == domain.ActorUser && row.Permission == delegation.SignedIn:
		return "user" // opening an account, accepting an invitation
	case row.ActorKind == domain.ActorUser:
		return "owner"
	case row.Impersonated != "":
		return "impersonator"
	case row.ActorKind == domain.ActorStaff:
		return "staff"
	}
	return "system"
}

// termsAt are the terms that each row's delegation gave before it, replayed
// from the delegation's stream; nil without one.
func (f *Feed) termsAt(ctx context.Context, rows []historyRow) ([]*delegation.Terms, error) {
	terms := make([]*delegation.Terms, len(rows))
	byDelegation := map[string][]int{} // oldest row first
	for i, row := range slices.Backward(rows) {
		if row.Delegation != "" {
			byDelegation[row.Delegation] = append(byDelegation[row.Delegation], i)
		}
	}
	for id, open := range byDelegation {
		var d delegation.Delegation
		note := func(until func(eventstore.Position) bool) {
			for ; len(open) > 0 && until(rows[open[0]].position()); open = open[1:] {
				now := d.Terms
				terms[open[0]] = &now
			}
		}
		for r, err := range f.store.ReadStream(ctx, delegation.Decider.At(id).Stream(), 0) {
			if err != nil {
				return nil, fmt.Errorf("read delegation %s: %w", id, err)
			}
			note(func(p eventstore.Position) bool { return !r.Position.Before(p) })
			decoded, _, err := f.codec.Decode(ctx, r)
			if err != nil {
				return nil, err
			}
			if e, ok := decoded.(delegation.Event); ok {
				d = delegation.Decider.Evolve(d, e)
			}
		}
		note(func(eventstore.Position) bool { return true })
	}
	return terms, nil
}

// optional is a time for SQL, NULL for none.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Impersonation is what the caller's session does for an account.
func (f *Feed) Impersonation(ctx context.Context, g delegation.Grants, account string) (ActImpersonation, error) {
	if err := allow(g, account, delegation.StaffImpersonate, delegation.Resource{Kind: "account", ID: account}); err != nil {
		return ActImpersonation{}, err
	}
	if g.Impersonation == nil || g.Impersonation.Account != account {
		return ActImpersonation{}, impersonation.ErrMissing
	}
	found, err := f.impersonation(ctx, g, account, g.Impersonation.ID, map[string]*ActImpersonation{})
	if err != nil {
		return ActImpersonation{}, err
	}
	return *found, nil
}

// impersonation is what a stream says of an impersonation, nil for the id "".
// A viewer who may not know of its ticket is not told of it.
func (f *Feed) impersonation(ctx context.Context, g delegation.Grants, account, id string, known map[string]*ActImpersonation) (*ActImpersonation, error) {
	if found, ok := known[id]; ok || id == "" {
		return found, nil
	}
	for r, err := range f.store.ReadStream(ctx, impersonation.Decider.At(id).Stream(), 0) {
		if err != nil {
			return nil, fmt.Errorf("read impersonation %s: %w", id, err)
		}
		decoded, m, err := f.codec.Decode(ctx, r)
		if err != nil {
			return nil, err
		}
		e, ok := decoded.(impersonation.Started)
		if !ok {
			break
		}
		found := &ActImpersonation{ID: id, Account: e.Account, Reason: e.Reason, Ticket: e.Ticket, Consent: e.Consent, Since: m.OccurredAt, Until: e.Until}
		if e.Ticket != "" && !delegation.SeesLink(g, account, "ticket", e.Ticket) {
			found.Ticket = ""
		}
		known[id] = found
		return found, nil
	}
	return nil, fmt.Errorf("impersonation %s has no beginning", id)
}
