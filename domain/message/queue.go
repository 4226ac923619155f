package message

import (
	"net/mail"

	"github.com/hostfold/hostfold/domain"
)

// Queued says that a mail is to be sent, word for word.
type Queued struct {
	// User is who it is for; Account is what it is about, if anything.
	User    string `json:"user"`
	Account string `json:"account,omitempty"`
	// Template and Version say which text it was made from, in Locale.
	Template  string `json:"template"`
	Version   int    `json:"version"`
	Locale    string `json:"locale"`
	Recipient string `json:"recipient" personal:"user,profile"`
	Subject   string `json:"subject" personal:"user,profile"`
	Text      string `json:"text" personal:"user,profile"`
	HTML      string `json:"html,omitempty" personal:"user,profile"`
}

// EventType is the name on disk.
func (Queued) EventType() string { return "message.queued.v1" }

func (e Queued) apply(Message) Message { return Message{Status: StatusQueued, Queued: e} }

// Queue notes a mail to send; a repeat needs nothing, whatever it says: the
// first words stand.
func (m Message) Queue(q Queued) ([]Event, error) {
	if m.Status != StatusNone {
		return nil, nil
	}
	var c domain.Check
	q.Subject = c.Line("subject", q.Subject, 300)
	q.Text = c.Text("text", q.Text, 200_000)
	q.Recipient = c.Line("recipient", q.Recipient, 254)
	_, err := mail.ParseAddress(q.Recipient)
	c.That(err == nil, "recipient", "must be an e-mail address")
	c.Line("user", q.User, 100)
	c.Line("template", q.Template, 100)
	c.Line("locale", q.Locale, 10)
	c.That(q.Version > 0, "version", "must be above zero")
	c.That(len(q.HTML) <= 300_000, "html", "is too long")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{q}, nil
}
