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
	// EmailApart is true while who reads the address's mail may be another than who
	// knows the password.
	EmailApart bool `db:"email_apart" json:"-"`
	// SecondFactor is true when a password alone does not log in.
	SecondFactor  bool          `db:"second_factor" json:"second_factor"`
	SecondFactors SecondFactors `db:"second_factors,jsonb" json:"second_factors"`
	Passkeys      []Passkey     `db:"passkeys,jsonb" json:"-"`
	// FactorReset is the last reset of all second factors that staff asked for.
	FactorReset    *FactorReset `db:"factor_reset,jsonb" json:"factor_reset,omitempty"`
	StreamRevision uint64       `db:"stream_revision" json:"-"`
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
	// Suspect is true once there may be a copy of it.
	Suspect bool `json:"suspect,omitempty" doc:"True once there may be a copy of it: remove it."`
}

// FactorReset is a reset of a user's second factors.
type FactorReset struct {
	Status        ResetStatus `json:"status" enum:"waiting,cancelled,done"`
	RequestedAt   time.Time   `json:"requested_at"`
	TakesEffectAt time.Time   `json:"takes_effect_at"`
	EndedAt       *time.Time  `json:"ended_at,omitempty" doc:"When it was cancelled or carried out."`
}

// ResetStatus is where a reset stands.
type ResetStatus string

// A reset waits until it is cancelled or done.
const (
	ResetWaiting   ResetStatus = "waiting"
	ResetCancelled ResetStatus = "cancelled"
	ResetDone      ResetStatus = "done"
)

// Waiting reports whether it can still be cancelled.
func (r *FactorReset) Waiting() bool { return r != nil && r.Status == ResetWaiting }

// end notes what came of the row's reset.
func (r *LoginRow) end(status ResetStatus, at time.Time) {
	if r.FactorReset != nil && r.FactorReset.Status == ResetWaiting {
		r.FactorReset.Status, r.FactorReset.EndedAt = status, &at
	}
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

const loginColumns = `id, email, name, locale, email_verified, email_apart, second_factor, second_factors, passkeys, factor_reset, stream_revision`

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
		On(func(rows *Rows[LoginRow], e user.EmailVerified, m Meta) {
			row := rows.Get(m.AggregateID)
			row.EmailVerified, row.EmailApart = true, e.Apart
		}),
		On(func(rows *Rows[LoginRow], e user.EmailChanged, m Meta) {
			row := rows.Get(m.AggregateID)
			row.Email, row.EmailVerified, row.EmailApart = e.Email, true, false
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
		On(func(rows *Rows[LoginRow], e user.PasskeyRenamed, m Meta) {
			row := rows.Get(m.AggregateID)
			for i := range row.Passkeys {
				if row.Passkeys[i].ID == e.Passkey {
					row.Passkeys[i].Name = e.Name
				}
			}
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
		On(func(rows *Rows[LoginRow], e user.PasskeyCopySuspected, m Meta) {
			row := rows.Get(m.AggregateID)
			for i := range row.Passkeys {
				row.Passkeys[i].Suspect = row.Passkeys[i].Suspect || row.Passkeys[i].ID == e.Passkey
			}
		}),
		On(func(rows *Rows[LoginRow], e user.FactorResetRequested, m Meta) {
			rows.Get(m.AggregateID).FactorReset = &FactorReset{Status: ResetWaiting, RequestedAt: m.OccurredAt, TakesEffectAt: e.TakesEffectAt}
		}),
		On(func(rows *Rows[LoginRow], _ user.FactorResetCancelled, m Meta) {
			rows.Get(m.AggregateID).end(ResetCancelled, m.OccurredAt)
		}),
		On(func(rows *Rows[LoginRow], _ user.FactorsReset, m Meta) {
			row := rows.Get(m.AggregateID)
			row.SecondFactors.TOTP, row.Passkeys = false, []Passkey{}
			row.settle()
			row.end(ResetDone, m.OccurredAt)
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
