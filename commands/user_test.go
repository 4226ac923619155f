package commands_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// by is a new request of a user.
func by(id string) commands.Call {
	call := anyone()
	call.Actor.ID, call.Grants.User = id, id
	return call
}

// mails are the mails of a template, oldest first.
func (s *shop) mails(template string) (found []message.Queued, ids []string) {
	s.t.Helper()
	for r, err := range s.Store.ReadAll(s.t.Context(), eventstore.Start) {
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Type != (message.Queued{}).EventType() {
			continue
		}
		e, _, err := s.Codec.Decode(s.t.Context(), r)
		if err != nil {
			s.t.Fatal(err)
		}
		if q, ok := e.(message.Queued); ok && q.Template == template {
			found, ids = append(found, q), append(ids, strings.TrimPrefix(r.Stream, "message-"))
		}
	}
	return found, ids
}

// secret is that of the last mail of a template.
func (s *shop) secret(template string) string {
	s.t.Helper()
	_, ids := s.mails(template)
	if len(ids) == 0 {
		s.t.Fatalf("no mail %s", template)
	}
	secret, found, err := s.Vault.MailSecret(s.t.Context(), ids[len(ids)-1])
	if err != nil || !found {
		s.t.Fatalf("the link of %s does not hold: %v", template, err)
	}
	return secret
}

// told is what the process managers do about the last event of a type.
func (s *shop) told(id string, fact user.Event, do func(call commands.Call, event eventstore.Meta) error) {
	s.t.Helper()
	var last eventstore.Meta
	for r, err := range s.Store.ReadStream(s.t.Context(), "user-"+id, 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Type == fact.EventType() {
			if last, err = eventstore.MetaOf(r); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if last.EventID == uuid.Nil {
		s.t.Fatalf("no %s", fact.EventType())
	}
	call := commandtest.SystemCall()
	call.CommandID, call.CausationID = commands.StepID(last.EventID, "test"), last.EventID.String()
	if err := do(call, last); err != nil {
		s.t.Fatal(err)
	}
}

// mailed registers zoe and mails the verification.
func (s *shop) mailed() string {
	s.t.Helper()
	id := s.register(zoe).ID
	s.told(id, user.Registered{}, func(call commands.Call, m eventstore.Meta) error {
		return s.MailVerification(s.t.Context(), call, m.EventID, s.now, id)
	})
	return id
}

// verify follows a link in a session of the user whose it is.
func (s *shop) verify(secret string) error {
	s.t.Helper()
	of, _, err := s.Vault.MailToken(s.t.Context(), secret)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.VerifyEmail(s.t.Context(), by(of.UserID), commands.VerifyEmail{Token: secret, IP: "192.0.2.7"})
	return err
}

func (s *shop) user(id string) user.User { return load(s, user.Decider.At(id)) }

func TestAnAddressIsVerifiedByTheMailedLinkOnce(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	actor := domain.Actor{Kind: domain.ActorUser, ID: id}
	if err := commands.RequireVerified(t.Context(), s.Streams(), actor); !errors.Is(err, user.ErrNotVerified) {
		t.Errorf("before: %v", err)
	}
	mails, _ := s.mails(mailtext.VerifyEmail)
	secret := s.secret(mailtext.VerifyEmail)
	if len(mails) != 1 || strings.Contains(mails[0].Text, secret) || strings.Contains(mails[0].HTML, secret) || strings.Contains(mails[0].Text, zoe.Name) ||
		!strings.Contains(mails[0].Text, "https://portal.example.com/portal/verify-email#"+mailtext.Secret) {
		t.Errorf("the mail is %+v", mails)
	}
	if err := s.verify(secret[:len(secret)-2] + "xx"); !errors.Is(err, user.ErrToken) {
		t.Errorf("another secret: %v", err)
	}
	if err := s.verify(secret); err != nil {
		t.Fatal(err)
	}
	if err := s.verify(secret); !errors.Is(err, user.ErrToken) {
		t.Errorf("used again: %v", err)
	}
	if u := s.user(id); u.Status() != user.StatusActive {
		t.Errorf("the user is %+v", u)
	}
	if err := commands.RequireVerified(t.Context(), s.Streams(), actor); err != nil {
		t.Errorf("after: %v", err)
	}
	if err := commands.RequireVerified(t.Context(), s.Streams(), domain.Actor{Kind: domain.ActorSystem}); err != nil {
		t.Errorf("a part of the system: %v", err)
	}
	receipt, err := s.ResendVerification(t.Context(), by(id), commands.ResendVerification{UserID: id})
	if mails, _ := s.mails(mailtext.VerifyEmail); err != nil || len(mails) != 1 || receipt.Revision != 1 {
		t.Errorf("a verified user asked for another mail: %+v, %v, %d mails", receipt, err, len(mails))
	}
}

func TestAVerificationCanBeMailedAgainAndExpires(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	first := s.secret(mailtext.VerifyEmail)
	if _, err := s.ResendVerification(t.Context(), by("usr_other"), commands.ResendVerification{UserID: id}); domain.KindOf(err) != domain.KindMissing {
		t.Errorf("for somebody else: %v", err)
	}
	if _, err := s.ResendVerification(t.Context(), by(id), commands.ResendVerification{UserID: id}); err != nil {
		t.Fatal(err)
	}
	second := s.secret(mailtext.VerifyEmail)
	if first == second {
		t.Error("the second mail has the first link")
	}
	began := s.now
	s.at(began.Add(48*time.Hour - time.Second))
	if err := s.verify(first); err != nil {
		t.Errorf("shortly before its end: %v", err)
	}
	s.at(began.Add(48 * time.Hour))
	if err := s.verify(second); !errors.Is(err, user.ErrToken) {
		t.Errorf("after its end: %v", err)
	}
	// A rebuild asks for every mail again.
	s.at(began.Add(72 * time.Hour))
	if err := s.Vault.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.told(id, user.Registered{}, func(call commands.Call, m eventstore.Meta) error {
		return s.MailVerification(t.Context(), call, m.EventID, began, id)
	})
	if err := s.verify(first); !errors.Is(err, user.ErrToken) {
		t.Errorf("it came back to life: %v", err)
	}
	var limited *vault.LimitedError
	var err error
	unverified := s.register(commands.RegisterUser{Email: "ada@example.com", Password: zoe.Password, Name: "Ada", Locale: user.English}).ID
	for range 10 {
		_, err = s.ResendVerification(t.Context(), by(unverified), commands.ResendVerification{UserID: unverified})
	}
	if mails, _ := s.mails(mailtext.VerifyEmail); !errors.As(err, &limited) || len(mails) != 7 {
		t.Errorf("ten more mails: %v, %d in all", err, len(mails))
	}
}

func TestWhoHiresStaffVouchesForTheirAddress(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	hired, err := s.CreateStaff(t.Context(), commandtest.SystemCall(), commands.CreateStaff{RegisterUser: zoe, Role: delegation.RoleAdmin})
	if err != nil || s.user(hired.ID).Status() != user.StatusActive {
		t.Errorf("%v: %+v", err, s.user(hired.ID))
	}
}

const newAddress = "zoe.durand@example.com"

func (s *shop) askForAddress(id, email, password string) error {
	_, err := s.ChangeEmail(s.t.Context(), by(id), commands.ChangeEmail{UserID: id, Email: email, Password: password})
	return err
}

func TestAnAddressIsChangedByItsReader(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	if err := s.askForAddress(id, newAddress, "wrong"); !isField(err, "password") {
		t.Errorf("with a wrong password: %v", err)
	}
	if err := s.askForAddress(id, "nonsense", zoe.Password); !isField(err, "email") {
		t.Errorf("to nonsense: %v", err)
	}
	if err := s.askForAddress(id, "first@example.com", zoe.Password); err != nil {
		t.Fatal(err)
	}
	old := s.secret(mailtext.ChangeEmail)
	if err := s.askForAddress(id, newAddress, zoe.Password); err != nil {
		t.Fatal(err)
	}
	mails, _ := s.mails(mailtext.ChangeEmail)
	if len(mails) != 2 || mails[1].Recipient != newAddress || mails[1].User != id {
		t.Errorf("the mails are %+v", mails)
	}
	if u := s.user(id); u.Email != zoe.Email {
		t.Errorf("changed before it was proven: %+v", u)
	}
	if err := s.verify(old); !errors.Is(err, user.ErrToken) {
		t.Errorf("the wish before the last: %v", err)
	}
	if err := s.verify(s.secret(mailtext.ChangeEmail)); err != nil {
		t.Fatal(err)
	}
	if u := s.user(id); u.Email != newAddress || !u.Verified {
		t.Errorf("the user is %+v", u)
	}
	if _, err := s.logIn(newAddress, zoe.Password); err != nil {
		t.Errorf("with the new address: %v", err)
	}
	if _, err := s.logIn(zoe.Email, zoe.Password); !errors.Is(err, commands.ErrWrongLogin) {
		t.Errorf("with the old address: %v", err)
	}
	for range 2 {
		s.told(id, user.EmailChanged{}, func(call commands.Call, m eventstore.Meta) error {
			return s.FinishEmailChange(t.Context(), call, id, m.EventID)
		})
	}
	if mails, _ := s.mails(mailtext.EmailChanged); len(mails) != 1 || mails[0].Recipient != zoe.Email || strings.Contains(mails[0].Text, newAddress) {
		t.Errorf("the old address hears %+v", mails)
	}
	other := zoe
	other.Name = "Zoé Petit"
	if r := s.register(other); s.user(r.ID).Name != "Zoé Petit" {
		t.Error("the old address is not free")
	}
}

func TestTheAddressOfAnotherUserIsNotTold(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	s.register(commands.RegisterUser{Email: newAddress, Password: zoe.Password, Name: "Ada", Locale: user.English})
	if err := s.askForAddress(id, newAddress, zoe.Password); err != nil {
		t.Errorf("told by %v", err)
	}
	asked, _ := s.mails(mailtext.ChangeEmail)
	warned, _ := s.mails(mailtext.RegistrationNotice)
	if len(asked) != 0 || len(warned) != 1 || warned[0].Recipient != newAddress {
		t.Errorf("mails: %+v %+v", asked, warned)
	}
	// Somebody registers it between the mail and the click.
	if err := s.askForAddress(id, "third@example.com", zoe.Password); err != nil {
		t.Fatal(err)
	}
	s.register(commands.RegisterUser{Email: "Third@example.com", Password: zoe.Password, Name: "Third", Locale: user.English})
	if err := s.verify(s.secret(mailtext.ChangeEmail)); !errors.Is(err, commands.ErrEmailTaken) {
		t.Errorf("taken meanwhile: %v", err)
	}
	if u := s.user(id); u.Email != zoe.Email {
		t.Errorf("the user is %+v", u)
	}
}

func TestABrokenChangeOfAddressIsFinished(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"reservation.taken", "reservation.freed"} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			s := newPortal(t)
			id := s.mailed()
			if err := s.askForAddress(id, newAddress, zoe.Password); err != nil {
				t.Fatal(err)
			}
			s.breakAt(broken)
			if err := s.verify(s.secret(mailtext.ChangeEmail)); domain.KindOf(err) != domain.KindUnavailable {
				t.Fatalf("got %v", err)
			}
			s.store.Heal()
			if _, err := s.FinishHold(t.Context(), commandtest.SystemCall(), s.Reserved(reservation.Email, newAddress).ID); err != nil {
				t.Fatal(err)
			}
			s.told(id, user.EmailChanged{}, func(call commands.Call, m eventstore.Meta) error {
				return s.FinishEmailChange(t.Context(), call, id, m.EventID)
			})
			if at := load(s, s.Reserved(reservation.Email, newAddress)); at.HolderOf() != id {
				t.Errorf("the new address is %+v", at)
			}
			if at := load(s, s.Reserved(reservation.Email, "zoe@example.com")); at.By != "" {
				t.Errorf("the old address is %+v", at)
			}
		})
	}
	t.Run("before the change", func(t *testing.T) {
		t.Parallel()
		s := newPortal(t)
		id := s.mailed()
		if err := s.askForAddress(id, newAddress, zoe.Password); err != nil {
			t.Fatal(err)
		}
		s.breakAt("user.email_changed")
		if err := s.verify(s.secret(mailtext.ChangeEmail)); domain.KindOf(err) != domain.KindUnavailable {
			t.Fatalf("got %v", err)
		}
		s.store.Heal()
		// The user is there, and still has not that address.
		s.at(s.now.Add(6 * time.Minute))
		at := s.Reserved(reservation.Email, newAddress)
		if open, err := s.FinishHold(t.Context(), commandtest.SystemCall(), at.ID); open || err != nil || load(s, at).HolderOf() != "" {
			t.Errorf("took an address that nobody has: %v, %v, %+v", open, err, load(s, at))
		}
		if err := s.verify(s.secret(mailtext.ChangeEmail)); err != nil {
			t.Errorf("the link again: %v", err)
		}
	})
}

func isField(err error, field string) bool {
	e, ok := errors.AsType[*domain.Error](err)
	return ok && e.Kind == domain.KindInvalid && slices.ContainsFunc(e.Fields, func(f domain.FieldError) bool { return f.Field == field })
}

// The text of a password and the one after it.
const nextPassword = "lantern gravel oyster six"

func TestAPasswordIsChangedAndOtherSessionsEnd(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	var sessions []commands.OpenedSession
	for range 3 {
		in, err := s.logIn(zoe.Email, zoe.Password)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, in)
	}
	change := commands.ChangePassword{UserID: id, Session: sessions[1].SessionID, Current: zoe.Password, New: nextPassword}
	with := func(f func(*commands.ChangePassword)) error {
		c := change
		f(&c)
		_, err := s.ChangePassword(t.Context(), by(id), c)
		return err
	}
	if err := with(func(c *commands.ChangePassword) { c.Current = "wrong" }); !isField(err, "current") {
		t.Errorf("a wrong password: %v", err)
	}
	if err := with(func(c *commands.ChangePassword) { c.New = "short" }); !isField(err, "new") {
		t.Errorf("a short one: %v", err)
	}
	if err := with(func(c *commands.ChangePassword) { c.New = zoe.Password }); !isField(err, "new") {
		t.Errorf("the same one: %v", err)
	}
	if _, err := s.ChangePassword(t.Context(), by("usr_other"), change); domain.KindOf(err) != domain.KindMissing {
		t.Errorf("by somebody else: %v", err)
	}
	if err := s.RequestPasswordReset(t.Context(), anyone(), commands.RequestPasswordReset{Email: zoe.Email, From: s.from}); err != nil {
		t.Fatal(err)
	}
	s.mailReset(id)
	reset := s.secret(mailtext.ResetPassword)
	call := by(id)
	for i := range 2 {
		r, err := s.ChangePassword(t.Context(), call, change)
		if err != nil || r.Replayed != (i == 1) {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	for i, in := range sessions {
		if _, err := s.Vault.Session(t.Context(), in.Token); (err == nil) != (i == 1) {
			t.Errorf("session %d: %v", i, err)
		}
	}
	if err := s.reset(reset, "another fine passphrase"); !errors.Is(err, user.ErrToken) {
		t.Errorf("a link that was mailed before: %v", err)
	}
	if _, err := s.logIn(zoe.Email, zoe.Password); !errors.Is(err, commands.ErrWrongLogin) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := s.logIn(zoe.Email, nextPassword); err != nil {
		t.Errorf("the new password: %v", err)
	}
	for range 2 {
		s.told(id, user.PasswordChanged{}, func(call commands.Call, m eventstore.Meta) error {
			return s.MailNotice(t.Context(), call, id, m.EventID)
		})
	}
	if mails, _ := s.mails(mailtext.PasswordChanged); len(mails) != 1 || mails[0].Recipient != zoe.Email {
		t.Errorf("mails about it: %+v", mails)
	}
	var err error
	for range 10 {
		err = with(func(c *commands.ChangePassword) { c.Current = "wrong" })
	}
	if !errors.Is(err, vault.ErrLimited) {
		t.Errorf("guessing in a session: %v", err)
	}
}

func (s *shop) mailReset(id string) {
	s.t.Helper()
	s.told(id, user.PasswordResetRequested{}, func(call commands.Call, m eventstore.Meta) error {
		return s.MailReset(s.t.Context(), call, m.EventID, s.now, id)
	})
}

func (s *shop) reset(secret, password string) error {
	return s.ResetPassword(s.t.Context(), anyone(), commands.ResetPassword{Token: secret, Password: password, From: s.from})
}

func TestAForgottenPasswordIsReset(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	in, err := s.logIn(zoe.Email, zoe.Password)
	if err != nil {
		t.Fatal(err)
	}
	before := s.streams()
	for _, email := range []string{"nobody@example.com", zoe.Email, " ZOE@example.com ", zoe.Email} {
		if err := s.RequestPasswordReset(t.Context(), anyone(), commands.RequestPasswordReset{Email: email, From: s.from}); err != nil {
			t.Errorf("%s: %v", email, err)
		}
	}
	if err := s.RequestPasswordReset(t.Context(), anyone(), commands.RequestPasswordReset{Email: "nonsense"}); !isField(err, "email") {
		t.Errorf("nonsense: %v", err)
	}
	asked := len(factsOf[user.PasswordResetRequested](s, id))
	if after := s.streams(); asked != 1 || after["user"] != before["user"] {
		t.Errorf("%d requests, streams %v", asked, after)
	}
	for range 2 {
		s.mailReset(id)
	}
	mails, _ := s.mails(mailtext.ResetPassword)
	secret := s.secret(mailtext.ResetPassword)
	if len(mails) != 1 || strings.Contains(mails[0].Text+mails[0].HTML, secret) {
		t.Errorf("mails %+v", mails)
	}
	if err := s.verify(secret); !errors.Is(err, user.ErrToken) {
		t.Errorf("taken for another link: %v", err)
	}
	if err := s.reset(s.secret(mailtext.VerifyEmail), nextPassword); !errors.Is(err, user.ErrToken) {
		t.Errorf("another link taken for it: %v", err)
	}
	if err := s.reset(secret, "short"); !isField(err, "password") {
		t.Errorf("a short password: %v", err)
	}
	if err := s.reset(secret, nextPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Vault.Session(t.Context(), in.Token); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("a session goes on: %v", err)
	}
	if err := s.reset(secret, "another fine passphrase"); !errors.Is(err, user.ErrToken) {
		t.Errorf("used again: %v", err)
	}
	if _, err := s.logIn(zoe.Email, nextPassword); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if u := s.user(id); !u.Verified {
		t.Errorf("who reads the mail is not verified: %+v", u)
	}
	// The next one holds for an hour.
	s.at(s.now.Add(15 * time.Minute))
	if err := s.RequestPasswordReset(t.Context(), anyone(), commands.RequestPasswordReset{Email: zoe.Email, From: s.from}); err != nil {
		t.Fatal(err)
	}
	s.mailReset(id)
	secret = s.secret(mailtext.ResetPassword)
	s.at(s.now.Add(time.Hour))
	if err := s.reset(secret, "another fine passphrase"); !errors.Is(err, user.ErrToken) {
		t.Errorf("after an hour: %v", err)
	}
}

func TestALinkHoldsForTheAddressThatItWasMailedTo(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	verification := s.secret(mailtext.VerifyEmail)
	if err := s.RequestPasswordReset(t.Context(), anyone(), commands.RequestPasswordReset{Email: zoe.Email, From: s.from}); err != nil {
		t.Fatal(err)
	}
	s.mailReset(id)
	reset := s.secret(mailtext.ResetPassword)
	if err := s.askForAddress(id, newAddress, zoe.Password); err != nil {
		t.Fatal(err)
	}
	if err := s.verify(s.secret(mailtext.ChangeEmail)); err != nil {
		t.Fatal(err)
	}
	if err := s.verify(verification); !errors.Is(err, user.ErrToken) {
		t.Errorf("the old address verifies the new one: %v", err)
	}
	if err := s.reset(reset, nextPassword); !errors.Is(err, user.ErrToken) {
		t.Errorf("the old address sets the password: %v", err)
	}
}

func TestALogInFromANewDeviceIsTold(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	home := s.from
	seen := func() []user.NewDeviceSeen { return factsOf[user.NewDeviceSeen](s, id) }
	in := func(from vault.Client) {
		t.Helper()
		s.from = from
		if _, err := s.logIn(zoe.Email, zoe.Password); err != nil {
			t.Fatal(err)
		}
	}
	in(home)
	in(home)
	// The same browser without its cookie, and its cookie elsewhere.
	in(vault.Client{Device: vault.NewDeviceSecret(), Browser: home.Browser, System: home.System, IP: home.IP})
	in(vault.Client{Device: home.Device, Browser: "Chrome", System: "Android", IP: "198.51.100.9"})
	if got := seen(); len(got) != 0 {
		t.Fatalf("told of %+v", got)
	}
	in(vault.Client{Device: vault.NewDeviceSecret(), Browser: "Safari", System: "macOS", IP: "198.51.100.7"})
	if got := seen(); len(got) != 1 || got[0] != (user.NewDeviceSeen{Browser: "Safari", System: "macOS", IP: "198.51.100.7"}) {
		t.Fatalf("told of %+v", got)
	}
	s.told(id, user.NewDeviceSeen{}, func(call commands.Call, m eventstore.Meta) error {
		return s.MailNotice(t.Context(), call, id, m.EventID)
	})
	mails, _ := s.mails(mailtext.NewDevice)
	if len(mails) != 1 || !strings.Contains(mails[0].Text, "Safari sous macOS") || !strings.Contains(mails[0].Text, "198.51.100.7") {
		t.Errorf("mails %+v", mails)
	}
	for i := range 20 {
		in(vault.Client{Device: vault.NewDeviceSecret(), Browser: "Safari", System: "macOS", IP: fmt.Sprintf("203.0.113.%d", i)})
	}
	if got := seen(); len(got) != 5 {
		t.Errorf("%d events of 21 new devices", len(got))
	}
}

func TestFailedLogInsAreWrittenHourByHour(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	for range 3 {
		if _, err := s.logIn(zoe.Email, "wrong"); !errors.Is(err, commands.ErrWrongLogin) {
			t.Fatal(err)
		}
	}
	for range 3 {
		if _, err := s.logIn("nobody@example.com", "wrong"); !errors.Is(err, commands.ErrWrongLogin) {
			t.Fatal(err)
		}
	}
	observe := func() []user.LoginFailuresObserved {
		t.Helper()
		call := commandtest.SystemCall()
		call.CommandID = commandtest.CommandID
		if err := s.ObserveLoginFailures(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		return factsOf[user.LoginFailuresObserved](s, id)
	}
	if got := observe(); len(got) != 0 {
		t.Errorf("before the hour is over: %+v", got)
	}
	s.at(s.now.Add(time.Hour))
	for range 2 {
		if got := observe(); len(got) != 1 || got[0].Count != 3 || got[0].Hour != commandtest.Noon.Format(time.RFC3339) {
			t.Errorf("after it: %+v", got)
		}
	}
}

func TestALockedUserIsOutUntilItIsUnlocked(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	in, err := s.logIn(zoe.Email, zoe.Password)
	if err != nil {
		t.Fatal(err)
	}
	lock := commands.LockUser{UserID: id, Reason: "abuse"}
	if _, err := s.LockUser(t.Context(), by(id), lock); !errors.Is(err, domain.ErrDenied) {
		t.Errorf("a customer locked: %v", err)
	}
	staff := by("usr_staff")
	staff.Grants.Role, staff.Actor.Kind = delegation.RoleAdmin, domain.ActorStaff
	if _, err := s.LockUser(t.Context(), staff, lock); !errors.Is(err, commands.ErrConfirm) {
		t.Errorf("locked in a session that proved nothing lately: %v", err)
	}
	staff.Grants.Fresh = delegation.Fresh{Password: true}
	if _, err := s.LockUser(t.Context(), staff, lock); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Vault.Session(t.Context(), in.Token); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("a session goes on: %v", err)
	}
	if _, err := s.logIn(zoe.Email, zoe.Password); !errors.Is(err, user.ErrLocked) {
		t.Errorf("with the right password: %v", err)
	}
	if _, err := s.logIn(zoe.Email, "wrong"); !errors.Is(err, commands.ErrWrongLogin) {
		t.Errorf("a wrong password learns of the lock: %v", err)
	}
	staff.CommandID = uuid.New()
	if _, err := commands.Execute(t.Context(), s.Dispatcher, staff, commands.UnlockUser{UserID: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.logIn(zoe.Email, zoe.Password); err != nil {
		t.Errorf("unlocked: %v", err)
	}
}

func TestAClosedUserIsNoMore(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	in, err := s.logIn(zoe.Email, zoe.Password)
	if err != nil {
		t.Fatal(err)
	}
	closing := commands.CloseUser{UserID: id, Password: zoe.Password}
	owner := by(id)
	owner.Grants.Accounts = map[string]delegation.Grant{"acc_1": {Owner: true}}
	if _, err := s.CloseUser(t.Context(), owner, closing); !errors.Is(err, user.ErrOwnsAccounts) {
		t.Errorf("while it owns an account: %v", err)
	}
	if _, err := s.CloseUser(t.Context(), by(id), commands.CloseUser{UserID: id, Password: "wrong"}); !isField(err, "password") {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := s.Vault.Session(t.Context(), in.Token); err != nil {
		t.Errorf("a refusal ended the session: %v", err)
	}
	delegate := by(id)
	delegate.Grants.Accounts = map[string]delegation.Grant{"acc_1": {}}
	if _, err := s.CloseUser(t.Context(), delegate, closing); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Vault.Session(t.Context(), in.Token); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("a session goes on: %v", err)
	}
	if _, err := s.logIn(zoe.Email, zoe.Password); !errors.Is(err, commands.ErrWrongLogin) {
		t.Errorf("it logs in: %v", err)
	}
	for range 2 {
		if err := s.FinishClose(t.Context(), commandtest.SystemCall(), id); err != nil {
			t.Fatal(err)
		}
	}
	again := s.register(zoe)
	if again.ID == id || !s.user(again.ID).Exists() {
		t.Error("the address is not free")
	}
	// What comes late for the old user does not touch the new one.
	if err := s.FinishClose(t.Context(), commandtest.SystemCall(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.logIn(zoe.Email, zoe.Password); err != nil {
		t.Errorf("the new user: %v", err)
	}
}

func TestADeviceInWords(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string][2]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                                  {"Firefox", "Linux"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":           {"Edge", "Windows"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": {"Safari", "iOS"},
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36":                   {"Chrome", "Android"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                   {"Safari", "macOS"},
		"curl/8.8.0":                  {"curl", ""},
		"":                            {"", ""},
		"<script>alert(1)</script>\n": {"", ""},
	} {
		got := commands.ClientOf("", agent, "192.0.2.1")
		if got.Browser != want[0] || got.System != want[1] || !vault.IsDeviceSecret(got.Device) {
			t.Errorf("%s: %+v", agent, got)
		}
	}
	secret := vault.NewDeviceSecret()
	if got := commands.ClientOf(secret, "", ""); got.Device != secret {
		t.Error("a known device got another secret")
	}
}

// order stands for a command that needs a verified address.
type order struct{ commands.OpenAccount }

func (order) NeedsVerifiedEmail() {}

func (c order) Identify(newID func(string) string) order {
	return order{c.OpenAccount.Identify(newID)}
}

func (c order) By(actor domain.Actor) order { return order{c.OpenAccount.By(actor)} }

func TestSomeCommandsNeedAVerifiedAddress(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.mailed()
	cmd := order{commands.OpenAccount{Name: "Zoé", Kind: account.Individual, Country: "FR", Currency: "EUR"}}
	if _, err := commands.Execute(t.Context(), s.Dispatcher, by(id), cmd); !errors.Is(err, user.ErrNotVerified) {
		t.Errorf("before: %v", err)
	}
	if n := s.streams()["account"]; n != 0 {
		t.Errorf("%d accounts", n)
	}
	if err := s.verify(s.secret(mailtext.VerifyEmail)); err != nil {
		t.Fatal(err)
	}
	if _, err := commands.Execute(t.Context(), s.Dispatcher, by(id), cmd); err != nil {
		t.Errorf("after: %v", err)
	}
}
