package commands_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// TestAFormerOwnerGetsWhatItKeepsOnce has an account handed over by a user whose
// address another delegate had before, and the hand-over finished again after
// what was kept had ended.
func TestAFormerOwnerGetsWhatItKeepsOnce(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	everything := delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}
	call := commandtest.SystemCall()
	call.Account = "acc_1"
	others, err := s.InviteDelegate(t.Context(), call, commands.InviteDelegate{AccountID: "acc_1", Email: zoe.Email, Terms: everything})
	if err != nil {
		t.Fatal(err)
	}
	do(s, commands.VouchDelegation{DelegationID: others.ID, UserID: "usr_other"})
	do(s, says[account.Account, account.Event]{account.Decider.At("acc_1"), account.OwnershipTransferred{
		Transfer: "otr_1", From: id, To: "usr_neighbour", Keep: &everything,
	}})
	finish := func() (kept []string) {
		t.Helper()
		transferred := s.last(account.OwnershipTransferred{})
		if err := s.FinishTransfer(t.Context(), commandtest.SystemCall(), "acc_1", transferred.ID); err != nil {
			t.Fatal(err)
		}
		for r, err := range s.Store.ReadAll(t.Context(), eventstore.Start) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Type == (delegation.Kept{}).EventType() {
				kept = append(kept, strings.TrimPrefix(r.Stream, "delegation-"))
			}
		}
		return kept
	}
	kept := finish()
	if len(kept) != 1 || kept[0] == others.ID {
		t.Fatalf("%v are kept, beside %s", kept, others.ID)
	}
	if d := load(s, delegation.Decider.At(others.ID)); d.Status != delegation.StatusActive || d.User != "usr_other" {
		t.Errorf("of the other delegate became %+v", d)
	}
	call = commandtest.SystemCall()
	call.Account = "acc_1"
	if _, err := commands.Execute(t.Context(), s.Dispatcher, call, commands.RevokeDelegation{DelegationID: kept[0]}); err != nil {
		t.Fatal(err)
	}
	do(s, says[user.User, user.Event]{user.Decider.At(id), user.EmailChanged{Email: newAddress, Previous: zoe.Email}})
	if again := finish(); len(again) != 1 {
		t.Errorf("%v are kept after the new owner took it away", again)
	}
}

// last is the last event of a type.
func (s *shop) last(e domain.Event) (found eventstore.Recorded) {
	s.t.Helper()
	for r, err := range s.Store.ReadAll(s.t.Context(), eventstore.Start) {
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Type == e.EventType() {
			found = r
		}
	}
	return found
}

// says is a command that says one thing.
type says[S any, E domain.Event] struct {
	at   domain.Target[S, E]
	fact E
}

func (c says[S, E]) Target() domain.Target[S, E]         { return c.at }
func (says[S, E]) Permission() domain.Permission         { return delegation.System }
func (c says[S, E]) Decide(S, commands.Env) ([]E, error) { return []E{c.fact}, nil }

// TestAnErasureFindsTheAddressesOfOffers erases a user who gave an account away,
// kept something of it, has another address since, and was offered another one.
func TestAnErasureFindsTheAddressesOfOffers(t *testing.T) {
	t.Parallel()
	s, id := newCustomer(t)
	registered, err := s.RegisterUser(t.Context(), commandtest.SystemCall(), commands.RegisterUser{
		Email: "ana@example.com", Password: "tulip bridge copper ten", Name: "Ana", Locale: "en", Vouched: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ana := registered.ID
	everything := &delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}
	offer := func(accountID, email string) string {
		t.Helper()
		call := commandtest.SystemCall()
		call.Account = accountID
		done, err := s.ProposeTransfer(t.Context(), call, commands.ProposeTransfer{AccountID: accountID, Email: email, Keep: everything})
		if err != nil {
			t.Fatal(err)
		}
		return done.ID
	}
	toAna := offer("acc_1", "ana@example.com")
	proposed := s.last(account.OwnershipTransferProposed{})
	if err := s.MailTransfer(t.Context(), commandtest.SystemCall(), proposed.ID, "acc_1", toAna); err != nil {
		t.Fatal(err)
	}
	call := commandtest.Call()
	call.Actor.ID, call.Account, call.Grants = ana, "", delegation.Grants{User: ana}
	accept := commands.AcceptTransfer{Token: s.secret(mailtext.OwnershipTransfer)}
	// Nothing leaves the hands of who is under a legal hold.
	do(s, commands.SetLegalHold{UserID: id, Reference: "2026/17"})
	if _, _, err := s.AcceptTransfer(t.Context(), call, accept); !errors.Is(err, account.ErrTransferHeld) {
		t.Errorf("under a legal hold: %v", err)
	}
	do(s, commands.LiftLegalHold{UserID: id})
	call.CommandID = uuid.New()
	if _, _, err := s.AcceptTransfer(t.Context(), call, accept); err != nil {
		t.Fatal(err)
	}
	// That it was offered is the former owner's to hear, and only while it is.
	offered := commands.AccountMail{Cause: proposed.ID, Type: proposed.Type, At: proposed.RecordedAt, Account: "acc_1"}
	if err := s.MailAccount(t.Context(), commandtest.SystemCall(), offered); err != nil {
		t.Fatal(err)
	}
	if mails, _ := s.mails(mailtext.TransferNotice); len(mails) > 0 {
		t.Errorf("of the offer that it accepted the new owner got %+v", mails)
	}
	transferred := s.last(account.OwnershipTransferred{})
	if err := s.FinishTransfer(t.Context(), commandtest.SystemCall(), "acc_1", transferred.ID); err != nil {
		t.Fatal(err)
	}
	kept := ""
	for r, err := range s.Store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type != (delegation.Kept{}).EventType() {
			continue
		}
		e, _, err := s.Codec.Decode(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if k, ok := e.(delegation.Kept); ok && k.User == id {
			kept = k.Invitation
		}
	}

	// It has another address since.
	if err := s.askForAddress(id, newAddress, zoe.Password); err != nil {
		t.Fatal(err)
	}
	if err := s.verify(s.secret(mailtext.ChangeEmail)); err != nil {
		t.Fatal(err)
	}
	toZoe := offer("acc_2", newAddress)

	// The account that was given away is not erased with its former owner.
	asked := s.ask(id)
	if asked.Status != privacy.StatusAccepted || len(asked.Accounts) != 0 {
		t.Fatalf("%s with %v", asked.Status, asked.Accounts)
	}
	if got, want := profiles(asked), []string{id, kept, toZoe, toAna}; !sameSubjects(got, want) {
		t.Errorf("the keys are of %v, not of %v", got, want)
	}
	// With its new owner it is.
	asked = s.ask(ana)
	if diff := cmp.Diff([]string{"acc_1"}, asked.Accounts); diff != "" {
		t.Error(diff)
	}
	if got, want := profiles(asked), []string{ana, "acc_1", kept, toAna}; !sameSubjects(got, want) {
		t.Errorf("the keys are of %v, not of %v", got, want)
	}
}

// shut closes Zoé, in another process, with rights to no account.
func shut(o *office) error {
	own := by(o.zoe)
	own.Grants.Fresh = delegation.Fresh{Password: true}
	_, err := o.other.CloseUser(o.t.Context(), own, commands.CloseUser{UserID: o.zoe, Password: zoe.Password})
	return err
}

// closes closes an account.
func (o *office) closes(id string) {
	o.t.Helper()
	call := commandtest.SystemCall()
	call.Account = id
	if _, err := o.RequestClosing(o.t.Context(), call, commands.RequestClosing{AccountID: id}); err != nil {
		o.t.Fatal(err)
	}
	a := load(o.shop, account.Decider.At(id))
	if err := o.AnswerClosing(o.t.Context(), commandtest.SystemCall(), id, a.Closing); err != nil {
		o.t.Fatal(err)
	}
	if a := load(o.shop, account.Decider.At(id)); a.Status != account.StatusClosed {
		o.t.Fatalf("%s is %s", id, a.Status)
	}
}

// TestWhoAcceptsAnAccountIsNotClosedMeanwhile: an account does not end up with
// an owner who is no more.
func TestWhoAcceptsAnAccountIsNotClosedMeanwhile(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (o *office, accept func() error) {
		t.Helper()
		o = newOffice(t)
		ana := o.works("ana", delegation.RoleSupport)
		do(o.shop, commands.OpenAccount{AccountID: "acc_1", Owner: ana, Name: "Ana", Kind: account.Individual, Country: "FR", Currency: "EUR"})
		call := commandtest.SystemCall()
		call.Account = "acc_1"
		offer, err := o.ProposeTransfer(t.Context(), call, commands.ProposeTransfer{AccountID: "acc_1", Email: zoe.Email})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.MailTransfer(t.Context(), commandtest.SystemCall(), uuid.New(), "acc_1", offer.ID); err != nil {
			t.Fatal(err)
		}
		token, call := o.secret(mailtext.OwnershipTransfer), by(o.zoe)
		return o, func() error {
			_, _, err := o.AcceptTransfer(t.Context(), call, commands.AcceptTransfer{Token: token})
			return err
		}
	}
	t.Run("the account comes first", func(t *testing.T) {
		t.Parallel()
		o, accept := begin(t)
		o.race.before("account-", func() {
			if err := shut(o); !errors.Is(err, user.ErrTakesOver) {
				t.Errorf("answered %v", err)
			}
		})
		if err := accept(); err != nil {
			t.Error(err)
		}
		if a := load(o.shop, account.Decider.At("acc_1")); a.Owner != o.zoe || o.user(o.zoe).IsClosed {
			t.Errorf("%s owns it, closed %v", a.Owner, o.user(o.zoe).IsClosed)
		}
		if err := accept(); err != nil { // the same again claims nothing
			t.Error(err)
		}
		if err := shut(o); !errors.Is(err, user.ErrOwnsAccounts) { // though the call's rights are older
			t.Errorf("answered %v", err)
		}
		o.mu.Lock()
		o.now = o.now.Add(10 * time.Minute)
		o.mu.Unlock()
		if err := shut(o); err != nil { // whose rights, of this call, own nothing
			t.Error(err)
		}
	})
	t.Run("the account was closed since", func(t *testing.T) {
		t.Parallel()
		o, accept := begin(t)
		if err := accept(); err != nil {
			t.Fatal(err)
		}
		o.closes("acc_1")
		if err := shut(o); err != nil {
			t.Error(err)
		}
	})
	t.Run("the offer is taken back", func(t *testing.T) {
		t.Parallel()
		o, accept := begin(t)
		o.race.before("account-", func() {
			if err := shut(o); !errors.Is(err, user.ErrTakesOver) {
				t.Errorf("answered %v", err)
			}
			do(&shop{t: t, Dispatcher: o.other}, commands.WithdrawTransfer{AccountID: "acc_1"})
		})
		if err := accept(); !errors.Is(err, account.ErrTransferOver) {
			t.Errorf("answered %v", err)
		}
		if err := shut(o); err != nil {
			t.Error(err)
		}
	})
	t.Run("the end comes first", func(t *testing.T) {
		t.Parallel()
		o, accept := begin(t)
		o.race.before("user-", func() {
			if err := shut(o); err != nil {
				t.Error(err)
			}
		})
		if err := accept(); domain.KindOf(err) != domain.KindConflict && domain.KindOf(err) != domain.KindDenied {
			t.Errorf("answered %v", err)
		}
		if a := load(o.shop, account.Decider.At("acc_1")); a.Owner == o.zoe || !o.user(o.zoe).IsClosed {
			t.Errorf("%s owns it, closed %v", a.Owner, o.user(o.zoe).IsClosed)
		}
	})
}

// profiles are the subjects whose profile keys an erasure destroys.
func profiles(s privacy.Subject) (found []string) {
	for _, k := range s.Keys {
		if k.Purpose == subjectkey.Profile {
			found = append(found, k.Subject)
		}
	}
	return found
}

func sameSubjects(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
