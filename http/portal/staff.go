package portal

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// staffPath is where staff find accounts.
const staffPath = "/portal/staff"

// staffPage is what staff looked for and what was found.
type staffPage struct {
	Query string
	Found []projections.AccountRow
	// More is true when there are too many to show.
	More bool
}

// staff shows the accounts that staff look for.
func (p *pages) staff(w http.ResponseWriter, r *http.Request) {
	caller, err := p.Authenticate(r)
	if errors.Is(err, domain.ErrUnauthenticated) {
		see(w, r, loginFor(r))
		return
	}
	body := staffPage{Query: strings.TrimSpace(r.URL.Query().Get("q"))}
	if err == nil {
		var list projections.List[projections.AccountRow]
		list, err = p.Reader.StaffAccounts(r.Context(), caller.Grants, body.Query, projections.Page{Limit: 20})
		body.Found, body.More = list.Items, list.NextCursor != nil
	}
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	p.gate(w, r, http.StatusOK, "staff", "staff.title", &page{Keep: kept(url.Values{"q": {body.Query}}), Body: body})
}

// staffView is what a page says to staff who look at a customer's account.
type staffView struct {
	// MayAct is true for who may act for the account.
	MayAct bool
	// Acting is why and until when the viewer does, nil while it does not.
	Acting *projections.ActImpersonation
}

// asStaff is said to who sees the account by its role alone.
func (p *pages) asStaff(v *visit) (*staffView, error) {
	if grant, own := v.caller.Grants.Accounts[v.account]; own && grant.Impersonation == "" || !delegation.IsStaff(v.caller.Grants) {
		return nil, nil //nolint:nilnil // nothing is said to customers
	}
	s := &staffView{MayAct: delegation.Can(v.caller.Grants, v.account, delegation.StaffImpersonate, delegation.Resource{Kind: "account", ID: v.account})}
	if on := v.caller.Grants.Impersonation; on != nil && on.Account == v.account {
		acting, err := p.Feed.Impersonation(v.r.Context(), v.caller.Grants, v.account)
		if err != nil {
			return nil, err
		}
		s.Acting = &acting
	}
	return s, nil
}

// actPage asks for whom and why staff act.
type actPage struct {
	Tickets []projections.TicketRow
	Minutes []int
	// Code and Password say what proves that the session is not stolen; neither
	// is asked for when that was proven lately.
	Code, Password bool
}

// actFields are the fields of that form.
var actFields = []string{"reason", "ticket", "consent", "minutes", "totp", "password"}

func (p *pages) act(v *visit) error { return p.showAct(v, http.StatusOK) }

func (p *pages) showAct(v *visit, status int) error {
	if v.page.Staff == nil || !v.page.Staff.MayAct {
		return domain.ErrDenied
	}
	if v.page.Staff.Acting != nil {
		see(v.w, v.r, v.path())
		return nil
	}
	tickets, err := p.Reader.Tickets(v.r.Context(), v.caller.Grants, v.account, projections.Page{Limit: projections.MaxLimit})
	if err != nil {
		return err
	}
	me, err := p.Reader.Login(v.r.Context(), v.caller.Grants, v.caller.Grants.User)
	if err != nil {
		return err
	}
	fresh := v.caller.Grants.Fresh
	return p.show(v, status, "act", "", v.title("act_for.title"), actPage{
		Tickets: tickets.Items, Minutes: []int{15, 30, 45, 60},
		Code: me.SecondFactor && !fresh.SecondFactor, Password: !me.SecondFactor && !fresh.Password,
	})
}

func (p *pages) startActing(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	minutes, err := strconv.Atoi(cmp.Or(in.value("minutes"), "0"))
	if err != nil {
		minutes = -1 // which is refused
	}
	ask := commands.StartImpersonation{
		AccountID: v.account, Session: v.caller.Session, Reason: in.value("reason"), Ticket: in.value("ticket"),
		Consent: in.value("consent") != "", Minutes: minutes,
	}
	if err = p.confirmTyped(v, in); err == nil {
		var call commands.Call
		if call, err = p.call(v, in, ask); err == nil {
			_, err = p.Dispatcher.StartImpersonation(v.r.Context(), call, ask)
		}
	}
	if err != nil {
		status, err := p.refused(v, in, err, actFields...)
		if err != nil {
			return err
		}
		return p.showAct(v, status)
	}
	see(v.w, v.r, v.path())
	return nil
}

// confirmTyped confirms the session by what was typed beside a form, if that
// was asked for.
func (p *pages) confirmTyped(v *visit, in input) error {
	ask := commands.Confirm{UserID: v.caller.Grants.User, Session: v.caller.Session, Password: in.value("password")}
	if code := in.value("totp"); code != "" {
		ask.Factor = commands.FactorOf(code)
	}
	if in.value("password") == "" && in.value("totp") == "" {
		return nil
	}
	in.values.Del("password")
	in.values.Del("totp")
	return p.confirmSession(v, ask)
}

func (p *pages) stopActing(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.StopImpersonation{AccountID: v.account}
	call, err := p.call(v, in, ask)
	if err == nil {
		_, err = p.Dispatcher.StopImpersonation(v.r.Context(), call, ask)
	}
	if err != nil && domain.KindOf(err) != domain.KindMissing {
		return err
	}
	see(v.w, v.r, v.path()) // one that is over is over
	return nil
}
