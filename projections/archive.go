package projections

import (
	"context"
	"fmt"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/eventstore"
)

// archive makes documents of erased customers whole again, from the log: their
// rows hold no name any more, and the law wants the documents kept until the
// fiscal key's own date.
type archive struct {
	store eventstore.Store
	codec *eventstore.Codec
}

// Archived is the reader that finds the documents of erased customers whole.
func (r *Reader) Archived(store eventstore.Store, codec *eventstore.Codec) *Reader {
	with := *r
	with.archive = archive{store: store, codec: codec}
	return &with
}

// invoice fills in what the row of an issued invoice no longer holds.
func (a archive) invoice(ctx context.Context, row *InvoiceRow) error {
	if row.Buyer == nil || row.Buyer.Name != eventstore.Erased {
		return nil
	}
	row.Payments = row.Payments[:0]
	return a.each(ctx, invoice.Decider.Category+"-"+row.ID, func(e domain.Event) {
		switch fact := e.(type) {
		case invoice.IssueRequested:
			row.Lines, row.Buyer = fact.Content.Lines, &fact.Content.Buyer
		case invoice.PaymentAllocated:
			row.Payments = append(row.Payments, fact)
		}
	})
}

// creditNote fills in what the row of a credit note no longer holds.
func (a archive) creditNote(ctx context.Context, row *CreditNoteRow) error {
	if row.Reason != eventstore.Erased {
		return nil
	}
	return a.each(ctx, creditnote.Decider.Category+"-"+row.ID, func(e domain.Event) {
		if fact, ok := e.(creditnote.IssueRequested); ok {
			row.Reason, row.Lines = fact.Reason, fact.Content.Lines
		}
	})
}

func (a archive) each(ctx context.Context, stream string, do func(domain.Event)) error {
	if a.store == nil {
		return nil
	}
	for r, err := range a.store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return fmt.Errorf("read %s: %w (%w)", stream, domain.ErrUnavailable, err)
		}
		e, _, err := a.codec.Decode(ctx, r)
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		do(e)
	}
	return nil
}
