package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
)

// Dashboard is what one account's first page shows.
type Dashboard struct {
	Counts         Counts             `json:"counts"`
	ActiveServices []DashboardService `json:"active_services"`
	LatestTickets  []DashboardTicket  `json:"latest_tickets"`
	News           []DashboardNews    `json:"news"`
	Profile        DashboardProfile   `json:"profile"`
}

// Counts are the dashboard's numbers; one that the viewer may not see is absent.
type Counts struct {
	Services            *int `json:"services,omitempty"`
	Domains             *int `json:"domains,omitempty"`
	UnpaidInvoices      *int `json:"unpaid_invoices,omitempty"`
	OpenTickets         *int `json:"open_tickets,omitempty"`
	UnreadNotifications *int `json:"unread_notifications,omitempty"`
}

// DashboardNews is an announcement as the dashboard shows it.
type DashboardNews struct {
	ID          string    `json:"id"`
	Title       string    `json:"title"`
	PublishedAt time.Time `json:"published_at"`
}

// DashboardProfile is who the account is.
type DashboardProfile struct {
	Name    string `json:"name"`
	Country string `json:"country"`
}

// Dashboard is an account's dashboard, in one round trip. A delegate sees the
// parts that the grant allows.
func (r *Reader) Dashboard(ctx context.Context, g delegation.Grants, accountID string) (Dashboard, error) {
	parts := []domain.Permission{
		delegation.ProfileRead, delegation.ServicesRead, delegation.DomainsRead,
		delegation.InvoicesRead, delegation.TicketsRead, delegation.NotificationsRead,
	}
	if err := allowAny(g, accountID, parts...); err != nil {
		return Dashboard{}, err
	}
	for _, p := range parts {
		if !delegation.Can(g, accountID, p, delegation.ListOf(p)) {
			continue
		}
		if err := r.saw(ctx, g, delegation.ListOf(p), inspection.Sight{Account: accountID, What: p}); err != nil {
			return Dashboard{}, err
		}
	}
	var (
		row  dashboardRow
		news []DashboardNews
	)
	limited := delegation.Limited(g, accountID)
	err := r.db.QueryRow(ctx, `
		SELECT services, domains, unpaid_invoices, open_tickets, unread_notifications,
		       active_services, latest_tickets, name, country,
		       CASE WHEN $2 THEN state ELSE '{}' END,
		       (SELECT coalesce(jsonb_agg(n), '[]')
		        FROM (SELECT id, title, published_at
		              FROM read.announcement
		              WHERE published_at <= now()
		              ORDER BY published_at DESC, id DESC
		              LIMIT 3) n)
		FROM read.dashboard
		WHERE account = $1`, accountID, limited).Scan(&row.Services, &row.Domains, &row.Unpaid, &row.OpenTickets, &row.Unread,
		&row.Active, &row.LatestTickets, &row.Name, &row.Country, &row.State, &news)
	if errors.Is(err, pgx.ErrNoRows) {
		return Dashboard{}, domain.Missing("account")
	}
	if err != nil {
		return Dashboard{}, fmt.Errorf("read dashboard: %w", err)
	}
	if limited {
		row.within(g, accountID)
	}
	return row.shownTo(g, accountID, news), nil
}

// within leaves what is in the viewer's scope, and counts that.
func (row *dashboardRow) within(g delegation.Grants, accountID string) {
	keep(row.State.Services, delegation.Reach(g, accountID, delegation.ServicesRead))
	keep(row.State.Domains, delegation.Reach(g, accountID, delegation.DomainsRead))
	keep(row.State.Tickets, delegation.Reach(g, accountID, delegation.TicketsRead))
	row.count()
}

// keep deletes all but the given ids; nil keeps all.
func keep[V any](m map[string]V, ids []string) {
	if ids != nil {
		maps.DeleteFunc(m, func(id string, _ V) bool { return !slices.Contains(ids, id) })
	}
}

// shownTo is the dashboard with what the viewer may see.
func (row *dashboardRow) shownTo(g delegation.Grants, accountID string, news []DashboardNews) Dashboard {
	may := func(p domain.Permission, kind string) bool {
		return delegation.Can(g, accountID, p, delegation.Resource{Kind: kind})
	}
	d := Dashboard{News: news, ActiveServices: []DashboardService{}, LatestTickets: []DashboardTicket{}}
	if may(delegation.ProfileRead, "account") {
		d.Profile = DashboardProfile{Name: row.Name, Country: row.Country}
	}
	if may(delegation.ServicesRead, "hosting") {
		d.Counts.Services, d.ActiveServices = &row.Services, row.Active
	}
	if may(delegation.DomainsRead, "domainname") {
		d.Counts.Domains = &row.Domains
	}
	if may(delegation.InvoicesRead, "invoice") {
		d.Counts.UnpaidInvoices = &row.Unpaid
	}
	if may(delegation.TicketsRead, "ticket") {
		d.Counts.OpenTickets, d.LatestTickets = &row.OpenTickets, row.LatestTickets
	}
	if may(delegation.NotificationsRead, "notification") {
		d.Counts.UnreadNotifications = &row.Unread
	}
	return d
}
