package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hostfold/hostfold/eventstore/node/probe"
)

// appends is row 1a: single durable appends, the engine called directly. The
// engine runs in a process of its own, which is killed after the turns of each
// number of writers, under their load.
func (w *world) appends(ctx context.Context) ([]line, error) {
	raw, err := probe.OpenRaw(filepath.Join(w.dir, "raw.log"))
	if err != nil {
		return nil, err
	}
	engine, err := w.startAppender(ctx, filepath.Join(w.dir, "appends"))
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	lines, err := w.appendRows(ctx, raw, engine)
	return append(lines, engine.line()), errors.Join(err, raw.Close(), engine.end())
}

func (w *world) appendRows(ctx context.Context, raw probe.Raw, engine *appender) ([]line, error) {
	_, err := w.pool.Exec(ctx, `
		CREATE TABLE bench.event (
			stream text NOT NULL, version bigint NOT NULL, type text NOT NULL, data text NOT NULL,
			position bigint GENERATED ALWAYS AS IDENTITY UNIQUE, PRIMARY KEY (stream, version)
		)`)
	if err != nil {
		return nil, err
	}
	plain, written := probe.NewLoad(), 0
	insert := func(stream string, version uint64, data []byte) error {
		_, err := w.pool.Exec(ctx, `
			INSERT INTO bench.event (stream, version, type, data)
			VALUES ($1, $2, 'bench.appended.v1', $3)`, stream, int64(version), string(data))
		return err
	}
	var lines []line
	for _, writers := range []int{1, 16, 64} {
		turn := func(run func(more func() bool) (probe.Figures, error)) func(context.Context) (sample, error) {
			return func(ctx context.Context) (sample, error) {
				server, end := serverTime(w.postmaster), time.Now().Add(w.Length)
				f, err := run(func() bool { return ctx.Err() == nil && time.Now().Before(end) })
				return sample{ops: f.Appends, elapsed: f.Elapsed, self: f.CPU, syncs: f.Syncs, postgres: serverTime(w.postmaster) - server}, err
			}
		}
		got, err := w.inTurns(
			ctx,
			contender{"raw log", turn(func(more func() bool) (probe.Figures, error) { return raw.Run(writers, more) })},
			contender{"ours", turn(func(func() bool) (probe.Figures, error) { return engine.run(writers, w.Length) })},
			contender{"pgx insert", turn(func(more func() bool) (probe.Figures, error) {
				f, err := plain.Run(writers, func() probe.AppendFunc { return insert }, more)
				written += f.Appends
				return f, err
			})},
		)
		if err != nil {
			return nil, err
		}
		lines = append(lines, w.appendLines(fmt.Sprintf("1a, %d writers", writers), writers, got)...)
		if err := engine.killUnder(ctx, writers); err != nil {
			return nil, err
		}
	}
	var held int
	if err := w.pool.QueryRow(ctx, `SELECT count(*) FROM bench.event`).Scan(&held); err != nil {
		return nil, err
	}
	if held != written {
		return nil, fmt.Errorf("the baseline holds %d of %d appends", held, written)
	}
	return lines, nil
}

func (w *world) appendLines(row string, writers int, got map[string][]sample) []line {
	ours, raw := got["ours"], got["raw log"]
	wall := 0.95
	if writers == 64 {
		wall = 0.70
	}
	lines := []line{
		w.beside(row, "raw log", ours, raw, wall),
		w.beside(row, "pgx insert", ours, got["pgx insert"], 0),
	}
	switch writers {
	case 64:
		lines = append(lines, cpuGate(row, "raw log", ours, raw, 3.5), fact(row, "appends per sync", ours, perSync, 24, 0))
	default:
		lines = append(lines, line{row: row, what: "appends per sync: " + spreadOf(len(ours), func(i int) float64 { return perSync(ours[i]) }).String(), wall: "-", cpu: "-", target: "-", verdict: "-"})
	}
	return lines
}
