package delegation_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domaintest"
)

type (
	events = []delegation.Event
	rule   = func(delegation.Delegation) (events, error)
)

// noon is when everything here happens.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func in(d time.Duration) *time.Time {
	t := noon().Add(d)
	return &t
}

// everywhere is a grant of permissions on the whole account, chosen one on
// the named services.
func everywhere(permissions ...domain.Permission) delegation.Terms {
	return delegation.Terms{Permissions: permissions, Scope: delegation.Scope{All: true}}
}

func chosen(services []string, permissions ...domain.Permission) delegation.Terms {
	return delegation.Terms{Permissions: permissions, Scope: delegation.Scope{Services: services}}
}

// owner and delegate are who asks on acc_1.
func owner() delegation.Grants {
	return delegation.Grants{User: "usr_owner", Accounts: map[string]delegation.Grant{"acc_1": {Owner: true}}}
}

func delegate(terms delegation.Terms) delegation.Grants {
	return delegation.Grants{User: "usr_2", Accounts: map[string]delegation.Grant{"acc_1": {Terms: terms}}}
}

func invite(by delegation.Grants, invitation string, terms delegation.Terms) rule {
	return func(d delegation.Delegation) (events, error) {
		return d.Invite(by, "acc_1", invitation, "p@example.com", terms, noon())
	}
}

func accept(invitation, user string, at time.Duration) rule {
	return func(d delegation.Delegation) (events, error) {
		return d.Accept(invitation, user, false, noon().Add(at))
	}
}

func change(by delegation.Grants, terms delegation.Terms) rule {
	return func(d delegation.Delegation) (events, error) { return d.Change(by, terms, noon()) }
}

func revoke(by delegation.Grants) rule {
	return func(d delegation.Delegation) (events, error) { return d.Revoke(by) }
}

func expire(at time.Duration) rule {
	return func(d delegation.Delegation) (events, error) { return d.Expire(noon().Add(at)) }
}

func invited(invitation string, terms delegation.Terms) delegation.DelegateInvited {
	return delegation.DelegateInvited{
		Account: "acc_1", Invitation: invitation, Email: "p@example.com", OpenUntil: noon().Add(7 * 24 * time.Hour), Terms: terms,
	}
}

func accepted(terms delegation.Terms) delegation.InvitationAccepted {
	return delegation.InvitationAccepted{Account: "acc_1", User: "usr_1", Terms: terms}
}

const week = 7 * 24 * time.Hour

func TestAnInvitation(t *testing.T) {
	t.Parallel()
	terms := everywhere(delegation.TicketsRead)
	c := domaintest.For(t, delegation.Decider)
	open := c.When(invite(owner(), "ivt_1", terms)).Then(invited("ivt_1", terms))

	active := open.When(accept("ivt_1", "usr_1", 0)).Then(accepted(terms))
	active.When(accept("ivt_1", "usr_1", 0)).ThenNothing()
	active.When(accept("ivt_1", "usr_9", 0)).Refused(delegation.ErrInvitationOver)
	active.When(invite(owner(), "ivt_2", terms)).Refused(delegation.ErrActive)
	open.When(func(d delegation.Delegation) (events, error) {
		return d.Accept("ivt_1", "usr_owner", true, noon())
	}).Refused(delegation.ErrOwnAccount)

	// Another one makes the first void.
	again := open.When(invite(owner(), "ivt_2", terms)).Then(invited("ivt_2", terms))
	again.When(accept("ivt_1", "usr_1", 0)).Refused(delegation.ErrInvitationOver)
	again.When(accept("ivt_2", "usr_1", 0)).Then(accepted(terms))
	resend := func(d delegation.Delegation) (events, error) { return d.Resend(owner(), "ivt_3", noon()) }
	open.When(resend).Then(invited("ivt_3", terms))
	active.When(resend).Refused(delegation.ErrNotInvited)
	c.When(resend).Refused(delegation.ErrMissing)

	// It ends after a week, and not before.
	open.When(accept("ivt_1", "usr_1", week)).Refused(delegation.ErrInvitationOver)
	open.When(expire(week - 1)).ThenNothing()
	over := open.When(expire(week)).Then(delegation.InvitationExpired{Account: "acc_1"})
	over.When(expire(week)).ThenNothing()
	over.When(accept("ivt_1", "usr_1", 0)).Refused(delegation.ErrInvitationOver)

	decline := func(d delegation.Delegation) (events, error) { return d.Decline("ivt_1", noon()) }
	declined := open.When(decline).Then(delegation.InvitationDeclined{Account: "acc_1"})
	declined.When(decline).ThenNothing()
	active.When(decline).Refused(delegation.ErrInvitationOver)
	again.When(decline).Refused(delegation.ErrInvitationOver)

	// What is over can be begun anew.
	declined.When(invite(owner(), "ivt_2", terms)).Then(invited("ivt_2", terms))
}

func TestADelegation(t *testing.T) {
	t.Parallel()
	terms := everywhere(delegation.TicketsRead)
	active := domaintest.For(t, delegation.Decider).Given(invited("ivt_1", terms), accepted(terms))

	narrow := chosen([]string{"hst_1"}, delegation.ServicesRead)
	active.When(change(owner(), terms)).ThenNothing()
	active.When(change(owner(), narrow)).Then(delegation.GrantChanged{Account: "acc_1", User: "usr_1", Terms: narrow}).
		When(revoke(owner())).Then(delegation.Revoked{Account: "acc_1", User: "usr_1"}).
		When(revoke(owner())).ThenNothing()
	active.When(revoke(owner())).Then(delegation.Revoked{Account: "acc_1", User: "usr_1"}).
		When(change(owner(), narrow)).Refused(delegation.ErrNotActive)
	domaintest.For(t, delegation.Decider).When(revoke(owner())).Refused(delegation.ErrMissing)
	domaintest.For(t, delegation.Decider).When(change(owner(), terms)).Refused(delegation.ErrMissing)

	timed := terms
	timed.ExpiresAt = in(time.Hour)
	ends := active.When(change(owner(), timed)).Then(delegation.GrantChanged{Account: "acc_1", User: "usr_1", Terms: timed})
	ends.When(expire(time.Hour - 1)).ThenNothing()
	ended := ends.When(expire(time.Hour)).Then(delegation.Expired{Account: "acc_1", User: "usr_1"})
	ended.When(expire(time.Hour)).ThenNothing()
	ended.When(change(owner(), terms)).Refused(delegation.ErrNotActive)
}

func TestTermsAreChecked(t *testing.T) {
	t.Parallel()
	c := domaintest.For(t, delegation.Decider)
	past := everywhere(delegation.TicketsRead)
	past.ExpiresAt = in(0)
	both := everywhere(delegation.TicketsRead)
	both.Scope.Services = []string{"hst_1"}
	for name, tt := range map[string]struct {
		terms delegation.Terms
		want  []string
	}{
		"nothing":                           {delegation.Terms{Scope: delegation.Scope{All: true}}, []string{"permissions"}},
		"a permission that does not exist":  {everywhere("invoices.delete"), []string{"permissions"}},
		"one that is staff's":               {everywhere(delegation.StaffBilling), []string{"permissions"}},
		"everything and something":          {everywhere("*", delegation.TicketsRead), []string{"permissions"}},
		"no scope":                          {delegation.Terms{Permissions: []domain.Permission{delegation.TicketsRead}}, []string{"scope"}},
		"everything and something in scope": {both, []string{"scope"}},
		"the past":                          {past, []string{"expires_at"}},
	} {
		t.Log(name)
		c.When(invite(owner(), "ivt_1", tt.terms)).RefusedField(tt.want...)
	}
	// Permissions on the whole account need no scope.
	account := delegation.Terms{Permissions: []domain.Permission{delegation.ProfileRead}}
	c.When(invite(owner(), "ivt_1", account)).Then(invited("ivt_1", account))
	// Things are named once and in order.
	c.When(invite(owner(), "ivt_1", chosen([]string{"hst_2", "hst_1", "hst_2"}, "*"))).
		Then(invited("ivt_1", chosen([]string{"hst_1", "hst_2"}, "*")))
}

func TestRightsImplyOthersWhenTheyAreWritten(t *testing.T) {
	t.Parallel()
	for p, want := range map[domain.Permission][]domain.Permission{
		delegation.OrdersPlace:        {delegation.OrdersPlace, delegation.InvoicesRead, delegation.InvoicesPay},
		delegation.InvoicesPay:        {delegation.InvoicesRead, delegation.InvoicesPay},
		delegation.TicketsWrite:       {delegation.TicketsRead, delegation.TicketsWrite},
		delegation.WalletSpend:        {delegation.WalletRead, delegation.WalletSpend},
		delegation.QuotesAccept:       {delegation.QuotesRead, delegation.QuotesAccept},
		delegation.ServicesCancel:     {delegation.ServicesRead, delegation.ServicesCancel},
		delegation.DNSSECManage:       {delegation.DomainsRead, delegation.DNSSECManage},
		delegation.CertificatesManage: {delegation.CertificatesRead, delegation.CertificatesManage},
		delegation.ProfileWrite:       {delegation.ProfileRead, delegation.ProfileWrite},
		delegation.ProfileRead:        {delegation.ProfileRead},
	} {
		domaintest.For(t, delegation.Decider).When(invite(owner(), "ivt_1", everywhere(p))).
			Then(invited("ivt_1", everywhere(want...)))
	}
}

func TestNobodyRaisesItself(t *testing.T) {
	t.Parallel()
	manage := delegation.UsersManage
	for name, tt := range map[string]struct {
		holds, grants delegation.Terms
		may           bool
	}{
		"what it holds":                          {everywhere(manage, delegation.TicketsRead), everywhere(delegation.TicketsRead), true},
		"what it does not hold":                  {everywhere(manage, delegation.TicketsRead), everywhere(delegation.ServicesRead), false},
		"what that implies and it does not hold": {everywhere(manage, delegation.InvoicesRead), everywhere(delegation.InvoicesPay), false},
		"everything from everything":             {everywhere("*"), everywhere("*"), true},
		"everything from a list":                 {everywhere(manage, delegation.TicketsRead), everywhere("*"), false},
		"one service of all":                     {everywhere(manage, delegation.ServicesRead), chosen([]string{"hst_1"}, delegation.ServicesRead), true},
		"its service":                            {chosen([]string{"hst_1"}, manage, delegation.ServicesRead), chosen([]string{"hst_1"}, delegation.ServicesRead), true},
		"another service":                        {chosen([]string{"hst_1"}, manage, delegation.ServicesRead), chosen([]string{"hst_2"}, delegation.ServicesRead), false},
		"all services of one":                    {chosen([]string{"hst_1"}, manage, delegation.ServicesRead), everywhere(delegation.ServicesRead), false},
		"the profile from everything on one":     {chosen([]string{"hst_1"}, "*"), delegation.Terms{Permissions: []domain.Permission{delegation.ProfileRead}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by := delegate(tt.holds)
			c := domaintest.For(t, delegation.Decider)
			other := c.Given(invited("ivt_1", tt.grants), accepted(tt.grants))
			little := c.Given(invited("ivt_1", everywhere(manage)))
			if tt.may {
				c.When(invite(by, "ivt_1", tt.grants)).Then(invited("ivt_1", tt.grants))
				other.When(revoke(by)).Then(delegation.Revoked{Account: "acc_1", User: "usr_1"})
				return
			}
			c.When(invite(by, "ivt_1", tt.grants)).Refused(delegation.ErrWider)
			refused := func(of delegation.Terms) error { // what is out of sight is not there
				if delegation.SeesDelegation(by, "acc_1", of.Scope) {
					return delegation.ErrWider
				}
				return delegation.ErrMissing
			}
			other.When(revoke(by)).Refused(refused(tt.grants))
			other.When(change(by, tt.holds)).Refused(refused(tt.grants))
			little.When(change(by, tt.grants)).Refused(refused(everywhere(manage)))
		})
	}
	t.Run("for longer", func(t *testing.T) {
		t.Parallel()
		holds, shorter, longer := everywhere(manage), everywhere(manage), everywhere(manage)
		holds.ExpiresAt, shorter.ExpiresAt, longer.ExpiresAt = in(time.Hour), in(time.Minute), in(2*time.Hour)
		c := domaintest.For(t, delegation.Decider)
		c.When(invite(delegate(holds), "ivt_1", longer)).Refused(delegation.ErrWider)
		c.When(invite(delegate(holds), "ivt_1", everywhere(manage))).Refused(delegation.ErrWider)
		c.When(invite(delegate(holds), "ivt_1", shorter)).Then(invited("ivt_1", shorter))
	})
	t.Run("itself", func(t *testing.T) {
		t.Parallel()
		own := domaintest.For(t, delegation.Decider).Given(invited("ivt_1", everywhere("*")),
			delegation.InvitationAccepted{Account: "acc_1", User: "usr_2", Terms: everywhere("*")})
		own.When(change(delegate(everywhere("*")), everywhere(manage))).Refused(delegation.ErrSelf)
		own.When(revoke(delegate(everywhere("*")))).Refused(delegation.ErrSelf)
	})
}

func TestADelegationThatReachesMoreIsOutOfSight(t *testing.T) {
	t.Parallel()
	by := delegate(chosen([]string{"hst_1", "hst_2"}, delegation.UsersManage, delegation.ServicesRead))
	own, wide := chosen([]string{"hst_1"}, delegation.ServicesRead), everywhere(delegation.ServicesRead)
	c := domaintest.For(t, delegation.Decider)
	resend := func(d delegation.Delegation) (events, error) { return d.Resend(by, "ivt_2", noon()) }
	open, seen := c.Given(invited("ivt_1", wide)), c.Given(invited("ivt_1", own))
	for _, hidden := range []domaintest.Case[delegation.Delegation, delegation.Event]{
		open, open.Given(accepted(wide)), open.Given(delegation.Revoked{Account: "acc_1"}),
	} {
		hidden.When(invite(by, "ivt_2", own)).Refused(delegation.ErrOutOfSight)
		hidden.When(resend).Refused(delegation.ErrMissing)
		hidden.When(revoke(by)).Refused(delegation.ErrMissing)
		hidden.When(change(by, own)).Refused(delegation.ErrMissing)
	}
	seen.When(resend).Then(invited("ivt_2", own))
	seen.Given(accepted(own)).When(invite(by, "ivt_2", own)).Refused(delegation.ErrActive)
	for _, all := range []delegation.Grants{owner(), {System: true}, delegate(everywhere(delegation.UsersManage))} {
		if !delegation.SeesDelegation(all, "acc_1", wide.Scope) {
			t.Errorf("out of sight for %+v", all)
		}
	}
}

func TestADelegateLeaves(t *testing.T) {
	t.Parallel()
	terms := everywhere(delegation.TicketsRead)
	leave := func(user string) rule {
		return func(d delegation.Delegation) (events, error) { return d.Leave(user) }
	}
	c := domaintest.For(t, delegation.Decider)
	open := c.Given(invited("ivt_1", terms))
	active := open.Given(accepted(terms))
	gone := active.When(leave("usr_1")).Then(delegation.Left{Account: "acc_1", User: "usr_1"})
	gone.When(leave("usr_1")).ThenNothing()
	gone.When(revoke(owner())).ThenNothing()
	gone.When(change(owner(), terms)).Refused(delegation.ErrNotActive)
	gone.When(expire(week)).ThenNothing()
	gone.When(invite(owner(), "ivt_2", terms)).Then(invited("ivt_2", terms))
	active.When(leave("usr_2")).Refused(delegation.ErrMissing)
	active.When(leave("")).Refused(delegation.ErrMissing)
	open.When(leave("")).Refused(delegation.ErrMissing)
	c.When(leave("usr_1")).Refused(delegation.ErrMissing)
}

func TestAFormerOwnerKeepsADelegation(t *testing.T) {
	t.Parallel()
	terms := everywhere("*")
	keep := func(terms delegation.Terms, user string) rule {
		return func(d delegation.Delegation) (events, error) {
			return d.Keep("acc_1", "ivt_2", "p@example.com", user, terms, noon())
		}
	}
	kept := delegation.Kept{Account: "acc_1", Invitation: "ivt_2", Email: "p@example.com", User: "usr_1", Terms: terms}
	c := domaintest.For(t, delegation.Decider)
	active := c.When(keep(terms, "usr_1")).Then(kept)
	active.When(keep(terms, "usr_1")).ThenNothing()
	// The new owner changes and ends it as any other.
	active.When(change(owner(), everywhere(delegation.TicketsRead))).Then(delegation.GrantChanged{Account: "acc_1", User: "usr_1", Terms: everywhere(delegation.TicketsRead)})
	active.When(revoke(owner())).Then(delegation.Revoked{Account: "acc_1", User: "usr_1"})
	active.When(accept("ivt_2", "usr_9", 0)).Refused(delegation.ErrInvitationOver)
	// It is kept once, whatever came of it, and never takes another one's place.
	active.When(revoke(owner())).Then(delegation.Revoked{Account: "acc_1", User: "usr_1"}).When(keep(terms, "usr_1")).ThenNothing()
	active.When(keep(terms, "usr_2")).ThenNothing()
	c.When(invite(owner(), "ivt_1", terms)).Then(invited("ivt_1", terms)).When(keep(terms, "usr_1")).ThenNothing()
	terms.ExpiresAt = in(0)
	c.When(keep(terms, "usr_1")).ThenNothing()
}

func TestATokenNeverExceedsItsHolder(t *testing.T) {
	t.Parallel()
	asked := []domain.Permission{delegation.TicketsRead, delegation.InvoicesRead, delegation.UsersManage}
	for name, tt := range map[string]struct {
		holder delegation.Grants
		want   delegation.Terms
	}{
		"of the owner":    {owner(), everywhere(delegation.InvoicesRead, delegation.TicketsRead)},
		"of a delegate":   {delegate(everywhere(delegation.TicketsRead)), everywhere(delegation.TicketsRead)},
		"with one ticket": {delegate(delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{Tickets: []string{"tkt_1"}}}), delegation.Terms{Permissions: []domain.Permission{delegation.TicketsRead}, Scope: delegation.Scope{Tickets: []string{"tkt_1"}}}},
	} {
		left := tt.holder.LimitedTo("tok_1", "acc_1", asked)
		if diff := cmp.Diff(tt.want, left.Accounts["acc_1"].Terms); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for _, p := range []domain.Permission{delegation.SignedIn, delegation.Member, delegation.UsersManage, delegation.StaffBilling} {
			if delegation.Can(left, "acc_1", p, delegation.Resource{}) {
				t.Errorf("%s: a token has %s", name, p)
			}
		}
		if delegation.Can(left, "", delegation.Self, delegation.Resource{ID: left.User}) {
			t.Errorf("%s: a token is a person", name)
		}
	}
	if gone := (delegation.Grants{User: "usr_1"}).LimitedTo("tok_1", "acc_1", asked); delegation.Sees(gone, "acc_1") {
		t.Error("a token outlives what its holder had")
	}
}
