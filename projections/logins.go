package projections

import (
	"context"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/user"
)

// LoginRow is one user, as that user sees it.
type LoginRow struct {
	ID            string      `db:"id" json:"id"`
	Email         string      `db:"email" json:"email"`
	Name          string      `db:"name" json:"name"`
	Locale        user.Locale `db:"locale" json:"locale"`
	EmailVerified bool        `db:"email_verified" json:"email_verified"`
	// SecondFactor is true when a password alone does not log in.
	SecondFactor   bool          `db:"second_factor" json:"second_factor"`
	SecondFactors  SecondFactors `db:"second_factors,jsonb" json:"second_factors"`
	Passkeys       []Passkey     `db:"passkeys,jsonb" json:"-"`
	StreamRevision uint64        `db:"stream_revision" json:"-"`
}

// SecondFactors are what a user can prove beside its password.
type SecondFactors struct {
	TOTP              bool `json:"totp" doc:"One-time codes are on."`
	Passkeys          int  `json:"passkeys" doc:"How many passkeys there are."`
	RecoveryCodesLeft int  `json:"recovery_codes_left" doc:"How many recovery codes were not used."`
}

// Passkey is one of a user's passkeys.
type Passkey struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	AddedAt time.Time `json:"added_at"`
}

// settle derives what the factors come to. With the last one the recovery
// codes are gone.
func (r *LoginRow) settle() {
	r.SecondFactors.Passkeys = len(r.Passkeys)
	r.SecondFactor = r.SecondFactors.TOTP || len(r.Passkeys) > 0
	if !r.SecondFactor {
		r.SecondFactors.RecoveryCodesLeft = 0
	}
}

const loginColumns = `id, email, name, locale, email_verified, second_factor, second_factors, passkeys, stream_revision`

// logins keeps read.login. Logging in does not read it.
func logins() Model {
	return Define("logins", Keep(Table{Name: "read.login", Category: user.Decider.Category}, slices.Concat([]Handler[LoginRow]{
		On(func(rows *Rows[LoginRow], e user.Registered, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Email, row.Name, row.Locale = e.Email, e.Name, e.Locale
		}),
		On(func(rows *Rows[LoginRow], e user.ProfileUpdated, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Name, row.Locale = e.Name, e.Locale
		}),
		On(func(rows *Rows[LoginRow], _ user.EmailVerified, m Meta) {
			rows.Get(m.AggregateID).EmailVerified = true
		}),
		On(func(rows *Rows[LoginRow], e user.EmailChanged, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Email, row.EmailVerified = e.Email, true
		}),
		On(func(rows *Rows[LoginRow], _ user.TOTPConfirmed, m Meta) {
			row := rows.Get(m.AggregateID)
			row.SecondFactors.TOTP = true
			row.settle()
		}),
		On(func(rows *Rows[LoginRow], _ user.TOTPDisabled, m Meta) {
			row := rows.Get(m.AggregateID)
			row.SecondFactors.TOTP = false
			row.settle()
		}),
		On(func(rows *Rows[LoginRow], e user.PasskeyAdded, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Passkeys = append(row.Passkeys, Passkey{ID: e.Passkey, Name: e.Name, AddedAt: m.OccurredAt})
			row.settle()
		}),
		On(func(rows *Rows[LoginRow], e user.PasskeyRemoved, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Passkeys = slices.DeleteFunc(row.Passkeys, func(p Passkey) bool { return p.ID == e.Passkey })
			row.settle()
		}),
		On(func(rows *Rows[LoginRow], _ user.RecoveryCodesRegenerated, m Meta) {
			rows.Get(m.AggregateID).SecondFactors.RecoveryCodesLeft = user.RecoveryCodes
		}),
		On(func(rows *Rows[LoginRow], e user.RecoveryCodeUsed, m Meta) {
			rows.Get(m.AggregateID).SecondFactors.RecoveryCodesLeft = e.Left
		}),
	}, onErased(subjectkey.Profile, func(row *LoginRow) {
		erase(&row.Email, &row.Name)
		for i := range row.Passkeys {
			erase(&row.Passkeys[i].Name)
		}
	}))...))
}

// Login is the user's own row.
func (r *Reader) Login(ctx context.Context, g delegation.Grants, id string) (LoginRow, error) {
	if err := allow(g, "", delegation.Self, delegation.Resource{Kind: "user", ID: id}); err != nil {
		return LoginRow{}, err
	}
	rows, _ := r.db.Query(ctx, `SELECT `+loginColumns+` FROM read.login WHERE id = $1`, id)
	return one[LoginRow](rows, "user")
}
