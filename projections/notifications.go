package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// NotificationRow is one notification of an account.
type NotificationRow struct {
	ID             string                `db:"id" json:"id"`
	Account        string                `db:"account" json:"-"`
	Class          notification.Class    `db:"class" json:"class"`
	Title          string                `db:"title" json:"title"`
	Body           string                `db:"body" json:"body"`
	Related        *notification.Related `db:"related,jsonb" json:"related,omitempty"`
	ReadAt         *time.Time            `db:"read_at" json:"read_at"`
	CreatedAt      time.Time             `db:"created_at" json:"created_at"`
	StreamRevision uint64                `db:"stream_revision" json:"-"`
}

// notifications keeps read.notification.
func notifications() Model {
	return Define("notifications", Keep(Table{
		Name: "read.notification", Category: notification.Decider.Category,
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: `title = feed.erased(title), body = feed.erased(body) WHERE account = $1`},
	},
		On(func(rows *Rows[NotificationRow], e notification.Notified, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Class, row.Title, row.Body, row.Related = e.Account, e.Class, e.Title, e.Body, e.Related
			row.CreatedAt = m.OccurredAt
		}),
		On(func(rows *Rows[NotificationRow], _ notification.Read, m Meta) {
			rows.Get(m.AggregateID).ReadAt = &m.OccurredAt
		}),
	))
}

// Notifications lists an account's notifications, newest first.
func (r *Reader) Notifications(ctx context.Context, g delegation.Grants, account string, p Page) (List[NotificationRow], error) {
	if err := r.allow(ctx, g, account, delegation.NotificationsRead, delegation.Resource{Kind: "notification"}); err != nil {
		return List[NotificationRow]{}, err
	}
	from, limit, err := p.open("notifications")
	if err != nil {
		return List[NotificationRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT id, account, class, title, body, related, read_at, created_at, stream_revision
		FROM read.notification
		WHERE account = $1 AND (created_at, id) < ($2, $3)
		ORDER BY created_at DESC, id DESC
		LIMIT $4`, account, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[NotificationRow])
	if err != nil {
		return List[NotificationRow]{}, fmt.Errorf("list notifications: %w", err)
	}
	for i, row := range found {
		if row.Related != nil && !delegation.SeesLink(g, account, row.Related.Kind, row.Related.ID) {
			found[i].Related = nil
		}
	}
	return paged(found, limit, "notifications", func(row NotificationRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// unreadAtOnce bounds how many notifications are marked as read at once.
const unreadAtOnce = 500

// UnreadNotifications are the ids of those that the account has not read yet,
// the oldest first, for who may mark them.
func (r *Reader) UnreadNotifications(ctx context.Context, g delegation.Grants, account string) ([]string, error) {
	if err := r.allow(ctx, g, account, delegation.NotificationsMark, delegation.Resource{Kind: "notification"}); err != nil {
		return nil, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT id
		FROM read.notification
		WHERE account = $1 AND read_at IS NULL
		ORDER BY created_at, id
		LIMIT $2`, account, unreadAtOnce)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list unread notifications: %w", err)
	}
	return ids, nil
}
