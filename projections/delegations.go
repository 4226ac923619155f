package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// DelegationRow is one person who may act for an account, was asked to, or
// once did.
type DelegationRow struct {
	ID      string `db:"id" json:"id"`
	Account string `db:"account" json:"-"`
	// Email is the address that was invited, Holder who accepted.
	Email       string              `db:"email" json:"email"`
	Holder      string              `db:"holder" json:"user,omitempty"`
	Status      delegation.Status   `db:"status" json:"status"`
	Permissions []domain.Permission `db:"permissions,jsonb" json:"permissions"`
	Scope       delegation.Scope    `db:"scope,jsonb" json:"scope"`
	// ScopeIDs are the ids in Scope, to be asked for.
	ScopeIDs  []string   `db:"scope_ids" json:"-"`
	ExpiresAt *time.Time `db:"expires_at" json:"expires_at"`
	// OpenUntil is when the invitation ends, or ended.
	OpenUntil      time.Time `db:"open_until" json:"open_until"`
	CreatedAt      time.Time `db:"created_at" json:"created_at"`
	StreamRevision uint64    `db:"stream_revision" json:"-"`
	// Invitation is the subject of the address's key.
	Invitation string `db:"invitation" json:"-"`
}

// delegations keeps read.delegation. Rights are not read from it.
func delegations() Model {
	status := func(rows *Rows[DelegationRow], m Meta, s delegation.Status) { rows.Get(m.AggregateID).Status = s }
	return Define("delegations", Keep(Table{
		Name: "read.delegation", Category: delegation.Decider.Category,
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: `email = feed.erased(email) WHERE invitation = $1`},
	},
		On(func(rows *Rows[DelegationRow], e delegation.DelegateInvited, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Email, row.Holder, row.OpenUntil = e.Account, e.Email, "", e.OpenUntil
			row.Invitation = e.Invitation
			if row.CreatedAt.IsZero() {
				row.CreatedAt = m.OccurredAt
			}
			row.grant(delegation.StatusInvited, e.Terms)
		}),
		On(func(rows *Rows[DelegationRow], e delegation.InvitationAccepted, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Holder = e.User
			row.grant(delegation.StatusActive, e.Terms)
		}),
		On(func(rows *Rows[DelegationRow], e delegation.Kept, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Email, row.Holder, row.Invitation = e.Account, e.Email, e.User, e.Invitation
			row.OpenUntil = m.OccurredAt
			if row.CreatedAt.IsZero() {
				row.CreatedAt = m.OccurredAt
			}
			row.grant(delegation.StatusActive, e.Terms)
		}),
		On(func(rows *Rows[DelegationRow], e delegation.GrantChanged, m Meta) {
			row := rows.Get(m.AggregateID)
			row.grant(row.Status, e.Terms)
		}),
		On(func(rows *Rows[DelegationRow], _ delegation.InvitationDeclined, m Meta) {
			status(rows, m, delegation.StatusDeclined)
		}),
		On(func(rows *Rows[DelegationRow], _ delegation.InvitationExpired, m Meta) {
			status(rows, m, delegation.StatusExpired)
		}),
		On(func(rows *Rows[DelegationRow], _ delegation.Revoked, m Meta) {
			status(rows, m, delegation.StatusRevoked)
		}),
		On(func(rows *Rows[DelegationRow], _ delegation.Left, m Meta) { status(rows, m, delegation.StatusLeft) }),
		On(func(rows *Rows[DelegationRow], _ delegation.Expired, m Meta) {
			status(rows, m, delegation.StatusExpired)
		}),
	))
}

func (row *DelegationRow) grant(s delegation.Status, t delegation.Terms) {
	row.Status, row.Permissions, row.Scope, row.ScopeIDs, row.ExpiresAt = s, t.Permissions, t.Scope, t.Scope.IDs(), t.ExpiresAt
}

// delegationColumns say that what has run out is expired, noted or not.
const delegationColumns = `id, account, email, holder,
	CASE WHEN status = 'active' AND expires_at <= now() OR status = 'invited' AND open_until <= now() THEN 'expired' ELSE status END AS status,
	permissions, scope, scope_ids, expires_at, open_until, created_at, stream_revision, invitation`

// delegationsWithin are those that a viewer with a limited scope may see: they
// reach nothing else. For others it is nil.
func delegationsWithin(g delegation.Grants, account string) []string {
	if !delegation.Limited(g, account) {
		return nil
	}
	return append([]string{}, g.Accounts[account].Scope.IDs()...)
}

// Delegations lists who may act for an account, newest first.
func (r *Reader) Delegations(ctx context.Context, g delegation.Grants, account string, p Page) (List[DelegationRow], error) {
	if err := r.allowUsers(ctx, g, account); err != nil {
		return List[DelegationRow]{}, err
	}
	from, limit, err := p.open("delegations")
	if err != nil {
		return List[DelegationRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+delegationColumns+`
		FROM read.delegation
		WHERE account = $1
		  AND ($2::text[] IS NULL OR scope_ids <@ $2 AND NOT scope ? 'all')
		  AND (created_at, id) < ($3, $4)
		ORDER BY created_at DESC, id DESC
		LIMIT $5`, account, delegationsWithin(g, account), from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[DelegationRow])
	if err != nil {
		return List[DelegationRow]{}, fmt.Errorf("list delegations: %w", err)
	}
	return paged(found, limit, "delegations", func(row DelegationRow) (time.Time, string) { return row.CreatedAt, row.ID })
}

// maxActing is how many delegates Acting answers.
const maxActing = 100

// Acting lists the newest of those who act for an account by now, or were asked
// to; more is true when there are others.
func (r *Reader) Acting(ctx context.Context, g delegation.Grants, account string) (found []DelegationRow, more bool, err error) {
	if err := r.allowUsers(ctx, g, account); err != nil {
		return nil, false, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT *
		FROM (
			SELECT `+delegationColumns+`
			FROM read.delegation
			WHERE account = $1 AND ($2::text[] IS NULL OR scope_ids <@ $2 AND NOT scope ? 'all')
		) d
		WHERE status IN ('active', 'invited')
		ORDER BY created_at DESC, id DESC
		LIMIT $3`, account, delegationsWithin(g, account), maxActing+1)
	found, err = pgx.CollectRows(rows, pgx.RowToStructByName[DelegationRow])
	if err != nil {
		return nil, false, fmt.Errorf("list delegates: %w", err)
	}
	return found[:min(len(found), maxActing)], len(found) > maxActing, nil
}

// Delegation is one delegation of an account.
func (r *Reader) Delegation(ctx context.Context, g delegation.Grants, account, id string) (DelegationRow, error) {
	if err := r.allowUsers(ctx, g, account); err != nil {
		return DelegationRow{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+delegationColumns+`
		FROM read.delegation
		WHERE account = $1 AND id = $2
		  AND ($3::text[] IS NULL OR scope_ids <@ $3 AND NOT scope ? 'all')`, account, id, delegationsWithin(g, account))
	return one[DelegationRow](rows, "delegation")
}

// allowUsers lets those in who manage the account's users, and staff who may
// see them.
func (r *Reader) allowUsers(ctx context.Context, g delegation.Grants, account string) error {
	if err := mayUsers(g, account); err != nil {
		return err
	}
	of := delegation.Resource{Kind: "delegation"}
	if !delegation.ByRole(g, account, delegation.UsersManage, of) {
		return nil
	}
	return r.saw(ctx, g, of, inspection.Sight{Account: account, What: delegation.StaffUsersRead})
}

// mayUsers is allowUsers without a record.
func mayUsers(g delegation.Grants, account string) error {
	whole := delegation.Resource{Kind: "account", ID: account}
	if delegation.Can(g, "", delegation.StaffUsersRead, whole) {
		return nil
	}
	err := allow(g, account, delegation.UsersManage, delegation.Resource{Kind: "delegation"})
	if errors.Is(err, domain.ErrDenied) {
		return delegation.Refusal(g, "", delegation.StaffUsersRead, whole)
	}
	return err
}
