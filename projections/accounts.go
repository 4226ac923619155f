package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// AccountRow is one account's profile.
type AccountRow struct {
	ID        string          `db:"id" json:"id"`
	Owner     string          `db:"owner" json:"-"`
	Name      string          `db:"name" json:"name"`
	Kind      account.Kind    `db:"kind" json:"kind"`
	Country   string          `db:"country" json:"country"`
	Currency  string          `db:"currency" json:"currency"`
	VATNumber string          `db:"vat_number" json:"vat_number,omitempty"`
	Address   account.Address `db:"address,jsonb" json:"address,omitzero"`
	// Billing is whom invoices are made out to, nil while it is the profile.
	Billing *account.BillingIdentity `db:"billing,jsonb" json:"billing_identity,omitempty"`
	// Status is open, closing (asked for and not answered yet) or closed.
	Status account.Status `db:"status" json:"status"`
	// StatusAt is when it last changed, CloseRefused why the account was not
	// closed when that was last asked for.
	StatusAt     *time.Time       `db:"status_at" json:"status_at,omitempty"`
	CloseRefused []account.Reason `db:"close_refused,jsonb" json:"close_refused,omitempty"`
	// Communication is which mail the account gets.
	Communication  Communication `db:"communication,jsonb" json:"communication"`
	CreatedAt      time.Time     `db:"created_at" json:"created_at"`
	StreamRevision uint64        `db:"stream_revision" json:"-"`
}

// Communication is which mail an account gets.
type Communication struct {
	// Legal and Security are always true.
	Legal    bool `json:"legal"`
	Security bool `json:"security"`
	account.Communication
}

// BillTo is whom an account's invoices are made out to.
type BillTo struct {
	account.BillingIdentity
	// Source is billing_identity, or profile while none was given.
	Source string `json:"source" enum:"billing_identity,profile"`
}

// OwnAccount is an account that the caller may act for.
type OwnAccount struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Role is owner or delegate.
	Role string `json:"role"`
	// Status is open, closing or closed; a closed one is only read.
	Status account.Status `json:"status"`
	delegation.Terms
}

// accounts keeps read.account and read.ownership_transfer.
func accounts() Model {
	status := func(rows *Rows[AccountRow], m Meta, to account.Status, why ...account.Reason) {
		row := rows.Get(m.AggregateID)
		row.Status, row.StatusAt, row.CloseRefused = to, &m.OccurredAt, why
	}
	return Define("accounts", Keep(Table{Name: "read.account", Category: account.Decider.Category}, slices.Concat([]Handler[AccountRow]{
		On(func(rows *Rows[AccountRow], e account.Opened, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Owner, row.Name, row.Kind, row.Country = e.Owner, e.Name, e.Kind, e.Country
			row.Currency, row.VATNumber, row.Address = e.Currency, e.VATNumber, e.Address
			row.Communication = Communication{true, true, account.Decider.Fold(e).Communication}
			row.Status, row.CreatedAt = account.StatusOpen, m.OccurredAt
		}),
		On(func(rows *Rows[AccountRow], e account.ProfileUpdated, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Name, row.Country, row.Address = e.Name, e.Country, e.Address
		}),
		On(func(rows *Rows[AccountRow], e account.BillingIdentityChanged, m Meta) {
			to := e.BillingIdentity
			rows.Get(m.AggregateID).Billing = &to
		}),
		On(func(rows *Rows[AccountRow], e account.CommunicationPreferencesChanged, m Meta) {
			rows.Get(m.AggregateID).Communication.Communication = account.Communication(e)
		}),
		On(func(rows *Rows[AccountRow], _ account.ClosingRequested, m Meta) {
			status(rows, m, account.StatusClosing)
		}),
		On(func(rows *Rows[AccountRow], _ account.ClosingWithdrawn, m Meta) { status(rows, m, account.StatusOpen) }),
		On(func(rows *Rows[AccountRow], e account.ClosingRefused, m Meta) {
			status(rows, m, account.StatusOpen, e.Why...)
		}),
		On(func(rows *Rows[AccountRow], _ account.Closed, m Meta) { status(rows, m, account.StatusClosed) }),
		On(func(rows *Rows[AccountRow], _ account.Reopened, m Meta) { status(rows, m, account.StatusOpen) }),
		On(func(rows *Rows[AccountRow], e account.OwnershipTransferred, m Meta) {
			rows.Get(m.AggregateID).Owner = e.To
		}),
	}, onErased(subjectkey.Profile, func(row *AccountRow) {
		erase(&row.Name, &row.VATNumber)
		eraseAddress(&row.Address)
		if b := row.Billing; b != nil {
			erase(&b.Name, &b.CompanyNumber, &b.VATNumber, &b.Email)
			eraseAddress(&b.Address)
		}
	}))...), transfers())
}

const accountColumns = `id, owner, name, kind, country, currency, vat_number, address, billing, communication, status, status_at, close_refused, created_at, stream_revision`

// Account is an account's profile.
func (r *Reader) Account(ctx context.Context, g delegation.Grants, id string) (AccountRow, error) {
	if err := r.allow(ctx, g, id, delegation.ProfileRead, delegation.Resource{Kind: "account", ID: id}); err != nil {
		return AccountRow{}, err
	}
	rows, _ := r.db.Query(ctx, `SELECT `+accountColumns+` FROM read.account WHERE id = $1`, id)
	return one[AccountRow](rows, "account")
}

// BillTo is whom an account's next invoice is made out to, with the revision of
// the account's stream.
func (r *Reader) BillTo(ctx context.Context, g delegation.Grants, id string) (BillTo, uint64, error) {
	row, err := r.Account(ctx, g, id)
	if err != nil {
		return BillTo{}, 0, err
	}
	a := account.Account{Name: row.Name, Kind: row.Kind, Country: row.Country, VATNumber: row.VATNumber, Address: row.Address}
	to := BillTo{Source: "profile"}
	if row.Billing != nil {
		a.Billing, to.Source = *row.Billing, "billing_identity"
	}
	to.BillingIdentity = a.BillTo()
	return to, row.StreamRevision, nil
}

// StaffAccounts lists every account, newest first, or those that a query finds:
// an account's id, its owner's e-mail address, or a part of its name.
func (r *Reader) StaffAccounts(ctx context.Context, g delegation.Grants, query string, p Page) (List[AccountRow], error) {
	if err := allow(g, "", delegation.StaffAccountsRead, delegation.Resource{Kind: "account"}); err != nil {
		return List[AccountRow]{}, err
	}
	from, limit, err := p.open("accounts")
	if err != nil {
		return List[AccountRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+accountColumns+`
		FROM read.account a
		WHERE (created_at, id) < ($1, $2)
		  AND ($4 = '' OR id = $4 OR strpos(lower(name), lower($4)) > 0
		       OR EXISTS (SELECT 1 FROM read.login l WHERE l.id = a.owner AND lower(l.email) = lower($4)))
		ORDER BY created_at DESC, id DESC
		LIMIT $3`, from.At, from.ID, limit+1, query)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[AccountRow])
	if err != nil {
		return List[AccountRow]{}, fmt.Errorf("list accounts: %w", err)
	}
	if err := sawRows(ctx, r, g, delegation.ProfileRead, found, func(row AccountRow) string { return row.ID }); err != nil {
		return List[AccountRow]{}, err
	}
	return paged(found, limit, "accounts", func(row AccountRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// OwnAccounts lists the accounts that the caller may act for, by name.
func (r *Reader) OwnAccounts(ctx context.Context, g delegation.Grants) ([]OwnAccount, error) {
	if err := allow(g, "", delegation.SignedIn, delegation.Resource{Kind: "account"}); err != nil {
		return nil, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+accountColumns+`
		FROM read.account
		WHERE id = ANY($1)
		ORDER BY name, id`, ownAccounts(g))
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[AccountRow])
	if err != nil {
		return nil, fmt.Errorf("list own accounts: %w", err)
	}
	own := make([]OwnAccount, len(found))
	for i, row := range found {
		grant := g.Accounts[row.ID]
		own[i] = OwnAccount{ID: row.ID, Name: row.Name, Role: "delegate", Status: row.Status, Terms: grant.Terms}
		if grant.Owner {
			own[i].Role = "owner"
			own[i].Terms = delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}
		}
	}
	return own, nil
}

// ownAccounts are the ids of those that are the caller's or delegated to it.
func ownAccounts(g delegation.Grants) []string {
	ids := []string{}
	for id, grant := range g.Accounts {
		if grant.Impersonation == "" {
			ids = append(ids, id)
		}
	}
	return ids
}
