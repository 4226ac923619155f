package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/migrations"
)

// projectionsCmd looks after the read models.
type projectionsCmd struct {
	List    projectionsListCmd    `cmd:"" help:"Show how far each read model has come."`
	Rebuild projectionsRebuildCmd `cmd:"" help:"Build read models again from the first event."`
	Verify  projectionsVerifyCmd  `cmd:"" help:"Compare the read models with ones built from zero, beside them."`
}

// projectionsListCmd shows the lanes.
type projectionsListCmd struct {
	Backends `json:"-"`
}

// Run lists.
func (l *projectionsListCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, l.Backends, c, "projections-list", l)
}

func (l *projectionsListCmd) work(ctx context.Context, p *parts, t terms) error {
	all := p.runner.Status()
	if !p.serving {
		var err error
		if all, err = feed.Saved(ctx, p.pool); err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(t, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tEVENTS\tPOSITION\tBEHIND\tERROR")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", s.Lane, s.State, s.Events, s.Position, s.Behind.Round(time.Millisecond), s.Error)
	}
	return w.Flush()
}

// projectionsRebuildCmd rebuilds.
type projectionsRebuildCmd struct {
	Backends `json:"-"`
	All      bool     `help:"Rebuild every read model."`
	Names    []string `arg:"" optional:"" name:"name" help:"Read models to rebuild; projections list names them."`
}

// Run rebuilds here or in the running server.
func (r *projectionsRebuildCmd) Run(ctx context.Context, g *Globals, c *console) error {
	if r.All == (len(r.Names) > 0) {
		return fmt.Errorf("%w: name the read models to rebuild, or give --all", errUsage)
	}
	return runTool(ctx, g, r.Backends, c, "projections-rebuild", r)
}

func (r *projectionsRebuildCmd) work(ctx context.Context, p *parts, t terms) error {
	models := projections.Models()
	if !r.All {
		models = nil
		for _, name := range r.Names {
			m, err := projections.ModelNamed(projections.Models(), name)
			if err != nil {
				return fmt.Errorf("%w; \"hostfold projections list\" names them", err)
			}
			models = append(models, m)
		}
	}
	head, err := p.store.Head(ctx)
	if err != nil {
		return err
	}
	for _, m := range models {
		if err := m.Rebuild(ctx, p.pool, p.runner); err != nil {
			return err
		}
	}
	return p.whileRunning(ctx, p.runner, func(ctx context.Context) error {
		for _, m := range models {
			if err := follow(ctx, p.runner, m.Name, head, "rebuilding "+m.Name, t); err != nil {
				return fmt.Errorf("rebuild %s: %w", m.Name, err)
			}
			fmt.Fprintf(t, "rebuilt %s\n", m.Name)
		}
		return nil
	})
}

// whileRunning does work while the lanes run: the server's, or ones of ours
// for as long as the work takes.
func (p *parts) whileRunning(ctx context.Context, runner *feed.Runner, work func(context.Context) error) error {
	if p.serving && runner == p.runner {
		return work(ctx)
	}
	lanes, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(lanes) }()
	err := work(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// follow waits until a lane has come to a position, and tells how far it is.
func follow(ctx context.Context, runner *feed.Runner, lane string, to eventstore.Position, what string, t terms) error {
	for {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		err := runner.Wait(short, lane, to)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return err
		}
		s, err := runner.LaneStatus(lane)
		if err != nil {
			return err
		}
		t.Step(what, s.Position.Commit, to.Commit)
	}
}

// projectionsVerifyCmd compares.
type projectionsVerifyCmd struct {
	Backends `json:"-"`
}

// Run verifies here or in the running server.
func (v *projectionsVerifyCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, v.Backends, c, "projections-verify", v)
}

func (v *projectionsVerifyCmd) work(ctx context.Context, p *parts, t terms) (err error) {
	scratch, drop, err := p.scratch(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	fresh, err := feed.New(feed.Config{
		Store: p.store, Codec: p.codec, DB: scratch, LogID: p.logID, Owner: "verify", Clock: time.Now, Log: p.log,
		Lanes: projections.Lanes(projections.Models()...),
	})
	if err != nil {
		return err
	}
	return p.whileRunning(ctx, p.runner, func(ctx context.Context) error {
		return p.whileRunning(ctx, fresh, func(ctx context.Context) error {
			return p.compare(ctx, fresh, scratch, t)
		})
	})
}

// compare looks at both sides when they are at the same place. On a busy
// server that may take a few tries; a model that was equal once is proven.
func (p *parts) compare(ctx context.Context, fresh *feed.Runner, scratch *pgxpool.Pool, t terms) error {
	open := projections.Models()
	for range 50 {
		head, err := p.store.Head(ctx)
		if err != nil {
			return err
		}
		for _, m := range open {
			if err := errors.Join(follow(ctx, fresh, m.Name, head, "building "+m.Name, t), p.runner.Wait(ctx, m.Name, head)); err != nil {
				return fmt.Errorf("verify %s: %w", m.Name, err)
			}
		}
		if open, err = different(ctx, open, p.pool, scratch); err != nil {
			return err
		}
		after, err := p.store.Head(ctx)
		if err != nil {
			return err
		}
		switch {
		case len(open) == 0:
			_, err := fmt.Fprintf(t, "every read model equals one built from zero, through %s\n", head)
			return err
		case after == head:
			return fmt.Errorf("these read models differ from ones built from zero: %s; run \"hostfold projections rebuild\" on them", names(open))
		}
	}
	return fmt.Errorf("events came too fast to compare %s; try again at a quieter time", names(open))
}

// different are the models whose rows are not the same on both sides.
func different(ctx context.Context, models []projections.Model, kept, built *pgxpool.Pool) ([]projections.Model, error) {
	var left []projections.Model
	for _, m := range models {
		here, err := projections.Checksums(ctx, kept, []projections.Model{m})
		if err != nil {
			return nil, err
		}
		there, err := projections.Checksums(ctx, built, []projections.Model{m})
		if err != nil {
			return nil, err
		}
		if !maps.Equal(here, there) {
			left = append(left, m)
		}
	}
	return left, nil
}

func names(models []projections.Model) string {
	var all []string
	for _, m := range models {
		all = append(all, m.Name)
	}
	return strings.Join(all, ", ")
}

// scratch is a new empty database on the same server, and how to drop it.
func (p *parts) scratch(ctx context.Context) (*pgxpool.Pool, func() error, error) {
	u, err := url.Parse(p.database)
	if err != nil {
		return nil, nil, errors.New("the database URL cannot be read")
	}
	name := "hostfold_verify_" + strings.ReplaceAll(uuid.NewString()[:8], "-", "")
	quoted := pgx.Identifier{name}.Sanitize()
	if _, err := p.pool.Exec(ctx, `CREATE DATABASE `+quoted); err != nil {
		return nil, nil, fmt.Errorf("make a database beside the one in use: %w; give the database user the right CREATEDB", err)
	}
	drop := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, err := p.pool.Exec(ctx, `DROP DATABASE IF EXISTS `+quoted+` WITH (FORCE)`)
		return err
	}
	u.Path = "/" + name
	pool, err := projections.Connect(ctx, u.String())
	if err == nil {
		if err = migrations.Up(ctx, pool); err == nil {
			return pool, func() error { pool.Close(); return drop() }, nil
		}
		pool.Close()
	}
	return nil, nil, errors.Join(err, drop())
}
