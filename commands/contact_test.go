package commands_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// ana is a contact.
func ana() contact.Details {
	return contact.Details{
		Kind: contact.Person, Name: "Ana Souza", Email: "ana@example.com", Phone: "+33612345678",
		Address: contact.Address{Line1: "3 rue du Four", PostalCode: "75006", City: "Paris", Country: "FR"},
	}
}

// under is a call of the system under an account.
func under(account string) commands.Call {
	call := commandtest.SystemCall()
	call.Account = account
	return call
}

// contact makes one of an account, verified or not.
func (s *shop) contact(account string, verified bool) string {
	s.t.Helper()
	made, err := commands.Execute(s.t.Context(), s.Dispatcher, under(account), commands.CreateContact{AccountID: account, Details: ana()})
	if err == nil && verified {
		_, err = commands.Execute(s.t.Context(), s.Dispatcher, under(account), commands.VouchContact{ContactID: made.ID})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return made.ID
}

func (s *shop) recordDomain(account, name string) string {
	s.t.Helper()
	made, err := s.RecordDomain(s.t.Context(), commandtest.StaffCall(account), commands.RecordDomain{
		AccountID: account, Name: name, RegisteredOn: "2025-02-01", ExpiresOn: "2027-02-01",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return made.ID
}

func (s *shop) name(id string) domainname.DomainName { return load(s, domainname.Decider.At(id)) }

func (s *shop) setContacts(name, owner, tech string) error {
	_, err := s.SetDomainContacts(s.t.Context(), commandtest.Call(), commands.SetDomainContacts{Domain: name, Owner: owner, Tech: tech})
	return err
}

func (s *shop) archive(id string) error {
	_, err := commands.Execute(s.t.Context(), s.Dispatcher, commandtest.Call(), commands.ArchiveContact{ContactID: id})
	return err
}

func TestADomainsContactsAreItsAccountsOwn(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	do(s, commands.OpenAccount{AccountID: "acc_2", Owner: "usr_2", Name: "Other", Kind: account.Individual, Country: "FR", Currency: "EUR"})
	id := s.recordDomain("acc_1", "example.fr")
	s.recordDomain("acc_2", "other.fr")
	mine, unverified, foreign := s.contact("acc_1", true), s.contact("acc_1", false), s.contact("acc_2", true)

	if err := s.setContacts("Example.FR.", mine, unverified); err != nil {
		t.Fatal(err)
	}
	want := domainname.Contacts{Owner: mine, Admin: mine, Tech: unverified, Billing: mine}
	if got := s.name(id); got.Contacts != want || got.ContactsSet != 1 {
		t.Fatalf("%+v", got)
	}
	before := s.store.Appends()
	if err := s.setContacts(id, mine, unverified); err != nil { // by its id, and nothing to change
		t.Error(err)
	}
	refused := func(err error) string {
		t.Helper()
		var e *domain.Error
		if !errors.As(err, &e) {
			t.Fatalf("not refused: %v", err)
		}
		return fmt.Sprint(e.Code, e.Fields, e.Detail)
	}
	unknown := refused(s.setContacts("example.fr", "ctc_none", mine))
	if got := refused(s.setContacts("example.fr", foreign, mine)); got != unknown || !strings.Contains(got, "owner") {
		t.Errorf("another account's contact: %s; none: %s", got, unknown)
	}
	if got := refused(s.setContacts("example.fr", "ctc_"+strings.Repeat("x", 5000), mine)); got != unknown {
		t.Errorf("no id at all: %s; none: %s", got, unknown)
	}
	if got := refused(s.setContacts("example.fr", mine, foreign)); !strings.Contains(got, "{tech") {
		t.Errorf("refused with %s", got)
	}
	if err := s.setContacts("example.fr", "", mine); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("without an owner: %v", err)
	}
	if err := s.setContacts("example.fr", unverified, mine); !errors.Is(err, contact.ErrNotVerified) {
		t.Errorf("an unverified owner: %v", err)
	}
	missing := refused(s.setContacts("none.fr", mine, ""))
	if got := refused(s.setContacts("other.fr", mine, "")); got != missing || !strings.HasPrefix(got, "not_found") {
		t.Errorf("another account's domain: %s; none: %s", got, missing)
	}
	call := commandtest.Call()
	old := uint64(0)
	call.IfMatch = &old
	if _, err := s.SetDomainContacts(t.Context(), call, commands.SetDomainContacts{Domain: id, Owner: mine}); !errors.Is(err, domain.ErrStale) {
		t.Errorf("of an old revision: %v", err)
	}
	if after := s.store.Appends(); after != before {
		t.Errorf("refusals wrote %d times", after-before)
	}

	gone := s.contact("acc_1", true)
	if err := s.archive(gone); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.setContacts(id, gone, ""), s.setContacts(id, mine, gone)} {
		if !errors.Is(err, contact.ErrArchived) {
			t.Errorf("archived: %v", err)
		}
	}
	if got := s.name(id); got.Contacts != want || got.ContactsSet != 1 {
		t.Fatalf("%+v", got)
	}
}

func TestAnOwnerWhoseAddressChangedStaysUntilItIsReplaced(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id, owner, tech := s.recordDomain("acc_1", "example.fr"), s.contact("acc_1", true), s.contact("acc_1", false)
	if err := s.setContacts(id, owner, ""); err != nil {
		t.Fatal(err)
	}
	email := "ana@new.example"
	if _, err := commands.Execute(t.Context(), s.Dispatcher, under("acc_1"), commands.AmendContact{ContactID: owner, Amendment: contact.Amendment{Email: &email}}); err != nil {
		t.Fatal(err)
	}
	if err := s.setContacts(id, owner, tech); err != nil {
		t.Errorf("another technical contact: %v", err)
	}
	other := s.contact("acc_1", true)
	if err := s.setContacts(id, other, tech); err != nil {
		t.Fatal(err)
	}
	if err := s.setContacts(id, owner, tech); !errors.Is(err, contact.ErrNotVerified) {
		t.Errorf("taken back: %v", err)
	}
}

func TestWhoMaySetADomainsContacts(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id, mine := s.recordDomain("acc_1", "example.fr"), s.contact("acc_1", true)
	other := s.recordDomain("acc_1", "example.com")
	as := func(scope delegation.Scope, permissions ...domain.Permission) commands.Call {
		call := commandtest.Call()
		call.Actor.ID = "usr_3"
		call.Grants = delegation.Grants{User: "usr_3", Accounts: map[string]delegation.Grant{
			"acc_1": {Delegation: "dlg_1", Terms: delegation.Terms{Permissions: permissions, Scope: scope}},
		}}
		return call
	}
	one, all := delegation.Scope{Domains: []string{id}}, delegation.Scope{All: true}
	manage, contacts, read := delegation.DomainsManage, delegation.ContactsManage, delegation.DomainsRead
	for name, tt := range map[string]struct {
		call   commands.Call
		domain string
		want   domain.Kind
	}{
		"both on everything":                        {as(all, read, manage, contacts), "example.fr", ""},
		"everything there is":                       {as(all, "*"), "example.fr", ""},
		"both on this domain":                       {as(one, read, manage, contacts), "example.fr", ""},
		"the domain alone":                          {as(all, read, manage), "example.fr", domain.KindDenied},
		"all that a scope limits, on this domain":   {as(one, "*"), "example.fr", domain.KindDenied},
		"contacts alone":                            {as(all, read, contacts), "example.fr", domain.KindDenied},
		"a domain beyond the scope":                 {as(one, read, manage, contacts), "example.com", domain.KindMissing},
		"no domain, under a scope":                  {as(one, read, manage, contacts), "none.fr", domain.KindMissing},
		"beyond the scope, without the permission":  {as(one, read), "example.com", domain.KindMissing},
		"none, under a scope without the right":     {as(one, read), "none.fr", domain.KindMissing},
		"a stranger":                                {by("usr_4"), "example.fr", domain.KindDenied},
		"nobody":                                    {anyone(), "example.fr", domain.KindUnauthenticated},
		"staff, who do not act for customers there": {commandtest.StaffCall("acc_1"), "example.fr", domain.KindDenied},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.SetDomainContacts(t.Context(), tt.call, commands.SetDomainContacts{Domain: tt.domain, Owner: mine})
			got := domain.KindOf(err)
			if err == nil {
				got = ""
			}
			if got != tt.want {
				t.Errorf("%v", err)
			}
		})
	}
	if got := s.name(other); got.ContactsSet != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAContactInUseIsNotArchived(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id, hidden := s.recordDomain("acc_1", "example.fr"), s.recordDomain("acc_1", "hidden.fr")
	mine, next := s.contact("acc_1", true), s.contact("acc_1", true)
	for _, d := range []string{id, hidden} {
		if err := s.setContacts(d, mine, ""); err != nil {
			t.Fatal(err)
		}
	}
	err := s.archive(mine)
	if !errors.Is(err, contact.ErrInUse) || !strings.Contains(err.Error(), "example.fr, hidden.fr") {
		t.Errorf("refused with %v", err)
	}
	limited := commandtest.Call()
	limited.Grants.Accounts = map[string]delegation.Grant{"acc_1": {Delegation: "dlg_1", Terms: delegation.Terms{
		Permissions: []domain.Permission{delegation.DomainsRead, delegation.ContactsManage}, Scope: delegation.Scope{Domains: []string{id}},
	}}}
	_, err = commands.Execute(t.Context(), s.Dispatcher, limited, commands.ArchiveContact{ContactID: mine})
	if !errors.Is(err, contact.ErrInUse) || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "example.fr") {
		t.Errorf("a delegate hears %v", err)
	}
	for _, d := range []string{id, hidden} {
		if err := s.setContacts(d, next, ""); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.archive(mine); err != nil {
			t.Errorf("released: %v", err)
		}
	}
	if err := s.setContacts(id, mine, ""); !errors.Is(err, contact.ErrArchived) {
		t.Errorf("archived: %v", err)
	}
}

// between is a store that lets something happen once, before an append to a
// stream.
type between struct {
	eventstore.Store
	stream string
	once   sync.Once
	do     func()
}

func (b *between) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	if stream == b.stream {
		b.once.Do(b.do)
	}
	return b.Store.Append(ctx, stream, expected, events...)
}

// beside is the shop in another process, where something happens before the
// first append to a stream.
func (s *shop) beside(stream string, do func()) *shop {
	return &shop{store: s.store, t: s.t, Dispatcher: &commands.Dispatcher{
		Store: &between{Store: s.Store, stream: stream, do: do}, Codec: s.Codec, Pepper: s.Pepper, Clock: s.Clock, Rand: s.Rand,
	}}
}

func TestNoRaceTakesAContactThatIsArchived(t *testing.T) {
	t.Parallel()
	start := func() (s *shop, id, mine, next string) {
		s = newShop(t)
		return s, s.recordDomain("acc_1", "example.fr"), s.contact("acc_1", true), s.contact("acc_1", true)
	}
	holds := func(s *shop, id, mine string, archived bool) {
		t.Helper()
		has := slices.Contains(s.name(id).Contacts.IDs(), mine)
		if gone := load(s, contact.Decider.At(mine)).Status == contact.StatusArchived; gone != archived || gone == has {
			t.Errorf("archived %v, the domain has it %v", gone, has)
		}
	}
	t.Run("archived between the claim and the domain's fact", func(t *testing.T) {
		s, id, mine, _ := start()
		other := s.beside("domainname-"+id, func() {
			if err := s.archive(mine); !errors.Is(err, contact.ErrInUse) {
				t.Errorf("archived: %v", err)
			}
		})
		if err := other.setContacts(id, mine, ""); err != nil {
			t.Error(err)
		}
		holds(s, id, mine, false)
	})
	t.Run("taken between the look at the domains and the archiving", func(t *testing.T) {
		s, id, mine, _ := start()
		other := s.beside("contact-"+mine, func() {
			if err := s.setContacts(id, mine, ""); err != nil {
				t.Error(err)
			}
		})
		if err := other.archive(mine); !errors.Is(err, contact.ErrInUse) {
			t.Errorf("archived: %v", err)
		}
		holds(s, id, mine, false)
	})
	t.Run("archived before the claim", func(t *testing.T) {
		s, id, mine, next := start()
		other := s.beside("contact-"+mine, func() {
			if err := s.archive(mine); err != nil {
				t.Error(err)
			}
		})
		if err := other.setContacts(id, next, mine); !errors.Is(err, contact.ErrArchived) {
			t.Errorf("taken: %v", err)
		}
		holds(s, id, mine, true)
	})
	t.Run("taken back while another change lets it go", func(t *testing.T) {
		s, id, mine, next := start()
		if err := s.setContacts(id, mine, ""); err != nil {
			t.Fatal(err)
		}
		// The domain has the contact and claims nothing; meanwhile it is replaced
		// and archived.
		other := s.beside("domainname-"+id, func() {
			if err := s.setContacts(id, next, ""); err != nil {
				t.Error(err)
			}
			if err := s.archive(mine); err != nil {
				t.Error(err)
			}
		})
		if err := other.setContacts(id, mine, next); !errors.Is(err, contact.ErrArchived) {
			t.Errorf("taken back: %v", err)
		}
		holds(s, id, mine, true)
	})
	t.Run("replaced and taken back", func(t *testing.T) {
		s, id, mine, next := start()
		other := s.beside("domainname-"+id, func() {
			if err := s.setContacts(id, next, ""); err != nil {
				t.Error(err)
			}
		})
		if err := other.setContacts(id, mine, ""); err != nil {
			t.Error(err)
		}
		if err := s.archive(mine); !errors.Is(err, contact.ErrInUse) {
			t.Errorf("archived: %v", err)
		}
		holds(s, id, mine, false)
	})
	t.Run("a claim that nothing came of ends", func(t *testing.T) {
		s, id, mine, _ := start()
		s.store.Fail(commandtest.Fault{Fails: func(stream string, _ []eventstore.NewEvent) error {
			if stream == "domainname-"+id {
				return errors.New("the process ends here")
			}
			return nil
		}})
		if err := s.setContacts(id, mine, ""); err == nil {
			t.Fatal("no fault")
		}
		s.store.Heal()
		if err := s.archive(mine); !errors.Is(err, contact.ErrInUse) {
			t.Errorf("archived: %v", err)
		}
		s.at(commandtest.Noon.Add(time.Hour))
		if err := s.archive(mine); err != nil {
			t.Errorf("not archived: %v", err)
		}
		holds(s, id, mine, true)
	})
}

// TestArchivingAndTakingAtOnce has two processes archive contacts and give them
// to domains at the same time.
func TestArchivingAndTakingAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	other := s.beside("", nil)
	first := s.contact("acc_1", true)
	var archived, taken int
	for round := range 40 {
		id, mine := s.recordDomain("acc_1", fmt.Sprintf("d%d.example", round)), s.contact("acc_1", true)
		var wg sync.WaitGroup
		var failed [3]error
		begin := make(chan struct{})
		for i, act := range []func() error{
			func() error { return s.archive(mine) },
			func() error { return other.setContacts(id, first, mine) },
			func() error { return s.setContacts(id, mine, first) },
		} {
			wg.Go(func() {
				<-begin
				failed[i] = act()
			})
		}
		close(begin)
		wg.Wait()
		gone := load(s, contact.Decider.At(mine)).Status == contact.StatusArchived
		has := slices.Contains(s.name(id).Contacts.IDs(), mine)
		if gone && has || gone != (failed[0] == nil) {
			t.Fatalf("round %d: archived %v, the domain has it %v: %v", round, gone, has, failed)
		}
		for i, err := range failed {
			if err != nil && !errors.Is(err, contact.ErrInUse) && !errors.Is(err, contact.ErrArchived) {
				t.Fatalf("round %d: %d: %v", round, i, err)
			}
		}
		if gone {
			archived++
		} else {
			taken++
		}
	}
	t.Logf("archived %d, taken %d", archived, taken)
}

// mailedContact makes a contact of acc_1 and mails it, as the process manager
// does.
func (s *shop) mailedContact(owner string) string {
	s.t.Helper()
	call := by(owner)
	call.Account, call.Grants.Accounts = "acc_1", map[string]delegation.Grant{"acc_1": {Owner: true}}
	do := commands.CreateContact{AccountID: "acc_1", Details: ana()}
	if _, err := commands.Execute(s.t.Context(), s.Dispatcher, call, do); !errors.Is(err, user.ErrNotVerified) {
		s.t.Errorf("a user that is not verified: %v", err)
	}
	made, err := commands.Execute(s.t.Context(), s.Dispatcher, under("acc_1"), do)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mailContact(made.ID)
	return made.ID
}

func (s *shop) mailContact(id string) {
	s.t.Helper()
	if err := s.MailContactVerification(s.t.Context(), commandtest.SystemCall(), uuid.New(), s.Clock(), id); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) verifyContact(secret string) error {
	_, err := s.VerifyContact(s.t.Context(), anyone(), commands.VerifyContact{Token: secret, IP: "192.0.2.7"})
	return err
}

func TestAContactIsVerifiedByTheMailedLinkOnce(t *testing.T) {
	t.Parallel()
	s, owner := newCustomer(t)
	id := s.mailedContact(owner)
	mails, ids := s.mails(mailtext.ContactVerification)
	secret := s.secret(mailtext.ContactVerification)
	if len(mails) != 1 || mails[0].Recipient != "ana@example.com" || mails[0].User != id || mails[0].Locale != "fr" ||
		!strings.Contains(mails[0].Text, "« Zoé Martin »") || !strings.Contains(mails[0].Text, "17 mars 2026") ||
		!strings.Contains(mails[0].Text, "https://portal.example.com/portal/verify-contact#"+mailtext.Secret) || strings.Contains(mails[0].Text, secret) {
		t.Errorf("%+v", mails)
	}
	for _, r := range s.stored("message-"+ids[0], "contact-"+id) {
		if strings.Contains(r, "ana@") || strings.Contains(r, "Souza") {
			t.Errorf("in clear: %s", r)
		}
	}
	if err := s.verify(secret); !errors.Is(err, user.ErrToken) {
		t.Errorf("followed as a user's link: %v", err)
	}
	if err := s.verifyContact("nothing"); !errors.Is(err, user.ErrToken) {
		t.Errorf("a wrong secret: %v", err)
	}
	if load(s, contact.Decider.At(id)).Verified {
		t.Fatal("verified already")
	}
	if err := s.verifyContact(secret); err != nil || !load(s, contact.Decider.At(id)).Verified {
		t.Errorf("not verified: %v", err)
	}
	if err := s.verifyContact(secret); !errors.Is(err, user.ErrToken) {
		t.Errorf("used twice: %v", err)
	}
	s.mailContact(id) // verified by now
	if mails, _ := s.mails(mailtext.ContactVerification); len(mails) != 1 {
		t.Errorf("%d mails", len(mails))
	}

	email := "ana@new.example"
	if _, err := commands.Execute(t.Context(), s.Dispatcher, under("acc_1"), commands.AmendContact{ContactID: id, Amendment: contact.Amendment{Email: &email}}); err != nil {
		t.Fatal(err)
	}
	s.mailContact(id)
	if got := load(s, contact.Decider.At(id)); got.Verified {
		t.Error("another address counts as verified")
	}
	late := s.secret(mailtext.ContactVerification)
	s.at(s.Clock().Add(7*24*time.Hour - time.Second))
	if err := s.verifyContact(late); err != nil {
		t.Errorf("in the last second: %v", err)
	}
}

// stored is what streams hold on disk.
func (s *shop) stored(streams ...string) (all []string) {
	s.t.Helper()
	for _, stream := range streams {
		for r, err := range s.Store.ReadStream(s.t.Context(), stream, 0) {
			if err != nil {
				s.t.Fatal(err)
			}
			all = append(all, string(r.Data)+string(r.Metadata))
		}
	}
	return all
}

func TestALinkOfAContactDoesNotOutliveItsAddress(t *testing.T) {
	t.Parallel()
	s, owner := newCustomer(t)
	id := s.mailedContact(owner)
	first := s.secret(mailtext.ContactVerification)
	email := "ana@new.example"
	if _, err := commands.Execute(t.Context(), s.Dispatcher, under("acc_1"), commands.AmendContact{ContactID: id, Amendment: contact.Amendment{Email: &email}}); err != nil {
		t.Fatal(err)
	}
	if err := s.verifyContact(first); !errors.Is(err, user.ErrToken) {
		t.Errorf("the link of the former address: %v", err)
	}
	s.mailContact(id)
	second := s.secret(mailtext.ContactVerification)
	s.at(s.Clock().Add(7 * 24 * time.Hour))
	if err := s.verifyContact(second); !errors.Is(err, user.ErrToken) {
		t.Errorf("after a week: %v", err)
	}
	if load(s, contact.Decider.At(id)).Verified {
		t.Error("verified")
	}
}

func TestMailsToContactsAreLimited(t *testing.T) {
	t.Parallel()
	s, owner := newCustomer(t)
	id := s.mailedContact(owner)
	call := func() commands.Call {
		call := by(owner)
		call.Account, call.Grants.Accounts = "acc_1", map[string]delegation.Grant{"acc_1": {Owner: true}}
		return call
	}
	resend := commands.ResendContactVerification{ContactID: id}
	if _, err := s.ResendContactVerification(t.Context(), call(), resend); !errors.Is(err, user.ErrNotVerified) {
		t.Errorf("by a user that is not verified: %v", err)
	}
	s.told(owner, user.Registered{}, func(call commands.Call, m eventstore.Meta) error {
		return s.MailVerification(t.Context(), call, m.EventID, s.now, owner)
	})
	if err := s.verify(s.secret(mailtext.VerifyEmail)); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 5 {
		if _, err = s.ResendContactVerification(t.Context(), call(), resend); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = s.ResendContactVerification(t.Context(), call(), resend); !errors.Is(err, vault.ErrLimited) {
		t.Errorf("a sixth time: %v", err)
	}
	// One address gets three, whoever has them sent, and nobody hears of it.
	other := s.contact("acc_2", false)
	s.mailContact(other)
	if mails, _ := s.mails(mailtext.ContactVerification); len(mails) != 3 {
		t.Errorf("%d mails", len(mails))
	}
	s.at(s.Clock().Add(time.Hour))
	s.mailContact(other)
	if mails, _ := s.mails(mailtext.ContactVerification); len(mails) != 4 {
		t.Errorf("%d mails", len(mails))
	}
	foreign := call()
	foreign.Account = "acc_1"
	if _, err := s.ResendContactVerification(t.Context(), foreign, commands.ResendContactVerification{ContactID: other}); !errors.Is(err, contact.ErrMissing) {
		t.Errorf("another account's: %v", err)
	}
}

func TestAnErasureErasesContacts(t *testing.T) {
	t.Parallel()
	s, owner := newCustomer(t)
	s.told(owner, user.Registered{}, func(call commands.Call, m eventstore.Meta) error {
		return s.MailVerification(t.Context(), call, m.EventID, s.now, owner)
	})
	if err := s.verify(s.secret(mailtext.VerifyEmail)); err != nil {
		t.Fatal(err)
	}
	zoeElsewhere := func(account string) string {
		t.Helper()
		id := s.contact(account, true)
		email := "ZOE@example.com"
		if _, err := commands.Execute(t.Context(), s.Dispatcher, under(account), commands.AmendContact{ContactID: id, Amendment: contact.Amendment{Email: &email}}); err != nil {
			t.Fatal(err)
		}
		if _, err := commands.Execute(t.Context(), s.Dispatcher, under(account), commands.VouchContact{ContactID: id}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	own, others, free, holder := s.contact("acc_1", true), s.contact("acc_2", true), zoeElsewhere("acc_2"), zoeElsewhere("acc_2")
	expired, err := s.RecordDomain(t.Context(), commandtest.StaffCall("acc_1"), commands.RecordDomain{AccountID: "acc_1", Name: "over.example", RegisteredOn: "2025-02-01", ExpiresOn: "2026-03-09"})
	if err != nil {
		t.Fatal(err)
	}
	live := s.recordDomain("acc_2", "live.example")
	for account, set := range map[string]commands.SetDomainContacts{
		"acc_1": {Domain: expired.ID, Owner: own}, "acc_2": {Domain: live, Owner: holder},
	} {
		if _, err := s.SetDomainContacts(t.Context(), under(account), set); err != nil {
			t.Fatal(err)
		}
	}
	s.mailContact(s.contact("acc_1", false))

	accepted := s.ask(owner)
	if err := s.EraseSubject(t.Context(), commandtest.SystemCall(), owner); err != nil {
		t.Fatal(err)
	}
	read := func(id string) contact.Contact { return load(s, contact.Decider.At(id)) }
	for id, erased := range map[string]bool{own: true, free: true, others: false, holder: false} {
		if got := read(id).Details; (got.Name == eventstore.Erased) != erased || (got.Phone == eventstore.Erased) != erased || (got.Address.City == eventstore.Erased) != erased {
			t.Errorf("erased %v: %+v of %v", erased, got, accepted.Keys)
		}
	}
	if read(free).Status != contact.StatusArchived || read(holder).Status != contact.StatusActive {
		t.Errorf("%+v %+v", read(free), read(holder))
	}
	// Who had the domain is kept for five years.
	claim := func() contact.Claimed {
		t.Helper()
		var found contact.Claimed
		for r, err := range s.Store.ReadStream(t.Context(), "contact-"+own, 0) {
			if err != nil {
				t.Fatal(err)
			}
			e, _, err := s.Codec.Decode(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if fact, ok := e.(contact.Claimed); ok {
				found = fact
			}
		}
		return found
	}
	if got := claim().Kept; got.Name != "Ana Souza" || got.Email != "ana@example.com" {
		t.Errorf("kept is %+v", got)
	}
	for _, k := range accepted.Keys {
		if k.Subject == own && k.Purpose == "identity" {
			s.at(k.Day())
			if k.After != "2031-03-11" {
				t.Errorf("kept until %s", k.After)
			}
			if _, err := s.EndRetention(t.Context(), commandtest.SystemCall(), owner, k); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := claim().Kept; got.Name != eventstore.Erased {
		t.Errorf("kept is %+v", got)
	}
	for _, m := range func() []string { _, ids := s.mails(mailtext.ContactVerification); return ids }() {
		if ids, err := s.MessagesTo(t.Context(), owner); err != nil || !slices.Contains(ids, m) {
			t.Errorf("the mail %s is not the user's to remove: %v %v", m, ids, err)
		}
	}
	if mails, _ := s.mails(mailtext.ContactVerification); len(mails) == 0 || mails[0].Recipient != eventstore.Erased {
		t.Errorf("%+v", mails)
	}
	name := "Somebody"
	if _, err := commands.Execute(t.Context(), s.Dispatcher, under("acc_1"), commands.AmendContact{ContactID: own, Amendment: contact.Amendment{Name: &name}}); !errors.Is(err, eventstore.ErrSubjectErased) {
		t.Errorf("amended: %v", err)
	}
	if _, err := s.SetDomainContacts(t.Context(), under("acc_1"), commands.SetDomainContacts{Domain: expired.ID, Owner: own, Tech: own}); err != nil && domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("taken: %v", err)
	}
}

func TestAnAddressThatNobodyHasShownToReadErasesNothingElsewhere(t *testing.T) {
	t.Parallel()
	for name, followed := range map[string]bool{
		"and its mail was not read":                  false,
		"and its reader followed the link elsewhere": true,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, attacker := newCustomer(t) // has registered zoe@example.com, and cannot read its mail
			if followed {
				s.told(attacker, user.Registered{}, func(call commands.Call, m eventstore.Meta) error {
					return s.MailVerification(t.Context(), call, m.EventID, s.now, attacker)
				})
				if _, err := s.VerifyEmail(t.Context(), anyone(), commands.VerifyEmail{Token: s.secret(mailtext.VerifyEmail), IP: "192.0.2.7"}); err != nil {
					t.Fatal(err)
				}
			}
			if u := s.user(attacker); u.Verified != followed || u.Proven() {
				t.Fatalf("verified %v, proven %v", u.Verified, u.Proven())
			}
			id := s.contact("acc_2", false)
			email := "zoe@example.com"
			if _, err := commands.Execute(t.Context(), s.Dispatcher, under("acc_2"), commands.AmendContact{ContactID: id, Amendment: contact.Amendment{Email: &email}}); err != nil {
				t.Fatal(err)
			}
			invited, err := s.InviteDelegate(t.Context(), under("acc_2"), commands.InviteDelegate{
				AccountID: "acc_2", Email: email, Terms: delegation.Terms{Permissions: []domain.Permission{delegation.ProfileRead}},
			})
			if err != nil {
				t.Fatal(err)
			}
			s.ask(attacker)
			if err := s.EraseSubject(t.Context(), commandtest.SystemCall(), attacker); err != nil {
				t.Fatal(err)
			}
			if got := load(s, contact.Decider.At(id)); got.Status != contact.StatusActive || got.Details.Name != "Ana Souza" {
				t.Errorf("%+v", got)
			}
			if got := load(s, delegation.Decider.At(invited.ID)); got.Email != email {
				t.Errorf("invited is %s", got.Email)
			}
		})
	}
}
