package projections

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// DomainNameRow is one internet name of an account.
type DomainNameRow struct {
	ID           string            `db:"id" json:"id"`
	Account      string            `db:"account" json:"-"`
	Name         string            `db:"name" json:"name"`
	Status       domainname.Status `db:"status" json:"status"`
	RegisteredOn domain.Date       `db:"registered_on" json:"registered_on"`
	ExpiresOn    domain.Date       `db:"expires_on" json:"expires_on"`
	// Contacts are nil before they were set, and for who may not see contacts.
	Contacts       *domainname.Contacts `db:"contacts,jsonb" json:"contacts,omitempty"`
	CreatedAt      time.Time            `db:"created_at" json:"created_at"`
	StreamRevision uint64               `db:"stream_revision" json:"-"`
}

// domainNames keeps read.domain_name.
func domainNames() Model {
	return Define("domain_names", Keep(Table{
		Name: "read.domain_name", Category: domainname.Decider.Category,
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: `name = feed.erased(name) WHERE account = $1`},
	},
		On(func(rows *Rows[DomainNameRow], e domainname.Registered, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Name, row.Status = e.Account, e.Name, domainname.StatusActive
			row.RegisteredOn, row.ExpiresOn, row.CreatedAt = e.RegisteredOn, e.ExpiresOn, m.OccurredAt
		}),
		On(func(rows *Rows[DomainNameRow], e domainname.ContactsChanged, m Meta) {
			rows.Get(m.AggregateID).Contacts = &e.Contacts
		}),
	))
}

const domainNameColumns = `id, account, name, status, registered_on, expires_on, contacts, created_at, stream_revision`

// DomainNames lists an account's domain names, newest first.
func (r *Reader) DomainNames(ctx context.Context, g delegation.Grants, account string, p Page) (List[DomainNameRow], error) {
	if err := r.allow(ctx, g, account, delegation.DomainsRead, delegation.Resource{Kind: "domainname"}); err != nil {
		return List[DomainNameRow]{}, err
	}
	from, limit, err := p.open("domain_names")
	if err != nil {
		return List[DomainNameRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+domainNameColumns+`
		FROM read.domain_name
		WHERE account = $1
		  AND ($2::text[] IS NULL OR id = ANY($2))
		  AND (created_at, id) < ($3, $4)
		ORDER BY created_at DESC, id DESC
		LIMIT $5`, account, delegation.Reach(g, account, delegation.DomainsRead), from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[DomainNameRow])
	if err != nil {
		return List[DomainNameRow]{}, fmt.Errorf("list domain names: %w", err)
	}
	for i, row := range found {
		found[i].Contacts = contactsOf(g, account, row.Contacts)
	}
	return paged(found, limit, "domain_names", func(row DomainNameRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// DomainName is one domain name of an account, by its ASCII name or its id.
func (r *Reader) DomainName(ctx context.Context, g delegation.Grants, account, name string) (DomainNameRow, error) {
	if err := r.allow(ctx, g, account, delegation.DomainsRead, delegation.Resource{Kind: "domainname"}); err != nil {
		return DomainNameRow{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+domainNameColumns+`
		FROM read.domain_name
		WHERE account = $1
		  AND (name = $2 OR id = $2)
		  AND ($3::text[] IS NULL OR id = ANY($3))
		ORDER BY created_at DESC
		LIMIT 1`, account, strings.ToLower(name), delegation.Reach(g, account, delegation.DomainsRead))
	row, err := one[DomainNameRow](rows, "domain")
	row.Contacts = contactsOf(g, account, row.Contacts)
	return row, err
}
