package portal

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
)

// securityPage is what a user sees of its own log-in.
type securityPage struct {
	Sessions []portalhttp.OwnSession
	Logins   []vault.PastLogin
	Factors  factorsCard
}

// latestLogins is how many log-ins the page of security shows.
const latestLogins = 5

func (p *pages) security(v *visit) error { return p.showSecurity(v, http.StatusOK) }

func (p *pages) showSecurity(v *visit, status int) error {
	open, err := p.Vault.Sessions(v.r.Context(), v.caller.Grants.User)
	if err != nil {
		return err
	}
	body := securityPage{}
	if body.Factors, err = p.factorsCard(v); err != nil {
		return err
	}
	for _, s := range open {
		body.Sessions = append(body.Sessions, portalhttp.OwnSession{Session: s, Current: s.ID == v.caller.Session})
	}
	logins, err := p.pastLogins(v, projections.Page{Limit: latestLogins})
	if err != nil {
		return err
	}
	body.Logins = logins.Items
	return p.show(v, status, "security", "security", v.title("security.title"), body)
}

// pastLogins is a page of the viewer's log-ins.
func (p *pages) pastLogins(v *visit, from projections.Page) (projections.List[vault.PastLogin], error) {
	return projections.Listed(from, "logins", func(from projections.From, limit int) ([]vault.PastLogin, error) {
		return p.Vault.Logins(v.r.Context(), v.caller.Grants.User, from.At, from.ID, limit)
	}, func(l vault.PastLogin) (time.Time, string) { return l.At, l.ID })
}

func (p *pages) logins(v *visit) error {
	list, err := p.pastLogins(v, v.from())
	if err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "logins", "security", v.title("logins.title"), listed(v, list))
}

// inspections are who looked at what the log holds of the viewer.
func (p *pages) inspections(v *visit) error {
	list, err := p.Reader.Inspections(v.r.Context(), v.caller.Grants, v.from())
	if err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "inspections", "security", v.title("inspections.title"), listed(v, list))
}

func (p *pages) endSession(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	call, err := p.call(v, in, nil)
	if err != nil {
		return err
	}
	if err := p.Dispatcher.EndSession(v.r.Context(), call, commands.EndSession{SessionID: v.id(), Current: v.caller.Session}); err != nil {
		return err
	}
	see(v.w, v.r, v.path("security")+"?done=session_ended")
	return nil
}

func (p *pages) password(v *visit) error {
	if err := v.mustConfirmFactor(); err != nil {
		return err
	}
	return p.showPassword(v, http.StatusOK)
}

func (p *pages) showPassword(v *visit, status int) error {
	return p.show(v, status, "password", "password", v.title("password.title"), nil)
}

func (p *pages) changePassword(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	change := commands.ChangePassword{
		UserID: v.caller.Grants.User, Session: v.caller.Session, Current: in.value("current"), New: in.value("new"),
	}
	call, err := p.call(v, in, change)
	if err == nil {
		_, err = p.Dispatcher.ChangePassword(v.r.Context(), call, change)
	}
	if err != nil {
		status, err := p.refused(v, in, err, "current", "new")
		if err != nil {
			return err
		}
		return p.showPassword(v, status)
	}
	see(v.w, v.r, v.path("security")+"?done=password")
	return nil
}

func (p *pages) email(v *visit) error {
	if err := v.mustConfirmFactor(); err != nil {
		return err
	}
	return p.showEmail(v, http.StatusOK)
}

func (p *pages) showEmail(v *visit, status int) error {
	return p.show(v, status, "email", "security", v.title("email.title"), nil)
}

func (p *pages) changeEmail(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	change := commands.ChangeEmail{UserID: v.caller.Grants.User, Email: in.value("email"), Password: in.value("password")}
	call, err := p.call(v, in, change)
	if err == nil {
		_, err = p.Dispatcher.ChangeEmail(v.r.Context(), call, change)
	}
	if err != nil {
		status, err := p.refused(v, in, err, "email", "password")
		if err != nil {
			return err
		}
		return p.showEmail(v, status)
	}
	see(v.w, v.r, v.path("security")+"?done=email_asked")
	return nil
}

// resendVerification mails the link that verifies the viewer's address again,
// and leads back to the page that offered it.
func (p *pages) resendVerification(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.ResendVerification{UserID: v.caller.Grants.User}
	call, err := p.call(v, in, ask)
	if err == nil {
		_, err = p.Dispatcher.ResendVerification(v.r.Context(), call, ask)
	}
	if err != nil {
		status, err := p.refused(v, in, err)
		if err != nil {
			return err
		}
		return p.showSecurity(v, status)
	}
	back := ours(in.value("return"))
	if !strings.HasPrefix(back, base(v.account)) {
		back = v.path("security")
	}
	path, query, _ := strings.Cut(back, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		q = url.Values{}
	}
	q.Set("done", "mail_sent")
	see(v.w, v.r, path+"?"+q.Encode())
	return nil
}

func (p *pages) closing(v *visit) error {
	if err := v.mustConfirmFactor(); err != nil {
		return err
	}
	return p.showClosing(v, http.StatusOK)
}

func (p *pages) showClosing(v *visit, status int) error {
	return p.show(v, status, "close_user", "security", v.title("close_user.title"), nil)
}

func (p *pages) closeUser(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.CloseUser{UserID: v.caller.Grants.User, Password: in.value("password")}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, err = p.Dispatcher.CloseUser(v.r.Context(), call, ask)
	}
	if err != nil {
		status, err := p.refused(v, in, err, "password")
		if err != nil {
			return err
		}
		return p.showClosing(v, status)
	}
	if err := p.inForce(v.r, receipt.Position); err != nil {
		return err
	}
	http.SetCookie(v.w, p.endedCookie())
	see(v.w, v.r, loginPath+"?done=user_closed")
	return nil
}
