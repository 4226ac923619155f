package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// APITokenRow is one API token that was not revoked.
type APITokenRow struct {
	ID      string `db:"id" json:"id"`
	Account string `db:"account" json:"-"`
	// Holder is the user who made it.
	Holder         string              `db:"holder" json:"user"`
	Name           string              `db:"name" json:"name"`
	Permissions    []domain.Permission `db:"permissions,jsonb" json:"permissions"`
	ExpiresAt      *time.Time          `db:"expires_at" json:"expires_at"`
	CreatedAt      time.Time           `db:"created_at" json:"created_at"`
	StreamRevision uint64              `db:"stream_revision" json:"-"`
}

// apiTokens keeps read.api_token, in the lane of rights.
func apiTokens() View {
	return Keep(Table{
		Name: "read.api_token", Category: apitoken.Decider.Category,
		Redact: map[subjectkey.Purpose]string{subjectkey.Profile: `name = feed.erased(name) WHERE holder = $1`},
	},
		On(func(rows *Rows[APITokenRow], e apitoken.Issued, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Account, row.Holder, row.Name, row.Permissions = e.Account, e.User, e.Name, e.Permissions
			row.ExpiresAt, row.CreatedAt = e.ExpiresAt, m.OccurredAt
		}),
		On(func(rows *Rows[APITokenRow], _ apitoken.Revoked, m Meta) { rows.Delete(m.AggregateID) }),
	)
}

// TokenRights is what an API token may do now: what it was given, as far as
// its holder has it. It is refused once it was revoked or has expired, while
// its holder is locked, and while rights cannot be told.
func (r *Reader) TokenRights(ctx context.Context, id string) (delegation.Grants, error) {
	if err := r.RightsCurrent(); err != nil {
		return delegation.Grants{}, err
	}
	var (
		holder, account string
		permissions     []domain.Permission
	)
	err := r.db.QueryRow(ctx, `
		SELECT t.holder, t.account, t.permissions
		FROM read.api_token t
		LEFT JOIN read.rights r ON r.holder = t.holder
		WHERE t.id = $1
		  AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
		  AND NOT coalesce(r.kept_out, false)`, id).Scan(&holder, &account, &permissions)
	if errors.Is(err, pgx.ErrNoRows) {
		return delegation.Grants{}, domain.ErrUnauthenticated
	}
	if err != nil {
		return delegation.Grants{}, fmt.Errorf("read an API token: %w", err)
	}
	g, err := r.Rights(ctx, holder)
	return g.LimitedTo(id, account, permissions), err
}

const programColumns = `id, account, holder, name, permissions, expires_at, created_at, stream_revision`

// APITokens lists the viewer's tokens on an account, for the owner everybody's,
// newest first.
func (r *Reader) APITokens(ctx context.Context, g delegation.Grants, account string, p Page) (List[APITokenRow], error) {
	if err := r.allow(ctx, g, account, delegation.Member, delegation.Resource{Kind: "apitoken"}); err != nil {
		return List[APITokenRow]{}, err
	}
	from, limit, err := p.open("api_tokens")
	if err != nil {
		return List[APITokenRow]{}, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT `+programColumns+`
		FROM read.api_token
		WHERE account = $1
		  AND (holder = $2 OR $3)
		  AND (created_at, id) < ($4, $5)
		ORDER BY created_at DESC, id DESC
		LIMIT $6`, account, g.User, g.Accounts[account].Owner, from.At, from.ID, limit+1)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[APITokenRow])
	if err != nil {
		return List[APITokenRow]{}, fmt.Errorf("list API tokens: %w", err)
	}
	return paged(found, limit, "api_tokens", func(row APITokenRow) (time.Time, string) { return row.CreatedAt, row.ID })
}
