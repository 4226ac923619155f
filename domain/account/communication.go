package account

import "github.com/hostfold/hostfold/domain"

// MailClass is a sort of mail about an account.
type MailClass string

// The classes of mail. Legal mail (invoices, what becomes of the contract) and
// security mail always go out; the others are as the account has chosen.
const (
	MailLegal    MailClass = "legal"
	MailSecurity MailClass = "security"
	MailServices MailClass = "services"
	MailTickets  MailClass = "tickets"
	MailNews     MailClass = "news"
)

// Communication is which classes of mail an account gets beside legal and
// security mail.
type Communication struct {
	Services bool `json:"services"`
	Tickets  bool `json:"tickets"`
	News     bool `json:"news"`
}

// firstCommunication is that of a new account. News are advertising, which
// nobody gets who did not ask for it.
var firstCommunication = Communication{Services: true, Tickets: true}

// Gets reports whether mail of a class goes out.
func (c Communication) Gets(class MailClass) bool {
	switch class {
	case MailServices:
		return c.Services
	case MailTickets:
		return c.Tickets
	case MailNews:
		return c.News
	case MailLegal, MailSecurity:
	}
	return true
}

// CommunicationPreferencesChanged says which mail the account gets from now on.
type CommunicationPreferencesChanged Communication

// EventType is the name on disk.
func (CommunicationPreferencesChanged) EventType() string {
	return "account.communication_preferences_changed.v1"
}

// Public is the choice.
func (e CommunicationPreferencesChanged) Public() any { return e }

func (e CommunicationPreferencesChanged) apply(a Account) Account {
	a.Communication = Communication(e)
	return a
}

// Choice is a change of the preferences; nil leaves a class as it is.
type Choice struct {
	Legal    *bool `json:"legal,omitempty" doc:"Cannot be switched off."`
	Security *bool `json:"security,omitempty" doc:"Cannot be switched off."`
	Services *bool `json:"services,omitempty"`
	Tickets  *bool `json:"tickets,omitempty"`
	News     *bool `json:"news,omitempty"`
}

// ErrCompulsoryMail refuses to switch off what the law or the owner's safety
// needs.
var ErrCompulsoryMail = &domain.Error{
	Kind: domain.KindInvalid, Code: "mail_compulsory", Detail: "Legal and security mail cannot be switched off.",
}

// ChooseCommunication changes what is given.
func (a Account) ChooseCommunication(to Choice) ([]Event, error) {
	if err := a.MayChange(); err != nil {
		return nil, err
	}
	refused := *ErrCompulsoryMail
	for field, value := range map[string]*bool{"communication.legal": to.Legal, "communication.security": to.Security} {
		if value != nil && !*value {
			refused.Fields = append(refused.Fields, domain.FieldError{Field: field, Message: "cannot be switched off"})
		}
	}
	if len(refused.Fields) > 0 {
		return nil, &refused
	}
	chosen := a.Communication
	for _, c := range []struct{ from, to *bool }{{to.Services, &chosen.Services}, {to.Tickets, &chosen.Tickets}, {to.News, &chosen.News}} {
		if c.from != nil {
			*c.to = *c.from
		}
	}
	if chosen == a.Communication {
		return nil, nil
	}
	return []Event{CommunicationPreferencesChanged(chosen)}, nil
}
