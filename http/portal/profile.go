package portal

import (
	"cmp"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
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

// updateProfile is two commands: the account's name and country, and the
// user's language. The second is carried out when the first was accepted, and
// each is its own repeat on a second click.
func (p *pages) updateProfile(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	at, err := p.saveProfile(v, in)
	if err != nil {
		status, err := p.refused(v, in, err, "name", "country", "locale")
		if err != nil {
			return err
		}
		return p.showProfile(v, status)
	}
	return p.written(v, at, v.path("account"), "account", "logins", "accounts", "dashboard")
}

func (p *pages) saveProfile(v *visit, in input) (eventstore.Position, error) {
	name, country, locale := in.value("name"), in.value("country"), user.Locale(in.value("locale"))
	if !locale.Valid() {
		return eventstore.Position{}, domain.Invalid("locale", "is not a language of ours")
	}
	saved, err := execute(p, v, in, commands.UpdateAccount{AccountID: v.account, Name: &name, Country: &country})
	if err != nil {
		return eventstore.Position{}, err
	}
	spoken, err := execute(p, v, in, commands.UpdateUser{UserID: v.caller.Grants.User, Locale: &locale})
	if err != nil {
		return eventstore.Position{}, err
	}
	if saved.Position.Before(spoken.Position) {
		return spoken.Position, nil
	}
	return cmp.Or(saved.Position, spoken.Position), nil
}
