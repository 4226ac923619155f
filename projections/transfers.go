package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// TransferRow is an open offer to hand an account over.
type TransferRow struct {
	ID      string `db:"id" json:"id"`
	Account string `db:"account" json:"-"`
	Email   string `db:"email" json:"email"`
	// Keep is what the owner keeps as a delegate, nil for nothing.
	Keep      *delegation.Terms `db:"keep,jsonb" json:"keep,omitempty"`
	OpenUntil time.Time         `db:"open_until" json:"open_until"`
	CreatedAt time.Time         `db:"created_at" json:"created_at"`
}

// transfers keeps read.ownership_transfer, in the lane of accounts.
func transfers() View {
	return Keep(Table{
		Name:   "read.ownership_transfer",
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: `email = feed.erased(email) WHERE id = $1`},
	},
		OnKey(func(e account.OwnershipTransferProposed, _ Meta) []string { return []string{e.Transfer} },
			func(rows *Rows[TransferRow], e account.OwnershipTransferProposed, m Meta) {
				row := rows.Get(e.Transfer)
				row.Account, row.Email, row.Keep = m.AggregateID, e.Email, e.Keep
				row.OpenUntil, row.CreatedAt = e.OpenUntil, m.OccurredAt
			}),
		over(func(e account.OwnershipTransferWithdrawn) string { return e.Transfer }),
		over(func(e account.OwnershipTransferDeclined) string { return e.Transfer }),
		over(func(e account.OwnershipTransferExpired) string { return e.Transfer }),
		over(func(e account.OwnershipTransferred) string { return e.Transfer }),
	)
}

// over removes an offer that has ended.
func over[E account.Event](of func(E) string) Handler[TransferRow] {
	return OnKey(func(e E, _ Meta) []string { return []string{of(e)} },
		func(rows *Rows[TransferRow], e E, _ Meta) { rows.Delete(of(e)) })
}

const transferColumns = `id, account, email, keep, open_until, created_at`

// Transfers lists the open offers of an account, to its owner: one at most.
func (r *Reader) Transfers(ctx context.Context, g delegation.Grants, id string, p Page) (List[TransferRow], error) {
	if err := allow(g, id, delegation.Owner, delegation.Resource{Kind: "account", ID: id}); err != nil {
		return List[TransferRow]{}, err
	}
	from, limit, err := p.open("transfers")
	if err != nil {
		return List[TransferRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+transferColumns+`
		FROM read.ownership_transfer
		WHERE account = $1 AND open_until > now() AND (created_at, id) < ($2, $3)
		ORDER BY created_at DESC, id DESC
		LIMIT $4`, id, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[TransferRow])
	if err != nil {
		return List[TransferRow]{}, fmt.Errorf("list ownership transfers: %w", err)
	}
	return paged(found, limit, "transfers", func(row TransferRow) (time.Time, string) { return row.CreatedAt, row.ID })
}
