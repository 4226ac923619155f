package portal

import (
	"net/http"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/projections"
)

// dataPage is what a user may have of its data: copies, and their erasure.
type dataPage struct {
	// Accounts are those that the viewer owns.
	Accounts []projections.OwnAccount
	// Erasure is where one stands, nil when none was asked for.
	Erasure *projections.ErasureRow
	// May is true when one may be asked for.
	May bool
	erasurePlan
}

// erasurePlan says what an erasure of today would leave, and until when.
type erasurePlan struct {
	// Invoices is the end of what concerns invoices, "" when there are none.
	Invoices domain.Date
	// Identity is the end of the archive of who somebody was.
	Identity domain.Date
	// Logins is the end of log-ins.
	Logins domain.Date
}

func (p *pages) data(v *visit) error { return p.showData(v, http.StatusOK) }

func (p *pages) showData(v *visit, status int) error {
	body := dataPage{May: true}
	row, err := p.Reader.Erasure(v.r.Context(), v.caller.Grants)
	switch {
	case err == nil:
		body.Erasure, body.May = &row, row.Status == privacy.StatusRefused || row.Status == privacy.StatusWithdrawn
	case domain.KindOf(err) != domain.KindMissing:
		return err
	}
	if body.Accounts, err = p.ownedAccounts(v); err != nil {
		return err
	}
	if body.erasurePlan, err = p.erasurePlan(v, body.Accounts); err != nil {
		return err
	}
	return p.show(v, status, "data", "data", v.title("data.title"), body)
}

// ownedAccounts are the accounts that go with the viewer.
func (p *pages) ownedAccounts(v *visit) (owned []projections.OwnAccount, err error) {
	mine, err := p.Reader.OwnAccounts(v.r.Context(), v.caller.Grants)
	for _, a := range mine {
		if v.caller.Grants.Accounts[a.ID].Owner {
			owned = append(owned, a)
		}
	}
	return owned, err
}

// erasurePlan tells the dates as they would be today. Those that hold are told
// by the erasure itself, which looks at every document.
func (p *pages) erasurePlan(v *visit, owned []projections.OwnAccount) (plan erasurePlan, err error) {
	now := p.Clock().UTC()
	plan.Identity = privacy.IdentityEnd(now)
	plan.Logins = domain.DateOf(now.Year(), now.Month()+vault.LoginsFor, now.Day())
	last := 0
	for _, a := range owned {
		list, err := p.Reader.Invoices(v.r.Context(), v.caller.Grants, a.ID, "", projections.Page{Limit: 1})
		if err != nil {
			return plan, err
		}
		for _, inv := range list.Items {
			last = max(last, inv.CreatedAt.Year())
		}
	}
	if last > 0 {
		plan.Invoices = privacy.FiscalEnd(last)
	}
	return plan, nil
}

// erasePage is the form that asks for an erasure.
type erasePage struct {
	Accounts []projections.OwnAccount
	erasurePlan
}

func (p *pages) erasing(v *visit) error {
	if err := v.mustConfirmFactor(); err != nil {
		return err
	}
	return p.showErasing(v, http.StatusOK)
}

func (p *pages) showErasing(v *visit, status int) error {
	var body erasePage
	var err error
	if body.Accounts, err = p.ownedAccounts(v); err != nil {
		return err
	}
	if body.erasurePlan, err = p.erasurePlan(v, body.Accounts); err != nil {
		return err
	}
	return p.show(v, status, "erase", "data", v.title("erase.title"), body)
}

func (p *pages) askErasure(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.RequestErasure{UserID: v.caller.Grants.User, Password: in.value("password")}
	var receipt commands.Receipt
	if in.value("understood") != "yes" {
		err = domain.Invalid("understood", "must be ticked")
	}
	var call commands.Call
	if err == nil {
		call, err = p.call(v, in, ask)
	}
	if err == nil {
		receipt, err = p.Dispatcher.RequestErasure(v.r.Context(), call, ask)
	}
	if err != nil {
		status, err := p.refused(v, in, err, "understood", "password")
		if err != nil {
			return err
		}
		return p.showErasing(v, status)
	}
	return p.written(v, receipt.Position, v.path("data"), "erasure_asked", "erasures")
}

// withdrawErasure takes a request back that is not answered yet.
func (p *pages) withdrawErasure(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.WithdrawErasure{UserID: v.caller.Grants.User})
	if err != nil {
		status, err := p.refused(v, in, err)
		if err != nil {
			return err
		}
		return p.showData(v, status)
	}
	return p.written(v, receipt.Position, v.path("data"), "erasure_withdrawn", "erasures")
}

// Kept are the days until which the law keeps something, of an erasure that
// was accepted: one for each purpose, the last.
func (d dataPage) Kept() map[string]domain.Date {
	kept := map[string]domain.Date{}
	if d.Erasure == nil {
		return kept
	}
	for _, k := range d.Erasure.Keys {
		if purpose := string(k.Purpose); k.After != "" && kept[purpose].Before(k.After) {
			kept[purpose] = k.After
		}
	}
	return kept
}

// Waits is true for an erasure that is not answered yet, which may be withdrawn.
func (d dataPage) Waits() bool {
	return d.Erasure != nil && d.Erasure.Status == privacy.StatusSubmitted
}

// Asked is when the erasure was asked for.
func (d dataPage) Asked() time.Time {
	if d.Erasure == nil || d.Erasure.RequestedAt == nil {
		return time.Time{}
	}
	return *d.Erasure.RequestedAt
}
