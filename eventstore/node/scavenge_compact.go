package node

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// compactBytes is about how much is written again in one go.
const compactBytes = 64 << 20

// liveBytes is what the log takes on disk, without files that are about to go.
func (e *Engine) liveBytes() (uint64, error) {
	leave, err := e.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	m := e.db.Metrics()
	return m.Table.Local.LiveSize + m.WAL.Size, nil
}

// compact writes the tables again that events were removed from, without these;
// also what an earlier scavenge has left that was cut short.
func (e *Engine) compact(ctx context.Context) error {
	ranges, err := e.dirtyRanges()
	if err != nil {
		return fmt.Errorf("look for tables to compact: %w", err)
	}
	for i, r := range ranges {
		if err := e.compactRange(ctx, r); err != nil {
			return fmt.Errorf("compact: %w", err)
		}
		e.o.Logger.Debug("scavenge compacts", "done", i+1, "of", len(ranges))
	}
	return nil
}

// keyRange is from start through end.
type keyRange struct{ start, end []byte }

func (e *Engine) compactRange(ctx context.Context, r keyRange) error {
	leave, err := e.enter()
	if err != nil {
		return err
	}
	defer leave()
	return e.db.Compact(ctx, r.start, r.end, false)
}

// dirtyRanges are where tables hold removals, in pieces of about compactBytes.
func (e *Engine) dirtyRanges() (ranges []keyRange, err error) {
	leave, err := e.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := e.syncLog(); err != nil {
		return nil, err
	}
	if err := e.db.Flush(); err != nil {
		return nil, err
	}
	levels, err := e.db.SSTables(pebble.WithProperties())
	if err != nil {
		return nil, err
	}
	tables := slices.Concat(levels...)
	slices.SortFunc(tables, func(a, b pebble.SSTableInfo) int { return bytes.Compare(a.Smallest.UserKey, b.Smallest.UserKey) })
	return pieces(dirty(tables), tables), nil
}

// dirty joins the bounds of tables, sorted by their first keys, that hold
// removals.
func dirty(tables []pebble.SSTableInfo) (ranges []keyRange) {
	for i := range tables {
		t := &tables[i]
		if t.Properties == nil || t.Properties.NumDeletions == 0 { // which counts those of ranges, too
			continue
		}
		last := len(ranges) - 1
		if last >= 0 && bytes.Compare(t.Smallest.UserKey, ranges[last].end) <= 0 {
			if bytes.Compare(ranges[last].end, t.Largest.UserKey) < 0 {
				ranges[last].end = t.Largest.UserKey
			}
			continue
		}
		ranges = append(ranges, keyRange{t.Smallest.UserKey, t.Largest.UserKey})
	}
	return ranges
}

// pieces divides ranges where tables begin.
func pieces(ranges []keyRange, tables []pebble.SSTableInfo) (out []keyRange) {
	for _, r := range ranges {
		size := uint64(0)
		start := r.start
		for i := range tables {
			key := tables[i].Smallest.UserKey
			if bytes.Compare(key, r.end) > 0 {
				break
			}
			if bytes.Compare(start, key) < 0 && size >= compactBytes {
				out = append(out, keyRange{start, key})
				start, size = key, 0
			}
			if bytes.Compare(tables[i].Largest.UserKey, start) >= 0 {
				size += tables[i].Size
			}
		}
		if bytes.Equal(start, r.end) {
			r.end = append(slices.Clone(r.end), 0)
		}
		out = append(out, keyRange{start, r.end})
	}
	return out
}
