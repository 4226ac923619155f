package account_test

import (
	"errors"
	"testing"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestChooseCommunication(t *testing.T) {
	t.Parallel()
	on, off := true, false
	choose := func(to account.Choice) func(account.Account) (events, error) {
		return func(a account.Account) (events, error) { return a.ChooseCommunication(to) }
	}
	known := domaintest.For(t, account.Decider).Given(opened())
	t.Run("begins with services and tickets, and no advertising", func(t *testing.T) {
		t.Parallel()
		for class, want := range map[account.MailClass]bool{
			account.MailLegal: true, account.MailSecurity: true, account.MailServices: true, account.MailTickets: true, account.MailNews: false,
		} {
			if known.State().Communication.Gets(class) != want {
				t.Errorf("mail of class %s goes out: %v", class, !want)
			}
		}
		known.When(choose(account.Choice{Tickets: &on, Legal: &on})).ThenNothing()
	})
	t.Run("changes what is given", func(t *testing.T) {
		t.Parallel()
		after := known.When(choose(account.Choice{Tickets: &off, News: &on})).Then(account.CommunicationPreferencesChanged{Services: true, News: true})
		if c := after.State().Communication; c.Gets(account.MailTickets) || !c.Gets(account.MailNews) || !c.Gets(account.MailLegal) {
			t.Errorf("then it is %+v", c)
		}
	})
	t.Run("keeps legal and security mail on", func(t *testing.T) {
		t.Parallel()
		for field, to := range map[string]account.Choice{"communication.legal": {Legal: &off, News: &on}, "communication.security": {Security: &off}} {
			known.When(choose(to)).Refused(account.ErrCompulsoryMail)
			_, err := known.State().ChooseCommunication(to)
			if e, ok := errors.AsType[*domain.Error](err); !ok || e.Kind != domain.KindInvalid || len(e.Fields) != 1 || e.Fields[0].Field != field {
				t.Errorf("%v", err)
			}
		}
	})
	t.Run("needs an account", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, account.Decider).When(choose(account.Choice{News: &on})).Refused(account.ErrMissing)
	})
}
