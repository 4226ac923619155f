package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/product"
)

// ProductRow is one product of the catalogue, in its published version.
type ProductRow struct {
	ID             string          `db:"id" json:"id"`
	Code           string          `db:"code" json:"code"`
	Name           string          `db:"name" json:"name"`
	Version        int             `db:"version" json:"version"`
	Prices         []product.Price `db:"prices,jsonb" json:"prices"`
	Retired        bool            `db:"retired" json:"-"`
	CreatedAt      time.Time       `db:"created_at" json:"-"`
	StreamRevision uint64          `db:"stream_revision" json:"-"`
}

// products keeps read.product.
func products() Model {
	return Define("products", Keep(Table{Name: "read.product", Category: product.Decider.Category},
		On(func(rows *Rows[ProductRow], e product.Drafted, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Code, row.Name, row.Prices, row.CreatedAt = e.Code, e.Name, []product.Price{}, m.OccurredAt
		}),
		On(func(rows *Rows[ProductRow], e product.VersionPublished, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Code, row.Name, row.Version, row.Prices = e.Code, e.Name, e.Version, e.Prices
		}),
		On(func(rows *Rows[ProductRow], _ product.Retired, m Meta) {
			rows.Get(m.AggregateID).Retired = true
		}),
	))
}

// Products lists what is on sale, newest first. Anyone may read it.
func (r *Reader) Products(ctx context.Context, g delegation.Grants, p Page) (List[ProductRow], error) {
	if err := allow(g, "", delegation.Anyone, delegation.Resource{Kind: "product"}); err != nil {
		return List[ProductRow]{}, err
	}
	from, limit, err := p.open("products")
	if err != nil {
		return List[ProductRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT id, code, name, version, prices, retired, created_at, stream_revision
		FROM read.product
		WHERE version > 0 AND NOT retired AND (created_at, id) < ($1, $2)
		ORDER BY created_at DESC, id DESC
		LIMIT $3`, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[ProductRow])
	if err != nil {
		return List[ProductRow]{}, fmt.Errorf("list products: %w", err)
	}
	return paged(found, limit, "products", func(row ProductRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// Product is one product that is on sale.
func (r *Reader) Product(ctx context.Context, g delegation.Grants, id string) (ProductRow, error) {
	if err := allow(g, "", delegation.Anyone, delegation.Resource{Kind: "product", ID: id}); err != nil {
		return ProductRow{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT id, code, name, version, prices, retired, created_at, stream_revision
		FROM read.product
		WHERE id = $1 AND version > 0 AND NOT retired`, id)
	return one[ProductRow](rows, "product")
}
