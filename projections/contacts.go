package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// ContactRow is one contact of an account.
type ContactRow struct {
	ID            string          `db:"id" json:"id"`
	Account       string          `db:"account" json:"-"`
	Kind          contact.Kind    `db:"kind" json:"kind"`
	Name          string          `db:"name" json:"name"`
	Organisation  string          `db:"organisation" json:"organisation,omitempty"`
	Email         string          `db:"email" json:"email"`
	EmailVerified bool            `db:"email_verified" json:"email_verified"`
	Phone         string          `db:"phone" json:"phone"`
	Address       contact.Address `db:"address,jsonb" json:"address"`
	Status        contact.Status  `db:"status" json:"status"`
	// Domains are the ids of the domain names that have the contact.
	Domains        []string  `db:"domains" json:"-"`
	CreatedAt      time.Time `db:"created_at" json:"created_at"`
	StreamRevision uint64    `db:"stream_revision" json:"-"`
}

// ContactDomain is a domain name that has a contact.
type ContactDomain struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ContactDetail is a contact with those domain names that have it and that the
// viewer may see, by their names.
type ContactDetail struct {
	ContactRow
	UsedBy []ContactDomain `db:"used_by,jsonb" json:"used_by"`
}

// contacts keeps read.contact.
func contacts() Model {
	table := Table{Name: "read.contact", Category: contact.Decider.Category}
	return Define("contacts", Keep(table, slices.Concat([]Handler[ContactRow]{
		On(func(rows *Rows[ContactRow], e contact.Created, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Status, row.CreatedAt = e.Account, contact.StatusActive, m.OccurredAt
			row.is(e.Details)
		}),
		On(func(rows *Rows[ContactRow], e contact.Amended, m Meta) {
			row := rows.Get(m.AggregateID)
			row.EmailVerified = row.EmailVerified && !e.EmailChanged
			row.is(e.Details)
		}),
		On(func(rows *Rows[ContactRow], _ contact.EmailVerified, m Meta) {
			rows.Get(m.AggregateID).EmailVerified = true
		}),
		On(func(rows *Rows[ContactRow], _ contact.Archived, m Meta) {
			rows.Get(m.AggregateID).Status = contact.StatusArchived
		}),
		OnKey(func(e domainname.ContactsChanged, _ Meta) []string { return slices.Concat(e.IDs(), e.Released) },
			func(rows *Rows[ContactRow], e domainname.ContactsChanged, m Meta) {
				for _, id := range e.Released {
					if row, ok := rows.Find(id); ok {
						row.Domains = slices.DeleteFunc(row.Domains, func(has string) bool { return has == m.AggregateID })
					}
				}
				for _, id := range e.IDs() {
					if row, ok := rows.Find(id); ok && !slices.Contains(row.Domains, m.AggregateID) {
						row.Domains = append(row.Domains, m.AggregateID)
						slices.Sort(row.Domains)
					}
				}
			}),
	}, onErased(subjectkey.Profile, func(row *ContactRow) {
		erase(&row.Name, &row.Organisation, &row.Email, &row.Phone)
		erase(&row.Address.Line1, &row.Address.Line2, &row.Address.PostalCode, &row.Address.City, &row.Address.Region)
	}))...))
}

func (row *ContactRow) is(d contact.Details) {
	row.Kind, row.Name, row.Organisation, row.Email, row.Phone, row.Address = d.Kind, d.Name, d.Organisation, d.Email, d.Phone, d.Address
}

const contactColumns = `id, account, kind, name, organisation, email, email_verified, phone, address, status, domains, created_at, stream_revision`

// allowContacts lets those in who may read an account's contacts.
func (r *Reader) allowContacts(ctx context.Context, g delegation.Grants, account string) error {
	of := delegation.Resource{Kind: contact.Decider.Category}
	if delegation.SeesContacts(g, account) {
		return r.saw(ctx, g, of, inspection.Sight{Account: account, What: delegation.ContactsManage})
	}
	return r.allow(ctx, g, account, delegation.ContactsManage, of)
}

// Contacts lists an account's contacts, newest first, without those archived.
func (r *Reader) Contacts(ctx context.Context, g delegation.Grants, account string, p Page) (List[ContactRow], error) {
	if err := r.allowContacts(ctx, g, account); err != nil {
		return List[ContactRow]{}, err
	}
	from, limit, err := p.open("contacts")
	if err != nil {
		return List[ContactRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+contactColumns+`
		FROM read.contact
		WHERE account = $1
		  AND status = 'active'
		  AND (created_at, id) < ($2, $3)
		ORDER BY created_at DESC, id DESC
		LIMIT $4`, account, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[ContactRow])
	if err != nil {
		return List[ContactRow]{}, fmt.Errorf("list contacts: %w", err)
	}
	return paged(found, limit, "contacts", func(row ContactRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// MaxContacts is how many contacts a domain name is offered.
const MaxContacts = 500

// ContactsToChoose are the contacts that a domain name may be given, by name,
// and of others those with the given ids.
func (r *Reader) ContactsToChoose(ctx context.Context, g delegation.Grants, account string, and ...string) ([]ContactRow, error) {
	if err := r.allowContacts(ctx, g, account); err != nil {
		return nil, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+contactColumns+`
		FROM read.contact
		WHERE account = $1
		  AND (status = 'active' OR id = ANY($2))
		ORDER BY id <> ALL($2), name, organisation, id
		LIMIT $3`, account, and, MaxContacts)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[ContactRow])
	if err != nil {
		return nil, fmt.Errorf("list contacts to choose: %w", err)
	}
	return found, nil
}

// Contact is one contact of an account, archived or not.
func (r *Reader) Contact(ctx context.Context, g delegation.Grants, account, id string) (ContactDetail, error) {
	if err := r.allowContacts(ctx, g, account); err != nil {
		return ContactDetail{}, err
	}
	domains := delegation.Can(g, account, delegation.DomainsRead, delegation.ListOf(delegation.DomainsRead))
	rows, _ := r.db.Query(ctx, `
		SELECT `+contactColumns+`,
		       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'name', d.name) ORDER BY d.name, d.id), '[]')
		        FROM read.domain_name d
		        WHERE $3 AND d.account = $1 AND d.id = ANY(c.domains) AND ($4::text[] IS NULL OR d.id = ANY($4))) AS used_by
		FROM read.contact c
		WHERE account = $1 AND id = $2`, account, id, domains, delegation.Reach(g, account, delegation.DomainsRead))
	return one[ContactDetail](rows, "contact")
}

// contactsOf are a domain name's contacts as the viewer may see them.
func contactsOf(g delegation.Grants, account string, c *domainname.Contacts) *domainname.Contacts {
	if !delegation.SeesContacts(g, account) {
		return nil
	}
	return c
}
