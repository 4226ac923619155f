package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/user"
)

// profilePage is what the account's form shows.
type profilePage struct{ Name, Country string }

func (p *pages) profile(v *visit) error { return p.showProfile(v, http.StatusOK) }

func (p *pages) showProfile(v *visit, status int) error {
	row, err := p.Reader.Account(v.r.Context(), v.caller.Grants, v.account)
	if err != nil {
		return err
	}
	return p.show(v, status, "account", "account", v.title("account.title"), profilePage{Name: row.Name, Country: row.Country})
}

func (p *pages) updateProfile(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	name, country := in.value("name"), in.value("country")
	receipt, err := execute(p, v, in, commands.UpdateAccount{AccountID: v.account, Name: &name, Country: &country})
	if err != nil {
		status, err := p.refused(v, in, err, "name", "country")
		if err != nil {
			return err
		}
		return p.showProfile(v, status)
	}
	return p.written(v, receipt.Position, v.path("account"), "account", "accounts", "dashboard")
}

// ownProfile is the viewer's own name and language, whatever the account.
func (p *pages) ownProfile(v *visit) error { return p.showOwnProfile(v, http.StatusOK) }

func (p *pages) showOwnProfile(v *visit, status int) error {
	return p.show(v, status, "profile", "security", v.title("profile.title"), nil)
}

func (p *pages) updateOwnProfile(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	name, locale := in.value("name"), user.Locale(in.value("locale"))
	receipt, err := execute(p, v, in, commands.UpdateUser{UserID: v.caller.Grants.User, Name: &name, Locale: &locale})
	if err != nil {
		status, err := p.refused(v, in, err, "name", "locale")
		if err != nil {
			return err
		}
		return p.showOwnProfile(v, status)
	}
	return p.written(v, receipt.Position, v.path("security"), "profile", "logins")
}
