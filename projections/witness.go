package projections

import (
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
)

// Witness is told what staff are about to be shown of customers; an error keeps
// it from them. It is a *commands.Witness.
type Witness interface {
	Saw(ctx context.Context, g delegation.Grants, sights []inspection.Sight) error
}

// Witnessed lets the reader show staff things of customers, which it does not
// without a witness. It is called before the first question.
func (r *Reader) Witnessed(w Witness) { r.witness = w }

// allow is allow, and records what is shown to staff for their role alone.
func (r *Reader) allow(ctx context.Context, g delegation.Grants, account string, p domain.Permission, of delegation.Resource) error {
	if err := allow(g, account, p, of); err != nil {
		return err
	}
	return r.saw(ctx, g, of, inspection.Sight{Account: account, What: p})
}

// saw records sights, as far as it is the role that shows them; what is a
// person's and no account's is shown by a role alone.
func (r *Reader) saw(ctx context.Context, g delegation.Grants, of delegation.Resource, sights ...inspection.Sight) error {
	var asStaff []inspection.Sight
	for _, s := range sights {
		if s.Account == inspection.Everybody {
			continue // what was read of all is nobody's thing
		}
		if s.Person != "" || delegation.ByRole(g, s.Account, s.What, of) {
			asStaff = append(asStaff, s)
		}
	}
	switch {
	case len(asStaff) == 0:
		return nil
	case r.witness == nil:
		return domain.ErrUnavailable
	}
	return r.witness.Saw(ctx, g, asStaff)
}

// sawRows records what a list shows of many accounts.
func sawRows[R any](ctx context.Context, r *Reader, g delegation.Grants, p domain.Permission, rows []R, account func(R) string) error {
	sights := make([]inspection.Sight, len(rows))
	for i, row := range rows {
		sights[i] = inspection.Sight{Account: account(row), What: p}
	}
	return r.saw(ctx, g, delegation.ListOf(p), sights...)
}
