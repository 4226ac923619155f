// Package bench measures hostfold beside the limits of the machine and beside
// plain baselines, in turns within one run, and prints the ratios with a
// verdict. A figure counts only when what was written is found again.
//
// It must not be used by anything but the command bench. Rows are in append.go,
// catchup.go and dashboard.go, how they are judged is in table.go, what is
// counted in measure.go.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/projections/postgres"
)

// Config says what is measured.
type Config struct {
	// Row is one of Rows, or "all".
	Row string
	// Rounds is how often each contender has its turn.
	Rounds int
	// Length is how long one turn lasts, where a turn has no end of its own.
	Length time.Duration
	// DatabaseURL replaces the private Postgres; its database must be empty.
	DatabaseURL string
	// Binaries is where the private Postgres is found, "" to look for it.
	Binaries string
	Out      io.Writer
	// Say is told what happens.
	Say func(string)
}

// Rows are the paths that can be measured.
func Rows() []string { return []string{"1a", "1b", "1c", "2", "4", "6"} }

// world is what rows run in.
type world struct {
	Config
	dir    string
	pool   *pgxpool.Pool
	url    string // of the database that the pool is connected to
	counts *counts
	// postmaster is the private server's process, 0 without one.
	postmaster int
	load       float64
}

// Run measures the rows and prints the table. It answers an error when a
// result is wrong, not when a target is missed.
func Run(ctx context.Context, c Config) (err error) {
	dir, err := os.MkdirTemp("", "hostfold-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the benchmark: %w", err)
	}
	w := &world{Config: c, dir: dir, counts: &counts{}, load: loadAverage()}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	stop, err := w.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	rows := []struct {
		name string
		run  func(context.Context) ([]line, error)
	}{{"1a", w.appends}, {"1b", w.unary}, {"1c", w.batches}, {"2", w.catchUp}, {"4", w.dashboard}, {"6", w.scans}}
	var table []line
	for _, r := range rows {
		if c.Row != "all" && c.Row != r.name {
			continue
		}
		c.Say("Measuring row " + r.name + ".")
		lines, err := r.run(ctx)
		if err != nil {
			return fmt.Errorf("row %s: %w", r.name, err)
		}
		table = append(table, lines...)
	}
	return w.print(table)
}

// openDatabase starts a private, durable Postgres, or takes the one given.
func (w *world) openDatabase(ctx context.Context) (func() error, error) {
	url := w.DatabaseURL
	stop := func() error { return nil }
	if url == "" {
		server, err := postgres.Start(ctx, postgres.Config{Dir: filepath.Join(w.dir, "postgres"), Binaries: w.Binaries})
		if err != nil {
			return nil, err
		}
		url, w.postmaster = server.URL(), postmaster(server.Dir())
		stop = func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancel()
			return errors.Join(server.Stop(ctx), os.RemoveAll(server.Dir()))
		}
	}
	w.url = url
	cfg, err := pgxpool.ParseConfig(url)
	if err == nil {
		cfg.MaxConns = 64
		cfg.ConnConfig.Tracer = w.counts
		cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
		w.pool, err = pgxpool.NewWithConfig(ctx, cfg)
	}
	if err == nil {
		_, err = w.pool.Exec(ctx, `CREATE SCHEMA bench`)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), stop())
	}
	return func() error {
		_, err := w.pool.Exec(context.WithoutCancel(ctx), `DROP SCHEMA bench CASCADE`)
		w.pool.Close()
		return errors.Join(err, stop())
	}, nil
}

// contender is one of those that take turns.
type contender struct {
	name string
	run  func(context.Context) (sample, error)
}

// inTurns gives every contender its turn in each round, another one first each
// time.
func (w *world) inTurns(ctx context.Context, all ...contender) (map[string][]sample, error) {
	got := map[string][]sample{}
	for round := range w.Rounds {
		for i := range all {
			c := all[(round+i)%len(all)]
			s, err := c.run(ctx)
			if err = errors.Join(err, ctx.Err()); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			got[c.name] = append(got[c.name], s)
		}
	}
	return got, nil
}
