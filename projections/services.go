package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// ServiceRow is one hosting service of an account.
type ServiceRow struct {
	ID                string         `db:"id" json:"id"`
	Account           string         `db:"account" json:"-"`
	Name              string         `db:"name" json:"name"`
	Label             string         `db:"label" json:"label"`
	Status            hosting.Status `db:"status" json:"status"`
	Product           string         `db:"product" json:"product"`
	Cycle             product.Cycle  `db:"cycle" json:"cycle"`
	RenewsOn          domain.Date    `db:"renews_on" json:"renews_on,omitempty"`
	SuspensionReasons []string       `db:"suspension_reasons" json:"suspension_reasons"`
	CreatedAt         time.Time      `db:"created_at" json:"created_at"`
	StreamRevision    uint64         `db:"stream_revision" json:"-"`
}

// services keeps read.service.
func services() Model {
	return Define("services", Keep(Table{
		Name: "read.service", Category: hosting.Decider.Category,
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: `label = feed.erased(label) WHERE account = $1`},
	},
		On(func(rows *Rows[ServiceRow], e hosting.Created, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Name, row.Label = e.Account, e.Name, e.Label
			row.Product, row.Cycle, row.Status = e.Product, e.Cycle, hosting.StatusPending
			row.CreatedAt = m.OccurredAt
		}),
		On(func(rows *Rows[ServiceRow], _ hosting.ProvisioningStarted, m Meta) {
			rows.Get(m.AggregateID).Status = hosting.StatusProvisioning
		}),
		On(func(rows *Rows[ServiceRow], e hosting.Provisioned, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Status, row.RenewsOn = hosting.StatusActive, e.RenewsOn
		}),
		On(func(rows *Rows[ServiceRow], e hosting.Suspended, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Status, row.SuspensionReasons = hosting.StatusSuspended, texts(e.Reasons)
		}),
		On(func(rows *Rows[ServiceRow], e hosting.SuspensionLifted, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Status, row.SuspensionReasons = e.Status, texts(e.Reasons)
		}),
		On(func(rows *Rows[ServiceRow], e hosting.Renamed, m Meta) {
			rows.Get(m.AggregateID).Label = e.Label
		}),
	))
}

const serviceColumns = `id, account, name, label, status, product, cycle, renews_on, suspension_reasons, created_at, stream_revision`

// Services lists an account's services, newest first.
func (r *Reader) Services(ctx context.Context, g delegation.Grants, account string, p Page) (List[ServiceRow], error) {
	if err := r.allow(ctx, g, account, delegation.ServicesRead, delegation.Resource{Kind: "hosting"}); err != nil {
		return List[ServiceRow]{}, err
	}
	from, limit, err := p.open("services")
	if err != nil {
		return List[ServiceRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+serviceColumns+`
		FROM read.service
		WHERE account = $1
		  AND ($2::text[] IS NULL OR id = ANY($2))
		  AND (created_at, id) < ($3, $4)
		ORDER BY created_at DESC, id DESC
		LIMIT $5`, account, delegation.Reach(g, account, delegation.ServicesRead), from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[ServiceRow])
	if err != nil {
		return List[ServiceRow]{}, fmt.Errorf("list services: %w", err)
	}
	return paged(found, limit, "services", func(row ServiceRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// Service is one service of an account.
func (r *Reader) Service(ctx context.Context, g delegation.Grants, account, id string) (ServiceRow, error) {
	if err := r.allow(ctx, g, account, delegation.ServicesRead, delegation.Resource{Kind: "hosting", ID: id}); err != nil {
		return ServiceRow{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+serviceColumns+`
		FROM read.service
		WHERE account = $1 AND id = $2`, account, id)
	return one[ServiceRow](rows, "service")
}

// one is the single row of a query, or the refusal that there is no such thing.
func one[R any](rows pgx.Rows, what string) (R, error) {
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[R])
	if err != nil {
		var none R
		return none, fmt.Errorf("read %s: %w", what, err)
	}
	if len(found) == 0 {
		var none R
		return none, domain.Missing(what)
	}
	return found[0], nil
}

// texts turns words of the domain into plain ones, never nil.
func texts[S ~string](words []S) []string {
	plain := make([]string, len(words))
	for i, w := range words {
		plain[i] = string(w)
	}
	return plain
}
