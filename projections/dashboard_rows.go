package projections

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/ticket"
)

// How much of each the dashboard shows.
const (
	dashboardServices = 10
	dashboardTickets  = 5
)

// dashboardRow is all that one account's dashboard shows but the news, which
// are everybody's and joined when it is read: a row for each account would
// have to change for each of them.
type dashboardRow struct {
	Account       string             `db:"account"`
	Services      int                `db:"services"`
	Domains       int                `db:"domains"`
	Unpaid        int                `db:"unpaid_invoices"`
	OpenTickets   int                `db:"open_tickets"`
	Unread        int                `db:"unread_notifications"`
	Active        []DashboardService `db:"active_services,jsonb"`
	LatestTickets []DashboardTicket  `db:"latest_tickets,jsonb"`
	Name          string             `db:"name"`
	Country       string             `db:"country"`
	// State is what the counts and lists are made from; only queries under a
	// limited scope read it, to count what is in the scope.
	State dashboardState `db:"state,jsonb"`
}

// dashboardState is kept as sets, so that nothing depends on which events come
// in pairs.
type dashboardState struct {
	Services map[string]DashboardService `json:"services"`
	Domains  map[string]bool             `json:"domains"`
	Unpaid   map[string]bool             `json:"unpaid"`
	Tickets  map[string]ticketState      `json:"tickets"`
	Unread   map[string]bool             `json:"unread"`
}

// ticketState is a ticket and until when it can change. Those closed for good
// are forgotten once they are not among the latest.
type ticketState struct {
	DashboardTicket
	Until *time.Time `json:"until,omitempty"`
}

// DashboardService is an active service as the dashboard shows it.
type DashboardService struct {
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	Label  string         `json:"label"`
	Status hosting.Status `json:"status"`
}

// DashboardTicket is a ticket as the dashboard shows it.
type DashboardTicket struct {
	ID        string        `json:"id"`
	Number    string        `json:"number"`
	Subject   string        `json:"subject"`
	Status    ticket.Status `json:"status"`
	UpdatedAt time.Time     `json:"updated_at"`
}

// dashboards keeps read.dashboard, by account.
func dashboards() Model {
	table := Table{Name: "read.dashboard", Key: "account", KeyOf: owningAccount}
	return Define("dashboard", Keep(table, slices.Concat(
		dashboardProfile(), dashboardOfServices(), dashboardOfInvoices(), dashboardOfTickets(), dashboardOfNotifications(),
		onErased(subjectkey.Profile, (*dashboardRow).redact),
	)...))
}

// owningAccount is the account whose stream an event is in.
func owningAccount(m Meta) string {
	if m.Category == account.Decider.Category {
		return m.AggregateID
	}
	return m.Account
}

// onDashboard is On for the row of the owning account.
func onDashboard[E interface{ EventType() string }](fn func(row *dashboardRow, e E, m Meta)) Handler[dashboardRow] {
	return On(func(rows *Rows[dashboardRow], e E, m Meta) {
		row := rows.Get(owningAccount(m))
		fn(row, e, m)
		row.count()
	})
}

func dashboardProfile() []Handler[dashboardRow] {
	return []Handler[dashboardRow]{
		onDashboard(func(row *dashboardRow, e account.Opened, _ Meta) { row.Name, row.Country = e.Name, e.Country }),
		onDashboard(func(row *dashboardRow, e account.ProfileUpdated, _ Meta) { row.Name, row.Country = e.Name, e.Country }),
	}
}

func dashboardOfServices() []Handler[dashboardRow] {
	change := func(row *dashboardRow, m Meta, fn func(*DashboardService)) {
		service := row.State.Services[m.AggregateID]
		fn(&service)
		put(&row.State.Services, m.AggregateID, service)
	}
	status := func(row *dashboardRow, m Meta, s hosting.Status) {
		change(row, m, func(service *DashboardService) { service.Status = s })
	}
	return []Handler[dashboardRow]{
		onDashboard(func(row *dashboardRow, e hosting.Created, m Meta) {
			put(&row.State.Services, m.AggregateID, DashboardService{
				ID: m.AggregateID, Name: e.Name, Label: e.Label, Status: hosting.StatusPending,
			})
		}),
		onDashboard(func(row *dashboardRow, _ hosting.Provisioned, m Meta) { status(row, m, hosting.StatusActive) }),
		onDashboard(func(row *dashboardRow, _ hosting.Suspended, m Meta) { status(row, m, hosting.StatusSuspended) }),
		onDashboard(func(row *dashboardRow, e hosting.SuspensionLifted, m Meta) { status(row, m, e.Status) }),
		onDashboard(func(row *dashboardRow, e hosting.Renamed, m Meta) {
			change(row, m, func(service *DashboardService) { service.Label = e.Label })
		}),
		onDashboard(func(row *dashboardRow, _ domainname.Registered, m Meta) { put(&row.State.Domains, m.AggregateID, true) }),
	}
}

func dashboardOfInvoices() []Handler[dashboardRow] {
	return []Handler[dashboardRow]{
		onDashboard(func(row *dashboardRow, _ invoice.Issued, m Meta) { put(&row.State.Unpaid, m.AggregateID, true) }),
		onDashboard(func(row *dashboardRow, _ invoice.Paid, m Meta) { delete(row.State.Unpaid, m.AggregateID) }),
		onDashboard(func(row *dashboardRow, _ invoice.Credited, m Meta) { delete(row.State.Unpaid, m.AggregateID) }),
	}
}

func dashboardOfTickets() []Handler[dashboardRow] {
	change := func(row *dashboardRow, m Meta, status ticket.Status, until *time.Time) {
		t := row.State.Tickets[m.AggregateID]
		t.Status, t.Until, t.UpdatedAt = status, until, later(t.UpdatedAt, m.OccurredAt)
		put(&row.State.Tickets, m.AggregateID, t)
	}
	return []Handler[dashboardRow]{
		onDashboard(func(row *dashboardRow, e ticket.Opened, m Meta) {
			put(&row.State.Tickets, m.AggregateID, ticketState{
				DashboardTicket: DashboardTicket{ID: m.AggregateID, Number: e.Number, Subject: e.Subject},
			})
			change(row, m, ticket.StatusOpen, nil)
		}),
		onDashboard(func(row *dashboardRow, _ ticket.CustomerReplied, m Meta) {
			change(row, m, ticket.StatusCustomerReply, nil)
		}),
		onDashboard(func(row *dashboardRow, _ ticket.StaffReplied, m Meta) { change(row, m, ticket.StatusAnswered, nil) }),
		onDashboard(func(row *dashboardRow, e ticket.Closed, m Meta) {
			change(row, m, ticket.StatusClosed, &e.ReopenUntil)
			row.forget(m.OccurredAt)
		}),
		onDashboard(func(row *dashboardRow, _ ticket.Reopened, m Meta) { change(row, m, ticket.StatusOpen, nil) }),
	}
}

func dashboardOfNotifications() []Handler[dashboardRow] {
	return []Handler[dashboardRow]{
		onDashboard(func(row *dashboardRow, _ notification.Notified, m Meta) { put(&row.State.Unread, m.AggregateID, true) }),
		onDashboard(func(row *dashboardRow, _ notification.Read, m Meta) { delete(row.State.Unread, m.AggregateID) }),
	}
}

// redact takes out what was said by the customer.
func (row *dashboardRow) redact() {
	erase(&row.Name)
	for id, s := range row.State.Services {
		erase(&s.Label)
		row.State.Services[id] = s
	}
	for id, t := range row.State.Tickets {
		erase(&t.Subject)
		row.State.Tickets[id] = t
	}
	row.count()
}

// put sets a key of a map that may not be made yet.
func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[key] = v
}

// count makes what is shown from the state.
func (row *dashboardRow) count() {
	s := &row.State
	row.Active = slices.SortedFunc(maps.Values(s.Services), func(a, b DashboardService) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.ID, b.ID))
	})
	row.Active = slices.DeleteFunc(row.Active, func(d DashboardService) bool { return d.Status != hosting.StatusActive })
	row.Services = len(row.Active)
	row.Active = row.Active[:min(len(row.Active), dashboardServices)]
	row.Domains, row.Unpaid, row.Unread = len(s.Domains), len(s.Unpaid), len(s.Unread)
	row.OpenTickets = 0
	row.LatestTickets = make([]DashboardTicket, 0, len(s.Tickets))
	for _, t := range s.Tickets {
		if t.Status != ticket.StatusClosed {
			row.OpenTickets++
		}
		row.LatestTickets = append(row.LatestTickets, t.DashboardTicket)
	}
	slices.SortFunc(row.LatestTickets, func(a, b DashboardTicket) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(b.ID, a.ID))
	})
	row.LatestTickets = row.LatestTickets[:min(len(row.LatestTickets), dashboardTickets)]
}

// forget drops tickets that were closed for good by a time, but for those that
// are shown.
func (row *dashboardRow) forget(now time.Time) {
	row.count()
	maps.DeleteFunc(row.State.Tickets, func(id string, t ticketState) bool {
		shown := slices.ContainsFunc(row.LatestTickets, func(d DashboardTicket) bool { return d.ID == id })
		return !shown && t.Until != nil && t.Until.Before(now)
	})
}
