package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// UserRow is one user as staff see it who look after users.
type UserRow struct {
	ID            string        `db:"id" json:"id"`
	Email         string        `db:"email" json:"email"`
	Name          string        `db:"name" json:"name"`
	Locale        user.Locale   `db:"locale" json:"locale"`
	EmailVerified bool          `db:"email_verified" json:"email_verified"`
	SecondFactor  bool          `db:"second_factor" json:"second_factor" doc:"True when a password alone does not log in."`
	SecondFactors SecondFactors `db:"second_factors,jsonb" json:"second_factors"`
	// FactorReset is the last reset of all second factors that staff asked for.
	FactorReset *FactorReset `db:"factor_reset,jsonb" json:"factor_reset,omitempty"`
	// Staff is true for who works here: its factors are reset on the machine.
	Staff bool `db:"staff" json:"staff" doc:"True for a staff member, whose second factors are reset on the machine alone."`
	// Accounts are those that the user owns, by name.
	Accounts       []UserAccount `db:"accounts,jsonb" json:"accounts"`
	StreamRevision uint64        `db:"stream_revision" json:"-"`
}

// UserAccount is an account that a user owns.
type UserAccount struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

const userQuery = `
	SELECT l.id, l.email, l.name, l.locale, l.email_verified, l.second_factor, l.second_factors, l.factor_reset, l.stream_revision,
	       EXISTS (SELECT 1 FROM read.staff_member s WHERE s.id = l.id AND s.active) AS staff,
	       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name) ORDER BY a.name, a.id), '[]')
	        FROM read.account a
	        WHERE a.owner = l.id) AS accounts
	FROM read.login l`

// maxUsersFound is more than the users that one id or address can find.
const maxUsersFound = 10

// StaffUsers finds a user by its id or its whole e-mail address. There is no
// list of everybody, and no search by parts: who looks for a user knows it.
func (r *Reader) StaffUsers(ctx context.Context, g delegation.Grants, query string) ([]UserRow, error) {
	if err := allow(g, "", delegation.StaffAccounts, delegation.Resource{Kind: user.Decider.Category}); err != nil {
		return nil, err
	}
	rows, _ := r.db.Query(ctx, userQuery+`
		WHERE l.id = $1 OR lower(l.email) = lower($1)
		ORDER BY l.id
		LIMIT $2`, query, maxUsersFound)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[UserRow])
	if err != nil {
		return nil, fmt.Errorf("find users: %w", err)
	}
	return found, r.sawUsers(ctx, g, found...)
}

// StaffUser is one user.
func (r *Reader) StaffUser(ctx context.Context, g delegation.Grants, id string) (UserRow, error) {
	if err := allow(g, "", delegation.StaffAccounts, delegation.Resource{Kind: user.Decider.Category, ID: id}); err != nil {
		return UserRow{}, err
	}
	rows, _ := r.db.Query(ctx, userQuery+` WHERE l.id = $1`, id)
	row, err := one[UserRow](rows, "user")
	if err == nil {
		err = r.sawUsers(ctx, g, row)
	}
	if err != nil {
		return UserRow{}, err
	}
	return row, nil
}

// IdleUser is a user that has nothing live.
type IdleUser struct {
	ID    string `db:"id"`
	Email string `db:"email"`
	// Tokens are the ids of its API tokens.
	Tokens []string `db:"tokens"`
}

// IdleUsers are those of some users who are no staff, are not erased, and own no
// account with a service, or with a domain name that has not expired on a day.
// Whoever shows them records it.
func (r *Reader) IdleUsers(ctx context.Context, g delegation.Grants, ids []string, today domain.Date) ([]IdleUser, error) {
	if err := allow(g, "", delegation.StaffAccounts, delegation.Resource{Kind: user.Decider.Category}); err != nil {
		return nil, err
	}
	rows, _ := r.db.Query(ctx, `
		SELECT l.id, l.email, ARRAY(SELECT t.id FROM read.api_token t WHERE t.holder = l.id) AS tokens
		FROM read.login l
		WHERE l.id = ANY($1) AND l.email <> $2
		  AND NOT EXISTS (SELECT 1 FROM read.staff_member s WHERE s.id = l.id AND s.active)
		  AND NOT EXISTS (
			SELECT 1 FROM read.account a
			WHERE a.owner = l.id
			  AND (EXISTS (SELECT 1 FROM read.service s WHERE s.account = a.id)
			       OR EXISTS (SELECT 1 FROM read.domain_name d WHERE d.account = a.id AND d.expires_on >= $3)))
		ORDER BY array_position($1, l.id)`, ids, eventstore.Erased, today)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[IdleUser])
	if err != nil {
		return nil, fmt.Errorf("find users with nothing live: %w", err)
	}
	return found, nil
}

// sawUsers records at whose log-in staff look.
func (r *Reader) sawUsers(ctx context.Context, g delegation.Grants, shown ...UserRow) error {
	sights := make([]inspection.Sight, len(shown))
	for i, row := range shown {
		sights[i] = inspection.Sight{Person: row.ID, What: delegation.StaffAccounts}
	}
	return r.saw(ctx, g, delegation.Resource{Kind: user.Decider.Category}, sights...)
}
