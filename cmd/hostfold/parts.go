package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/postgres"
)

// minDatabase is the oldest Postgres that our SQL is written for.
const minDatabase = postgres.MinVersion

// backends are the opened store and database, private ones started.
type backends struct {
	log    *slog.Logger
	folder *folder

	mu       sync.Mutex
	server   *postgres.Server // nil with DATABASE_URL; guarded by mu
	config   postgres.Config
	database string
	pool     *pgxpool.Pool
	keyFile  string // of the vault's master keys
	// acceptLost is AcceptLostLogins.
	acceptLost bool

	engine *node.Engine // nil with ESDB_URL
	client *esdb.Store  // nil with the embedded node
	store  eventstore.Store
}

// openBackends starts or reaches the database, and opens the store, side by
// side. A store elsewhere need not answer yet: see reach.
func openBackends(ctx context.Context, log *slog.Logger, f *folder, b Backends, t terms) (*backends, error) {
	if err := b.encrypted(); err != nil {
		return nil, err
	}
	o := &backends{log: log, folder: f, database: b.DatabaseURL, keyFile: cmp.Or(b.VaultKey, f.path("vault.key")), acceptLost: b.AcceptLostLogins}
	var g errgroup.Group
	g.Go(func() error { return o.openDatabase(ctx, b, t) })
	g.Go(func() error { return o.openStore(b) })
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

func (o *backends) openDatabase(ctx context.Context, b Backends, t terms) error {
	if o.database == "" {
		t.Say("Starting the private Postgres.")
		o.config = postgres.Config{Dir: o.folder.path("postgres"), Binaries: b.Postgres, Say: t.Say}
		server, err := postgres.Start(ctx, o.config)
		if err != nil {
			return err
		}
		o.server, o.database = server, server.URL()
	}
	if _, err := pgxpool.ParseConfig(o.database); err != nil {
		return errors.New("DATABASE_URL is not a Postgres connection string, such as postgres://user:password@host/database")
	}
	var err error
	if o.pool, err = projections.Connect(ctx, o.database); err != nil {
		return fmt.Errorf("the database does not answer: %w; check DATABASE_URL and that the server runs", err)
	}
	_, err = checkDatabase(ctx, o.pool)
	return err
}

// checkDatabase answers the server's version, and refuses one that is too old.
func checkDatabase(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var number int
	if err := pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&number); err != nil {
		return 0, fmt.Errorf("the database does not answer: %w; check DATABASE_URL and that the server runs", err)
	}
	if number/10000 < minDatabase {
		return 0, fmt.Errorf("the database is PostgreSQL %d, which is too old: point DATABASE_URL at version %d or newer", number/10000, minDatabase)
	}
	return number / 10000, nil
}

func (o *backends) openStore(b Backends) error {
	if b.ESDBURL != "" {
		client, err := esdb.Open(esdb.Config{URL: b.ESDBURL, Logger: o.log})
		if err != nil {
			return err
		}
		o.client, o.store = client, client
		return nil
	}
	engine, err := openEngine(o.folder.path("node"), node.Options{ReserveBytes: uint64(b.NodeReserve), Logger: o.log})
	if err != nil {
		return err
	}
	o.engine, o.store = engine, engine
	return nil
}

// reach is nil when the store answers within a time.
func (o *backends) reach(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_, err := o.store.Head(ctx)
	return err
}

// openEngine opens the embedded node with the options of its user. It keeps a
// reserve free on its disk, so that there is room to start again.
func openEngine(dir string, o node.Options) (*node.Engine, error) {
	o.Clock, o.NewID = time.Now, uuid.New
	o.Fatal = func(err error) {
		// What is on disk is only known again after a start.
		o.Logger.Error("the event store cannot go on; stopping", "error", full(err))
		os.Exit(exitFailed)
	}
	engine, err := node.Open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open the event store: %w", err)
	}
	return engine, nil
}

// private is the private Postgres, nil when there is none.
func (o *backends) private() *postgres.Server {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.server
}

// socket is the folder of the private Postgres, "" when there is none.
func (o *backends) socket() string {
	if server := o.private(); server != nil {
		return server.Dir()
	}
	return ""
}

// keepPostgres starts the private Postgres again when it ends by itself. Until
// it is back, requests are refused and lanes wait.
func (o *backends) keepPostgres(ctx context.Context) error {
	for {
		server := o.private()
		if server == nil {
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-server.Done():
		}
		o.log.Error("the private Postgres ended by itself; starting it again", "log", server.Dir()+"/postgres.log")
		if err := server.Stop(ctx); err != nil {
			return err
		}
		again, err := postgres.Start(ctx, o.config)
		if err != nil {
			return err
		}
		o.mu.Lock()
		o.server = again
		o.mu.Unlock()
	}
}

// Close ends what was opened, the database last.
func (o *backends) Close() error {
	var errs []error
	if o.pool != nil {
		o.pool.Close()
	}
	if o.client != nil {
		errs = append(errs, o.client.Close())
	}
	if o.engine != nil {
		errs = append(errs, o.engine.Close())
	}
	if server := o.private(); server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		errs = append(errs, server.Stop(ctx))
	}
	return errors.Join(errs...)
}
