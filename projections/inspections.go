package projections

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/audit"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/user"
)

// InspectionRow is that somebody looked at what the log holds of a person and no
// account owns.
type InspectionRow struct {
	ID string `db:"id" json:"id"`
	// Person is whose it was, inspection.Everybody when all was read.
	Person string    `db:"person" json:"-"`
	At     time.Time `db:"at" json:"at"`
	// What is why the row is there.
	What Inspected `db:"what" json:"what" enum:"history,history_in_clear,login,erasure" doc:"The raw history, where personal data stay encrypted, or the same in clear; the log-in as staff see it who look after users; or where its erasure stands."`
	// Everybody is true when the history of all was read.
	Everybody bool `db:"everybody" json:"everybody" doc:"The history of everybody was read."`
	// ReaderKind and Reader are who looked: a staff member, or the command line.
	ReaderKind domain.ActorKind `db:"reader_kind" json:"reader_kind" enum:"staff,system"`
	Reader     string           `db:"reader" json:"reader" doc:"The id of the staff member, or the name of a part of the system."`
}

// Inspected is what was looked at.
type Inspected string

// History is raw history as it is stored, HistoryInClear with its personal data;
// Login is what Reader.StaffUser shows, Erasing what Reader.StaffErasure does.
const (
	History        Inspected = "history"
	HistoryInClear Inspected = "history_in_clear"
	Login          Inspected = "login"
	Erasing        Inspected = "erasure"
)

const inspectionColumns = `id, person, at, what, everybody, reader_kind, reader`

// InspectionsModel is the lane of what was looked at of persons.
const InspectionsModel = "inspections"

// inspections keeps read.inspection by event, and read.person.
func inspections() Model {
	note := func(rows *Rows[InspectionRow], person string, what Inspected, m Meta) {
		row := rows.Get(m.EventID.String())
		row.Person, row.At, row.What, row.Everybody = person, m.OccurredAt, what, person == inspection.Everybody
		row.ReaderKind, row.Reader = m.Actor.Kind, m.Actor.ID
	}
	return Define(InspectionsModel,
		Keep(Table{Name: "read.inspection", KeyOf: func(m Meta) string { return m.EventID.String() }},
			On(func(rows *Rows[InspectionRow], e inspection.PersonLookedAt, m Meta) {
				what := History
				switch e.What {
				case delegation.StaffAccounts:
					what = Login
				case delegation.StaffPrivacy:
					what = Erasing
				}
				note(rows, e.User, what, m)
			}),
			On(func(rows *Rows[InspectionRow], e inspection.LookedAt, m Meta) {
				if e.Account == inspection.Everybody {
					note(rows, e.Account, History, m)
				}
			}),
			On(func(rows *Rows[InspectionRow], e audit.DecryptionStarted, m Meta) {
				if m.Account == inspection.Everybody {
					note(rows, m.Account, HistoryInClear, m)
				}
				if category, id, _ := strings.Cut(e.What, "-"); m.Account == "" && category != "" && strings.HasPrefix(id, "usr_") {
					note(rows, id, HistoryInClear, m)
				}
			}),
		),
		Keep(Table{Name: "read.person"},
			On(func(rows *Rows[personRow], _ user.Registered, m Meta) { rows.Get(m.AggregateID).Since = m.RecordedAt }),
		),
	)
}

// personRow is since when a person is there.
type personRow struct {
	ID    string    `db:"id"`
	Since time.Time `db:"since"`
}

// Inspections are who looked at what the log holds of the viewer, newest first.
func (r *Reader) Inspections(ctx context.Context, g delegation.Grants, p Page) (List[InspectionRow], error) {
	if err := allow(g, "", delegation.Self, delegation.Resource{Kind: user.Decider.Category, ID: g.User}); err != nil {
		return List[InspectionRow]{}, err
	}
	return r.inspectionsOf(ctx, g.User, p)
}

// MemberInspections are who looked at what the log holds of a staff member, for
// admins.
func (r *Reader) MemberInspections(ctx context.Context, g delegation.Grants, id string, p Page) (List[InspectionRow], error) {
	if _, err := r.StaffMember(ctx, g, id); err != nil {
		return List[InspectionRow]{}, err
	}
	return r.inspectionsOf(ctx, id, p)
}

func (r *Reader) inspectionsOf(ctx context.Context, person string, p Page) (List[InspectionRow], error) {
	from, limit, err := p.open(InspectionsModel)
	if err != nil {
		return List[InspectionRow]{}, err
	}
	const columns = `SELECT ` + inspectionColumns + ` FROM read.inspection`
	rows, _ := r.db.Query(ctx, `
		SELECT * FROM (
			(`+columns+`
			 WHERE person = $1 AND (at, id) < ($2, $3)
			 ORDER BY at DESC, id DESC
			 LIMIT $4)
			UNION ALL
			(`+columns+`
			 WHERE person = '`+inspection.Everybody+`' AND (at, id) < ($2, $3)
			   AND at >= (SELECT since FROM read.person WHERE id = $1)
			 ORDER BY at DESC, id DESC
			 LIMIT $4)
		) seen
		ORDER BY at DESC, id DESC
		LIMIT $4`, person, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[InspectionRow])
	if err != nil {
		return List[InspectionRow]{}, fmt.Errorf("list inspections: %w", err)
	}
	return paged(found, limit, InspectionsModel, func(row InspectionRow) (time.Time, string) { return row.At, row.ID })
}
