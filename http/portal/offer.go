package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/user"
	portalhttp "github.com/hostfold/hostfold/http"
)

// offer is a mailed link that somebody who is logged in looks at, then accepts
// or declines.
type offer struct {
	// path is its page's address, name that of the page's template.
	path, name string
	// done is what the account's first page says after the answer.
	done    string
	read    func(ctx context.Context, call commands.Call, token, ip string) (any, error)
	accept  func(ctx context.Context, call commands.Call, token, ip string) (commands.Receipt, string, error)
	decline func(ctx context.Context, call commands.Call, token, ip string) error
}

// delegationOffer asks to act for an account.
func (p *pages) delegationOffer() offer {
	return offer{
		path: invitationPath, name: "invitation", done: "joined",
		read: func(ctx context.Context, call commands.Call, token, ip string) (any, error) {
			return p.Dispatcher.ReadInvitation(ctx, call, commands.ReadInvitation{Token: token, IP: ip})
		},
		accept: func(ctx context.Context, call commands.Call, token, ip string) (commands.Receipt, string, error) {
			return p.Dispatcher.AcceptInvitation(ctx, call, commands.AcceptInvitation{Token: token, IP: ip})
		},
		decline: func(ctx context.Context, call commands.Call, token, ip string) error {
			_, _, err := p.Dispatcher.DeclineInvitation(ctx, call, commands.DeclineInvitation{Token: token, IP: ip})
			return err
		},
	}
}

// ownershipOffer asks to own an account.
func (p *pages) ownershipOffer() offer {
	return offer{
		path: ownershipPath, name: "ownership", done: "owned",
		read: func(ctx context.Context, call commands.Call, token, ip string) (any, error) {
			return p.ReadTransfer(ctx, call, commands.ReadTransfer{Token: token, IP: ip})
		},
		accept: func(ctx context.Context, call commands.Call, token, ip string) (commands.Receipt, string, error) {
			return p.Dispatcher.AcceptTransfer(ctx, call, commands.AcceptTransfer{Token: token, IP: ip})
		},
		decline: func(ctx context.Context, call commands.Call, token, ip string) error {
			_, _, err := p.Dispatcher.DeclineTransfer(ctx, call, commands.DeclineTransfer{Token: token, IP: ip})
			return err
		},
	}
}

// offerPage is the page of a mailed link.
type offerPage struct {
	// Email is the viewer's, "" for nobody.
	Email string
	// Offer is what the link leads to, nil before it was looked at.
	Offer any
}

func (o offer) title() string { return o.name + ".title" }

// opened shows the form that takes the link's secret.
func (p *pages) opened(o offer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("done") != "" {
			p.asked("", "")(w, r)
			return
		}
		caller, err := p.Authenticate(r)
		if err != nil && !errors.Is(err, domain.ErrUnauthenticated) {
			p.fail(w, r, nil, err)
			return
		}
		body, err := p.offerPage(r, caller)
		if err != nil {
			p.fail(w, r, nil, err)
			return
		}
		p.gate(w, r, http.StatusOK, o.name, o.title(), &page{Body: body})
	}
}

func (p *pages) offerPage(r *http.Request, caller portalhttp.Caller) (offerPage, error) {
	if caller.Grants.User == "" {
		return offerPage{}, nil
	}
	me, err := p.Reader.Login(r.Context(), caller.Grants, caller.Grants.User)
	return offerPage{Email: me.Email}, err
}

// answered shows what the link leads to, accepts or declines it.
func (p *pages) answered(o offer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := p.Authenticate(r)
		if errors.Is(err, domain.ErrUnauthenticated) {
			see(w, r, o.path)
			return
		}
		var receipt commands.Receipt
		var body offerPage
		account, answer := "", r.PostFormValue("answer")
		if err == nil {
			body, err = p.offerPage(r, caller)
		}
		if err != nil {
			p.fail(w, r, nil, err)
			return
		}
		ctx, call, token, ip := r.Context(), p.FormCall(r, caller, "", nil), r.PostFormValue("token"), p.Source(r).IP
		switch answer {
		case "accept":
			if receipt, account, err = o.accept(ctx, call, token, ip); err == nil {
				err = p.inForce(r, receipt.Position)
			}
		case "decline":
			err = o.decline(ctx, call, token, ip)
		default:
			body.Offer, err = o.read(ctx, call, token, ip)
		}
		switch {
		case err != nil:
			if errors.Is(err, user.ErrToken) {
				r.PostForm.Del("token")
			}
			body.Offer = nil
			p.again(w, r, err, o.name, o.title(), &page{Body: body}, "token")
		case answer == "accept":
			p.await(ctx, receipt.Position, "accounts", "dashboard")
			see(w, r, base(account)+"?done="+o.done)
		case answer == "decline":
			see(w, r, o.path+"?done=1")
		default:
			p.gate(w, r, http.StatusOK, o.name, o.title(), &page{Body: body, Form: form{values: url.Values{"token": {token}}}})
		}
	}
}
