package projections

import (
	"time"

	"github.com/hostfold/hostfold/domain/message"
)

// MailRow is one mail to a user. What it says is read from its stream, so that
// no row holds an address or a word.
type MailRow struct {
	ID             string         `db:"id" json:"id"`
	UserID         string         `db:"user_id" json:"-"`
	Template       string         `db:"template" json:"template"`
	Status         message.Status `db:"status" json:"status"`
	QueuedAt       time.Time      `db:"queued_at" json:"queued_at"`
	SentAt         *time.Time     `db:"sent_at" json:"sent_at,omitempty"`
	StreamRevision uint64         `db:"stream_revision" json:"-"`
}

// mails keeps read.mail.
func mails() Model {
	return Define("mails", Keep(Table{Name: "read.mail", Category: message.Decider.Category},
		On(func(rows *Rows[MailRow], e message.Queued, m Meta) {
			row := rows.Get(m.AggregateID)
			row.UserID, row.Template, row.Status, row.QueuedAt = e.User, e.Template, message.StatusQueued, m.OccurredAt
		}),
		On(func(rows *Rows[MailRow], _ message.Sent, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Status, row.SentAt = message.StatusSent, &m.OccurredAt
		}),
		On(func(rows *Rows[MailRow], _ message.Failed, m Meta) {
			rows.Get(m.AggregateID).Status = message.StatusFailed
		}),
	))
}
