package projections

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// RightsModel is the lane of rights: a write that changes them answers only
// after it has passed.
const RightsModel = "rights"

// rightsRow is what one user holds.
type rightsRow struct {
	User     string                      `db:"holder"`
	Role     delegation.Role             `db:"role"`
	Accounts map[string]delegation.Grant `db:"accounts,jsonb"`
	// KeptOut is true while the user is locked, and once it is closed. It has no
	// sessions then; its API tokens are refused by this.
	KeptOut bool `db:"kept_out"`
}

// rights keeps read.rights, by user, read.api_token and
// read.closed_account.
func rights() Model {
	return Define(RightsModel, Keep(Table{Name: "read.rights", Key: "holder"},
		OnKey(func(e account.Opened, _ Meta) []string { return []string{e.Owner} },
			func(rows *Rows[rightsRow], e account.Opened, m Meta) {
				put(&rows.Get(e.Owner).Accounts, m.AggregateID, delegation.Grant{Owner: true})
			}),
		// Both in one transaction: nobody ever reads two owners, or none.
		OnKey(func(e account.OwnershipTransferred, _ Meta) []string { return []string{e.From, e.To} },
			func(rows *Rows[rightsRow], e account.OwnershipTransferred, m Meta) {
				delete(rows.Get(e.From).Accounts, m.AggregateID)
				put(&rows.Get(e.To).Accounts, m.AggregateID, delegation.Grant{Owner: true})
			}),
		On(func(rows *Rows[rightsRow], _ user.Locked, m Meta) { rows.Get(m.AggregateID).KeptOut = true }),
		On(func(rows *Rows[rightsRow], _ user.Unlocked, m Meta) { rows.Get(m.AggregateID).KeptOut = false }),
		On(func(rows *Rows[rightsRow], _ user.Closed, m Meta) { rows.Get(m.AggregateID).KeptOut = true }),
		OnKey(func(e delegation.InvitationAccepted, _ Meta) []string { return []string{e.User} },
			func(rows *Rows[rightsRow], e delegation.InvitationAccepted, m Meta) {
				give(rows, e.User, e.Account, m, e.Terms)
			}),
		OnKey(func(e delegation.Kept, _ Meta) []string { return []string{e.User} },
			func(rows *Rows[rightsRow], e delegation.Kept, m Meta) { give(rows, e.User, e.Account, m, e.Terms) }),
		OnKey(func(e delegation.GrantChanged, _ Meta) []string { return holder(e.User) },
			func(rows *Rows[rightsRow], e delegation.GrantChanged, m Meta) {
				change(rows, e.User, e.Account, m, e.Terms)
			}),
		OnKey(func(e delegation.Revoked, _ Meta) []string { return holder(e.User) },
			func(rows *Rows[rightsRow], e delegation.Revoked, m Meta) {
				change(rows, e.User, e.Account, m, delegation.Terms{})
			}),
		OnKey(func(e delegation.Left, _ Meta) []string { return holder(e.User) },
			func(rows *Rows[rightsRow], e delegation.Left, m Meta) {
				change(rows, e.User, e.Account, m, delegation.Terms{})
			}),
		OnKey(func(e delegation.Expired, _ Meta) []string { return holder(e.User) },
			func(rows *Rows[rightsRow], e delegation.Expired, m Meta) {
				change(rows, e.User, e.Account, m, delegation.Terms{})
			}),
		On(func(rows *Rows[rightsRow], e staff.Hired, m Meta) {
			rows.Get(m.AggregateID).Role = e.Role
		}),
		On(func(rows *Rows[rightsRow], e staff.RoleAssigned, m Meta) { rows.Get(m.AggregateID).Role = e.Role }),
		On(func(rows *Rows[rightsRow], _ staff.Deactivated, m Meta) { rows.Get(m.AggregateID).Role = "" }),
	), apiTokens(), closedAccounts())
}

// closedAccount is an account that is only read, whoever holds what on it.
type closedAccount struct {
	Account string `db:"account"`
}

// closedAccounts keeps read.closed_account.
func closedAccounts() View {
	return Keep(Table{Name: "read.closed_account", Key: "account"},
		On(func(rows *Rows[closedAccount], _ account.Closed, m Meta) { rows.Get(m.AggregateID) }),
		On(func(rows *Rows[closedAccount], _ account.Reopened, m Meta) { rows.Delete(m.AggregateID) }),
	)
}

// Closed reports whether an account is closed.
func (r *Reader) Closed(ctx context.Context, account string) (closed bool, err error) {
	err = r.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM read.closed_account WHERE account = $1)`, account).Scan(&closed)
	if err != nil {
		return false, fmt.Errorf("look whether an account is closed: %w", err)
	}
	return closed, nil
}

// holder is the key of a delegate, none while there is only an invitation.
func holder(user string) []string {
	if user == "" {
		return nil
	}
	return []string{user}
}

// give gives a user what a delegation grants; an owner holds more already.
func give(rows *Rows[rightsRow], user, account string, m Meta, terms delegation.Terms) {
	row := rows.Get(user)
	grant := row.Accounts[account]
	grant.Delegation, grant.Terms = m.AggregateID, terms
	put(&row.Accounts, account, grant)
}

// change gives a delegation other terms, or ends it by terms without any
// permission. One that does not give the user its rights, because a later one
// does, changes nothing.
func change(rows *Rows[rightsRow], user, account string, m Meta, terms delegation.Terms) {
	if user == "" {
		return
	}
	row := rows.Get(user)
	grant, ok := row.Accounts[account]
	if !ok || grant.Delegation != m.AggregateID {
		return
	}
	grant.Terms = terms
	if len(terms.Permissions) == 0 {
		grant.Delegation = ""
	}
	if grant.Owner || grant.Delegation != "" {
		row.Accounts[account] = grant
		return
	}
	delete(row.Accounts, account)
}

// rightsPatience is how long the log may be ahead of the rights.
const rightsPatience = 5 * time.Second

// rightsOf selects what a user holds, and what of it is closed; the user follows.
const rightsOf = `
	SELECT role, accounts, clock_timestamp(),
	       ARRAY(SELECT c.account
	             FROM jsonb_object_keys(CASE jsonb_typeof(accounts) WHEN 'object' THEN accounts ELSE '{}' END) held
	             JOIN read.closed_account c ON c.account = held)
	FROM read.rights
	WHERE holder = `

// Rights is everything a user holds. It refuses, rather than answer old
// rights, while the lane is halted or has fallen behind a store that answers.
// While the store is away nobody can change rights: the last ones are in force.
func (r *Reader) Rights(ctx context.Context, holder string) (delegation.Grants, error) {
	if err := r.RightsCurrent(); err != nil {
		return delegation.Grants{}, err
	}
	g := delegation.Grants{User: holder}
	rows, _ := r.db.Query(ctx, rightsOf+`$1`, holder)
	if err := scanRights(rows, &g); err != nil {
		return delegation.Grants{}, fmt.Errorf("read rights: %w", err)
	}
	return g, nil
}

// AskRights makes a question about a user that is not known yet but by an SQL
// expression, for a batch of statements: what he holds goes into g, which names
// him already or will. Ask RightsCurrent, too, before the batch is sent.
func AskRights(g *delegation.Grants) func(b *pgx.Batch, user string, args ...any) {
	return func(b *pgx.Batch, user string, args ...any) {
		b.Queue(rightsOf+user, args...).Query(func(rows pgx.Rows) error { return scanRights(rows, g) })
	}
}

// scanRights reads what a user holds. What has run out is not held, whether or
// not that was noted yet: by the database's clock, which is the same for every
// process.
func scanRights(rows pgx.Rows, g *delegation.Grants) error {
	defer rows.Close()
	for rows.Next() {
		var now time.Time
		var closed []string
		if err := rows.Scan(&g.Role, &g.Accounts, &now, &closed); err != nil {
			return err
		}
		for _, id := range closed {
			grant := g.Accounts[id]
			grant.Closed = true
			g.Accounts[id] = grant
		}
		maps.DeleteFunc(g.Accounts, func(_ string, grant delegation.Grant) bool {
			return !grant.Owner && grant.ExpiresAt != nil && !now.Before(*grant.ExpiresAt)
		})
	}
	return rows.Err()
}

// RightsCurrent refuses while rights cannot be told, also before it is known how
// far they have come.
func (r *Reader) RightsCurrent() error {
	s, err := r.lanes.LaneStatus(RightsModel)
	if err != nil {
		return err
	}
	if s.Halted() || s.State == feed.Starting || !s.StoreAway && s.Behind > rightsPatience {
		return domain.ErrUnavailable
	}
	return nil
}
