package message_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/message"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	type events = []message.Event
	mail := message.Queued{
		User: "usr_1", Account: "acc_1", Template: "invoice_issued", Version: 1, Locale: "fr",
		Recipient: "p@example.com", Subject: "Facture", Text: "Bonjour",
	}
	queue := func(q message.Queued) func(message.Message) (events, error) {
		return func(m message.Message) (events, error) { return m.Queue(q) }
	}
	sent := func(m message.Message) (events, error) { return m.MarkSent("<1@example.com>") }
	failed := func(m message.Message) (events, error) { return m.MarkFailed(550) }

	c := domaintest.For(t, message.Decider)
	queued := c.When(queue(mail)).Then(mail)
	queued.When(queue(message.Queued{})).ThenNothing()
	gone := queued.When(sent).Then(message.Sent{MessageID: "<1@example.com>"})
	gone.When(sent).ThenNothing()
	gone.When(failed).Refused(message.ErrSent)
	given := queued.When(failed).Then(message.Failed{Code: 550})
	given.When(failed).ThenNothing()
	given.When(sent).Refused(message.ErrFailed)
	c.When(sent).Refused(message.ErrMissing)
	c.When(failed).Refused(message.ErrMissing)
	c.When(queue(message.Queued{Recipient: "nobody", HTML: "<p>"})).
		RefusedField("subject", "text", "recipient", "user", "template", "locale", "version")
}
