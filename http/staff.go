package http

import (
	"context"
	"net/http"
	"strings"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/projections"
)

const (
	staffInvoices = "/v1/staff/accounts/{account}/invoices"
	staffServices = "/v1/staff/accounts/{account}/services"
)

// Issued is the answer to issuing an invoice.
type Issued struct {
	ID       string      `json:"id"`
	Number   string      `json:"number"`
	IssuedOn domain.Date `json:"issued_on"`
	DueOn    domain.Date `json:"due_on"`
}

// Numbered is the answer to crediting an invoice.
type Numbered struct {
	ID     string `json:"id"`
	Number string `json:"number"`
}

func (a *api) staffInvoices() {
	command(a, operation{method: http.MethodPost, path: staffInvoices, summary: "Draft an invoice", status: http.StatusCreated, location: "/v1/accounts/{account}/invoices/{id}"},
		func(r *request, c *commands.DraftInvoice) { c.AccountID = r.account })
	command(a, operation{method: http.MethodPost, path: staffInvoices + "/{id}/lines", summary: "Add a line to a draft", status: http.StatusCreated, location: "/v1/accounts/{account}/invoices/{id}"},
		func(r *request, c *commands.AddInvoiceLine) { c.InvoiceID = r.path("id") })
	write(a, operation{
		method: http.MethodDelete, path: staffInvoices + "/{id}/lines/{line}", summary: "Remove a line from a draft",
		notes: "The line is named by its number. One that is gone needs nothing.",
	}, func(r *request, c *commands.RemoveInvoiceLine) { c.InvoiceID, c.Line = r.path("id"), r.number("line") },
		func(ctx context.Context, call commands.Call, c commands.RemoveInvoiceLine) (commands.Receipt, Ref, error) {
			if c.Line < 1 {
				return commands.Receipt{}, Ref{}, domain.Missing("line")
			}
			return ref(commands.Execute(ctx, a.Dispatcher, call, c))
		})
	command(a, operation{method: http.MethodDelete, path: staffInvoices + "/{id}", summary: "Discard a draft"},
		func(r *request, c *commands.DiscardInvoice) { c.InvoiceID = r.path("id") })
	write(a, operation{
		method: http.MethodPost, path: staffInvoices + "/{id}/issue", summary: "Issue an invoice",
		notes: "It gets the next number of its series, and nothing in it can change any more.",
	}, func(r *request, c *commands.IssueInvoice) { c.InvoiceID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.IssueInvoice) (commands.Receipt, Issued, error) {
			done, err := a.Dispatcher.IssueInvoice(ctx, call, c)
			return done.Receipt, Issued{ID: done.ID, Number: done.Number, IssuedOn: done.IssuedOn, DueOn: done.DueOn}, err
		})
	write(a, operation{
		method: http.MethodPost, path: staffInvoices + "/{id}/credit", summary: "Credit an invoice", status: http.StatusCreated,
		location: "/v1/accounts/{account}/credit-notes/{id}",
		notes:    "A credit note over all that is not credited yet: the only way to correct an issued invoice.",
	}, func(r *request, c *commands.CreditInvoice) { c.InvoiceID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.CreditInvoice) (commands.Receipt, Numbered, error) {
			done, err := a.Dispatcher.CreditInvoice(ctx, call, c)
			return done.Receipt, Numbered{ID: done.ID, Number: done.Number}, err
		})
	command(a, operation{
		method: http.MethodPost, path: staffInvoices + "/{id}/payments", summary: "Record a payment",
		notes: "Money that was received. More than is due, or another currency, is refused.",
	}, func(r *request, c *commands.RecordPayment) { c.InvoiceID = r.path("id") })
}

func (a *api) staffServices() {
	command(a, operation{method: http.MethodPost, path: staffServices, summary: "Create a service", status: http.StatusCreated, location: "/v1/accounts/{account}/services/{id}"},
		func(r *request, c *commands.CreateService) { c.AccountID = r.account })
	command(a, operation{method: http.MethodPost, path: staffServices + "/{id}/activate", summary: "Activate a service"},
		func(r *request, c *commands.ActivateService) { c.ServiceID = r.path("id") })
	command(a, operation{method: http.MethodPost, path: staffServices + "/{id}/suspend", summary: "Suspend a service"},
		func(r *request, c *commands.SuspendService) { c.ServiceID = r.path("id") })
	command(a, operation{
		method: http.MethodPost, path: staffServices + "/{id}/lift", summary: "Lift a suspension",
		notes: "The service runs again when no reason is left.",
	}, func(r *request, c *commands.LiftService) { c.ServiceID = r.path("id") })
	write(a, operation{
		method: http.MethodPost, path: "/v1/staff/accounts/{account}/domains", summary: "Record a domain", status: http.StatusCreated,
		location: "/v1/accounts/{account}/domains/{id}",
		notes:    "A name that is registered already.",
	}, func(r *request, c *commands.RecordDomain) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.RecordDomain) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.RecordDomain(ctx, call, c))
		})
}

func (a *api) staffContent() {
	write(a, operation{
		method: http.MethodPost, path: "/v1/staff/products", summary: "Create a product", status: http.StatusCreated,
		location: "/v1/products/{id}", notes: "It is on sale at once.",
	}, nil, func(ctx context.Context, call commands.Call, c commands.CreateProduct) (commands.Receipt, Ref, error) {
		return ref(a.Dispatcher.CreateProduct(ctx, call, c))
	})
	command(a, operation{
		method: http.MethodPost, path: "/v1/staff/news", summary: "Publish news", status: http.StatusCreated, location: "/v1/news/{id}",
		notes: "It is published when it is given a time, and kept as a draft otherwise.",
	}, func(*request, *commands.PublishAnnouncement) {})
	list(a, operation{method: http.MethodGet, path: "/v1/staff/accounts", summary: "List all accounts", model: "accounts"},
		func(ctx context.Context, r *request, in *accountsInput) (projections.List[projections.AccountRow], error) {
			return a.Reader.StaffAccounts(ctx, r.caller.Grants, strings.TrimSpace(in.Query), in.page())
		})
}

// accountsInput chooses accounts.
type accountsInput struct {
	Paging
	Query string `query:"q" maxLength:"254" doc:"An account's id, its owner's e-mail address, or a part of its name."`
}

const staffMember = "/v1/staff/members/{id}"

func (a *api) staffMembers() {
	list(a, operation{method: http.MethodGet, path: "/v1/staff/members", summary: "List staff members", model: "staff_members"},
		func(ctx context.Context, r *request, in *Paging) (projections.List[projections.StaffRow], error) {
			return a.Reader.StaffMembers(ctx, r.caller.Grants, in.page())
		})
	single(a, operation{method: http.MethodGet, path: staffMember, summary: "Read a staff member", model: "staff_members"},
		func(ctx context.Context, r *request) (projections.StaffRow, uint64, error) {
			row, err := a.Reader.StaffMember(ctx, r.caller.Grants, r.path("id"))
			return row, row.StreamRevision, err
		})
	list(a, operation{
		method: http.MethodGet, path: staffMember + "/inspections", summary: "List who looked at a staff member's raw history", model: projections.InspectionsModel,
	}, func(ctx context.Context, r *request, in *Paging) (projections.List[projections.InspectionRow], error) {
		return a.Reader.MemberInspections(ctx, r.caller.Grants, r.path("id"), in.page())
	})
	write(a, operation{
		method: http.MethodPost, path: "/v1/staff/members", summary: "Hire a staff member", status: http.StatusCreated, location: staffMember, rights: true,
		notes: "The person has registered and verified the address before, and logs in again: all its sessions end. The role counts in sessions that are opened from then on and have shown a second factor; without one nothing that it allows is carried out (403 second_factor_required), which the member's second_factor tells. API tokens never have it. " + confirmed,
	}, nil, func(ctx context.Context, call commands.Call, c commands.HireStaff) (commands.Receipt, Ref, error) {
		return ref(a.Dispatcher.HireStaff(ctx, call, c))
	})
	write(a, operation{
		method: http.MethodPatch, path: staffMember, summary: "Give a staff member another role", rights: true,
		notes: "It is in force when this answers. Nobody changes its own role, and the last admin stays one. " + confirmed,
	}, func(r *request, c *commands.AssignStaffRole) { c.MemberID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.AssignStaffRole) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.AssignStaffRole(ctx, call, c))
		})
	write(a, operation{
		method: http.MethodDelete, path: staffMember, summary: "Deactivate a staff member", rights: true,
		notes: "Its sessions end. The user stays and may be a customer. The last admin stays one. " + confirmed,
	}, func(r *request, c *commands.DeactivateStaff) { c.MemberID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.DeactivateStaff) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.DeactivateStaff(ctx, call, c))
		})
}

// confirmed is said of what a stolen session must not do.
const confirmed = "It needs a confirmation of the last ten minutes (/v1/me/confirmations)."

func (a *api) staffTickets() {
	list(a, operation{method: http.MethodGet, path: "/v1/staff/tickets", summary: "List all tickets", model: "tickets"},
		func(ctx context.Context, r *request, in *Paging) (projections.List[projections.TicketRow], error) {
			return a.Reader.StaffTickets(ctx, r.caller.Grants, in.page())
		})
	single(a, operation{method: http.MethodGet, path: "/v1/staff/tickets/{id}", summary: "Read any ticket", model: "tickets"},
		func(ctx context.Context, r *request) (projections.TicketDetail, uint64, error) {
			row, err := a.Reader.StaffTicket(ctx, r.caller.Grants, r.path("id"))
			return row, row.StreamRevision, err
		})
	command(a, operation{method: http.MethodPost, path: "/v1/staff/tickets/{id}/replies", summary: "Answer a ticket", status: http.StatusCreated, location: "/v1/staff/tickets/{id}"},
		func(r *request, c *commands.StaffReplyTicket) { c.TicketID = r.path("id") })
	command(a, operation{method: http.MethodPost, path: "/v1/staff/tickets/{id}/close", summary: "Close any ticket"},
		func(r *request, c *commands.StaffCloseTicket) { c.TicketID = r.path("id") })
}
