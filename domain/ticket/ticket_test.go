package ticket_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/ticket"
)

type events = []ticket.Event

func opened() ticket.Opened {
	return ticket.Opened{
		Account: "acc_1", Number: "HPJ-613904", Department: ticket.Technical, Priority: ticket.Normal,
		Subject: "Test de ticket", Message: "Bonjour", Related: &ticket.Related{Kind: "service", ID: "hst_1"},
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	open := func(asked ticket.Opened) func(ticket.Ticket) (events, error) {
		return func(t ticket.Ticket) (events, error) { return t.Open(asked) }
	}
	t.Run("takes what the customer wrote", func(t *testing.T) {
		t.Parallel()
		asked := opened()
		asked.Subject, asked.Message = " Test de ticket ", "Bonjour\r\n"
		domaintest.For(t, ticket.Decider).When(open(asked)).Then(opened())
	})
	t.Run("names wrong fields", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, ticket.Decider).
			When(open(ticket.Opened{Account: "acc_1", Number: "hpj-613904", Message: strings.Repeat("a", 20_001), Related: &ticket.Related{Kind: "cat", ID: "1"}})).
			RefusedField("subject", "message", "number", "department", "priority", "related.kind")
	})
	t.Run("happens once", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, ticket.Decider).Given(opened()).When(open(opened())).Refused(ticket.ErrExists)
	})
}

func TestReplies(t *testing.T) {
	t.Parallel()
	reply := func(t ticket.Ticket) (events, error) { return t.Reply("Merci") }
	answer := func(t ticket.Ticket) (events, error) { return t.StaffReply("Voilà") }
	t.Run("set the status", func(t *testing.T) {
		t.Parallel()
		answered := domaintest.For(t, ticket.Decider).Given(opened()).When(answer).Then(ticket.StaffReplied{Message: "Voilà"})
		if got := answered.State().Status; got != ticket.StatusAnswered {
			t.Errorf("status %s", got)
		}
		replied := answered.When(reply).Then(ticket.CustomerReplied{Message: "Merci"})
		if got := replied.State().Status; got != ticket.StatusCustomerReply {
			t.Errorf("status %s", got)
		}
	})
	t.Run("need an open ticket and a text", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, ticket.Decider).Given(opened(), ticket.Closed{}).When(reply).Refused(ticket.ErrClosed)
		domaintest.For(t, ticket.Decider).Given(opened(), ticket.Closed{}).When(answer).Refused(ticket.ErrClosed)
		domaintest.For(t, ticket.Decider).When(reply).Refused(ticket.ErrMissing)
		domaintest.For(t, ticket.Decider).Given(opened()).
			When(func(t ticket.Ticket) (events, error) { return t.Reply(" \n ") }).RefusedField("message")
	})
}

func TestCloseAndReopen(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	at := func(now time.Time, do func(ticket.Ticket, time.Time) ([]ticket.Event, error)) func(ticket.Ticket) (events, error) {
		return func(t ticket.Ticket) (events, error) { return do(t, now) }
	}
	closed := ticket.Closed{ReopenUntil: noon.Add(ticket.ReopenWindow)}

	settled := domaintest.For(t, ticket.Decider).Given(opened()).When(at(noon, ticket.Ticket.Close)).Then(closed)
	settled.When(at(noon.Add(time.Hour), ticket.Ticket.Close)).ThenNothing()
	settled.When(at(noon.Add(ticket.ReopenWindow), ticket.Ticket.Reopen)).Then(ticket.Reopened{}).
		When(at(noon, ticket.Ticket.Reopen)).ThenNothing()
	settled.When(at(noon.Add(ticket.ReopenWindow+time.Microsecond), ticket.Ticket.Reopen)).Refused(ticket.ErrTooLate)
	domaintest.For(t, ticket.Decider).When(at(noon, ticket.Ticket.Close)).Refused(ticket.ErrMissing)
	domaintest.For(t, ticket.Decider).When(at(noon, ticket.Ticket.Reopen)).Refused(ticket.ErrMissing)
}
