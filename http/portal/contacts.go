package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/contact"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
)

// contactFields are the fields of a contact.
var contactFields = []string{
	"kind", "name", "organisation", "email", "phone",
	"address.line1", "address.line2", "address.postal_code", "address.city", "address.region", "address.country",
}

func (p *pages) contacts(v *visit) error { return p.showContacts(v, http.StatusOK) }

func (p *pages) showContacts(v *visit, status int) error {
	list, err := p.Reader.Contacts(v.r.Context(), v.caller.Grants, v.account, v.from())
	if err != nil {
		return err
	}
	return p.show(v, status, "contacts", "contacts", v.title("contacts.title"), listed(v, list))
}

func (p *pages) newContact(v *visit) error { return p.showNewContact(v, http.StatusOK) }

func (p *pages) showNewContact(v *visit, status int) error {
	if !v.page.May.Contacts {
		return domain.ErrDenied
	}
	blank := projections.ContactDetail{}
	blank.Kind, blank.Address.Country = contact.Person, "FR"
	return p.show(v, status, "contact_new", "contacts", v.title("contacts.add"), blank)
}

func (in input) contact() contact.Details {
	d := contact.Details{
		Kind: contact.Kind(in.value("kind")), Name: in.value("name"), Email: in.value("email"), Phone: in.value("phone"),
		Address: contact.Address{
			Line1: in.value("address.line1"), Line2: in.value("address.line2"), PostalCode: in.value("address.postal_code"),
			City: in.value("address.city"), Region: in.value("address.region"), Country: in.value("address.country"),
		},
	}
	if d.Kind != contact.Person { // the form hides it from who is one
		d.Organisation = in.value("organisation")
	}
	return d
}

func (p *pages) createContact(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.CreateContact{AccountID: v.account, Details: in.contact()})
	if err != nil {
		status, err := p.refused(v, in, err, contactFields...)
		if err != nil {
			return err
		}
		return p.showNewContact(v, status)
	}
	return p.written(v, receipt.Position, v.path("contacts", receipt.ID), "contact_added", "contacts")
}

func (p *pages) contact(v *visit) error { return p.showContact(v, http.StatusOK) }

func (p *pages) showContact(v *visit, status int) error {
	row, err := p.Reader.Contact(v.r.Context(), v.caller.Grants, v.account, v.id())
	if err != nil {
		return err
	}
	title := row.Name
	if row.Organisation != "" {
		title = row.Organisation + " · " + title
	}
	return p.show(v, status, "contact", "contacts", title, row)
}

func (p *pages) amendContact(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	d := in.contact()
	receipt, err := execute(p, v, in, commands.AmendContact{ContactID: v.id(), Amendment: contact.Amendment{
		Kind: &d.Kind, Name: &d.Name, Organisation: &d.Organisation, Email: &d.Email, Phone: &d.Phone, Address: &d.Address,
	}})
	return p.contactWritten(v, in, receipt, err, v.path("contacts", v.id()), "contact")
}

func (p *pages) archiveContact(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.ArchiveContact{ContactID: v.id()})
	return p.contactWritten(v, in, receipt, err, v.path("contacts"), "contact_archived")
}

func (p *pages) resendContact(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.ResendContactVerification{ContactID: v.id()}
	call, err := p.call(v, in, ask)
	if err != nil {
		return err
	}
	receipt, err := p.Dispatcher.ResendContactVerification(v.r.Context(), call, ask)
	return p.contactWritten(v, in, receipt, err, v.path("contacts", v.id()), "contact_mailed")
}

// contactWritten shows a contact again, or what is wrong with the change.
func (p *pages) contactWritten(v *visit, in input, receipt commands.Receipt, err error, to, done string) error {
	if err != nil {
		status, err := p.refused(v, in, err, contactFields...)
		if err != nil {
			return err
		}
		return p.showContact(v, status)
	}
	return p.written(v, receipt.Position, to, done, "contacts")
}

// verifyContact is for whoever reads a contact's mail, who may have no log-in.
// The link alone does nothing: a button has to be pressed.
func (p *pages) verifyContact(w http.ResponseWriter, r *http.Request) {
	ask := commands.VerifyContact{Token: r.PostFormValue("token"), IP: p.Source(r).IP}
	if _, err := p.Dispatcher.VerifyContact(r.Context(), p.FormCall(r, portalhttp.Caller{}, "", nil), ask); err != nil {
		p.refusedToken(w, r, err, "verify_contact", "verify_contact.title")
		return
	}
	see(w, r, verifyContactPath+"?done=1")
}
