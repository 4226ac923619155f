package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/eventstore/node"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/answers"
	"github.com/hostfold/hostfold/projections/migrations"
)

// portal is row 4's portal with one account.
type portal struct {
	config         portalhttp.Config
	account, token string
	runner         *feed.Runner
}

// dashboard is row 4: the dashboard over HTTP, log-in and rights checked,
// beside a handler that only runs the same SELECT, the same one behind the same
// log-in, and one that reads memory.
func (w *world) dashboard(ctx context.Context) (lines []line, err error) {
	store, err := node.Open(filepath.Join(w.dir, "portal"), node.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	p, err := w.openPortal(ctx, store)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.runner.Run(running) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-done)
	}()
	if err := w.customer(ctx, p, store); err != nil {
		return nil, err
	}
	return w.dashboards(ctx, p)
}

func (w *world) openPortal(ctx context.Context, store *node.Engine) (*portal, error) {
	if err := errors.Join(migrations.Up(ctx, w.pool), vault.Migrate(ctx, w.pool)); err != nil {
		return nil, err
	}
	if _, err := w.pool.Exec(ctx, `TRUNCATE feed.lane`); err != nil {
		return nil, err
	}
	logID, err := eventstore.LogID(ctx, store, uuid.New(), time.Now())
	if err != nil {
		return nil, err
	}
	kek, err := vault.OpenKeyFile(filepath.Join(w.dir, "vault.key"))
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(ctx, vault.Config{Pool: w.pool, Wrapper: kek, Store: store, Clock: time.Now})
	if err != nil {
		return nil, err
	}
	codec, err := eventstore.NewCodec(append(eventstore.LogTypes(), catalog.Types()...)...)
	if err != nil {
		return nil, err
	}
	codec = codec.WithKeys(v)
	runner, err := feed.New(feed.Config{
		Store: store, Codec: codec, DB: w.pool, LogID: logID, Owner: "bench", Clock: time.Now, Lanes: projections.Lanes(projections.Models()...),
	})
	if err != nil {
		return nil, err
	}
	reader := projections.NewReader(w.pool, runner, logID)
	return &portal{runner: runner, config: portalhttp.Config{
		PublicURL:  &url.URL{Scheme: "http", Host: "portal.test"},
		Dispatcher: &commands.Dispatcher{Store: store, Codec: codec, Vault: v, Pepper: v.Pepper(), Clock: time.Now, Rand: rand.Reader},
		Vault:      v, Reader: reader, Answers: answers.Store{DB: w.pool}, Feed: projections.NewFeed(reader, store, codec),
		Audit: projections.NewAudit(reader, store, logID), Version: "bench", Clock: time.Now, NewID: uuid.New, Log: slog.New(slog.DiscardHandler),
	}}, nil
}

// customer makes a user with an account and a session, and waits until both
// can be read.
func (w *world) customer(ctx context.Context, p *portal, store *node.Engine) error {
	call := func() commands.Call {
		return commands.Call{CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorSystem, ID: "bench"}, Grants: delegation.Grants{System: true}}
	}
	d := p.config.Dispatcher
	user, err := d.RegisterUser(ctx, call(), commands.RegisterUser{Email: "ada@example.com", Password: rand.Text(), Name: "Ada", Locale: "en"})
	if err != nil {
		return err
	}
	opened, err := commands.Execute(ctx, d, call(), commands.OpenAccount{Owner: user.ID, Name: "Ada", Kind: account.Individual, Country: "FR", Currency: "EUR"})
	if err != nil {
		return err
	}
	p.account = opened.ID
	if p.token, _, err = p.config.Vault.OpenSession(ctx, user.ID, vault.Client{IP: "127.0.0.1"}, vault.LifeOf(false), vault.Proof{}); err != nil {
		return err
	}
	head, err := store.Head(ctx)
	return errors.Join(err, p.runner.Wait(ctx, "dashboard", head), p.runner.Wait(ctx, projections.RightsModel, head))
}

func (w *world) dashboards(ctx context.Context, p *portal) (lines []line, err error) {
	path := "/v1/accounts/" + p.account + "/dashboard"
	var handler http.Handler
	ours, err := serve(portalhttp.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }), p.config.Log))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	p.config.Hosts = []string{ours.addr}
	handler = portalhttp.New(p.config)
	bare, err := serve(&http.Server{Handler: w.bare(p), ReadHeaderTimeout: time.Minute})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	turn := func(addr, path string) func(context.Context) (sample, error) {
		return func(ctx context.Context) (sample, error) {
			var took []time.Duration
			s, err := w.measured(func() (n int, err error) {
				took, err = press(ctx, addr, path, p.token, w.Length)
				return len(took), err
			})
			s.slow = percentile(took, 0.99)
			return s, err
		}
	}
	got, err := w.inTurns(ctx, contender{"ours", turn(ours.addr, path)}, contender{"/db", turn(bare.addr, "/db")},
		contender{"/login+db", turn(bare.addr, "/login+db")}, contender{"/mem", turn(bare.addr, "/mem")})
	if err != nil {
		return nil, err
	}
	return []line{
		w.beside("4", "/db", got["ours"], got["/db"], 0.85),
		w.beside("4", "/db behind the same log-in", got["ours"], got["/login+db"], 0),
		w.beside("4", "/mem", got["ours"], got["/mem"], 0),
		cpuGate("4", "/db, Postgres and client included", got["ours"], got["/db"], 1.2),
		w.latency(got["ours"], got["/db"]),
		fact("4", "statements per request, beside the log-in", got["ours"], func(s sample) float64 { return float64(s.statements) / float64(s.ops) }, 0, 1.01),
		fact("4", "statements per log-in (session and rights)", got["ours"], func(s sample) float64 { return float64(s.logins) / float64(s.ops) }, 0, 0),
	}, nil
}

// latency compares the 99th percentiles, which say as little as rates on a
// machine that is not quiet.
func (w *world) latency(ours, db []sample) line {
	millis := func(s []sample) spread {
		return spreadOf(len(s), func(i int) float64 { return float64(s[i].slow) / float64(time.Millisecond) })
	}
	ratio := spreadOf(len(ours), func(i int) float64 { return float64(ours[i].slow) / float64(db[i].slow) })
	l := line{
		row: "4", what: fmt.Sprintf("p99 %.1f ms beside /db %.1f ms, %d clients", millis(ours).median, millis(db).median, connections),
		wall: ratio.String(), cpu: "-", target: "p99 <= 1.50", verdict: verdict(ratio.median <= 1.5),
	}
	if w.load > maxLoad {
		l.verdict = fmt.Sprintf("NOT JUDGED (load %.1f)", w.load)
	}
	return l
}

// bare is a router with nothing around it.
func (w *world) bare(p *portal) http.Handler {
	type document struct {
		Services, Domains, Unpaid, Tickets, Unread int
		Active, Latest, News                       json.RawMessage
		Name, Country                              string
	}
	read := func(ctx context.Context) (d document, err error) {
		err = w.pool.QueryRow(ctx, `
			SELECT services, domains, unpaid_invoices, open_tickets, unread_notifications,
			       active_services, latest_tickets, name, country,
			       (SELECT coalesce(jsonb_agg(n), '[]')
			        FROM (SELECT id, title, published_at
			              FROM read.announcement
			              WHERE published_at <= now()
			              ORDER BY published_at DESC, id DESC
			              LIMIT 3) n)
			FROM read.dashboard
			WHERE account = $1`, p.account).Scan(&d.Services, &d.Domains, &d.Unpaid, &d.Tickets, &d.Unread,
			&d.Active, &d.Latest, &d.Name, &d.Country, &d.News)
		return d, err
	}
	memory := make([]byte, 2048)
	mux := chi.NewMux()
	mux.Get("/mem", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Length", "2048")
		_, _ = rw.Write(memory) // the client counts what arrives
	})
	db := func(rw http.ResponseWriter, r *http.Request) {
		d, err := read(r.Context())
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(d) // the client counts what arrives
	}
	mux.Get("/db", db)
	mux.Get("/login+db", func(rw http.ResponseWriter, r *http.Request) {
		if _, err := p.config.Authenticate(r); err != nil {
			http.Error(rw, err.Error(), http.StatusUnauthorized)
			return
		}
		db(rw, r)
	})
	return mux
}
