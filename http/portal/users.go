package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/projections"
)

// termsFields are the fields of an invitation and of a change.
var termsFields = []string{"email", "permissions", "scope", "expires_at"}

func (p *pages) users(v *visit) error { return p.showUsers(v, http.StatusOK) }

func (p *pages) showUsers(v *visit, status int) error {
	list, err := p.Reader.Delegations(v.r.Context(), v.caller.Grants, v.account, v.from())
	if err != nil {
		return err
	}
	return p.show(v, status, "users", "users", v.title("users.title"), listed(v, list))
}

// delegatePage is one delegate, or one who is to be invited.
type delegatePage struct {
	Row   projections.DelegationRow
	Terms termsForm
	// Open is true while the terms may be changed.
	Open bool
}

func (p *pages) newDelegate(v *visit) error { return p.showNewDelegate(v, http.StatusOK) }

func (p *pages) showNewDelegate(v *visit, status int) error {
	if !v.page.May.Users {
		return domain.ErrDenied
	}
	terms, err := p.termsForm(v, delegation.Terms{})
	if err != nil {
		return err
	}
	return p.show(v, status, "user_new", "users", v.title("users.invite"), delegatePage{Terms: terms})
}

func (p *pages) inviteDelegate(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	var receipt commands.Receipt
	ask := commands.InviteDelegate{AccountID: v.account, Email: in.value("email")}
	if ask.Terms, err = p.typedTerms(in); err == nil {
		var call commands.Call
		if call, err = p.call(v, in, ask); err == nil {
			receipt, err = p.Dispatcher.InviteDelegate(v.r.Context(), call, ask)
		}
	}
	if err != nil {
		status, err := p.refused(v, in, err, termsFields...)
		if err != nil {
			return err
		}
		return p.showNewDelegate(v, status)
	}
	return p.written(v, receipt.Position, v.path("users"), "invited", "delegations")
}

func (p *pages) delegate(v *visit) error { return p.showDelegate(v, http.StatusOK) }

func (p *pages) showDelegate(v *visit, status int) error {
	row, err := p.Reader.Delegation(v.r.Context(), v.caller.Grants, v.account, v.id())
	if err != nil {
		return err
	}
	terms, err := p.termsForm(v, delegation.Terms{Permissions: row.Permissions, Scope: row.Scope, ExpiresAt: row.ExpiresAt})
	if err != nil {
		return err
	}
	open := row.Status == delegation.StatusActive || row.Status == delegation.StatusInvited
	return p.show(v, status, "user", "users", row.Email, delegatePage{Row: row, Terms: terms, Open: open})
}

func (p *pages) changeDelegate(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	terms, err := p.typedTerms(in)
	var receipt commands.Receipt
	if err == nil && len(terms.Permissions) == 0 {
		err = domain.Invalid("permissions", "must name at least one permission")
	}
	if err == nil {
		ask := commands.ChangeDelegation{
			DelegationID: v.id(), Permissions: terms.Permissions, Scope: &terms.Scope,
			ExpiresAt: terms.ExpiresAt, NeverExpires: terms.ExpiresAt == nil,
		}
		var call commands.Call
		if call, err = p.call(v, in, ask); err == nil {
			receipt, err = p.Dispatcher.ChangeDelegation(v.r.Context(), call, ask)
		}
	}
	return p.delegateWritten(v, in, receipt, err, v.path("users", v.id()), "delegation")
}

func (p *pages) revokeDelegate(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.RevokeDelegation{DelegationID: v.id()})
	return p.delegateWritten(v, in, receipt, err, v.path("users"), "revoked")
}

func (p *pages) resendInvitation(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.ResendInvitation{DelegationID: v.id()}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, err = p.Dispatcher.ResendInvitation(v.r.Context(), call, ask)
	}
	return p.delegateWritten(v, in, receipt, err, v.path("users", v.id()), "invited")
}

// delegateWritten says that a change is made once it is in force.
func (p *pages) delegateWritten(v *visit, in input, receipt commands.Receipt, err error, to, done string) error {
	if err != nil {
		status, err := p.refused(v, in, err, termsFields...)
		if err != nil {
			return err
		}
		return p.showDelegate(v, status)
	}
	if err := p.inForce(v.r, receipt.Position); err != nil {
		return err
	}
	return p.written(v, receipt.Position, to, done, "delegations")
}

// inForce waits until the rights that a write changed are in force.
func (p *pages) inForce(r *http.Request, at eventstore.Position) error {
	return p.InForce(r.Context(), p.Reader.Token(at))
}

func (p *pages) accounts(v *visit) error {
	mine, err := p.Reader.OwnAccounts(v.r.Context(), v.caller.Grants)
	if err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "accounts", "accounts", v.title("accounts.title"), accountsPage{mine, v.account})
}

// accountsPage are the accounts that the viewer may act for.
type accountsPage struct {
	Accounts []projections.OwnAccount
	// Here is the one that is looked at.
	Here string
}
