package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

const contactPath = "/v1/accounts/{account}/contacts"

func (a *api) contacts() {
	list(a, operation{
		method: http.MethodGet, path: contactPath, summary: "List contacts", model: "contacts",
		notes: "The people and organisations that registries are told as owners of domains or as who looks after them. Archived ones are left out.",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[projections.ContactRow], error) {
		return a.Reader.Contacts(ctx, r.caller.Grants, r.account, in.page())
	})
	resource(a, operation{
		method: http.MethodGet, path: contactPath + "/{id}", summary: "Read a contact", model: "contacts",
		notes: "used_by are the domains that have it, as far as I may see them.",
	}, func(ctx context.Context, r *request) (projections.ContactDetail, uint64, error) {
		row, err := a.Reader.Contact(ctx, r.caller.Grants, r.account, r.path("id"))
		return row, row.StreamRevision, err
	})
	command(a, operation{
		method: http.MethodPost, path: contactPath, summary: "Create a contact", status: http.StatusCreated, location: contactPath + "/{id}",
		notes: "The address gets a mail with a link that holds for a week; whoever follows it needs no log-in. " +
			"Until then the contact can be any but the owner of a domain. An organisation has to be named, for a person it is left out.",
	}, func(r *request, c *commands.CreateContact) { c.AccountID = r.account })
	command(a, operation{
		method: http.MethodPatch, path: contactPath + "/{id}", summary: "Change a contact",
		notes: "Fields that are left out stay as they are; an address is given as a whole. Another e-mail address has to be verified anew.",
	}, func(r *request, c *commands.AmendContact) { c.ContactID = r.path("id") })
	command(a, operation{
		method: http.MethodDelete, path: contactPath + "/{id}", summary: "Archive a contact",
		notes: "For good. It is refused (contact_in_use) while a domain has the contact.",
	}, func(r *request, c *commands.ArchiveContact) { c.ContactID = r.path("id") })
	silently(a, operation{
		method: http.MethodPost, path: contactPath + "/{id}/verification", summary: "Mail a contact's verification again",
		status: http.StatusAccepted, latest: true, limited: true,
		notes: "One address gets three such mails at most, then one an hour and fewer, from whatever account; more are not sent, and the answer does not say so.",
	}, func(r *request, c *commands.ResendContactVerification) { c.ContactID = r.path("id") }, a.Dispatcher.ResendContactVerification)
	silently(a, operation{
		method: http.MethodPost, path: "/v1/contacts/verify-email", summary: "Verify a contact's address", status: http.StatusNoContent,
		public: true, limited: true,
		notes: "The token of the mailed link. It can be used once, while the contact has that address.",
	}, func(r *request, c *commands.VerifyContact) { c.IP = a.Source(r.raw).IP }, a.Dispatcher.VerifyContact)
	write(a, operation{
		method: http.MethodPut, path: "/v1/accounts/{account}/domains/{name}/contacts", summary: "Set a domain's contacts",
		notes: "The ids of contacts of this account; those left out are the owner. A new owner's address has to be verified (contact_not_verified). " +
			"It takes domains.manage and contacts.manage.",
	}, func(r *request, c *commands.SetDomainContacts) { c.Domain = r.path("name") },
		func(ctx context.Context, call commands.Call, c commands.SetDomainContacts) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.SetDomainContacts(ctx, call, c))
		})
}
