package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// Comparison is row 1a for one number of writers: the engine beside the raw
// log, run in turns.
type Comparison struct {
	Writers     int
	Ours, Limit []Figures // one each per round
}

// Wall is the ratio of appends per second, engine to raw log: median of the
// rounds, least and most.
func (c Comparison) Wall() (median, least, most float64) {
	return spread(c, func(ours, limit Figures) float64 { return ours.PerSecond / limit.PerSecond })
}

// CPU is the ratio of processor time per append, engine to raw log.
func (c Comparison) CPU() (median, least, most float64) {
	return spread(c, func(ours, limit Figures) float64 {
		return float64(ours.CPUPerAppend()) / float64(limit.CPUPerAppend())
	})
}

// PerSync is how many appends shared a sync of the engine, median.
func (c Comparison) PerSync() float64 {
	median, _, _ := spread(c, func(ours, _ Figures) float64 { return ours.PerSync() })
	return median
}

// Unrest is the raw log's best round over its worst: above 1.3 the machine was
// too busy to judge wall ratios.
func (c Comparison) Unrest() float64 {
	least, most := c.Limit[0].PerSecond, c.Limit[0].PerSecond
	for _, f := range c.Limit {
		least, most = min(least, f.PerSecond), max(most, f.PerSecond)
	}
	return most / least
}

func spread(c Comparison, ratio func(ours, limit Figures) float64) (median, least, most float64) {
	list := make([]float64, len(c.Ours))
	for i := range list {
		list[i] = ratio(c.Ours[i], c.Limit[i])
	}
	slices.Sort(list)
	return list[len(list)/2], list[0], list[len(list)-1]
}

// CompareAppends measures the engine beside the raw log in a folder, in turns,
// for the given number of rounds of the given length. The engine is warm: like
// the raw log's file, its own log has been written before. In the end the
// engine is opened again and must hold every acknowledged append.
func CompareAppends(ctx context.Context, dir string, writers, rounds int, length time.Duration) (Comparison, error) {
	c := Comparison{Writers: writers}
	raw, err := OpenRaw(filepath.Join(dir, "raw.log"))
	if err != nil {
		return c, err
	}
	defer raw.Close()
	engine, err := OpenEngine(ctx, filepath.Join(dir, "engine"))
	if err != nil {
		return c, err
	}
	for round := range rounds {
		runs := []func() error{
			func() error { return add(&c.Limit)(raw.Run(writers, until(ctx, length))) },
			func() error { return add(&c.Ours)(engine.Run(ctx, writers, until(ctx, length))) },
		}
		if round%2 == 1 {
			slices.Reverse(runs)
		}
		for _, run := range runs {
			if err := run(); err != nil {
				return c, err
			}
		}
	}
	return c, firstOf(ctx.Err(), engine.Close(ctx))
}

func add(list *[]Figures) func(Figures, error) error {
	return func(f Figures, err error) error {
		*list = append(*list, f)
		return err
	}
}

// until makes the condition that ends a run.
func until(ctx context.Context, length time.Duration) func() bool {
	end := now().Add(length)
	return func() bool { return ctx.Err() == nil && now().Before(end) }
}

// rawLogSize holds some seconds of appends at any rate seen.
const rawLogSize = 512 << 20

// Raw is a raw log under measurement.
type Raw struct{ log *RawLog }

// OpenRaw makes a raw log.
func OpenRaw(path string) (Raw, error) {
	l, err := OpenRawLog(path, rawLogSize)
	return Raw{log: l}, err
}

// Run measures one run, and checks that what it wrote can be read back.
func (r Raw) Run(writers int, more func() bool) (Figures, error) {
	f, err := NewLoad().Run(writers, func() AppendFunc { return r.log.Writer() }, more)
	held, syncs, checkErr := r.log.Rewind()
	f.Syncs = syncs
	if err = firstOf(err, checkErr); err == nil && held != f.Appends {
		err = fmt.Errorf("raw log holds %d of %d appends", held, f.Appends)
	}
	return f, err
}

// Close ends the log.
func (r Raw) Close() error { return r.log.Close() }

// Engine is an engine on disk under measurement.
type Engine struct {
	dir    string
	engine *node.Engine
	syncs  *Syncs
	load   *Load
	total  int
	writer atomic.Uint64
}

// warmUp is how many appends fill the engine's log files, which are then used
// again and again.
const warmUp = 200_000

// OpenEngine makes a store and warms it.
func OpenEngine(ctx context.Context, dir string) (*Engine, error) {
	fs, syncs := CountSyncs(vfs.Default)
	e, err := node.Open(dir, node.Options{FS: fs})
	if err != nil {
		return nil, err
	}
	m := &Engine{dir: dir, engine: e, syncs: syncs, load: NewLoad()}
	if err := m.warm(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return m, nil
}

func (m *Engine) warm(ctx context.Context) error {
	var n atomic.Int64
	_, err := m.Run(ctx, 64, func() bool { return n.Add(1) <= warmUp })
	return err
}

// Run measures one run.
func (m *Engine) Run(ctx context.Context, writers int, more func() bool) (Figures, error) {
	before := m.syncs.Count()
	f, err := m.load.Run(writers, func() AppendFunc { return engineWriter(ctx, m.engine, m.writer.Add(1)<<32) }, more)
	f.Syncs = m.syncs.Count() - before
	m.total += f.Appends
	return f, err
}

// Close closes the store, opens it again and checks that it holds every
// acknowledged append.
func (m *Engine) Close(ctx context.Context) error {
	if err := m.engine.Close(); err != nil {
		return err
	}
	e, err := node.Open(m.dir, node.Options{})
	if err != nil {
		return err
	}
	head, err := e.Head(ctx)
	if err == nil && head.Commit != uint64(m.total) {
		err = fmt.Errorf("engine holds %d of %d appends", head.Commit, m.total)
	}
	return firstOf(err, e.Close())
}

// engineWriter appends with ids counted from first on.
func engineWriter(ctx context.Context, e *node.Engine, first uint64) AppendFunc {
	meta := []byte(`{}`)
	return func(stream string, version uint64, data []byte) error {
		first++
		var id uuid.UUID
		binary.BigEndian.PutUint64(id[8:], first)
		_, err := e.Append(ctx, stream, eventstore.After(version), eventstore.NewEvent{ID: id, Type: "bench.appended.v1", Data: data, Metadata: meta})
		return err
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
