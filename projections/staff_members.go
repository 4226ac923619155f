package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
)

// staffRow is one row of read.staff_member: what a user is, or was, to the
// company. Names and addresses are those of read.login.
type staffRow struct {
	ID             string          `db:"id"`
	Role           delegation.Role `db:"role"`
	Active         bool            `db:"active"`
	HiredAt        time.Time       `db:"hired_at"`
	StreamRevision uint64          `db:"stream_revision"`
}

// StaffRow is a staff member as admins see it.
type StaffRow struct {
	ID    string `db:"id" json:"id"`
	Email string `db:"email" json:"email"`
	Name  string `db:"name" json:"name"`
	// Role is the last one of who is no staff member any more.
	Role   delegation.Role `db:"role" json:"role" enum:"admin,billing,support,auditor"`
	Active bool            `db:"active" json:"active" doc:"False for who was deactivated."`
	// SecondFactor is false while the role counts in no session.
	SecondFactor   bool      `db:"second_factor" json:"second_factor" doc:"Without one the role counts for nothing."`
	HiredAt        time.Time `db:"hired_at" json:"hired_at"`
	StreamRevision uint64    `db:"stream_revision" json:"-"`
}

// staffMembers keeps read.staff_member. Rights are not read from it.
func staffMembers() Model {
	return Define("staff_members", Keep(Table{Name: "read.staff_member", Category: staff.Decider.Category},
		On(func(rows *Rows[staffRow], e staff.Hired, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Role, row.Active, row.HiredAt = e.Role, true, m.OccurredAt
		}),
		On(func(rows *Rows[staffRow], e staff.RoleAssigned, m Meta) { rows.Get(m.AggregateID).Role = e.Role }),
		On(func(rows *Rows[staffRow], _ staff.Deactivated, m Meta) { rows.Get(m.AggregateID).Active = false }),
	))
}

const staffQuery = `
	SELECT s.id, coalesce(l.email, '') AS email, coalesce(l.name, '') AS name, s.role, s.active,
	       coalesce(l.second_factor, false) AS second_factor, s.hired_at, s.stream_revision
	FROM read.staff_member s
	LEFT JOIN read.login l ON l.id = s.id`

// StaffMembers lists who works or worked for the company, newest first.
func (r *Reader) StaffMembers(ctx context.Context, g delegation.Grants, p Page) (List[StaffRow], error) {
	if err := allow(g, "", delegation.StaffMembers, delegation.Resource{Kind: "staff"}); err != nil {
		return List[StaffRow]{}, err
	}
	from, limit, err := p.open("staff_members")
	if err != nil {
		return List[StaffRow]{}, err
	}
	rows, _ := r.db.Query(ctx, staffQuery+`
		WHERE (s.hired_at, s.id) < ($1, $2)
		ORDER BY s.hired_at DESC, s.id DESC
		LIMIT $3`, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[StaffRow])
	if err != nil {
		return List[StaffRow]{}, fmt.Errorf("list staff members: %w", err)
	}
	return paged(found, limit, "staff_members", func(row StaffRow) (time.Time, string) { return row.HiredAt, row.ID })
}

// StaffMember is one of them.
func (r *Reader) StaffMember(ctx context.Context, g delegation.Grants, id string) (StaffRow, error) {
	if err := allow(g, "", delegation.StaffMembers, delegation.Resource{Kind: "staff", ID: id}); err != nil {
		return StaffRow{}, err
	}
	rows, _ := r.db.Query(ctx, staffQuery+` WHERE s.id = $1`, id)
	return one[StaffRow](rows, "staff member")
}
