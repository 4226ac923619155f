package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// InvoiceRow is one invoice of an account.
type InvoiceRow struct {
	ID           string         `db:"id" json:"id"`
	Account      string         `db:"account" json:"-"`
	Number       string         `db:"number" json:"number,omitempty"`
	Status       invoice.Status `db:"status" json:"status"`
	Currency     string         `db:"currency" json:"currency"`
	IssuedOn     domain.Date    `db:"issued_on" json:"issued_on,omitempty"`
	DueOn        domain.Date    `db:"due_on" json:"due_on,omitempty"`
	Lines        []invoice.Line `db:"lines,jsonb" json:"lines"`
	Totals       InvoiceTotals  `db:"totals,jsonb" json:"totals"`
	VATBreakdown []invoice.VAT  `db:"vat_breakdown,jsonb" json:"vat_breakdown"`
	// Payments are what was received, oldest first.
	Payments  []invoice.PaymentAllocated `db:"payments,jsonb" json:"payments"`
	Seller    *seller.Details            `db:"seller,jsonb" json:"seller,omitempty"`
	Buyer     *invoice.Buyer             `db:"buyer,jsonb" json:"buyer,omitempty"`
	CreatedAt time.Time                  `db:"created_at" json:"created_at"`

	StreamRevision uint64 `db:"stream_revision" json:"-"`
}

// InvoiceTotals are the sums of an invoice and what is still due.
type InvoiceTotals struct {
	Net   money.Amount `json:"net"`
	VAT   money.Amount `json:"vat"`
	Gross money.Amount `json:"gross"`
	Due   money.Amount `json:"due"`
}

// invoices keeps read.invoice.
func invoices() Model {
	return Define("invoices", Keep(Table{
		Name: "read.invoice", Category: invoice.Decider.Category,
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: invoiceErased, subjectkey.Fiscal: invoiceErased},
	},
		On(func(rows *Rows[InvoiceRow], e invoice.Drafted, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Currency, row.Status = e.Account, e.Currency, invoice.StatusDraft
			row.DueOn, row.CreatedAt = e.DueOn, m.OccurredAt
			row.Lines, row.VATBreakdown = []invoice.Line{}, []invoice.VAT{}
			row.Payments = []invoice.PaymentAllocated{}
			row.draftTotals(invoice.Totals{Net: nothing(e.Currency), VAT: nothing(e.Currency), Gross: nothing(e.Currency)})
		}),
		On(func(rows *Rows[InvoiceRow], e invoice.LineAdded, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Lines = append(row.Lines, e.Line)
			row.draftTotals(e.Totals)
		}),
		On(func(rows *Rows[InvoiceRow], e invoice.LineRemoved, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Lines = slices.DeleteFunc(row.Lines, func(l invoice.Line) bool { return l.Number == e.Line })
			row.draftTotals(e.Totals)
		}),
		On(func(rows *Rows[InvoiceRow], _ invoice.DraftDiscarded, m Meta) {
			rows.Get(m.AggregateID).Status = invoice.StatusDiscarded
		}),
		On(func(rows *Rows[InvoiceRow], e invoice.IssueRequested, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Lines, row.VATBreakdown = e.Content.Lines, e.Content.VATBreakdown
			row.Seller, row.Buyer = &e.Content.Seller, &e.Content.Buyer
			row.draftTotals(e.Content.Totals)
		}),
		On(func(rows *Rows[InvoiceRow], e invoice.Issued, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Number, row.IssuedOn, row.DueOn = e.Number, e.IssuedOn, e.DueOn
			row.Status, row.VATBreakdown = invoice.StatusUnpaid, e.VATBreakdown
			row.draftTotals(e.Totals)
		}),
		On(func(rows *Rows[InvoiceRow], e invoice.PaymentAllocated, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Status, row.Totals.Due = invoice.StatusPartiallyPaid, e.Remaining
			row.Payments = append(row.Payments, e)
		}),
		On(func(rows *Rows[InvoiceRow], _ invoice.Paid, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Status, row.Totals.Due = invoice.StatusPaid, row.Totals.Gross.Zero()
		}),
		On(func(rows *Rows[InvoiceRow], e invoice.CreditApplied, m Meta) {
			rows.Get(m.AggregateID).Totals.Due = e.Remaining
		}),
		On(func(rows *Rows[InvoiceRow], _ invoice.Credited, m Meta) {
			rows.Get(m.AggregateID).Status = invoice.StatusCredited
		}),
	))
}

// invoiceErased takes the customer out of an account's rows. Until the fiscal
// key is destroyed too, the archive makes an invoice whole again.
const invoiceErased = `
	lines = feed.erased(lines, '{description}'),
	payments = feed.erased(payments, '{reference}'),
	buyer = feed.erased(buyer, '{name,line1,line2,postal_code,city,vat_number,company_number}')
	WHERE account = $1`

// draftTotals are those before any payment: all is due.
func (row *InvoiceRow) draftTotals(t invoice.Totals) {
	row.Totals = InvoiceTotals{Net: t.Net, VAT: t.VAT, Gross: t.Gross, Due: t.Gross}
}

// nothing is no money in a currency that the draft has checked.
func nothing(currency string) money.Amount {
	amount, _ := money.New(0, currency)
	return amount
}

const invoiceColumns = `id, account, number, status, currency, issued_on, due_on, lines, totals, vat_breakdown, payments, created_at, stream_revision`

// Invoices lists an account's invoices, newest first. status "" is all of them,
// "unpaid" includes what is paid in part. Only staff see drafts.
func (r *Reader) Invoices(ctx context.Context, g delegation.Grants, account, status string, p Page) (List[InvoiceRow], error) {
	if err := r.allow(ctx, g, account, delegation.InvoicesRead, delegation.Resource{Kind: "invoice"}); err != nil {
		return List[InvoiceRow]{}, err
	}
	statuses, err := invoiceStatuses(status)
	if err != nil {
		return List[InvoiceRow]{}, err
	}
	from, limit, err := p.open("invoices")
	if err != nil {
		return List[InvoiceRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+invoiceColumns+`, NULL::jsonb AS seller, NULL::jsonb AS buyer
		FROM read.invoice
		WHERE account = $1
		  AND ($2::text[] IS NULL OR status = ANY($2))
		  AND (number <> '' OR $3)
		  AND (created_at, id) < ($4, $5)
		ORDER BY created_at DESC, id DESC
		LIMIT $6`, account, statuses, seesDrafts(g), from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[InvoiceRow])
	if err != nil {
		return List[InvoiceRow]{}, fmt.Errorf("list invoices: %w", err)
	}
	return paged(found, limit, "invoices", func(row InvoiceRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// Invoice is one invoice of an account, with its seller and buyer once they
// are frozen.
func (r *Reader) Invoice(ctx context.Context, g delegation.Grants, account, id string) (InvoiceRow, error) {
	if err := r.allow(ctx, g, account, delegation.InvoicesRead, delegation.Resource{Kind: "invoice", ID: id}); err != nil {
		return InvoiceRow{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+invoiceColumns+`, seller, buyer
		FROM read.invoice
		WHERE account = $1 AND id = $2 AND (number <> '' OR $3)`, account, id, seesDrafts(g))
	row, err := one[InvoiceRow](rows, "invoice")
	if err != nil {
		return row, err
	}
	return row, r.archive.invoice(ctx, &row)
}

func seesDrafts(g delegation.Grants) bool {
	return delegation.Can(g, "", delegation.StaffBilling, delegation.Resource{Kind: "invoice"})
}

func invoiceStatuses(status string) ([]string, error) {
	switch s := invoice.Status(status); s {
	case "":
		return nil, nil
	case invoice.StatusUnpaid:
		return []string{string(invoice.StatusUnpaid), string(invoice.StatusPartiallyPaid)}, nil
	case invoice.StatusDraft, invoice.StatusPartiallyPaid, invoice.StatusPaid, invoice.StatusCredited, invoice.StatusDiscarded:
		return []string{status}, nil
	case invoice.StatusIssuing: // is a draft outside
	}
	return nil, domain.Invalid("status", "must be draft, unpaid, partially_paid, paid, credited or discarded")
}
