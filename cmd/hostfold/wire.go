package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	netmail "net/mail"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/effects"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/process"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/audit"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/demo"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/roster"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/series"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/http/portal"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/answers"
	"github.com/hostfold/hostfold/projections/migrations"
)

// parts is everything that commands, queries and tools run on.
type parts struct {
	*backends
	logID      uuid.UUID
	codec      *eventstore.Codec
	vault      *vault.Vault
	dispatcher *commands.Dispatcher
	owner      string
	runner     *feed.Runner
	jobs       *effects.Jobs // nil outside a server
	feed       *projections.Feed
	reader     *projections.Reader
	metrics    *metrics
	// serving is true in a server: the lanes run.
	serving bool
}

// migrate brings the database up to date.
func (b *backends) migrate(ctx context.Context) error {
	return errors.Join(migrations.Up(ctx, b.pool), vault.Migrate(ctx, b.pool))
}

// openParts opens everything without serving anything. The database is up to
// date.
func openParts(ctx context.Context, b *backends, m *metrics) (*parts, error) {
	if err := sameLog(ctx, b); err != nil {
		return nil, err
	}
	logID, err := eventstore.LogID(ctx, b.store, uuid.New(), time.Now())
	if err != nil {
		return nil, err
	}
	return newParts(ctx, b, m, logID)
}

// newParts makes the parts over the log with an id; nothing is asked of the
// store.
func newParts(ctx context.Context, b *backends, m *metrics, logID uuid.UUID) (*parts, error) {
	kek, err := openMasterKeys(ctx, b)
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(ctx, vault.Config{Pool: b.pool, Wrapper: kek, Store: b.store, Clock: time.Now, AcceptLost: b.acceptLost})
	if err != nil {
		return nil, err
	}
	codec, err := eventstore.NewCodec(slices.Concat(catalog.Types(), eventstore.LogTypes())...)
	if err != nil {
		return nil, err
	}
	codec = codec.WithKeys(v)
	owner, err := b.folder.secret("owner")
	if err != nil {
		return nil, err
	}
	p := &parts{backends: b, logID: logID, codec: codec, vault: v, owner: owner, metrics: m}
	p.dispatcher = &commands.Dispatcher{Store: b.store, Codec: codec, Vault: v, Pepper: v.Pepper(), Clock: time.Now, Rand: rand.Reader}
	return p, p.lanes(projections.Lanes(projections.Models()...))
}

// openMasterKeys opens the key file, or makes it for a vault that is empty.
func openMasterKeys(ctx context.Context, b *backends) (*vault.KeyFile, error) {
	if _, err := os.Stat(b.keyFile); errors.Is(err, fs.ErrNotExist) {
		used, err := vault.Used(ctx, b.pool)
		if err != nil {
			return nil, err
		}
		if used {
			return nil, fmt.Errorf("the file %s is not there, and without the master keys in it the vault cannot be opened: put it back from where you keep it, or name it with HOSTFOLD_VAULT_KEY; nothing was changed", b.keyFile)
		}
	}
	return vault.OpenKeyFile(b.keyFile)
}

// sameLog refuses an empty event store beside a database that was built from
// another one: the store was lost, and serving would begin a second history.
func sameLog(ctx context.Context, b *backends) error {
	for _, err := range b.store.ReadStream(ctx, eventstore.LogStream, 0) {
		if err != nil {
			return fmt.Errorf("read %s: %w", eventstore.LogStream, err)
		}
		return nil // the log has an id; the lanes compare it with their own
	}
	known, found, err := feed.KnownLog(ctx, b.pool)
	if err != nil {
		return err
	}
	if found {
		return fmt.Errorf("the event store is empty, but the database was built from the event log %s: restore the event store from a backup, or, to begin with nothing, take an empty database too; nothing was changed", known)
	}
	return nil
}

// lost says how far the log once went when it ends before that; both are the
// same when it does not.
func (p *parts) lost(ctx context.Context) (known, head eventstore.Position, err error) {
	if known, err = feed.LastHandled(ctx, p.pool, p.logID); err != nil {
		return known, head, err
	}
	if head, err = p.store.Head(ctx); err != nil || !head.Before(known) {
		return head, head, err
	}
	return known, head, nil
}

// unshortened refuses a log that has lost its end: what would be written to it
// now would stand where other events stood.
func (p *parts) unshortened(ctx context.Context) error {
	known, head, err := p.lost(ctx)
	if err != nil || known == head {
		return err
	}
	return fmt.Errorf("the event store ends at %s, but the read models know events up to %s: it has lost its end; restore the event store from a backup, or, to go on without what is lost, drop the schemas read, feed, river and web of the database, which are then built again; nothing was changed", head, known)
}

// lanes makes the runner of some lanes, and the reader that waits for them.
func (p *parts) lanes(lanes []feed.Lane) (err error) {
	p.runner, err = feed.New(feed.Config{
		Store: p.store, Codec: p.codec, DB: p.pool, LogID: p.logID, Owner: p.owner, Clock: time.Now, Log: p.log, Observe: p.metrics.batch,
		Lanes: lanes,
	})
	p.reader = projections.NewReader(p.pool, p.runner, p.logID).Archived(p.store, p.codec)
	p.reader.Witnessed(commands.NewWitness(p.dispatcher))
	return err
}

// wire opens the parts to be served: vault and log must match first.
func wire(ctx context.Context, b *backends, m *metrics, c serveCmd, public *url.URL) (*parts, error) {
	p, err := openParts(ctx, b, m)
	if err != nil {
		return nil, err
	}
	if err := p.unshortened(ctx); err != nil {
		return nil, err
	}
	repairs, err := p.vault.Compare(ctx)
	if err != nil {
		return nil, fmt.Errorf("compare the vault with the log: %w", err)
	}
	if repairs != (vault.Repairs{}) {
		b.log.Warn("vault and log were brought together", "announced", repairs.Announced, "noted", repairs.Renoted, "destroyed", repairs.Destroyed, "untold", repairs.Untold)
	}
	p.dispatcher.Mails, p.dispatcher.Brand = mailtext.Writer{Base: public.String()}, c.Brand
	if p.dispatcher.Passwords, err = c.passwords(public); err != nil {
		return nil, err
	}
	if p.dispatcher.Passkeys, err = commands.NewRelyingParty(public.String(), c.Brand); err != nil {
		return nil, err
	}
	mails, from, err := c.mails(b.folder)
	if err != nil {
		return nil, err
	}
	p.jobs, err = effects.New(effects.Config{Pool: b.pool, Dispatcher: p.dispatcher, Mails: mails, From: *from, Owner: p.owner, Log: quiet(b.log)})
	if err != nil {
		return nil, err
	}
	err = p.lanes(slices.Concat(projections.Lanes(projections.Models()...), process.Lanes(p.jobs.Client(), 0)))
	p.feed = projections.NewFeed(p.reader, b.store, p.codec)
	p.serving = true
	return p, err
}

// passwords says which passwords are refused here.
func (s serveCmd) passwords(public *url.URL) (p commands.Passwords, err error) {
	p.Words = append([]string{s.Brand, public.Hostname()}, s.PasswordWords...)
	if s.Breached != "" {
		p.Breached, err = commands.OpenBreached(s.Breached)
	}
	return p, err
}

// mails is where mail goes: the server, or files in the data folder.
func (s serveCmd) mails(f *folder) (mail.Sink, *netmail.Address, error) {
	from, err := netmail.ParseAddress(s.MailFrom)
	if err != nil {
		return nil, nil, fmt.Errorf("HOSTFOLD_MAIL_FROM is %q: give it as Name <address@example.com>", s.MailFrom)
	}
	if s.SMTPURL == "" {
		return mail.Folder{Dir: f.path("mail")}, from, nil
	}
	sink, err := mail.NewSMTP(s.SMTPURL)
	return sink, from, err
}

// run starts what works behind the requests.
func (p *parts) run(s *services) {
	p.metrics.watch(p.runner, p.pool)
	s.start("jobs", p.jobs.Run)
	s.start("lanes", p.runner.Run)
	s.start("event feed", p.feed.Run)
	s.start("answers", func(ctx context.Context) error { return answers.Store{DB: p.pool}.Run(ctx, time.Now) })
}

// handler is what the main port serves.
func (p *parts) handler(c serveCmd, public *url.URL, hosts []string, ready func() error) (http.Handler, error) {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return nil, fmt.Errorf("HOSTFOLD_ZONE is %q: give a time zone such as Europe/Paris", c.Zone)
	}
	config := portalhttp.Config{
		PublicURL: public, Hosts: hosts, TrustedProxies: c.TrustedProxies, Dispatcher: p.dispatcher, Vault: p.vault, Reader: p.reader,
		Pace:    portalhttp.NewPace(c.CallsPerMinute, time.Now),
		Answers: answers.Store{DB: p.pool}, Feed: p.feed, Audit: projections.NewAudit(p.reader, p.store, p.logID),
		Version: version, Ready: ready, Clock: time.Now, NewID: uuid.New, Log: p.log, Observe: p.metrics.request,
	}
	config.Pages = portal.New(portal.Config{Config: config, Brand: c.Brand, Zone: zone})
	return portalhttp.New(config), nil
}

// commandLine is a call from the command line, which may do everything.
func commandLine() commands.Call {
	id := uuid.New()
	return commands.Call{
		CommandID: id, CorrelationID: id.String(),
		Actor:  domain.Actor{Kind: domain.ActorSystem, ID: "command-line"},
		Grants: delegation.Grants{System: true},
	}
}

// tools are the commands that a running server does for the command line.
func tools() map[string]func() tool {
	return map[string]func() tool{
		"audit-replay":        func() tool { return new(auditReplayCmd) },
		"audit-export":        func() tool { return new(auditExportCmd) },
		"audit-verify":        func() tool { return new(auditVerifyCmd) },
		"migrate":             func() tool { return new(migrateCmd) },
		"projections-list":    func() tool { return new(projectionsListCmd) },
		"projections-rebuild": func() tool { return new(projectionsRebuildCmd) },
		"seller-set":          func() tool { return new(sellerSetCmd) },
		"staff-create":        func() tool { return new(staffCreateCmd) },
		"staff-reset-factor":  func() tool { return new(staffResetFactorCmd) },
		"staff-deactivate":    func() tool { return new(staffDeactivateCmd) },
		"staff-list":          func() tool { return new(staffListCmd) },
		"staff-role":          func() tool { return new(staffRoleCmd) },
		"projections-verify":  func() tool { return new(projectionsVerifyCmd) },
		"node-backup":         func() tool { return new(nodeBackupCmd) },
		"node-copy":           func() tool { return new(nodeCopyCmd) },
		"node-scavenge":       func() tool { return new(nodeScavengeCmd) },
		"node-verify":         func() tool { return new(nodeVerifyCmd) },
		"backup":              func() tool { return new(backupCmd) },
		"privacy-erase":       func() tool { return new(privacyEraseCmd) },
		"privacy-hold":        func() tool { return new(privacyHoldCmd) },
		"privacy-lift":        func() tool { return new(privacyLiftCmd) },
		"privacy-logins":      func() tool { return new(privacyLoginsCmd) },
		"privacy-unused":      func() tool { return new(privacyUnusedCmd) },
		"vault-rotate":        func() tool { return new(vaultRotateCmd) },
	}
}

// ownCategories are the categories of hostfold's streams.
func ownCategories() map[string]bool {
	own := map[string]bool{}
	for _, t := range slices.Concat(catalog.Types(), eventstore.LogTypes()) {
		category, _, _ := strings.Cut(t.Name, ".")
		own[category] = true
	}
	return own
}

// evolve applies one event to a state of any aggregate.
type evolve func(state any, e domain.Event) any

// folds has the fold of every category, for replays.
func folds() map[string]evolve {
	all := map[string]evolve{}
	add(all, account.Decider)
	add(all, announcement.Decider)
	add(all, apitoken.Decider)
	add(all, audit.Decider)
	add(all, creditnote.Decider)
	add(all, delegation.Decider)
	add(all, demo.Decider)
	add(all, domainname.Decider)
	add(all, hosting.Decider)
	add(all, impersonation.Decider)
	add(all, inspection.Decider)
	add(all, invoice.Decider)
	add(all, message.Decider)
	add(all, notification.Decider)
	add(all, privacy.Decider)
	add(all, product.Decider)
	add(all, reservation.Decider)
	add(all, roster.Decider)
	add(all, seller.Decider)
	add(all, series.Decider)
	add(all, staff.Decider)
	add(all, subjectkey.Decider)
	add(all, ticket.Decider)
	add(all, user.Decider)
	return all
}

func add[S any, E domain.Event](all map[string]evolve, d domain.Decider[S, E]) {
	all[d.Category] = func(state any, e domain.Event) any {
		s, _ := state.(S) // nothing yet is the zero state
		if own, ok := e.(E); ok {
			return d.Evolve(s, own)
		}
		return s
	}
}
