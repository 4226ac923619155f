package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// CreditNoteRow is one credit note of an account.
type CreditNoteRow struct {
	ID             string         `db:"id" json:"id"`
	Account        string         `db:"account" json:"-"`
	Number         string         `db:"number" json:"number"`
	Invoice        string         `db:"invoice" json:"invoice"`
	InvoiceNumber  string         `db:"invoice_number" json:"invoice_number"`
	IssuedOn       domain.Date    `db:"issued_on" json:"issued_on"`
	Reason         string         `db:"reason" json:"reason"`
	Lines          []invoice.Line `db:"lines,jsonb" json:"lines"`
	Totals         invoice.Totals `db:"totals,jsonb" json:"totals"`
	VATBreakdown   []invoice.VAT  `db:"vat_breakdown,jsonb" json:"vat_breakdown"`
	CreatedAt      time.Time      `db:"created_at" json:"created_at"`
	StreamRevision uint64         `db:"stream_revision" json:"-"`
}

// creditNotes keeps read.credit_note.
func creditNotes() Model {
	return Define("credit_notes", Keep(Table{
		Name: "read.credit_note", Category: creditnote.Decider.Category,
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: creditNoteErased, subjectkey.Fiscal: creditNoteErased},
	},
		On(func(rows *Rows[CreditNoteRow], e creditnote.IssueRequested, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Invoice, row.InvoiceNumber, row.Reason = e.Account, e.Invoice, e.InvoiceNumber, e.Reason
			row.Lines, row.Totals, row.VATBreakdown = e.Content.Lines, e.Content.Totals, e.Content.VATBreakdown
			row.CreatedAt = m.OccurredAt
		}),
		On(func(rows *Rows[CreditNoteRow], e creditnote.Issued, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Number, row.IssuedOn, row.Totals, row.VATBreakdown = e.Number, e.IssuedOn, e.Totals, e.VATBreakdown
		}),
	))
}

//nolint:gosec // columns of a credit note, not credentials
const creditNoteErased = `reason = feed.erased(reason), lines = feed.erased(lines, '{description}') WHERE account = $1`

//nolint:gosec // columns of a credit note, not credentials
const creditNoteColumns = `id, account, number, invoice, invoice_number, issued_on, reason, lines, totals, vat_breakdown, created_at, stream_revision`

// CreditNotes lists an account's issued credit notes, newest first.
func (r *Reader) CreditNotes(ctx context.Context, g delegation.Grants, account string, p Page) (List[CreditNoteRow], error) {
	if err := r.allow(ctx, g, account, delegation.InvoicesRead, delegation.Resource{Kind: "creditnote"}); err != nil {
		return List[CreditNoteRow]{}, err
	}
	from, limit, err := p.open("credit_notes")
	if err != nil {
		return List[CreditNoteRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+creditNoteColumns+`
		FROM read.credit_note
		WHERE account = $1 AND number <> '' AND (created_at, id) < ($2, $3)
		ORDER BY created_at DESC, id DESC
		LIMIT $4`, account, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[CreditNoteRow])
	if err != nil {
		return List[CreditNoteRow]{}, fmt.Errorf("list credit notes: %w", err)
	}
	return paged(found, limit, "credit_notes", func(row CreditNoteRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// CreditNote is one issued credit note of an account.
func (r *Reader) CreditNote(ctx context.Context, g delegation.Grants, account, id string) (CreditNoteRow, error) {
	if err := r.allow(ctx, g, account, delegation.InvoicesRead, delegation.Resource{Kind: "creditnote", ID: id}); err != nil {
		return CreditNoteRow{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+creditNoteColumns+`
		FROM read.credit_note
		WHERE account = $1 AND id = $2 AND number <> ''`, account, id)
	row, err := one[CreditNoteRow](rows, "credit note")
	if err != nil {
		return row, err
	}
	return row, r.archive.creditNote(ctx, &row)
}
