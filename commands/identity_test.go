package commands_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// factsOf are the facts of one type that a user's stream holds, in order.
func factsOf[E domain.Event](s *shop, id string) (found []E) {
	s.t.Helper()
	for r, err := range s.Store.ReadStream(s.t.Context(), "user-"+id, 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		e, _, err := s.Codec.Decode(s.t.Context(), r)
		if err != nil {
			s.t.Fatal(err)
		}
		if fact, ok := e.(E); ok {
			found = append(found, fact)
		}
	}
	return found
}

// newPortal is a dispatcher with a vault; its clock stands still but for at.
func newPortal(t *testing.T) *shop {
	t.Helper()
	s := &shop{store: &commandtest.Faulty{Store: commandtest.Engine(t)}, t: t, now: commandtest.Noon}
	s.Dispatcher = commandtest.Dispatcher(t, s.store, catalog.Types()...)
	s.Clock = func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	}
	s.Vault = vaulttest.OpenWith(t, vaulttest.Database(t), s.store, filepath.Join(t.TempDir(), "kek"), s.Clock)
	s.Pepper, s.Codec = s.Vault.Pepper(), s.Codec.WithKeys(s.Vault)
	s.Mails = mailtext.Writer{Base: "https://portal.example.com"}
	s.from = commands.ClientOf("", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "192.0.2.7")
	return s
}

// anyone is a new request of nobody in particular.
func anyone() commands.Call {
	call := commandtest.Call()
	call.Actor, call.Account, call.Grants = domain.Actor{Kind: domain.ActorUser}, "", delegation.Grants{}
	return call
}

var zoe = commands.RegisterUser{Email: "Zoe@Example.com", Password: "tulip bridge copper nine", Name: "Zoé Martin", Locale: user.French}

func (s *shop) register(cmd commands.RegisterUser) commands.Receipt {
	s.t.Helper()
	r, err := s.RegisterUser(s.t.Context(), anyone(), cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *shop) logIn(email, password string) (commands.OpenedSession, error) {
	return s.OpenSession(s.t.Context(), anyone(), commands.OpenSession{Email: email, Password: password, From: s.from})
}

// streams are the categories of the log's events with how many streams each has.
func (s *shop) streams() map[string]int {
	s.t.Helper()
	seen, count := map[string]bool{}, map[string]int{}
	for r, err := range s.Store.ReadAll(s.t.Context(), eventstore.Start) {
		if err != nil {
			s.t.Fatal(err)
		}
		if category, _, _ := strings.Cut(r.Stream, "-"); !seen[r.Stream] {
			seen[r.Stream] = true
			count[category]++
		}
	}
	return count
}

func TestARegisteredUserLogsIn(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	r := s.register(zoe)
	got, err := s.logIn(" zoe@EXAMPLE.com ", zoe.Password)
	if err != nil {
		t.Fatal(err)
	}
	if got.UserID != r.ID || got.User.Email != "Zoe@Example.com" || got.User.Name != zoe.Name || !got.ExpiresAt.After(s.now) {
		t.Errorf("logged in as %+v, registered %s", got, r.ID)
	}
	session, err := s.Vault.Session(t.Context(), got.Token)
	if err != nil || session.UserID != r.ID || session.ID != got.SessionID {
		t.Errorf("session %+v, %v", session, err)
	}
	call := anyone()
	call.Grants.User = r.ID
	if err := s.EndSession(t.Context(), call, commands.EndSession{SessionID: got.SessionID, Current: got.SessionID}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Vault.Session(t.Context(), got.Token); !errors.Is(err, vault.ErrNoSession) {
		t.Errorf("after log-out: %v", err)
	}
}

func TestAWrongLogInDoesNotTellWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	s.register(zoe)
	_, wrongPassword := s.logIn(zoe.Email, "tulip bridge copper ten")
	_, unknown := s.logIn("nobody@example.com", zoe.Password)
	if !errors.Is(wrongPassword, commands.ErrWrongLogin) || !errors.Is(unknown, commands.ErrWrongLogin) || wrongPassword.Error() != unknown.Error() {
		t.Errorf("%v and %v", wrongPassword, unknown)
	}
}

func TestRegisteringAKnownAddressLooksTheSameAndWarnsItsOwner(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	first := s.register(zoe)
	before := s.streams()
	again := zoe
	again.Email, again.Password, again.Name = "ZOE@example.com", "another fine passphrase", "Mallory"
	var ids []string
	for range 3 {
		r := s.register(again)
		if r.ID == first.ID || !strings.HasPrefix(r.ID, "usr_") || r.Revision != first.Revision || r.Position == (eventstore.Position{}) {
			t.Errorf("answered %+v after %+v", r, first)
		}
		ids = append(ids, r.ID)
	}
	if ids[0] == ids[1] {
		t.Error("the ids are not fresh")
	}
	after := s.streams()
	before["message"]++
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
	if _, err := s.logIn(zoe.Email, again.Password); !errors.Is(err, commands.ErrWrongLogin) {
		t.Errorf("the second password: %v", err)
	}
	if _, err := s.logIn(zoe.Email, zoe.Password); err != nil {
		t.Errorf("the first password: %v", err)
	}
	for r, err := range s.Store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type != "message.queued.v1" {
			continue
		}
		e, _, err := s.Codec.Decode(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if q, ok := e.(message.Queued); !ok || q.User != first.ID || q.Recipient != "Zoe@Example.com" || q.Locale != "fr" || strings.Contains(q.Text, "Mallory") {
			t.Errorf("the owner's mail: %+v", e)
		}
	}
}

func TestARepeatedRegistrationIsTheSameUser(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	call := anyone()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.RegisterUser(t.Context(), call, zoe); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.streams()["user"]; n != 1 {
		t.Errorf("%d users", n)
	}
	if _, err := s.logIn(zoe.Email, zoe.Password); err != nil {
		t.Error(err)
	}
}

func TestARegistrationThatIsSentTwiceTellsNothing(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	s.register(zoe)
	ada := zoe
	ada.Email = "ada@example.com"
	for name, cmd := range map[string]commands.RegisterUser{"a known address": zoe, "an unknown one": ada} {
		call := anyone()
		var ids []string
		for range 2 {
			r, err := s.RegisterUser(t.Context(), call, cmd)
			if err != nil || r.Replayed || r.Revision != 0 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
			ids = append(ids, r.ID)
		}
		if ids[0] != ids[1] {
			t.Errorf("%s: %v", name, ids)
		}
	}
}

func TestARaceForOneAddressHasOneWinner(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.RegisterUser(t.Context(), anyone(), zoe); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.streams()["user"]; n != 1 {
		t.Errorf("%d users", n)
	}
}

func TestABrokenRegistrationCanBeFinishedOrBegunAnew(t *testing.T) {
	t.Parallel()
	t.Run("after the user was registered", func(t *testing.T) {
		t.Parallel()
		s := newPortal(t)
		s.breakAt("reservation.taken")
		call := anyone()
		if _, err := s.RegisterUser(t.Context(), call, zoe); domain.KindOf(err) != domain.KindUnavailable {
			t.Fatalf("got %v", err)
		}
		s.store.Heal()
		if _, err := s.logIn(zoe.Email, zoe.Password); err != nil {
			t.Errorf("the user is registered and cannot log in: %v", err)
		}
		for range 2 {
			open, err := s.FinishHold(t.Context(), commandtest.SystemCall(), s.Reserved(reservation.Email, "zoe@example.com").ID)
			if open || err != nil {
				t.Fatal(open, err)
			}
		}
		if got := load(s, s.Reserved(reservation.Email, "zoe@example.com")); got.HolderOf() != commands.NewID(call.CommandID, "usr") {
			t.Errorf("the address is %+v", got)
		}
	})
	t.Run("never gives the address to a second user", func(t *testing.T) {
		t.Parallel()
		s := newPortal(t)
		s.breakAt("reservation.taken")
		call := anyone()
		if _, err := s.RegisterUser(t.Context(), call, zoe); domain.KindOf(err) != domain.KindUnavailable {
			t.Fatalf("got %v", err)
		}
		s.store.Heal()
		// Nobody took the address before the hold expired.
		s.at(s.now.Add(time.Hour))
		other := zoe
		other.Password = "lantern gravel oyster six"
		s.register(other)
		if n := s.streams()["user"]; n != 1 {
			t.Errorf("%d users have one address", n)
		}
		if opened, err := s.logIn(zoe.Email, zoe.Password); err != nil || opened.UserID != commands.NewID(call.CommandID, "usr") {
			t.Errorf("the first user is locked out: %+v, %v", opened, err)
		}
	})
	t.Run("before the user was registered", func(t *testing.T) {
		t.Parallel()
		s := newPortal(t)
		s.breakAt("user.registered")
		if _, err := s.RegisterUser(t.Context(), anyone(), zoe); domain.KindOf(err) != domain.KindUnavailable {
			t.Fatalf("got %v", err)
		}
		s.store.Heal()
		at := s.Reserved(reservation.Email, "zoe@example.com")
		open, err := s.FinishHold(t.Context(), commandtest.SystemCall(), at.ID)
		if !open || err != nil || load(s, at).HolderOf() != "" {
			t.Errorf("took an address for nobody, or forgot it: %+v, %v, %v", load(s, at), open, err)
		}
		s.at(s.now.Add(6 * time.Minute))
		if open, err := s.FinishHold(t.Context(), commandtest.SystemCall(), at.ID); open || err != nil {
			t.Errorf("waits for a command that is long over: %v, %v", open, err)
		}
		s.at(s.now.Add(5 * time.Minute))
		s.register(zoe)
		if _, err := s.logIn(zoe.Email, zoe.Password); err != nil {
			t.Errorf("log in after the hold expired: %v", err)
		}
	})
}

func TestWhatRegistrationRefuses(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	with := func(change func(*commands.RegisterUser)) commands.RegisterUser {
		cmd := zoe
		change(&cmd)
		return cmd
	}
	for name, c := range map[string]struct {
		cmd   commands.RegisterUser
		field string
	}{
		"no address":        {with(func(c *commands.RegisterUser) { c.Email = "nonsense" }), "email"},
		"no name":           {with(func(c *commands.RegisterUser) { c.Name = " " }), "name"},
		"no language":       {with(func(c *commands.RegisterUser) { c.Locale = "xx" }), "locale"},
		"no password":       {with(func(c *commands.RegisterUser) { c.Password = "" }), "password"},
		"a short password":  {with(func(c *commands.RegisterUser) { c.Password = "x7!Kd" }), "password"},
		"an easy password":  {with(func(c *commands.RegisterUser) { c.Password = "password1234" }), "password"},
		"the own name":      {with(func(c *commands.RegisterUser) { c.Password = "zoé.martin.zoé" }), "password"},
		"an endless secret": {with(func(c *commands.RegisterUser) { c.Password = strings.Repeat("tulip bridge ", 100) }), "password"},
	} {
		_, err := s.RegisterUser(t.Context(), anyone(), c.cmd)
		var refused *domain.Error
		if !errors.As(err, &refused) || refused.Kind != domain.KindInvalid || len(refused.Fields) == 0 || refused.Fields[0].Field != c.field {
			t.Errorf("%s: %+v", name, err)
		}
	}
	if n := len(s.streams()); n != 0 {
		t.Errorf("%d streams were written", n)
	}
}

func TestLogInNeedsTheStore(t *testing.T) {
	t.Parallel()
	engine := commandtest.Engine(t)
	s := newPortal(t)
	s.register(zoe)
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	s.Store = engine
	if _, err := s.logIn(zoe.Email, zoe.Password); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestTooManyWrongPasswordsAreRefusedForAWhile(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	s.register(zoe)
	var err error
	for range 20 {
		_, err = s.logIn(zoe.Email, "wrong")
	}
	var limited *vault.LimitedError
	if domain.KindOf(err) != domain.KindLimited || !errors.As(err, &limited) {
		t.Fatalf("got %v", err)
	}
	s.at(s.now.Add(limited.RetryAfter))
	if _, err := s.logIn(zoe.Email, zoe.Password); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestAUserChangesItsOwnProfileOnly(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	id := s.register(zoe).ID
	name, locale := "Zoé Durand", user.English
	change := commands.UpdateUser{UserID: id, Name: &name, Locale: &locale}
	other := anyone()
	other.Grants.User = "usr_other"
	if _, err := commands.Execute(t.Context(), s.Dispatcher, other, change); domain.KindOf(err) != domain.KindMissing {
		t.Errorf("another user: %v", err)
	}
	self := anyone()
	self.Grants.User = id
	if _, err := commands.Execute(t.Context(), s.Dispatcher, self, change); err != nil {
		t.Fatal(err)
	}
	if u := load(s, user.Decider.At(id)); u.Name != name || u.Locale != locale {
		t.Errorf("the user is %+v", u)
	}
}

func TestStaffAreUsersThatWereHired(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	cmd := commands.CreateStaff{RegisterUser: zoe, Role: delegation.RoleAdmin}
	if _, err := s.CreateStaff(t.Context(), commandtest.Call(), cmd); !errors.Is(err, domain.ErrDenied) {
		t.Errorf("a customer hired staff: %v", err)
	}
	got, err := s.CreateStaff(t.Context(), commandtest.SystemCall(), cmd)
	if err != nil || got.Existing {
		t.Fatalf("%+v, %v", got, err)
	}
	if m := load(s, staff.Decider.At(got.ID)); m.Role != delegation.RoleAdmin {
		t.Errorf("hired as %+v", m)
	}
	if in, err := s.logIn(zoe.Email, zoe.Password); err != nil || in.UserID != got.ID {
		t.Errorf("logged in as %+v, %v", in, err)
	}
	again, err := s.CreateStaff(t.Context(), commandtest.SystemCall(), cmd)
	if err != nil || again.ID != got.ID || !again.Existing {
		t.Errorf("again: %+v, %v", again, err)
	}
	if n := s.streams()["message"]; n != 0 {
		t.Errorf("%d mails about it", n)
	}
	stranger := commands.RegisterUser{Email: "ada@example.com", Password: zoe.Password, Name: "Ada", Locale: user.English}
	s.register(stranger)
	if _, err := s.CreateStaff(t.Context(), commandtest.SystemCall(), commands.CreateStaff{RegisterUser: stranger, Role: delegation.RoleAdmin}); !errors.Is(err, user.ErrNotProven) {
		t.Errorf("who registered an address, and may be anybody, was hired: %v", err)
	}
}

func TestAnAccountIsOpenedByItsOwner(t *testing.T) {
	t.Parallel()
	open := commands.OpenAccount{Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR"}
	opened := account.Opened{
		Owner: "usr_1", Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR",
		Kept: account.Identity{Name: "Zoé Martin", Country: "FR"},
	}
	zoe := domain.Actor{Kind: domain.ActorUser, ID: "usr_1"}
	commandtest.For(t, account.Decider).When(open.By(zoe)).Then(opened)
	commandtest.For(t, account.Decider).Given(opened).When(open.By(zoe)).Refused(account.ErrExists)

	forged := open
	forged.Owner = "usr_2"
	commandtest.For(t, account.Decider).When(forged.By(zoe)).Then(opened)
	theirs := opened
	theirs.Owner = "usr_2"
	commandtest.For(t, account.Decider).When(forged.By(domain.Actor{Kind: domain.ActorDemo, ID: "demo"})).Then(theirs)
}

func TestAnAccountIsItsOwnOwnerInTheMetadata(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	call := commandtest.Call()
	call.Account = ""
	r, err := commands.Execute(t.Context(), s.Dispatcher, call, commands.OpenAccount{Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := commands.Execute(t.Context(), s.Dispatcher, call, commands.OpenAccount{Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR"}); err != nil || !again.Replayed || again.ID != r.ID {
		t.Errorf("a repeat: %+v, %v", again, err)
	}
	for stored, err := range s.Store.ReadStream(t.Context(), r.Stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		m, err := eventstore.MetaOf(stored)
		if err != nil || m.Account != r.ID {
			t.Errorf("the metadata name %q, %v", m.Account, err)
		}
	}
	name := "Mallory"
	if _, err := commands.Execute(t.Context(), s.Dispatcher, commandtest.Call(), commands.UpdateAccount{AccountID: r.ID, Name: &name}); !errors.Is(err, account.ErrMissing) {
		t.Errorf("changed under the path of another account: %v", err)
	}
}

// The distributions stand in the log of a verbose run; what is asserted is
// that no answer comes before its time.
func TestAStopwatchDoesNotTellWhetherAnAddressIsKnown(t *testing.T) {
	t.Parallel()
	s := newPortal(t)
	s.register(zoe)
	fresh := zoe
	fresh.Email = "fresh@example.com"
	for name, do := range map[string]func(){
		"a known address is registered":   func() { s.register(zoe) },
		"a fresh address is registered":   func() { s.register(fresh) },
		"a known address, wrong password": func() { _, _ = s.logIn(zoe.Email, "wrong") },
		"an unknown address":              func() { _, _ = s.logIn("nobody@example.com", "wrong") },
	} {
		start := time.Now()
		do()
		took := time.Since(start)
		t.Logf("%s: %s", name, took)
		if took < 250*time.Millisecond {
			t.Errorf("%s was answered after %s", name, took)
		}
	}
}
