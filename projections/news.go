package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/delegation"
)

// NewsRow is one announcement. Everybody may read it once it is published.
type NewsRow struct {
	ID             string     `db:"id" json:"id"`
	Title          string     `db:"title" json:"title"`
	Body           string     `db:"body" json:"body"`
	PublishedAt    *time.Time `db:"published_at" json:"published_at"`
	StreamRevision uint64     `db:"stream_revision" json:"-"`
}

// news keeps read.announcement.
func news() Model {
	return Define("news", Keep(Table{Name: "read.announcement", Category: announcement.Decider.Category},
		On(func(rows *Rows[NewsRow], e announcement.Drafted, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Title, row.Body = e.Title, e.Body
		}),
		On(func(rows *Rows[NewsRow], e announcement.Published, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Title, row.Body, row.PublishedAt = e.Title, e.Body, &e.PublishedAt
		}),
		On(func(rows *Rows[NewsRow], e announcement.Amended, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Title, row.Body = e.Title, e.Body
		}),
	))
}

// News lists what is published by now, newest first. Anyone may read it.
func (r *Reader) News(ctx context.Context, g delegation.Grants, p Page) (List[NewsRow], error) {
	if err := allow(g, "", delegation.Anyone, delegation.Resource{Kind: "announcement"}); err != nil {
		return List[NewsRow]{}, err
	}
	from, limit, err := p.open("news")
	if err != nil {
		return List[NewsRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT id, title, body, published_at, stream_revision
		FROM read.announcement
		WHERE published_at <= now() AND (published_at, id) < ($1, $2)
		ORDER BY published_at DESC, id DESC
		LIMIT $3`, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[NewsRow])
	if err != nil {
		return List[NewsRow]{}, fmt.Errorf("list news: %w", err)
	}
	return paged(found, limit, "news", func(row NewsRow) (time.Time, string) { return *row.PublishedAt, row.ID })
}

// NewsItem is one published announcement.
func (r *Reader) NewsItem(ctx context.Context, g delegation.Grants, id string) (NewsRow, error) {
	if err := allow(g, "", delegation.Anyone, delegation.Resource{Kind: "announcement", ID: id}); err != nil {
		return NewsRow{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT id, title, body, published_at, stream_revision
		FROM read.announcement
		WHERE id = $1 AND published_at <= now()`, id)
	return one[NewsRow](rows, "announcement")
}
