// Package projections is the read side: one file per read model holds its rows,
// the handlers that keep them and the queries that answer them. Each model is
// a lane of eventstore/feed; a batch's rows are loaded by key, changed in
// memory and written back with the checkpoint in one transaction.
//
// A handler only writes its own tables: no commands, no mail, no clock. Every
// query asks delegation.Can. The tables are made in projections/migrations,
// tests use projections/projectiontest.
package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// Meta is what a handler knows about an event beside its content.
type Meta = eventstore.Meta

// Model is one read model: the views that one lane keeps.
type Model struct {
	// Name is the lane's name and what Reader.Wait waits for.
	Name  string
	views []View
	// metaOnly spares the decoding of events whose content no view reads.
	metaOnly bool
}

// Define makes a read model.
func Define(name string, views ...View) Model { return Model{Name: name, views: views} }

// View is one table of a read model with its handlers; make it with Keep.
type View interface {
	// Table is the table's qualified name.
	Table() string
	key() string
	types() []string
	begin() work
}

// work is a view's share of one batch.
type work interface {
	declare(e domain.Event, m Meta)
	load(q *pgx.Batch)
	apply(ctx context.Context, tx *feed.Tx, e domain.Event, m Meta) error
	write(tx *feed.Tx) error
}

// Lane is the lane that keeps the model.
func (m Model) Lane() feed.Lane {
	var types []string
	for _, v := range m.views {
		types = append(types, v.types()...)
	}
	slices.Sort(types)
	return feed.Lane{Name: m.Name, Types: slices.Compact(types), Handle: m.handle, MetaOnly: m.metaOnly}
}

// Lanes are the lanes of some models.
func Lanes(models ...Model) []feed.Lane {
	lanes := make([]feed.Lane, len(models))
	for i, m := range models {
		lanes[i] = m.Lane()
	}
	return lanes
}

// handle applies a batch: it loads what the events name, applies them in
// order, and queues one write per table.
func (m Model) handle(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
	works := make([]work, len(m.views))
	loads := &pgx.Batch{}
	for i, v := range m.views {
		works[i] = v.begin()
		for _, e := range b.Events {
			works[i].declare(e.Data, e.Meta)
		}
		works[i].load(loads)
	}
	if loads.Len() > 0 {
		if err := tx.SendBatch(ctx, loads).Close(); err != nil {
			return fmt.Errorf("load rows of %s: %w", m.Name, err)
		}
	}
	for _, e := range b.Events {
		for i, w := range works {
			if err := w.apply(ctx, tx, e.Data, e.Meta); err != nil {
				return fmt.Errorf("%s: %s: %w", m.views[i].Table(), e.Meta.Type, err)
			}
		}
	}
	for _, w := range works {
		if err := w.write(tx); err != nil {
			return err
		}
	}
	return nil
}

// Rebuild empties a model's tables and puts its lane back to the start of the
// log; whoever runs the lane builds the rows anew. runner is this process's, or
// nil when it has none.
func (m Model) Rebuild(ctx context.Context, db *pgxpool.Pool, runner *feed.Runner) error {
	tables := make([]string, len(m.views))
	for i, v := range m.views {
		tables[i] = v.Table()
	}
	truncate := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `TRUNCATE `+strings.Join(tables, ", "))
		return err
	}
	if runner != nil {
		return runner.Reset(ctx, m.Name, truncate)
	}
	return feed.Reset(ctx, db, m.Name, truncate)
}

// ErrNoModel says that no read model has the name.
var ErrNoModel = errors.New("no such read model")

// ModelNamed finds a read model.
func ModelNamed(models []Model, name string) (Model, error) {
	for _, m := range models {
		if m.Name == name {
			return m, nil
		}
	}
	return Model{}, fmt.Errorf("%w: %s", ErrNoModel, name)
}

// Checksums is the checksum of every row of each model's tables, in key order:
// equal sums mean equal rows, whatever the batches were.
func Checksums(ctx context.Context, db *pgxpool.Pool, models []Model) (map[string]string, error) {
	sums := make(map[string]string)
	for _, m := range models {
		for _, v := range m.views {
			var sum string
			err := db.QueryRow(ctx, `
				SELECT count(*) || ':' || md5(coalesce(string_agg(md5(t::text), '' ORDER BY t.`+v.key()+`), ''))
				FROM `+v.Table()+` t`).Scan(&sum)
			if err != nil {
				return nil, fmt.Errorf("checksum of %s: %w", v.Table(), err)
			}
			sums[v.Table()] = sum
		}
	}
	return sums, nil
}
