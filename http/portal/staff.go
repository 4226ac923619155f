package portal

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// staffPath is where staff find accounts; their other pages are under it.
const staffPath = "/portal/staff"

// desk adds the pages of staff that are no account's.
func (p *pages) desk(mux chi.Router) {
	get := func(at string, h func(*visit) error) { mux.Get(at, p.visited(h)) }
	post := func(at string, h func(*visit) error) { mux.Post(at, p.visited(p.received(h, nil))) }
	get("/", p.staffAccounts)
	get("/users", p.staffUsers)
	get("/users/{id}", p.staffUser)
	post("/users/{id}/factor-reset", p.requestFactorReset)
	post("/users/{id}/factor-reset/cancel", p.cancelFactorReset)
	get("/members", p.members)
	post("/members", p.hireMember)
	get("/members/{id}", p.member)
	post("/members/{id}", p.assignMember)
	post("/members/{id}/deactivate", p.deactivateMember)
}

// deskView is the menu of the pages that are no account's, as far as the role
// opens them.
type deskView struct{ Users, Members bool }

// desked is the menu of whoever is staff, nil for customers.
func desked(g delegation.Grants) *deskView {
	if !delegation.IsStaff(g) {
		return nil
	}
	return &deskView{
		Users:   delegation.Can(g, "", delegation.StaffAccounts, delegation.Resource{Kind: "user"}),
		Members: delegation.Can(g, "", delegation.StaffMembers, delegation.Resource{Kind: "staff"}),
	}
}

// foundPage is what staff looked for and what was found.
type foundPage[R any] struct {
	Query string
	listPage[R]
}

// staffAccounts shows the accounts that staff look for.
func (p *pages) staffAccounts(v *visit) error {
	query := strings.TrimSpace(v.query("q"))
	list, err := p.Reader.StaffAccounts(v.r.Context(), v.caller.Grants, query, v.from())
	if err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "staff", "staff", v.title("staff.title"), foundPage[projections.AccountRow]{query, listed(v, list)})
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
}

// actFields are the fields of that form.
var actFields = []string{"reason", "ticket", "consent", "minutes"}

// act is the form with which staff begin to act for the account. Who has not
// proven itself lately does that first.
func (p *pages) act(v *visit) error {
	if staff := v.page.Staff; staff != nil && staff.MayAct && staff.Acting == nil {
		if err := v.mustConfirm(); err != nil {
			return err
		}
	}
	return p.showAct(v, http.StatusOK)
}

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
	return p.show(v, status, "act", "", v.title("act_for.title"), actPage{Tickets: tickets.Items, Minutes: []int{15, 30, 45, 60}})
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
	call, err := p.call(v, in, ask)
	if err == nil {
		_, err = p.Dispatcher.StartImpersonation(v.r.Context(), call, ask)
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
