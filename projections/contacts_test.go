package projections_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

func ana() contact.Details {
	return contact.Details{
		Kind: contact.Person, Name: "Ana Souza", Email: "ana@example.com", Phone: "+33612345678",
		Address: contact.Address{Line1: "3 rue du Four", City: "Paris", Country: "FR"},
	}
}

// contactsOf gives acc_1 two contacts, of which example.fr has had both and has
// one, and an archived one.
func contactsOf(side *projectiontest.Side) {
	renamed := ana()
	renamed.Name, renamed.Email = "Ana Lima", "ana@new.example"
	side.Given("acc_1", "contact-ctc_1", contact.Created{Account: "acc_1", Details: ana()}, contact.EmailVerified{Email: "ana@example.com"},
		contact.Claimed{Domain: "dom_1", Until: projectiontest.Noon()})
	side.Given("acc_1", "contact-ctc_2", contact.Created{Account: "acc_1", Details: ana()}, contact.EmailVerified{Email: "ana@example.com"},
		contact.Amended{Details: renamed, EmailChanged: true})
	side.Given("acc_1", "contact-ctc_3", contact.Created{Account: "acc_1", Details: ana()}, contact.Archived{})
	side.Given("acc_1", "domainname-dom_1",
		domainname.ContactsChanged{Contacts: domainname.Contacts{Owner: "ctc_2"}.Full()},
		domainname.ContactsChanged{Contacts: domainname.Contacts{Owner: "ctc_1"}.Full(), Released: []string{"ctc_2"}})
}

// limited are the grants of a delegate on dom_1.
func limited(permissions ...domain.Permission) delegation.Grants {
	return delegation.Grants{User: "usr_3", Accounts: map[string]delegation.Grant{"acc_1": {Delegation: "dlg_1", Terms: delegation.Terms{
		Permissions: permissions, Scope: delegation.Scope{Domains: []string{"dom_1"}},
	}}}}
}

func TestContacts(t *testing.T) {
	t.Parallel()
	side := start(t, append(contact.Decider.Types, domainname.Decider.Types...), "contacts", "domain_names")
	side.Given("acc_1", "domainname-dom_1", domainname.Registered{Account: "acc_1", Name: "example.fr", RegisteredOn: "2025-01-01", ExpiresOn: "2027-01-01"})
	contactsOf(side)
	side.Given("acc_1", "domainname-dom_2", domainname.Registered{Account: "acc_1", Name: "hidden.fr", RegisteredOn: "2025-01-01", ExpiresOn: "2026-01-01"},
		domainname.ContactsChanged{Contacts: domainname.Contacts{Owner: "ctc_1"}.Full()})
	side.Settle()
	ctx, mine, page := t.Context(), owner("acc_1"), projections.Page{}

	t.Run("are listed newest first, without those archived, page by page", func(t *testing.T) {
		t.Parallel()
		first, err := side.Reader.Contacts(ctx, mine, "acc_1", projections.Page{Limit: 1})
		if err != nil || len(first.Items) != 1 || first.Items[0].ID != "ctc_2" || first.NextCursor == nil {
			t.Fatal(first, err)
		}
		second, err := side.Reader.Contacts(ctx, mine, "acc_1", projections.Page{Limit: 1, Cursor: *first.NextCursor})
		if err != nil || len(second.Items) != 1 || second.Items[0].ID != "ctc_1" || second.NextCursor != nil {
			t.Fatal(second, err)
		}
	})
	t.Run("show what happened to one, and which domains have it", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Contact(ctx, mine, "acc_1", "ctc_1")
		d := ana()
		want := projections.ContactDetail{
			ContactRow: projections.ContactRow{
				ID: "ctc_1", Account: "acc_1", Kind: d.Kind, Name: d.Name, Email: d.Email, EmailVerified: true, Phone: d.Phone, Address: d.Address,
				Status: contact.StatusActive, Domains: []string{"dom_1", "dom_2"}, CreatedAt: projectiontest.Noon().Add(time.Minute), StreamRevision: 2,
			},
			UsedBy: []projections.ContactDomain{{ID: "dom_1", Name: "example.fr"}, {ID: "dom_2", Name: "hidden.fr"}},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
		amended, err := side.Reader.Contact(ctx, mine, "acc_1", "ctc_2")
		if err != nil || amended.Name != "Ana Lima" || amended.EmailVerified || len(amended.UsedBy) != 0 || amended.StreamRevision != 2 {
			t.Errorf("%+v %v", amended, err)
		}
		archived, err := side.Reader.Contact(ctx, mine, "acc_1", "ctc_3")
		if err != nil || archived.Status != contact.StatusArchived {
			t.Errorf("%+v %v", archived, err)
		}
	})
	t.Run("tell a delegate of the domains in its scope alone", func(t *testing.T) {
		t.Parallel()
		for want, g := range map[int]delegation.Grants{
			1: limited(delegation.ContactsManage, delegation.DomainsRead),
			0: limited(delegation.ContactsManage),
		} {
			got, err := side.Reader.Contact(ctx, g, "acc_1", "ctc_1")
			if err != nil || len(got.UsedBy) != want || want == 1 && got.UsedBy[0].Name != "example.fr" {
				t.Errorf("%+v %v", got.UsedBy, err)
			}
		}
	})
	t.Run("are nobody's who may see domains alone", func(t *testing.T) {
		t.Parallel()
		for _, g := range []delegation.Grants{limited("*"), limited(delegation.DomainsRead, delegation.DomainsManage)} {
			if _, err := side.Reader.Contacts(ctx, g, "acc_1", page); domain.KindOf(err) != domain.KindDenied {
				t.Error(err)
			}
			if _, err := side.Reader.Contact(ctx, g, "acc_1", "ctc_1"); domain.KindOf(err) != domain.KindDenied {
				t.Error(err)
			}
			name, err := side.Reader.DomainName(ctx, g, "acc_1", "example.fr")
			if err != nil || name.Contacts != nil {
				t.Errorf("%+v %v", name, err)
			}
			list, err := side.Reader.DomainNames(ctx, g, "acc_1", page)
			if err != nil || len(list.Items) != 1 || list.Items[0].Contacts != nil {
				t.Errorf("%+v %v", list, err)
			}
		}
	})
	t.Run("of a domain are shown to who may see them", func(t *testing.T) {
		t.Parallel()
		want := &domainname.Contacts{Owner: "ctc_1", Admin: "ctc_1", Tech: "ctc_1", Billing: "ctc_1"}
		for _, g := range []delegation.Grants{mine, limited(delegation.ContactsManage, delegation.DomainsRead), {User: "usr_9", Role: delegation.RoleAdmin}} {
			got, err := side.Reader.DomainName(ctx, g, "acc_1", "example.fr")
			if diff := cmp.Diff(want, got.Contacts); err != nil || diff != "" {
				t.Error(err, diff)
			}
		}
	})
	t.Run("that a domain can choose are those that are there, and those it has", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.ContactsToChoose(ctx, mine, "acc_1", "ctc_3")
		if err != nil || len(got) != 3 || got[0].ID != "ctc_3" {
			t.Errorf("%+v %v", got, err)
		}
		if got, err = side.Reader.ContactsToChoose(ctx, mine, "acc_1"); err != nil || len(got) != 2 {
			t.Errorf("%+v %v", got, err)
		}
	})
}

func TestContactsAreErased(t *testing.T) {
	t.Parallel()
	types := append(append(contact.Decider.Types, domainname.Decider.Types...), privacy.Decider.Types...)
	side := start(t, types, "contacts", "domain_names")
	side.Given("acc_1", "domainname-dom_1", domainname.Registered{Account: "acc_1", Name: "example.fr", RegisteredOn: "2025-01-01", ExpiresOn: "2027-01-01"})
	contactsOf(side)
	side.Given("", "privacy-usr_1", privacy.SubjectKeyDestroyed{Subject: "ctc_1", Purpose: "profile"})
	side.Settle()
	gone, err := side.Reader.Contact(t.Context(), owner("acc_1"), "acc_1", "ctc_1")
	text, _ := json.Marshal(gone)
	want := contact.Address{Line1: eventstore.Erased, City: eventstore.Erased, Country: "FR"}
	if err != nil || gone.Name != eventstore.Erased || gone.Email != eventstore.Erased || gone.Phone != eventstore.Erased || gone.Organisation != "" || gone.Address != want {
		t.Errorf("%s %v", text, err)
	}
	if other, err := side.Reader.Contact(t.Context(), owner("acc_1"), "acc_1", "ctc_2"); err != nil || other.Name != "Ana Lima" {
		t.Errorf("%+v %v", other, err)
	}
}

// TestTheFeedTellsNothingOfContacts reads every public event of contacts.
func TestTheFeedTellsNothingOfContacts(t *testing.T) {
	t.Parallel()
	side := start(t, append(contact.Decider.Types, domainname.Decider.Types...), projections.EventsModel, "dashboard")
	side.Given("acc_1", "domainname-dom_1", domainname.Registered{Account: "acc_1", Name: "example.fr", RegisteredOn: "2025-01-01", ExpiresOn: "2027-01-01"})
	contactsOf(side)
	side.Settle()
	feed := projections.NewFeed(side.Reader, side.Store, side.Codec)
	read := func(g delegation.Grants) map[string]string {
		t.Helper()
		page, err := feed.Next(t.Context(), projections.EventQuery{Account: "acc_1", Rights: func(context.Context) (delegation.Grants, error) { return g, nil }})
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]string{}
		for _, e := range page.Events {
			if e.Type != (domainname.Registered{}).EventType() {
				told[e.Type] = string(e.Data)
			}
		}
		return told
	}
	want := map[string]string{
		"contact.created.v1": `{"kind":"person","status":"active"}`, "contact.amended.v1": `{"kind":"person","email_changed":true}`,
		"contact.email_verified.v1": `{}`, "contact.archived.v1": `{"status":"archived"}`,
		"domainname.contacts_changed.v1": `{"owner":"ctc_1","admin":"ctc_1","tech":"ctc_1","billing":"ctc_1"}`,
	}
	if diff := cmp.Diff(want, read(owner("acc_1"))); diff != "" {
		t.Error(diff)
	}
	want = map[string]string{"domainname.contacts_changed.v1": `{}`}
	if diff := cmp.Diff(want, read(limited(delegation.DomainsRead))); diff != "" {
		t.Error(diff)
	}
}
