package projections

import (
	"context"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/privacy"
)

// ErasureRow is where the erasure of a user's data stands.
type ErasureRow struct {
	ID       string           `db:"id" json:"id"`
	Status   privacy.Status   `db:"status" json:"status"`
	Reasons  []privacy.Reason `db:"reasons,jsonb" json:"reasons"`
	Accounts []string         `db:"accounts,jsonb" json:"accounts"`
	// Keys are those that are kept for a while yet, of others' accounts among them:
	// only staff see these.
	Keys []privacy.Key `db:"keys,jsonb" json:"kept"`
	// Hold is the case that forbids to erase; only staff see it.
	Hold           string     `db:"hold" json:"hold,omitempty"`
	RequestedAt    *time.Time `db:"requested_at" json:"requested_at,omitempty"`
	AnsweredAt     *time.Time `db:"answered_at" json:"answered_at,omitempty"`
	CompletedAt    *time.Time `db:"completed_at" json:"completed_at,omitempty"`
	StreamRevision uint64     `db:"stream_revision" json:"-"`
}

// erasures keeps read.erasure.
func erasures() Model {
	get := func(rows *Rows[ErasureRow], m Meta) *ErasureRow {
		row := rows.Get(m.AggregateID)
		if row.Reasons == nil {
			row.Reasons, row.Accounts, row.Keys = []privacy.Reason{}, []string{}, []privacy.Key{}
		}
		return row
	}
	return Define("erasures", Keep(Table{Name: "read.erasure", Category: privacy.Decider.Category},
		On(func(rows *Rows[ErasureRow], _ privacy.RequestSubmitted, m Meta) {
			row := get(rows, m)
			row.Status, row.Reasons, row.RequestedAt, row.AnsweredAt = privacy.StatusSubmitted, []privacy.Reason{}, &m.OccurredAt, nil
		}),
		On(func(rows *Rows[ErasureRow], _ privacy.RequestWithdrawn, m Meta) {
			get(rows, m).Status = privacy.StatusWithdrawn
		}),
		On(func(rows *Rows[ErasureRow], e privacy.RequestRefused, m Meta) {
			row := get(rows, m)
			row.Status, row.Reasons, row.AnsweredAt = privacy.StatusRefused, e.Reasons, &m.OccurredAt
		}),
		On(func(rows *Rows[ErasureRow], e privacy.RequestAccepted, m Meta) {
			row := get(rows, m)
			row.Status, row.Keys, row.AnsweredAt = privacy.StatusAccepted, e.Keys, &m.OccurredAt
			row.Accounts = append([]string{}, e.Accounts...)
		}),
		On(func(rows *Rows[ErasureRow], e privacy.RequestWidened, m Meta) {
			row := get(rows, m)
			for _, k := range e.Keys {
				row.Keys = append(without(row.Keys, privacy.Gone{Subject: k.Subject, Purpose: k.Purpose}), k)
			}
		}),
		On(func(rows *Rows[ErasureRow], e privacy.SubjectKeyDestroyed, m Meta) {
			row := get(rows, m)
			row.Keys = without(row.Keys, privacy.Gone(e))
		}),
		On(func(rows *Rows[ErasureRow], _ privacy.ErasureCompleted, m Meta) {
			row := get(rows, m)
			row.Status, row.CompletedAt = privacy.StatusCompleted, &m.OccurredAt
		}),
		On(func(rows *Rows[ErasureRow], e privacy.LegalHoldSet, m Meta) { get(rows, m).Hold = e.Reference }),
		On(func(rows *Rows[ErasureRow], _ privacy.LegalHoldLifted, m Meta) { get(rows, m).Hold = "" }),
	))
}

// without are the keys but for one.
func without(keys []privacy.Key, gone privacy.Gone) []privacy.Key {
	return slices.DeleteFunc(keys, func(k privacy.Key) bool { return k.Subject == gone.Subject && k.Purpose == gone.Purpose })
}

// own is the row as the person sees it. Who is under a legal hold shows nowhere,
// nor does it by the days of keys that another's hold keeps.
func (row ErasureRow) own() ErasureRow {
	row.Hold = ""
	row.Keys = slices.DeleteFunc(row.Keys, func(k privacy.Key) bool { return k.Account != "" })
	return row
}

const erasureColumns = `id, status, reasons, accounts, keys, hold, requested_at, answered_at, completed_at, stream_revision`

// Erasure is where the erasure of the caller's data stands.
func (r *Reader) Erasure(ctx context.Context, g delegation.Grants) (ErasureRow, error) {
	row, err := r.erasure(ctx, g, g.User, delegation.Self)
	row = row.own()
	if err == nil && row.Status == privacy.StatusNone {
		return ErasureRow{}, domain.Missing("erasure")
	}
	return row, err
}

// StaffErasure is where the erasure of a user's data stands.
func (r *Reader) StaffErasure(ctx context.Context, g delegation.Grants, user string) (ErasureRow, error) {
	row, err := r.erasure(ctx, g, user, delegation.StaffPrivacy)
	if err == nil {
		err = r.saw(ctx, g, delegation.Resource{Kind: "user", ID: user}, inspection.Sight{Person: user, What: delegation.StaffPrivacy})
	}
	if err == nil {
		err = sawRows(ctx, r, g, delegation.StaffPrivacy, row.Accounts, func(id string) string { return id })
	}
	if err != nil {
		return ErasureRow{}, err
	}
	return row, nil
}

func (r *Reader) erasure(ctx context.Context, g delegation.Grants, user string, p domain.Permission) (ErasureRow, error) {
	if err := allow(g, "", p, delegation.Resource{Kind: "user", ID: user}); err != nil {
		return ErasureRow{}, err
	}
	rows, _ := r.db.Query(ctx, `SELECT `+erasureColumns+` FROM read.erasure WHERE id = $1`, user)
	return one[ErasureRow](rows, "erasure")
}
