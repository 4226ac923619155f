package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/hostfold/hostfold/eventstore/node"
	portalhttp "github.com/hostfold/hostfold/http"
)

// serveCmd runs everything.
type serveCmd struct {
	Backends
	Addr           string         `help:"Address of the portal and the API; port 0 picks a free one." default:"127.0.0.1:8080" env:"HOSTFOLD_ADDR"`
	AdminAddr      string         `help:"Address of health detail and metrics, for operators only." default:"127.0.0.1:8081" env:"HOSTFOLD_ADMIN_ADDR"`
	NodeAddr       string         `help:"Address of the embedded event store, on loopback." default:"127.0.0.1:2113" env:"HOSTFOLD_NODE_ADDR"`
	NodeWrites     bool           `help:"Let clients of the embedded event store write to hostfold's own streams." env:"HOSTFOLD_NODE_WRITES"`
	PublicURL      string         `help:"Base of every link; the default is http:// and the address." name:"public-url" placeholder:"https://…" env:"HOSTFOLD_PUBLIC_URL"`
	TrustedProxies []netip.Prefix `help:"Networks whose forwarding headers count." placeholder:"NETWORK" env:"HOSTFOLD_TRUSTED_PROXIES"`
	CallsPerMinute int            `help:"How many reads a minute each user may ask for, sessions and API tokens together; a write counts as four, 0 is no limit." default:"1200" env:"HOSTFOLD_CALLS_PER_MINUTE"`
	PasswordWords  []string       `help:"Words that count for nothing in passwords, beside the brand and the names in the public URL: products, places." placeholder:"WORD" env:"HOSTFOLD_PASSWORD_WORDS"`
	Breached       string         `help:"File of stolen passwords that are refused, as Have I Been Pwned has it: SHA-1, ordered by hash." name:"breached-passwords" placeholder:"FILE" env:"HOSTFOLD_BREACHED_PASSWORDS" type:"path"`
	Brand          string         `help:"Name of the hosting company, as the pages show it." default:"hostfold" env:"HOSTFOLD_BRAND"`
	Zone           string         `help:"Time zone in which the pages show times of day." default:"UTC" placeholder:"Europe/Paris" env:"HOSTFOLD_ZONE"`
	MailFrom       string         `help:"Address that mail comes from." default:"hostfold <noreply@localhost.localdomain>" placeholder:"NAME <ADDRESS>" env:"HOSTFOLD_MAIL_FROM"`
	SMTPURL        string         `help:"Mail server; without one, mail is written to files in the data folder." name:"smtp-url" placeholder:"smtp://…" env:"SMTP_URL"`
	Demo           bool           `help:"Load the demo account first." env:"HOSTFOLD_DEMO"`
	DemoPassword   string         `help:"Password of the demo log-ins; generated and printed by default." env:"HOSTFOLD_DEMO_PASSWORD"`
}

// listeners are the ports, taken before anything is started.
type listeners struct{ portal, admin, node net.Listener }

// Run serves until it is told to stop.
func (s serveCmd) Run(ctx context.Context, g *Globals, c *console) error {
	log := g.logger(c)
	f, err := openFolder(g.Data)
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%w%s: stop that process, or set HOSTFOLD_DATA to another folder", err, byWhom(g.Data))
	}
	if err != nil {
		return err
	}
	ports, err := s.listen(ctx)
	if err == nil {
		run := &server{serveCmd: s, log: log, folder: f, ports: ports, say: &announcer{console: c, log: log}}
		err = run.serve(ctx)
	}
	return errors.Join(err, f.removeRun(), f.Close())
}

// byWhom names the server that holds a folder; "" when it is another command, or
// a server that is just starting: what a killed one has left says nothing.
func byWhom(dir string) string {
	r, err := readRun(dir)
	if err != nil || errors.Is(syscall.Kill(r.PID, 0), syscall.ESRCH) {
		return ""
	}
	return fmt.Sprintf(" (process %d)", r.PID)
}

func (s serveCmd) listen(ctx context.Context) (l listeners, err error) {
	take := func(addr, option string) net.Listener {
		if err != nil {
			return nil
		}
		var taken net.Listener
		taken, err = listen(ctx, addr, option)
		return taken
	}
	l.portal = take(s.Addr, "HOSTFOLD_ADDR")
	l.admin = take(s.AdminAddr, "HOSTFOLD_ADMIN_ADDR")
	if s.ESDBURL == "" {
		l.node = take(s.NodeAddr, "HOSTFOLD_NODE_ADDR")
		if err == nil && !isLoopback(l.node) {
			err = fmt.Errorf("the event store would listen on %s, but nobody is asked for a password there: set HOSTFOLD_NODE_ADDR to an address of loopback, such as 127.0.0.1:2113", l.node.Addr())
		}
	}
	if err != nil {
		err = errors.Join(err, l.close(l.portal, l.admin, l.node))
	}
	return l, err
}

// close gives up ports that nothing was served on.
func (listeners) close(some ...net.Listener) error {
	var errs []error
	for _, one := range some {
		if one != nil {
			errs = append(errs, one.Close())
		}
	}
	return errors.Join(errs...)
}

// server is one run of serve.
type server struct {
	serveCmd
	log     *slog.Logger
	folder  *folder
	ports   listeners
	say     *announcer
	metrics *metrics
	health  *health
	// front takes requests and is stopped first; run is what works behind it.
	front, run *services
	gate       *gate
	back       *backends
	parts      *parts
}

// serve starts the parts from the bottom up and stops them from the top down.
func (s *server) serve(ctx context.Context) error {
	s.metrics, s.health, s.gate = newMetrics(), newHealth(), &gate{}
	s.front, s.run = newServices(s.log), newServices(s.log)
	err := s.open(ctx)
	if err == nil {
		s.health.ready(s.parts)
		_, err = fmt.Fprintf(s.say, "ready http://%s\n", s.ports.portal.Addr())
		if s.say.terminal() {
			s.say.Say("Ctrl-C stops it.")
		}
	}
	switch {
	case err == nil:
		if s.wait(ctx) {
			s.say.Say("Stopping.")
		}
	case ctx.Err() != nil:
		err = nil // told to stop while starting
	}
	s.health.drain()
	err = errors.Join(err, s.front.stop(), s.run.stop())
	if s.back != nil {
		err = errors.Join(err, s.back.Close())
	}
	return err
}

// wait returns when ctx ends, which is told as true, or a service fails.
func (s *server) wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	case <-s.front.failed:
	case <-s.run.failed:
	}
	return false
}

// open starts everything. What it started before an error is stopped by serve.
func (s *server) open(ctx context.Context) (err error) {
	s.front.start("portal", serveHTTP(portalhttp.NewServer(s.gate, s.log), s.ports.portal, s.log))
	secret, err := s.folder.secret("control-secret")
	if err != nil {
		return errors.Join(err, s.ports.close(s.ports.admin, s.ports.node))
	}
	admin := adminHandler(s.health, s.metrics, control(secret, s.log, tools(), s.health.open))
	s.run.start("admin server", serveHTTP(&http.Server{Handler: admin, ReadHeaderTimeout: 5 * time.Second}, s.ports.admin, s.log))
	if s.back, err = openBackends(ctx, s.log, s.folder, s.Backends, s.say); err != nil {
		return errors.Join(err, s.ports.close(s.ports.node))
	}
	s.run.start("private postgres", s.back.keepPostgres)
	s.metrics.watchNode(s.back.engine)
	if s.ports.node != nil {
		s.run.start("event store server", func(ctx context.Context) error {
			return node.Serve(ctx, s.back.engine, s.ports.node, node.ServeOptions{MayWrite: s.mayWrite(), Seed: true, Logger: s.log})
		})
	}
	public, err := s.publicURL(s.ports.portal.Addr())
	if err != nil {
		return err
	}
	if err := s.encrypted(s.ports.portal.Addr(), public); err != nil {
		return err
	}
	s.say.Say("Bringing the database up to date.")
	if err := s.back.migrate(ctx); err != nil {
		return err
	}
	var end func()
	s.parts, end, err = s.assemble(ctx, public)
	defer func() { end() }()
	if err != nil {
		return err
	}
	s.parts.run(s.run)
	if err := s.parts.settle(ctx); err != nil {
		return err
	}
	if s.Demo {
		if err := s.parts.loadDemo(ctx, s.DemoPassword, s.say); err != nil {
			return err
		}
	}
	handler, err := s.parts.handler(s.serveCmd, public, s.hosts(public), s.health.check)
	if err != nil {
		return err
	}
	s.gate.open(handler)
	return s.folder.writeRun(runFile{PID: os.Getpid(), Admin: s.ports.admin.Addr().String(), Socket: s.back.socket(), Secret: secret})
}

// mayWrite keeps clients of the event store out of streams whose rules they
// would break, and out of their metadata, which can hide events.
func (s *server) mayWrite() func(stream string) error {
	own := ownCategories()
	return func(stream string) error {
		category, _, _ := strings.Cut(strings.TrimLeft(stream, "$"), "-")
		if s.NodeWrites || !own[category] {
			return nil
		}
		return errors.New("hostfold's own streams are written by commands only")
	}
}

// hosts are the names that the portal answers for.
func (s *server) hosts(public *url.URL) []string {
	return portalhttp.OwnHosts(public, s.ports.portal.Addr())
}

// publicURL is the base of links.
func (s *server) publicURL(addr net.Addr) (*url.URL, error) {
	text := s.PublicURL
	if text == "" {
		text = "http://" + addr.String()
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("HOSTFOLD_PUBLIC_URL is %q: give it as https://portal.example.com", text)
	}
	u.Path = ""
	return u, nil
}

// announcer talks to a person on a terminal and to the log elsewhere; results
// go to standard output either way.
type announcer struct {
	*console
	log *slog.Logger
}

// Say prints a line on a terminal, or logs it.
func (a *announcer) Say(text string) {
	if a.terminal() {
		a.console.Say(text)
		return
	}
	a.log.Info(text)
}

// Step draws a bar on a terminal, or logs.
func (a *announcer) Step(what string, done, total uint64) {
	if a.terminal() {
		a.console.Step(what, done, total)
		return
	}
	if done == total {
		a.log.Info(what, "done", done)
	}
}
