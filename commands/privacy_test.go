package commands_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// newCustomer is a portal with Zoé, who owns acc_1, and a neighbour.
func newCustomer(t *testing.T) (*shop, string) {
	t.Helper()
	s := newPortal(t)
	id := s.register(zoe).ID
	for of, owner := range map[string]string{"acc_1": id, "acc_2": "usr_neighbour"} {
		do(s, commands.OpenAccount{AccountID: of, Owner: owner, Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR"})
	}
	return s.open(), id
}

func do[C commands.Command[S, E], S any, E domain.Event](s *shop, cmd C) {
	s.t.Helper()
	if _, err := commands.Execute(s.t.Context(), s.Dispatcher, commandtest.SystemCall(), cmd); err != nil {
		s.t.Fatal(err)
	}
}

// ask asks for an erasure and has it answered.
func (s *shop) ask(id string) privacy.Subject {
	s.t.Helper()
	if _, err := s.RequestErasureFor(s.t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: id}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.AnswerErasure(s.t.Context(), commandtest.SystemCall(), id); err != nil {
		s.t.Fatal(err)
	}
	return load(s, privacy.Decider.At(id))
}

// reasons are those of the last refusal.
func (s *shop) reasons(id string) (last []privacy.Reason) {
	s.t.Helper()
	for r, err := range s.Store.ReadStream(s.t.Context(), "privacy-"+id, 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		e, _, err := s.Codec.Decode(s.t.Context(), r)
		if err != nil {
			s.t.Fatal(err)
		}
		if refused, ok := e.(privacy.RequestRefused); ok {
			last = refused.Reasons
		}
	}
	return last
}

func TestAnErasureIsRefusedWithEveryReason(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	unpaid, _ := s.issued()
	service, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.StaffCall("acc_1"), commands.CreateService{
		AccountID: "acc_1", Product: s.product(), Label: "mine", Cycle: product.Monthly,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, until := range map[string]domain.Date{"live.example": "2026-03-10", "over.example": "2026-03-09"} {
		cmd := commands.RecordDomain{AccountID: "acc_1", Name: name, RegisteredOn: "2025-02-01", ExpiresOn: until}
		if _, err := s.RecordDomain(t.Context(), commandtest.StaffCall("acc_1"), cmd); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.ask(id); got.Status != privacy.StatusRefused {
		t.Fatalf("the request is %s", got.Status)
	}
	want := []privacy.Reason{privacy.LiveServices, privacy.LiveDomains, privacy.UnpaidInvoices}
	if diff := cmp.Diff(want, s.reasons(id)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	// A neighbour's things are nobody's reasons.
	do(s, commands.RecordPayment{InvoiceID: unpaid, Amount: money.EUR(1200), Reference: "r", ReceivedOn: "2026-03-10"})
	s.at(commandtest.Noon.AddDate(0, 0, 1)) // the other name has expired
	if got := s.ask(id); got.Status != privacy.StatusRefused || !slices.Equal(s.reasons(id), []privacy.Reason{privacy.LiveServices}) {
		t.Errorf("the request is %s for %v", got.Status, s.reasons(id))
	}
	if got := load(s, hosting.Decider.At(service.ID)); got.Status != hosting.StatusPending || load(s, user.Decider.At(id)).IsClosed {
		t.Errorf("the service is %s, or the user is closed", got.Status)
	}
}

func TestAWithdrawnErasureIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	if _, err := s.RequestErasureFor(t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: id}); err != nil {
		t.Fatal(err)
	}
	do(s, commands.WithdrawErasure{UserID: id})
	if _, err := s.AnswerErasure(t.Context(), commandtest.SystemCall(), id); err != nil {
		t.Fatal(err)
	}
	if err := s.EraseSubject(t.Context(), commandtest.SystemCall(), id); err != nil {
		t.Fatal(err)
	}
	if got := load(s, privacy.Decider.At(id)); got.Status != privacy.StatusWithdrawn {
		t.Errorf("the erasure is %s", got.Status)
	}
	if u := load(s, user.Decider.At(id)); u.Name != "Zoé Martin" {
		t.Errorf("the user reads %+v", u)
	}
	if _, err := s.logIn("zoe@example.com", zoe.Password); err != nil {
		t.Errorf("log in: %v", err)
	}
}

// product is one on sale.
func (s *shop) product() string {
	s.t.Helper()
	made, err := s.CreateProduct(s.t.Context(), commandtest.StaffCall(""), commands.CreateProduct{
		Code: "vps-5", Name: "VPS-5", Prices: []product.Price{{Cycle: product.Monthly, Price: money.EUR(1200)}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return made.ID
}

func TestEachKeyIsDestroyedOnItsDate(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	inv, _ := s.issued()
	s.at(time.Date(2027, time.January, 5, 12, 0, 0, 0, time.UTC))
	do(s, commands.RecordPayment{InvoiceID: inv, Amount: money.EUR(1200), Reference: "tr_1", ReceivedOn: "2027-01-05"})

	of := s.contact("acc_1", false)
	accepted := s.ask(id)
	fiscal := privacy.Key{Subject: "acc_1", Purpose: subjectkey.Fiscal, After: "2038-01-01"} // ten years after the close of 2027
	identity := privacy.Key{Subject: of, Purpose: subjectkey.Identity, After: "2032-01-06"}
	if accepted.Status != privacy.StatusAccepted || !slices.Equal(accepted.Accounts, []string{"acc_1"}) ||
		!slices.Contains(accepted.Keys, fiscal) || !slices.Contains(accepted.Keys, identity) {
		t.Fatalf("accepted: %+v", accepted)
	}
	for range 2 { // a crash repeats it
		if err := s.EraseSubject(t.Context(), commandtest.SystemCall(), id); err != nil {
			t.Fatal(err)
		}
	}
	if u := load(s, user.Decider.At(id)); u.Email != eventstore.Erased || u.Name != eventstore.Erased {
		t.Errorf("the user reads %+v", u)
	}
	if a := load(s, account.Decider.At("acc_2")); a.Name != "Zoé Martin" {
		t.Errorf("the neighbour reads %+v", a)
	}
	if r := load(s, s.Reserved(reservation.Email, "zoe@example.com")); r.By != "" {
		t.Errorf("the address is still %s's", r.By)
	}
	if _, err := s.logIn("zoe@example.com", zoe.Password); !errors.Is(err, commands.ErrWrongLogin) {
		t.Errorf("logged in: %v", err)
	}
	buyer := func() string { return s.invoice(inv).Content.Buyer.Name }
	if buyer() != "Zoé Martin" {
		t.Errorf("the invoice is for %s", buyer())
	}

	// It is complete once no process holds a key any more.
	if wait, err := s.CompleteErasure(t.Context(), commandtest.SystemCall(), id); err != nil || wait != time.Minute {
		t.Errorf("wait %s, %v", wait, err)
	}
	s.at(s.Clock().Add(time.Minute))
	if wait, err := s.CompleteErasure(t.Context(), commandtest.SystemCall(), id); err != nil || wait != 0 {
		t.Errorf("wait %s, %v", wait, err)
	}
	if got := load(s, privacy.Decider.At(id)); got.Status != privacy.StatusCompleted {
		t.Errorf("the erasure is %s", got.Status)
	}

	end := func() time.Duration {
		t.Helper()
		wait, err := s.EndRetention(t.Context(), commandtest.SystemCall(), id, fiscal)
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	s.at(fiscal.Day().Add(-time.Hour))
	if got := end(); got != time.Hour || buyer() != "Zoé Martin" {
		t.Errorf("an hour before: wait %s, the invoice is for %s", got, buyer())
	}
	s.at(fiscal.Day())
	do(s, commands.SetLegalHold{UserID: id, Reference: "2038/1"})
	if got := end(); got != 24*time.Hour || buyer() != "Zoé Martin" {
		t.Errorf("under a hold: wait %s, the invoice is for %s", got, buyer())
	}
	do(s, commands.LiftLegalHold{UserID: id})
	for range 2 {
		if got := end(); got != 0 || buyer() != eventstore.Erased {
			t.Errorf("on the day: wait %s, the invoice is for %s", got, buyer())
		}
	}
	if got := s.invoice(inv); got.Number == "" || got.Content.Totals.Gross != money.EUR(1200) {
		t.Errorf("number and sums are gone: %+v", got)
	}
}

// copies are what events of a user or an account keep of who it was, in order,
// and true when all else that they say of it is erased.
func (s *shop) copies(stream string) (kept []any, erased bool) {
	s.t.Helper()
	erased = true
	for r, err := range s.Store.ReadStream(s.t.Context(), stream, 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		e, _, err := s.Codec.Decode(s.t.Context(), r)
		if err != nil {
			s.t.Fatal(err)
		}
		name := eventstore.Erased
		switch fact := e.(type) {
		case user.Registered:
			name, kept = fact.Name, append(kept, fact.Kept)
		case user.ProfileUpdated:
			name, kept = fact.Name, append(kept, fact.Kept)
		case account.Opened:
			name, kept = fact.Name, append(kept, fact.Kept)
		case account.BillingIdentityChanged:
			name, kept = fact.Name, append(kept, fact.Kept)
		}
		erased = erased && name == eventstore.Erased
	}
	return kept, erased
}

// identity is the key of an accepted erasure that keeps who a subject was.
func (s *shop) identity(of privacy.Subject, subject string) privacy.Key {
	s.t.Helper()
	i := slices.IndexFunc(of.Keys, func(k privacy.Key) bool { return k.Subject == subject && k.Purpose == subjectkey.Identity })
	if i < 0 {
		s.t.Fatalf("the identity of %s has no end: %+v", subject, of.Keys)
	}
	return of.Keys[i]
}

// ends is how long a key is kept yet.
func (s *shop) ends(id string, k privacy.Key) time.Duration {
	s.t.Helper()
	wait, err := s.EndRetention(s.t.Context(), commandtest.SystemCall(), id, k)
	if err != nil {
		s.t.Fatal(err)
	}
	return wait
}

func TestWhoACustomerWasIsKeptForFiveYears(t *testing.T) {
	t.Parallel()
	const until = domain.Date("2031-03-11")
	t.Run("after the erasure, under a key of its own", func(t *testing.T) {
		t.Parallel()
		s, id := newCustomer(t)
		paul, to := "Paul Martin", account.BillingIdentity{
			Kind: account.Company, Name: "Martin SARL", CompanyNumber: "732829320", VATNumber: "FR44732829320", Country: "FR",
			Address: account.Address{Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris"}, Email: "compta@example.com",
		}
		herself := commands.Call{CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorUser, ID: id}, Grants: delegation.Grants{User: id}}
		_, err := commands.Execute(t.Context(), s.Dispatcher, herself, commands.UpdateUser{UserID: id, Name: &paul})
		if err == nil {
			_, err = commands.Execute(t.Context(), s.Dispatcher, under("acc_1"), commands.SetBillingIdentity{AccountID: "acc_1", BillingIdentity: to})
		}
		if err != nil {
			t.Fatal(err)
		}
		wants := map[string][]any{
			id: {user.Identity{Name: "Zoé Martin", Email: zoe.Email}, user.Identity{Name: paul, Email: zoe.Email}},
			"acc_1": {account.Identity{Name: "Zoé Martin", Country: "FR"}, account.Identity{
				Name: "Martin SARL", CompanyNumber: "732829320", VATNumber: "FR44732829320",
				Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR", Email: "compta@example.com",
			}},
		}
		streams := map[string]string{id: "user-" + id, "acc_1": "account-acc_1"}
		accepted := s.ask(id)
		s.erase(id)

		for subject, want := range wants {
			key := s.identity(accepted, subject)
			if key.After != until {
				t.Errorf("%s is kept until %s", subject, key.After)
			}
			s.at(commandtest.Noon.AddDate(4, 0, 0))
			if wait := s.ends(id, key); wait != key.Day().Sub(s.Clock()) {
				t.Errorf("after four years %s is kept for %s", subject, wait)
			}
			got, erased := s.copies(streams[subject])
			if diff := cmp.Diff(want, got); diff != "" || !erased {
				t.Errorf("after four years, all else erased %v (-want +got):\n%s", erased, diff)
			}
			s.at(key.Day())
			do(s, commands.SetLegalHold{UserID: id, Reference: "2031/1"})
			if wait := s.ends(id, key); wait != 24*time.Hour {
				t.Errorf("under a hold it is looked at in %s", wait)
			}
			do(s, commands.LiftLegalHold{UserID: id})
			if wait := s.ends(id, key); wait != 0 {
				t.Errorf("on its day %s is kept for %s", subject, wait)
			}
			got, _ = s.copies(streams[subject])
			for _, word := range []string{"Martin", "example.com", "732829320", "Paris"} {
				if text := fmt.Sprintf("%+v", got); strings.Contains(text, word) {
					t.Errorf("after five years there is %s", text)
				}
			}
		}
	})
	t.Run("after the closing, if that was before", func(t *testing.T) {
		t.Parallel()
		s, id := newCustomer(t)
		holder := s.contact("acc_1", false)
		do(s, says[account.Account, account.Event]{account.Decider.At("acc_1"), account.Closed{Owner: id}})
		do(s, says[account.Account, account.Event]{account.Decider.At("acc_1"), account.Reopened{Owner: id}})
		s.at(commandtest.Noon.AddDate(1, 0, 0))
		do(s, says[account.Account, account.Event]{account.Decider.At("acc_1"), account.Closed{Owner: id}})
		s.at(commandtest.Noon.AddDate(2, 0, 0))
		do(s, says[user.User, user.Event]{user.Decider.At(id), user.Closed{}})
		s.at(commandtest.Noon.AddDate(6, 6, 0))
		accepted := s.ask(id)
		for subject, until := range map[string]domain.Date{"acc_1": "2032-03-11", holder: "2032-03-11", id: "2033-03-11"} {
			if key := s.identity(accepted, subject); key.After != until {
				t.Errorf("%s is kept until %s, want %s", subject, key.After, until)
			}
		}
		s.erase(id)
		if wait := s.ends(id, s.identity(accepted, "acc_1")); wait != 0 {
			t.Errorf("what was kept for longer than the law wants is kept for %s", wait)
		}
	})
	t.Run("apart from who registers the address again", func(t *testing.T) {
		t.Parallel()
		s, id := newCustomer(t)
		s.ask(id)
		s.erase(id)
		again := s.register(zoe).ID
		keys := s.ask(again).Keys
		if again == id || slices.ContainsFunc(keys, func(k privacy.Key) bool { return k.Subject != again }) {
			t.Errorf("the erasure of %s, once %s, destroys %+v", again, id, keys)
		}
	})
	t.Run("with the account, whoever owns it", func(t *testing.T) {
		t.Parallel()
		s, id := newCustomer(t)
		heir := s.register(commands.RegisterUser{Email: "ana@example.com", Password: "tulip bridge copper ten", Name: "Ana", Locale: user.English}).ID
		do(s, says[account.Account, account.Event]{account.Decider.At("acc_1"), account.OwnershipTransferred{From: id, To: heir}})
		first := s.ask(id)
		s.erase(id)
		if slices.ContainsFunc(first.Keys, func(k privacy.Key) bool { return k.Subject == "acc_1" }) {
			t.Errorf("who gave the account away takes its keys: %+v", first.Keys)
		}
		s.at(commandtest.Noon.AddDate(1, 0, 0))
		if key := s.identity(s.ask(heir), "acc_1"); key.After != "2032-03-11" {
			t.Errorf("it is kept until %s", key.After)
		}
	})
}

// erase carries an accepted erasure out, as its job does, and says how many
// times that took.
func (s *shop) erase(id string) (rounds int) {
	s.t.Helper()
	for rounds = 1; rounds < 10; rounds++ {
		if err := s.EraseSubject(s.t.Context(), commandtest.SystemCall(), id); err != nil {
			s.t.Fatal(err)
		}
		wait, err := s.CompleteErasure(s.t.Context(), commandtest.SystemCall(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		if load(s, privacy.Decider.At(id)).Status == privacy.StatusCompleted {
			return rounds
		}
		s.at(s.Clock().Add(wait))
	}
	s.t.Fatal("the erasure does not end")
	return rounds
}

func TestWhatIsWrittenDuringAnErasureIsErasedToo(t *testing.T) {
	t.Parallel()
	t.Run("between the answer and the closing of the accounts", func(t *testing.T) {
		t.Parallel()
		s, id := newCustomer(t)
		s.ask(id)
		late := s.contact("acc_1", false)
		friend, err := s.InviteDelegate(t.Context(), under("acc_1"), commands.InviteDelegate{
			AccountID: "acc_1", Email: "friend.of.zoe@example.com",
			Terms: delegation.Terms{Permissions: []domain.Permission{delegation.ProfileRead}, Scope: delegation.Scope{All: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if rounds := s.erase(id); rounds != 2 { // the second when no process holds a key any more
			t.Errorf("it took %d rounds", rounds)
		}
		if got := load(s, contact.Decider.At(late)).Details; got.Name != eventstore.Erased || got.Email != eventstore.Erased {
			t.Errorf("a contact of its account reads %+v", got)
		}
		if got := load(s, delegation.Decider.At(friend.ID)); got.Email != eventstore.Erased || got.Status != delegation.StatusRevoked {
			t.Errorf("an invitation to its account reads %q, %s", got.Email, got.Status)
		}
	})
	t.Run("by a command that had not seen the closing", func(t *testing.T) {
		t.Parallel()
		s, id := newCustomer(t)
		s.ask(id)
		call := under("acc_1")
		cmd := commands.CreateContact{AccountID: "acc_1", Details: ana()}.Identify(func(kind string) string { return commands.NewID(call.CommandID, kind) })
		other := s.beside(cmd.Target().Stream(), func() {
			if err := s.EraseSubject(t.Context(), commandtest.SystemCall(), id); err != nil {
				t.Error(err)
			}
		})
		if _, err := commands.Execute(t.Context(), other.Dispatcher, call, cmd); err != nil {
			t.Fatal(err)
		}
		if got := load(s, account.Decider.At("acc_1")).Status; got != account.StatusClosed {
			t.Fatalf("the account is %s", got)
		}
		s.at(s.Clock().Add(time.Hour))
		if wait, err := s.CompleteErasure(t.Context(), commandtest.SystemCall(), id); err != nil || wait == 0 {
			t.Errorf("it is complete with a contact in clear: %s, %v", wait, err)
		}
		s.erase(id)
		if got := load(s, contact.Decider.At(cmd.ContactID)).Details; got.Name != eventstore.Erased || got.Email != eventstore.Erased {
			t.Errorf("the contact reads %+v", got)
		}
	})
	t.Run("an invoice keeps its time", func(t *testing.T) {
		t.Parallel()
		s, id := newCustomer(t)
		s.ask(id)
		inv, _ := s.issued()
		s.erase(id)
		if got := s.invoice(inv).Content.Buyer.Name; got != "Zoé Martin" {
			t.Errorf("the invoice is for %s", got)
		}
		fiscal := privacy.Key{Subject: "acc_1", Purpose: subjectkey.Fiscal, After: "2037-01-01"}
		if got := load(s, privacy.Decider.At(id)); !got.Awaits(fiscal) {
			t.Errorf("the keys are %+v", got.Keys)
		}
	})
}

// TestAHoldKeepsWhatAnotherErasedPersonIsInvolvedIn erases a person who is a
// contact and an invited delegate of an account whose owner is under a hold.
func TestAHoldKeepsWhatAnotherErasedPersonIsInvolvedIn(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (s *shop, id, owner, of, invitation string) {
		t.Helper()
		s, id = newCustomer(t)
		s.told(id, user.Registered{}, func(call commands.Call, m eventstore.Meta) error {
			return s.MailVerification(t.Context(), call, m.EventID, s.now, id)
		})
		if err := s.verify(s.secret(mailtext.VerifyEmail)); err != nil {
			t.Fatal(err)
		}
		owner = s.register(commands.RegisterUser{Email: "bo@example.com", Password: zoe.Password, Name: "Bo", Locale: user.English}).ID
		do(s, commands.OpenAccount{AccountID: "acc_3", Owner: owner, Name: "Bo", Kind: account.Individual, Country: "FR", Currency: "EUR"})
		details := ana()
		details.Email = "zoe@example.com"
		made, err := commands.Execute(t.Context(), s.Dispatcher, under("acc_3"), commands.CreateContact{AccountID: "acc_3", Details: details})
		if err != nil {
			t.Fatal(err)
		}
		invited, err := s.InviteDelegate(t.Context(), under("acc_3"), commands.InviteDelegate{
			AccountID: "acc_3", Email: "zoe@example.com",
			Terms: delegation.Terms{Permissions: []domain.Permission{delegation.ProfileRead}, Scope: delegation.Scope{All: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, id, owner, made.ID, invited.ID
	}
	reads := func(t *testing.T, s *shop, of, invitation, want string) {
		t.Helper()
		c, d := load(s, contact.Decider.At(of)), load(s, delegation.Decider.At(invitation))
		if c.Details.Email != want || d.Email != want || c.Status != contact.StatusArchived {
			t.Errorf("the contact reads %q and is %s, the invitation reads %q; want %q", c.Details.Email, c.Status, d.Email, want)
		}
	}
	end := func(t *testing.T, s *shop, id, subject string) time.Duration {
		t.Helper()
		for _, k := range load(s, privacy.Decider.At(id)).Keys {
			if k.Subject == subject && k.Purpose == subjectkey.Profile {
				wait, err := s.EndRetention(t.Context(), commandtest.SystemCall(), id, k)
				if err != nil {
					t.Fatal(err)
				}
				return wait
			}
		}
		t.Fatalf("no key of %s", subject)
		return 0
	}
	hold := func(s *shop, owner string) { do(s, commands.SetLegalHold{UserID: owner, Reference: "2026/17"}) }

	t.Run("until it is lifted", func(t *testing.T) {
		t.Parallel()
		s, id, owner, of, invitation := start(t)
		hold(s, owner)
		s.ask(id)
		s.erase(id) // is completed all the same
		reads(t, s, of, invitation, "zoe@example.com")
		sent := load(s, delegation.Decider.At(invitation)).Invitation

		s.at(s.Clock().AddDate(0, 0, 2))
		if got := end(t, s, id, of); got != 24*time.Hour {
			t.Errorf("under the hold the contact is looked at again after %s", got)
		}
		do(s, commands.LiftLegalHold{UserID: owner})
		if a, b := end(t, s, id, of), end(t, s, id, sent); a != 0 || b != 0 {
			t.Errorf("without it after %s and %s", a, b)
		}
		reads(t, s, of, invitation, eventstore.Erased)
	})
	t.Run("that comes after the answer, too", func(t *testing.T) {
		t.Parallel()
		s, id, owner, of, invitation := start(t)
		s.ask(id)
		hold(s, owner)
		s.erase(id)
		reads(t, s, of, invitation, "zoe@example.com")
	})
	t.Run("that comes while keys are destroyed", func(t *testing.T) {
		t.Parallel()
		s, id, owner, of, invitation := start(t)
		s.ask(id)
		other := s.beside("privacy-"+id, func() { hold(s, owner) }) // before the first key is noted
		other.Vault = s.Vault
		if err := other.EraseSubject(t.Context(), commandtest.SystemCall(), id); err != nil {
			t.Fatal(err)
		}
		s.erase(id) // is completed all the same
		reads(t, s, of, invitation, "zoe@example.com")
		sent := load(s, delegation.Decider.At(invitation)).Invitation

		do(s, commands.LiftLegalHold{UserID: owner})
		s.at(s.Clock().AddDate(0, 0, 2))
		if a, b := end(t, s, id, of), end(t, s, id, sent); a != 0 || b != 0 {
			t.Errorf("without it after %s and %s", a, b)
		}
		reads(t, s, of, invitation, eventstore.Erased)
	})
	t.Run("and not without one", func(t *testing.T) {
		t.Parallel()
		s, id, _, of, invitation := start(t)
		s.ask(id)
		s.erase(id)
		reads(t, s, of, invitation, eventstore.Erased)
	})
}

// TestAnErasureThatIsBrokenOffFindsWhatIsLeft fails an erasure at its first
// destroyed key: the person's address still reads, by which others' contacts and
// invitations are found.
func TestAnErasureThatIsBrokenOffFindsWhatIsLeft(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	s.ask(id)
	s.store.Fail(commandtest.Fault{Times: 1, Written: true, Fails: func(_ string, events []eventstore.NewEvent) error {
		if events[0].Type == (privacy.SubjectKeyDestroyed{}).EventType() {
			return eventstore.ErrUnavailable
		}
		return nil
	}})
	if err := s.EraseSubject(t.Context(), commandtest.SystemCall(), id); err == nil {
		t.Fatal("it was not broken off")
	}
	if got := load(s, user.Decider.At(id)).Email; got != zoe.Email {
		t.Errorf("the user's address reads %q", got)
	}
}

func TestAPersonProvesThatItAsks(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	own := anyone()
	own.Grants.User = id
	if _, err := s.RequestErasure(t.Context(), own, commands.RequestErasure{UserID: id, Password: "not mine at all"}); err == nil {
		t.Error("taken with a wrong password")
	}
	if _, err := s.RequestErasure(t.Context(), anyone(), commands.RequestErasure{UserID: id, Password: zoe.Password}); err == nil {
		t.Error("taken from a stranger who knows the password")
	}
	if got := load(s, privacy.Decider.At(id)); got.Status != privacy.StatusNone {
		t.Errorf("the request is %s", got.Status)
	}
	if _, err := s.RequestErasure(t.Context(), own, commands.RequestErasure{UserID: id, Password: zoe.Password}); err != nil {
		t.Error(err)
	}
	if _, err := s.RequestErasureFor(t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: "usr_none"}); !errors.Is(err, user.ErrMissing) {
		t.Errorf("nobody: %v", err)
	}

	// The answer reads the whole log, so nobody asks without limit.
	asked, err := 1, error(nil)
	for ; err == nil && asked < 20; asked++ {
		do(s, commands.WithdrawErasure{UserID: id})
		own.CommandID = uuid.New()
		_, err = s.RequestErasure(t.Context(), own, commands.RequestErasure{UserID: id, Password: zoe.Password})
	}
	if limited, ok := errors.AsType[*vault.LimitedError](err); !ok || asked != 6 || limited.RetryAfter > time.Hour {
		t.Errorf("request %d: %v", asked, err)
	}
}

func TestAnErasureChangesNothingBeforeItIsAnswered(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	do(s, commands.OpenAccount{AccountID: "acc_3", Owner: "usr_neighbour", Name: "Bo", Kind: account.Individual, Country: "FR", Currency: "EUR"})
	s.told(id, user.Registered{}, func(call commands.Call, m eventstore.Meta) error {
		return s.MailVerification(t.Context(), call, m.EventID, s.now, id)
	})
	if err := s.verify(s.secret(mailtext.VerifyEmail)); err != nil {
		t.Fatal(err)
	}
	details := ana()
	details.Email = "zoe@example.com"
	elsewhere := func(accountID string) string {
		t.Helper()
		made, err := commands.Execute(t.Context(), s.Dispatcher, under(accountID), commands.CreateContact{AccountID: accountID, Details: details})
		if err != nil {
			t.Fatal(err)
		}
		do(s, commands.VouchContact{ContactID: made.ID})
		return made.ID
	}
	gone, taken := elsewhere("acc_2"), elsewhere("acc_3")
	name := s.recordDomain("acc_3", "live.example")
	if _, err := s.ProposeTransfer(t.Context(), under("acc_1"), commands.ProposeTransfer{AccountID: "acc_1", Email: "ana@example.com"}); err != nil {
		t.Fatal(err)
	}
	status := func(contactID string) contact.Status { return load(s, contact.Decider.At(contactID)).Status }

	// It is withdrawn while it is answered.
	if _, err := s.RequestErasureFor(t.Context(), commandtest.SystemCall(), commands.RequestErasureFor{UserID: id}); err != nil {
		t.Fatal(err)
	}
	s.store.Fail(commandtest.Fault{Times: 1, Fails: func(stream string, _ []eventstore.NewEvent) error {
		if stream == "privacy-"+id {
			return eventstore.ErrUnavailable
		}
		return nil
	}})
	if _, err := s.AnswerErasure(t.Context(), commandtest.SystemCall(), id); err == nil {
		t.Fatal("it was answered")
	}
	do(s, commands.WithdrawErasure{UserID: id})
	if a := load(s, account.Decider.At("acc_1")); status(gone) != contact.StatusActive || a.Transfer.Status != account.TransferOpen {
		t.Errorf("the contact is %s, the offer %s", status(gone), a.Transfer.Status)
	}

	// Who is to be erased is out and opens nothing meanwhile; a domain name may still
	// take a contact.
	if load(s, user.Decider.At(id)).IsClosed {
		t.Error("the log-in is closed before the answer")
	}
	accepted := s.ask(id)
	if !load(s, user.Decider.At(id)).IsClosed {
		t.Error("the log-in is open after the answer")
	}
	_, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.SystemCall(), commands.OpenAccount{
		AccountID: "acc_4", Owner: id, Name: "Zoé", Kind: account.Individual, Country: "FR", Currency: "EUR",
	})
	if accepted.Status != privacy.StatusAccepted || !errors.Is(err, privacy.ErrErased) {
		t.Errorf("%s, an account is opened: %v", accepted.Status, err)
	}
	if _, err := s.SetDomainContacts(t.Context(), under("acc_3"), commands.SetDomainContacts{Domain: name, Owner: taken}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a crash repeats it
		if err := s.EraseSubject(t.Context(), commandtest.SystemCall(), id); err != nil {
			t.Fatal(err)
		}
	}
	s.at(s.Clock().Add(time.Minute))
	if wait, err := s.CompleteErasure(t.Context(), commandtest.SystemCall(), id); err != nil || wait != 0 {
		t.Errorf("wait %s, %v", wait, err)
	}
	if got := load(s, privacy.Decider.At(id)); got.Status != privacy.StatusCompleted {
		t.Errorf("the erasure is %s", got.Status)
	}
	if a := load(s, account.Decider.At("acc_1")); status(gone) != contact.StatusArchived || a.Transfer.Status != account.TransferWithdrawn {
		t.Errorf("the contact is %s, the offer %s", status(gone), a.Transfer.Status)
	}
	if c := load(s, contact.Decider.At(taken)); c.Status != contact.StatusActive || c.Details != details {
		t.Errorf("the contact of a domain name reads %+v", c)
	}
}
