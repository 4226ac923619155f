package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/eventstore"
)

// Audit answers raw history, as it is stored: personal fields stay encrypted.
type Audit struct {
	store eventstore.Store
	logID uuid.UUID
	// reader records what is shown.
	reader *Reader
}

// NewAudit makes an Audit of the log with the given id.
func NewAudit(reader *Reader, store eventstore.Store, logID uuid.UUID) *Audit {
	return &Audit{store: store, logID: logID, reader: reader}
}

// AuditEvent is a stored event.
type AuditEvent struct {
	Position   eventstore.Position `json:"position"`
	Stream     string              `json:"stream"`
	Revision   uint64              `json:"revision"`
	ID         uuid.UUID           `json:"id"`
	Type       string              `json:"type"`
	RecordedAt time.Time           `json:"recorded_at"`
	Metadata   json.RawMessage     `json:"metadata"`
	Data       json.RawMessage     `json:"data"`

	// account is whose it is, "" for nobody's.
	account string
}

// AuditQuery chooses events; empty fields choose all.
type AuditQuery struct {
	Type, Actor, Account string
	// Since and Until bound the recorded time; Until is excluded.
	Since, Until time.Time
}

// auditScan bounds how many events one page looks at, so that a query which
// chooses few still ends.
const auditScan = 10_000

// Stream is a stream's history from a revision, oldest first.
func (a *Audit) Stream(ctx context.Context, g delegation.Grants, stream string, p Page) (List[AuditEvent], error) {
	from, limit, err := a.open(g, p)
	if err != nil {
		return List[AuditEvent]{}, err
	}
	list := List[AuditEvent]{Items: []AuditEvent{}}
	for r, err := range a.store.ReadStream(ctx, stream, from.Commit) {
		if err != nil {
			return List[AuditEvent]{}, fmt.Errorf("read %s: %w", stream, err)
		}
		if len(list.Items) == limit {
			list.NextCursor = a.cursor(eventstore.Position{Commit: r.Revision})
			break
		}
		list.Items = append(list.Items, auditEvent(r))
	}
	if len(list.Items) == 0 && from == eventstore.Start {
		return List[AuditEvent]{}, domain.Missing("stream")
	}
	return list, a.saw(ctx, g, list.Items)
}

// Events is the log's history, oldest first. A page may hold fewer events than
// asked for and still have a next one.
func (a *Audit) Events(ctx context.Context, g delegation.Grants, q AuditQuery, p Page) (List[AuditEvent], error) {
	from, limit, err := a.open(g, p)
	if err != nil {
		return List[AuditEvent]{}, err
	}
	list, scanned := List[AuditEvent]{Items: []AuditEvent{}}, 0
	for r, err := range a.store.ReadAll(ctx, from) {
		if err != nil {
			return List[AuditEvent]{}, fmt.Errorf("read the log: %w", err)
		}
		if len(list.Items) == limit || scanned == auditScan {
			list.NextCursor = a.cursor(r.Position)
			break
		}
		scanned++
		if q.chooses(r) {
			list.Items = append(list.Items, auditEvent(r))
		}
	}
	return list, a.saw(ctx, g, list.Items)
}

// saw records whose history is shown: the account's that owns it, or, of what no
// account owns, that of the persons whom it names.
func (a *Audit) saw(ctx context.Context, g delegation.Grants, shown []AuditEvent) error {
	var sights []inspection.Sight
	for _, e := range shown {
		sights = append(sights, SightsOf(e.account, e.Stream, e.Data)...)
	}
	return a.reader.saw(ctx, g, delegation.ListOf(delegation.StaffAudit), sights...)
}

// SightsOf is what whoever reads a raw event looks at.
func SightsOf(account, stream string, data []byte) []inspection.Sight {
	if account != "" {
		return []inspection.Sight{{Account: account, What: delegation.StaffAudit}}
	}
	var sights []inspection.Sight
	for _, id := range inspection.PersonsIn(stream, string(data)) {
		sights = append(sights, inspection.Sight{Person: id, What: delegation.StaffAudit})
	}
	return sights
}

func (q AuditQuery) chooses(r eventstore.Recorded) bool {
	if strings.HasPrefix(r.Type, "$") || q.Type != "" && r.Type != q.Type ||
		!q.Since.IsZero() && r.RecordedAt.Before(q.Since) || !q.Until.IsZero() && !r.RecordedAt.Before(q.Until) {
		return false
	}
	if q.Actor == "" && q.Account == "" {
		return true
	}
	m, err := eventstore.MetaOf(r)
	return err == nil && (q.Actor == "" || m.Actor.ID == q.Actor) && (q.Account == "" || m.Account == q.Account)
}

// open asks for the right and reads where to begin.
func (a *Audit) open(g delegation.Grants, p Page) (eventstore.Position, int, error) {
	if err := allow(g, "", delegation.StaffAudit, delegation.Resource{Kind: "log"}); err != nil {
		return eventstore.Start, 0, err
	}
	_, limit, err := Page{Limit: p.Limit}.open("audit")
	if err != nil {
		return eventstore.Start, 0, err
	}
	t, err := ParseToken(p.Cursor)
	if err != nil || t != (Token{}) && t.LogID != a.logID {
		return eventstore.Start, 0, domain.Invalid("cursor", "is not the next_cursor of this list")
	}
	return t.Position, limit, nil
}

func (a *Audit) cursor(p eventstore.Position) *string {
	s := Token{LogID: a.logID, Position: p}.String()
	return &s
}

// auditEvent is an event as stored; data that is not JSON is shown as text.
func auditEvent(r eventstore.Recorded) AuditEvent {
	account := ""
	if m, err := eventstore.MetaOf(r); err == nil {
		account = m.Account
	}
	return AuditEvent{
		account: account, Position: r.Position, Stream: r.Stream, Revision: r.Revision, ID: r.ID, Type: r.Type, RecordedAt: r.RecordedAt,
		Metadata: asJSON(r.Metadata), Data: asJSON(r.Data),
	}
}

func asJSON(b []byte) json.RawMessage {
	if json.Valid(b) {
		return b
	}
	text, _ := json.Marshal(string(b)) // a string always has a JSON form
	return text
}
