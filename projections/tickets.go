package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/ticket"
)

// TicketRow is one support request of an account.
type TicketRow struct {
	ID             string            `db:"id" json:"id"`
	Account        string            `db:"account" json:"account"`
	Number         string            `db:"number" json:"number"`
	Subject        string            `db:"subject" json:"subject"`
	Status         ticket.Status     `db:"status" json:"status"`
	Department     ticket.Department `db:"department" json:"department"`
	Priority       ticket.Priority   `db:"priority" json:"priority"`
	Related        *ticket.Related   `db:"related,jsonb" json:"related,omitempty"`
	ReopenUntil    *time.Time        `db:"reopen_until" json:"reopen_until,omitempty"`
	CreatedAt      time.Time         `db:"created_at" json:"created_at"`
	UpdatedAt      time.Time         `db:"updated_at" json:"updated_at"`
	StreamRevision uint64            `db:"stream_revision" json:"-"`
}

// TicketMessageRow is one message of a ticket. Staff's notes are never here.
type TicketMessageRow struct {
	ID     string `db:"id" json:"id"`
	Ticket string `db:"ticket" json:"-"`
	// Author is customer or staff.
	Author  string    `db:"author" json:"author"`
	Message string    `db:"message" json:"message"`
	At      time.Time `db:"at" json:"at"`
	Number  uint64    `db:"number" json:"-"`
}

// TicketDetail is a ticket with its messages, oldest first.
type TicketDetail struct {
	TicketRow
	Messages []TicketMessageRow `json:"messages"`
}

// The two sides that write in a ticket.
const (
	fromCustomer = "customer"
	fromStaff    = "staff"
)

// tickets keeps read.ticket and read.ticket_message.
func tickets() Model {
	return Define("tickets", ticketHeads(), ticketMessages())
}

func ticketHeads() View {
	status := func(rows *Rows[TicketRow], m Meta, s ticket.Status, reopenUntil *time.Time) {
		row := rows.Get(m.AggregateID)
		row.Status, row.ReopenUntil = s, reopenUntil
		row.UpdatedAt = later(row.UpdatedAt, m.OccurredAt)
	}
	return Keep(Table{
		Name: "read.ticket", Category: ticket.Decider.Category,
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: `subject = feed.erased(subject) WHERE account = $1`},
	},
		On(func(rows *Rows[TicketRow], e ticket.Opened, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Number, row.Subject = e.Account, e.Number, e.Subject
			row.Department, row.Priority, row.Related = e.Department, e.Priority, e.Related
			row.CreatedAt = m.OccurredAt
			status(rows, m, ticket.StatusOpen, nil)
		}),
		On(func(rows *Rows[TicketRow], _ ticket.CustomerReplied, m Meta) {
			status(rows, m, ticket.StatusCustomerReply, nil)
		}),
		On(func(rows *Rows[TicketRow], _ ticket.StaffReplied, m Meta) {
			status(rows, m, ticket.StatusAnswered, nil)
		}),
		On(func(rows *Rows[TicketRow], e ticket.Closed, m Meta) {
			status(rows, m, ticket.StatusClosed, &e.ReopenUntil)
		}),
		On(func(rows *Rows[TicketRow], _ ticket.Reopened, m Meta) {
			status(rows, m, ticket.StatusOpen, nil)
		}),
	)
}

func ticketMessages() View {
	add := func(rows *Rows[TicketMessageRow], m Meta, author, message string) {
		row := rows.Get(m.EventID.String())
		row.Ticket, row.Author, row.Message, row.At, row.Number = m.AggregateID, author, message, m.OccurredAt, m.Revision
	}
	return Keep(Table{
		Name: "read.ticket_message", KeyOf: func(m Meta) string { return m.EventID.String() },
		Redact: map[subjectkey.Purpose]string{
			subjectkey.Profile: `message = feed.erased(message) WHERE ticket IN (SELECT id FROM read.ticket WHERE account = $1)`,
		},
	},
		On(func(rows *Rows[TicketMessageRow], e ticket.Opened, m Meta) { add(rows, m, fromCustomer, e.Message) }),
		On(func(rows *Rows[TicketMessageRow], e ticket.CustomerReplied, m Meta) {
			add(rows, m, fromCustomer, e.Message)
		}),
		On(func(rows *Rows[TicketMessageRow], e ticket.StaffReplied, m Meta) { add(rows, m, fromStaff, e.Message) }),
	)
}

// later is the later of two times: given times may go back, what a list is
// ordered by may not.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

const ticketColumns = `id, account, number, subject, status, department, priority, related, reopen_until, created_at, updated_at, stream_revision`

// Tickets lists an account's tickets, newest first.
func (r *Reader) Tickets(ctx context.Context, g delegation.Grants, account string, p Page) (List[TicketRow], error) {
	if err := r.allow(ctx, g, account, delegation.TicketsRead, delegation.Resource{Kind: "ticket"}); err != nil {
		return List[TicketRow]{}, err
	}
	list, err := r.tickets(ctx, account, delegation.Reach(g, account, delegation.TicketsRead), p)
	for i := range list.Items {
		list.Items[i].unlink(g)
	}
	return list, err
}

// unlink removes the link to what the viewer may not know of.
func (row *TicketRow) unlink(g delegation.Grants) {
	if row.Related != nil && !delegation.SeesLink(g, row.Account, row.Related.Kind, row.Related.ID) {
		row.Related = nil
	}
}

// StaffTickets lists everybody's tickets, newest first.
func (r *Reader) StaffTickets(ctx context.Context, g delegation.Grants, p Page) (List[TicketRow], error) {
	if err := allow(g, "", delegation.StaffSupport, delegation.Resource{Kind: "ticket"}); err != nil {
		return List[TicketRow]{}, err
	}
	list, err := r.tickets(ctx, "", nil, p)
	if err == nil {
		err = sawRows(ctx, r, g, delegation.TicketsRead, list.Items, func(row TicketRow) string { return row.Account })
	}
	if err != nil {
		return List[TicketRow]{}, err
	}
	return list, nil
}

// tickets lists those of one account, or of all for "", and of those the given
// ids, nil for all.
func (r *Reader) tickets(ctx context.Context, account string, within []string, p Page) (List[TicketRow], error) {
	from, limit, err := p.open("tickets")
	if err != nil {
		return List[TicketRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+ticketColumns+`
		FROM read.ticket
		WHERE (account = $1 OR $1 = '')
		  AND ($2::text[] IS NULL OR id = ANY($2))
		  AND (created_at, id) < ($3, $4)
		ORDER BY created_at DESC, id DESC
		LIMIT $5`, account, within, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[TicketRow])
	if err != nil {
		return List[TicketRow]{}, fmt.Errorf("list tickets: %w", err)
	}
	return paged(found, limit, "tickets", func(row TicketRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// Ticket is one ticket of an account with its messages.
func (r *Reader) Ticket(ctx context.Context, g delegation.Grants, account, id string) (TicketDetail, error) {
	if err := r.allow(ctx, g, account, delegation.TicketsRead, delegation.Resource{Kind: "ticket", ID: id}); err != nil {
		return TicketDetail{}, err
	}
	d, err := r.ticket(ctx, account, id)
	d.unlink(g)
	return d, err
}

// StaffTicket is one ticket of whatever account.
func (r *Reader) StaffTicket(ctx context.Context, g delegation.Grants, id string) (TicketDetail, error) {
	if err := allow(g, "", delegation.StaffSupport, delegation.Resource{Kind: "ticket", ID: id}); err != nil {
		return TicketDetail{}, err
	}
	d, err := r.ticket(ctx, "", id)
	if err == nil {
		err = r.saw(ctx, g, delegation.Resource{Kind: "ticket", ID: id}, inspection.Sight{Account: d.Account, What: delegation.TicketsRead})
	}
	if err != nil {
		return TicketDetail{}, err
	}
	return d, nil
}

func (r *Reader) ticket(ctx context.Context, account, id string) (d TicketDetail, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`
		SELECT `+ticketColumns+`
		FROM read.ticket
		WHERE (account = $1 OR $1 = '') AND id = $2`, account, id).Query(func(rows pgx.Rows) error {
		d.TicketRow, err = one[TicketRow](rows, "ticket")
		return err
	})
	batch.Queue(`
		SELECT id, ticket, author, message, at, number
		FROM read.ticket_message
		WHERE ticket = $1
		ORDER BY number`, id).Query(func(rows pgx.Rows) error {
		d.Messages, err = pgx.CollectRows(rows, pgx.RowToStructByName[TicketMessageRow])
		return err
	})
	if err := r.db.SendBatch(ctx, batch).Close(); err != nil {
		return TicketDetail{}, err
	}
	return d, nil
}
