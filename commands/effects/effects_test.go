package effects_test

import (
	"context"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/commands/effects"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/process"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/projections/migrations"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// patience bounds every wait.
const patience = 60 * time.Second

// company is the write side with its process managers and jobs, all real.
type company struct {
	*commands.Dispatcher
	t     *testing.T
	store *commandtest.Faulty
	db    *pgxpool.Pool
	logID uuid.UUID
	owner string
	sink  mail.Sink
	stop  func()
}

func newCompany(t *testing.T, sink mail.Sink) *company {
	t.Helper()
	c := &company{t: t, store: &commandtest.Faulty{Store: commandtest.Engine(t)}, sink: sink}
	c.db, _ = projectiontest.Database(t)
	var err error
	if c.logID, err = eventstore.LogID(t.Context(), c.store, uuid.New(), time.Now()); err != nil {
		t.Fatal(err)
	}
	c.Dispatcher = commandtest.Dispatcher(t, c.store, append(eventstore.LogTypes(), catalog.Types()...)...)
	c.Clock = time.Now
	c.Vault = vaulttest.Open(t, c.db, c.store)
	c.Pepper, c.Codec = c.Vault.Pepper(), c.Codec.WithKeys(c.Vault)
	c.Mails = mailtext.Writer{Base: "https://portal.example.com"}

	registered, err := c.RegisterUser(t.Context(), commandtest.SystemCall(), zoe)
	if err != nil {
		t.Fatal(err)
	}
	c.owner = registered.ID
	run(c, commands.OpenAccount{
		AccountID: "acc_1", Owner: c.owner, Name: "Zoé Martin", Kind: account.Individual, Country: "FR", Currency: "EUR",
	})
	run(c, commands.SetSeller{Details: seller.Details{
		Name: "Hostfold SAS", LegalForm: "SAS", SIREN: "123456789", VATNumber: "FR32123456789",
		Address: seller.Address{Line1: "1 rue de la Paix", PostalCode: "69001", City: "Lyon", Country: "FR"},
	}})
	return c
}

var zoe = commands.RegisterUser{Email: "zoe@example.com", Password: "tulip bridge copper nine", Name: "Zoé Martin", Locale: user.French, Vouched: true}

func run[C commands.Command[S, E], S any, E domain.Event](c *company, cmd C) commands.Receipt {
	c.t.Helper()
	r, err := commands.Execute(c.t.Context(), c.Dispatcher, commandtest.SystemCall(), cmd)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// start runs lanes and jobs until stop or the end of the test.
func (c *company) start() {
	c.t.Helper()
	jobs, err := effects.New(effects.Config{
		Pool: c.db, Dispatcher: c.Dispatcher, Mails: c.sink, From: netmail.Address{Name: "Hostfold", Address: "billing@example.com"}, Owner: "test",
	})
	if err != nil {
		c.t.Fatal(err)
	}
	// A negative wait lets what is broken be finished at once.
	runner, err := feed.New(feed.Config{
		Store: c.store, Codec: c.Codec, DB: c.db, LogID: c.logID, Owner: "test", Clock: time.Now,
		Lanes: process.Lanes(jobs.Client(), -time.Second),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	var wg sync.WaitGroup
	for _, part := range []func(context.Context) error{jobs.Run, runner.Run} {
		wg.Go(func() {
			if err := part(ctx); err != nil {
				c.t.Error(err)
			}
		})
	}
	c.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	c.t.Cleanup(c.stop)
}

func (c *company) draft() string {
	c.t.Helper()
	r, err := commands.Execute(c.t.Context(), c.Dispatcher, commandtest.StaffCall("acc_1"), commands.DraftInvoice{
		AccountID: "acc_1", Lines: []invoice.NewLine{{Description: "VPS-5", Quantity: "1", UnitPrice: money.EUR(1000), VATRate: "20"}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return r.ID
}

func (c *company) issue(id string) error {
	c.t.Helper()
	_, err := c.IssueInvoice(c.t.Context(), commandtest.StaffCall("acc_1"), commands.IssueInvoice{InvoiceID: id})
	return err
}

// waitFor waits until the log holds n events of a type, and answers them.
func (c *company) waitFor(prefix string, n int) []eventstore.Recorded {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	sub, err := c.store.Subscribe(ctx, eventstore.Start, eventstore.Filter{Types: []string{prefix}})
	if err != nil {
		c.t.Fatal(err)
	}
	defer sub.Close()
	var all []eventstore.Recorded
	for len(all) < n {
		b, err := sub.Next(ctx, 100)
		if err != nil {
			c.t.Fatalf("wait for %d of %s, seen %d: %v", n, prefix, len(all), err)
		}
		all = append(all, b.Events...)
	}
	return all
}

func office(t *testing.T) (*postOffice, mail.Sink) {
	t.Helper()
	p := newPostOffice(t)
	sink, err := mail.NewSMTP(p.url)
	if err != nil {
		t.Fatal(err)
	}
	return p, sink
}

func TestAnIssuedInvoiceMakesOneMail(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	c := newCompany(t, sink)
	c.start()
	if err := c.issue(c.draft()); err != nil {
		t.Fatal(err)
	}
	sent := c.waitFor("message.sent.", 1)
	got := p.received()
	if len(got) != 1 || !strings.Contains(header(got[0], "To"), "zoe@example.com") || !strings.Contains(header(got[0], "From"), "billing@example.com") {
		t.Fatalf("received %q", got)
	}
	_, id, _ := strings.Cut(sent[0].Stream, "-")
	if want := "<" + id + "@example.com>"; header(got[0], "Message-ID") != want {
		t.Errorf("Message-ID %q, want %q", header(got[0], "Message-ID"), want)
	}
	for _, want := range []string{"F" + time.Now().Format("2006") + "-000001", "text/html", "https://portal.example.com/portal/acc_1/invoices/"} {
		if !strings.Contains(strings.ReplaceAll(got[0], "=\r\n", ""), want) {
			t.Errorf("%q is not in the mail:\n%s", want, got[0])
		}
	}
}

func TestTheBillingAddressGetsACopyOfTheInvoiceMail(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	c := newCompany(t, sink)
	run(c, commands.SetBillingIdentity{AccountID: "acc_1", BillingIdentity: account.BillingIdentity{
		Kind: account.Individual, Name: "Zoé Martin", Country: "FR", Email: "compta@example.com",
		Address: account.Address{Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris"},
	}})
	c.start()
	if err := c.issue(c.draft()); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 2)
	var to []string
	for _, m := range p.received() {
		to = append(to, header(m, "To"))
		if strings.Contains(header(m, "To"), "compta@") && strings.Contains(m, "Zo=C3=A9") {
			t.Errorf("an address that nobody verified is told a name:\n%s", m)
		}
	}
	slices.Sort(to)
	if diff := cmp.Diff([]string{"<compta@example.com>", "<zoe@example.com>"}, to); diff != "" {
		t.Error(diff)
	}
}

func TestEverythingButTheVaultIsDroppedAndNoMailGoesOut(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	c := newCompany(t, sink)
	c.start()
	for range 3 {
		if err := c.issue(c.draft()); err != nil {
			t.Fatal(err)
		}
	}
	c.waitFor("message.sent.", 3)
	c.stop()
	if _, err := c.db.Exec(t.Context(), `DROP SCHEMA read, feed, river, web CASCADE`); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), c.db); err != nil {
		t.Fatal(err)
	}
	// A new process has new connections, which know none of the old statements.
	c.db.Reset()
	c.start()
	// The next invoice's mail comes after all that the rebuilt lanes asked for.
	if err := c.issue(c.draft()); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 4)
	c.stop()
	seen := map[string]bool{}
	for _, m := range p.received() {
		seen[header(m, "Message-ID")] = true
	}
	if n := len(p.received()); n != 4 || len(seen) != 4 {
		t.Errorf("%d mails with %d Message-IDs, want 4", n, len(seen))
	}
	if queued := c.waitFor("message.queued.", 4); len(queued) != 4 {
		t.Errorf("%d mails were queued, want 4", len(queued))
	}
}

func TestAMailThatIsRefusedForNowIsSentLater(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	p.refuseNext(&smtp.SMTPError{Code: 451, Message: "try again"})
	c := newCompany(t, sink)
	c.start()
	if err := c.issue(c.draft()); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 1)
	if n := len(p.received()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

func TestAMailThatIsRefusedForGoodIsGivenUp(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	p.refuseNext(&smtp.SMTPError{Code: 550, Message: "no such mailbox"})
	c := newCompany(t, sink)
	c.start()
	if err := c.issue(c.draft()); err != nil {
		t.Fatal(err)
	}
	failed := c.waitFor("message.failed.", 1)
	e, _, err := c.Codec.Decode(t.Context(), failed[0])
	if err != nil || e != domain.Event(message.Failed{Code: 550}) || len(p.received()) != 0 {
		t.Errorf("%+v, %v, %d mails", e, err, len(p.received()))
	}
}

func TestAMailWhoseOutcomeIsLostGoesOutAgainUnderTheSameID(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	c := newCompany(t, sink)
	c.store.Fail(commandtest.Fault{Times: 1, Fails: func(_ string, events []eventstore.NewEvent) error {
		if strings.HasPrefix(events[0].Type, "message.sent.") {
			return eventstore.ErrUnavailable
		}
		return nil
	}})
	c.start()
	if err := c.issue(c.draft()); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 1)
	got := p.received()
	if len(got) != 2 || header(got[0], "Message-ID") != header(got[1], "Message-ID") {
		t.Errorf("%d mails, %q", len(got), got)
	}
}

func TestWhatACrashBrokeOffIsFinished(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"before the number": "series.number_allocated.", "after the number": "invoice.issued."} {
		t.Run("an invoice "+name, func(t *testing.T) {
			t.Parallel()
			_, sink := office(t)
			c := newCompany(t, sink)
			id := c.draft()
			c.away(at)
			if err := c.issue(id); domain.KindOf(err) != domain.KindUnavailable {
				t.Fatalf("got %v", err)
			}
			c.store.Heal()
			c.start()
			c.waitFor("invoice.issued.", 1)
			c.waitFor("message.sent.", 1)
			inv, err := commands.Load(t.Context(), c.Streams(), invoice.Decider.At(id))
			if err != nil || inv.Status != invoice.StatusUnpaid || !strings.HasSuffix(inv.Number, "-000001") {
				t.Errorf("%+v, %v", inv, err)
			}
		})
	}
	for _, at := range []string{"creditnote.issue_requested.", "series.", "creditnote.issued.", "invoice.credit_applied."} {
		t.Run("a credit note before "+at, func(t *testing.T) {
			t.Parallel()
			_, sink := office(t)
			c := newCompany(t, sink)
			id := c.draft()
			if err := c.issue(id); err != nil {
				t.Fatal(err)
			}
			c.away(at)
			call := commandtest.StaffCall("acc_1")
			if _, err := c.CreditInvoice(t.Context(), call, commands.CreditInvoice{InvoiceID: id, Reason: "Billed twice"}); domain.KindOf(err) != domain.KindUnavailable {
				t.Fatalf("got %v", err)
			}
			c.store.Heal()
			c.start()
			c.waitFor("invoice.credited.", 1)
			note, err := commands.Load(t.Context(), c.Streams(), creditnote.Decider.At(commands.NewID(call.CommandID, "crn")))
			if err != nil || !strings.HasSuffix(note.Number, "-000001") {
				t.Errorf("%+v, %v", note, err)
			}
		})
	}
	t.Run("a registration", func(t *testing.T) {
		t.Parallel()
		_, sink := office(t)
		c := newCompany(t, sink)
		c.away("reservation.taken.")
		other := zoe
		other.Email = "other@example.com"
		if _, err := c.RegisterUser(t.Context(), commandtest.SystemCall(), other); domain.KindOf(err) != domain.KindUnavailable {
			t.Fatalf("got %v", err)
		}
		c.store.Heal()
		c.start()
		c.waitFor("reservation.taken.", 2)
	})
}

// away lets the store refuse events whose type has a prefix.
func (c *company) away(prefix string) {
	c.store.Fail(commandtest.Fault{Fails: func(_ string, events []eventstore.NewEvent) error {
		for _, e := range events {
			if strings.HasPrefix(e.Type, prefix) {
				return eventstore.ErrUnavailable
			}
		}
		return nil
	}})
}

func TestTheOwnerOfAnAddressIsWarnedByMail(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	c := newCompany(t, sink)
	c.start()
	if _, err := c.RegisterUser(t.Context(), commandtest.SystemCall(), zoe); err != nil {
		t.Fatal(err)
	}
	c.waitFor("message.sent.", 1)
	if got := p.received(); len(got) != 1 || !strings.Contains(header(got[0], "To"), "zoe@example.com") {
		t.Errorf("received %q", got)
	}
}

func TestAMailWhoseLinkHoldsNoMoreIsNotSent(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	c := newCompany(t, sink)
	verify, err := c.Mails.VerifyEmail(c.owner, user.User{Email: "zoe@example.com", Locale: user.French})
	if err != nil {
		t.Fatal(err)
	}
	// Its link was never made, or was used, or has expired.
	run(c, commands.QueueMessage{MessageID: commands.MessageID(uuid.New(), verify.Template, c.owner), Mail: verify})
	c.start()
	c.waitFor("message.failed.", 1)
	if got := p.received(); len(got) != 0 {
		t.Errorf("received %q", got)
	}
}

func TestARegistrationIsMailedItsLink(t *testing.T) {
	t.Parallel()
	p, sink := office(t)
	c := newCompany(t, sink)
	c.registeredBefore("usr_bob", user.Registered{Email: "bob@example.com", Name: "Bob", Locale: user.English, Credential: "cred_bob"})
	c.start()
	c.waitFor("message.sent.", 1)
	if got := p.received(); len(got) != 1 || !strings.Contains(strings.ReplaceAll(got[0], "=\r\n", ""), "/portal/verify-email#") {
		t.Errorf("who registered before an upgrade received %q", got)
	}
	ada := commands.RegisterUser{Email: "ada@example.com", Password: zoe.Password, Name: "Ada", Locale: user.English}
	r, err := c.RegisterUser(t.Context(), commandtest.SystemCall(), ada)
	if err != nil {
		t.Fatal(err)
	}
	sent := c.waitFor("message.sent.", 2)
	_, id, _ := strings.Cut(sent[1].Stream, "-")
	secret, found, err := c.Vault.MailSecret(t.Context(), id)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	got := p.received()
	if len(got) != 2 || !strings.Contains(strings.ReplaceAll(got[1], "=\r\n", ""), "https://portal.example.com/portal/verify-email#"+secret) {
		t.Errorf("received %q", got)
	}
	for e, err := range c.store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		clear, err := c.Codec.Decrypt(t.Context(), e)
		if err != nil || strings.Contains(string(clear)+string(e.Metadata), secret) {
			t.Errorf("the secret stands in %s, %v", e.Type, err)
		}
	}
	var jobs int
	if err := c.db.QueryRow(t.Context(), `SELECT count(*) FROM river.river_job WHERE args::text LIKE '%' || $1 || '%'`, secret).Scan(&jobs); err != nil || jobs != 0 {
		t.Errorf("it stands in %d jobs, %v", jobs, err)
	}
	if _, err := c.VerifyEmail(t.Context(), commandtest.Call(), commands.VerifyEmail{Token: secret}); err != nil {
		t.Fatal(err)
	}
	if u, err := commands.Load(t.Context(), c.Streams(), user.Decider.At(r.ID)); err != nil || !u.Verified {
		t.Errorf("%+v, %v", u, err)
	}
}

// registeredBefore has a user register as version 1 wrote it.
func (c *company) registeredBefore(id string, e user.Registered) {
	c.t.Helper()
	at := user.Decider.At(id)
	stored, err := c.Codec.Encode(c.t.Context(), at.Stream(), uuid.New(), e, eventstore.Metadata{
		Actor: domain.Actor{Kind: domain.ActorUser, ID: id}, CommandID: uuid.New(), Command: "RegisterUser", OccurredAt: time.Now(),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	stored.Type = "user.registered.v1"
	if _, err := c.store.Append(c.t.Context(), at.Stream(), eventstore.NoStream(), stored); err != nil {
		c.t.Fatal(err)
	}
}

func TestWithoutAServerMailsAreFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mails")
	c := newCompany(t, mail.Folder{Dir: dir})
	c.start()
	if err := c.issue(c.draft()); err != nil {
		t.Fatal(err)
	}
	sent := c.waitFor("message.sent.", 1)
	_, id, _ := strings.Cut(sent[0].Stream, "-")
	text, err := os.ReadFile(filepath.Join(dir, id+".eml"))
	if err != nil || header(string(text), "Message-ID") != "<"+id+"@example.com>" {
		t.Errorf("%v:\n%s", err, text)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestOnlyURLsOfMailServersAreTaken(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"smtp://127.0.0.1:25", "smtps://user:secret@mail.example.com", "smtp://mail.example.com:587?tls=required"} {
		if _, err := mail.NewSMTP(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "mail.example.com:25", "http://mail.example.com", "smtp://", "smtp://mail.example.com?tls=perhaps"} {
		if _, err := mail.NewSMTP(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
