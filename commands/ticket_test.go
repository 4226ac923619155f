package commands_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/ticket"
)

func aTicket() ticket.Opened {
	return ticket.Opened{
		Account: "acc_1", Number: "HPJ-613904", Department: ticket.Technical, Priority: ticket.Normal,
		Subject: "Test de ticket", Message: "Bonjour",
	}
}

func TestReplyTicket(t *testing.T) {
	t.Parallel()
	reply := commands.ReplyTicket{TicketID: "tkt_1", Message: " Merci "}
	answer := commands.StaffReplyTicket{TicketID: "tkt_1", Message: "Voilà"}
	commandtest.For(t, ticket.Decider).Given(aTicket()).When(reply).Then(ticket.CustomerReplied{Message: "Merci"})
	commandtest.For(t, ticket.Decider).Given(aTicket()).When(answer).Then(ticket.StaffReplied{Message: "Voilà"})
	commandtest.For(t, ticket.Decider).Given(aTicket(), ticket.Closed{}).When(reply).Refused(ticket.ErrClosed)
	commandtest.For(t, ticket.Decider).Given(aTicket(), ticket.Closed{}).When(answer).Refused(ticket.ErrClosed)
	commandtest.For(t, ticket.Decider).Given(aTicket()).When(commands.ReplyTicket{TicketID: "tkt_1"}).Refused(domain.Invalid("message", ""))
	commandtest.For(t, ticket.Decider).When(reply).Refused(ticket.ErrMissing)
}

func TestCloseAndReopenTicket(t *testing.T) {
	t.Parallel()
	closed := ticket.Closed{ReopenUntil: commandtest.Noon.Add(7 * 24 * time.Hour)}
	reopen := commands.ReopenTicket{TicketID: "tkt_1"}
	commandtest.For(t, ticket.Decider).Given(aTicket()).When(commands.CloseTicket{TicketID: "tkt_1"}).Then(closed)
	commandtest.For(t, ticket.Decider).Given(aTicket()).When(commands.StaffCloseTicket{TicketID: "tkt_1"}).Then(closed)
	commandtest.For(t, ticket.Decider).Given(aTicket(), closed).When(commands.CloseTicket{TicketID: "tkt_1"}).Then()
	commandtest.For(t, ticket.Decider).Given(aTicket(), closed).When(reopen).Then(ticket.Reopened{})
	commandtest.For(t, ticket.Decider).Given(aTicket(), closed).At(closed.ReopenUntil.Add(time.Second)).When(reopen).Refused(ticket.ErrTooLate)
}
