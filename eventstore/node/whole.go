package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// errIncomplete says that events which were acknowledged are not there.
var errIncomplete = errors.New("acknowledged events are missing")

// checkWhole refuses a log that lost its end or a part in its middle, which
// Pebble takes for a shorter log: when the end of its own log or of its list
// of tables was cut off or spoiled. It looks at the tables' bounds, not into
// them, unless they leave a gap.
func (e *Engine) checkWhole(last uint64) error {
	m := e.mark.now()
	if last < m.durable {
		return fmt.Errorf("%w: the log ends at position %d, but was durable through %d", errIncomplete, last, m.durable)
	}
	tables, err := e.logTables()
	if err != nil {
		return err
	}
	next := uint64(1)
	for _, t := range append(tables, bounds{last + 1, last + 1}) {
		if t.first > next {
			if err := e.checkDense(next, t.first); err != nil {
				return err
			}
		}
		next = max(next, t.last+1)
	}
	return nil
}

// bounds are the first and the last position in a table.
type bounds struct{ first, last uint64 }

// logTables are the bounds of the tables that hold records, in their order.
func (e *Engine) logTables() ([]bounds, error) {
	levels, err := e.db.SSTables(pebble.WithKeyRangeFilter([]byte{logPrefix}, []byte{logPrefix + 1}))
	if err != nil {
		return nil, err
	}
	var tables []bounds
	for _, level := range levels {
		for i := range level {
			first, last := level[i].Smallest.UserKey, level[i].Largest.UserKey
			if isLogKey(first) && isLogKey(last) {
				b := bounds{logKeyPosition(first), logKeyPosition(last)}
				if level[i].Largest.IsExclusiveSentinel() {
					b.last--
				}
				tables = append(tables, b)
			}
		}
	}
	slices.SortFunc(tables, func(a, b bounds) int {
		return bytes.Compare(logKey(a.first), logKey(b.first))
	})
	return tables, nil
}

func isLogKey(key []byte) bool { return len(key) == logKeySize && key[0] == logPrefix }

// checkDense looks for every position from first to before end, but those that
// were scavenged.
func (e *Engine) checkDense(first, end uint64) (err error) {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: logKey(first), UpperBound: logKey(end)})
	if err != nil {
		return err
	}
	defer it.Close()
	removed, err := newNotes(e.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removed.close()) }()
	next := first
	for ok := it.First(); ok; ok = it.Next() {
		pos := logKeyPosition(it.Key())
		if err := checkRemoved(removed, next, pos); err != nil {
			return err
		}
		next = pos + 1
	}
	if err := it.Error(); err != nil {
		return err
	}
	return checkRemoved(removed, next, end)
}

// checkRemoved refuses positions from first to before end that are neither in
// the log nor were scavenged.
func checkRemoved(removed *notes, first, end uint64) error {
	n, err := removed.count(first, end)
	if err == nil && n != end-first {
		err = fmt.Errorf("%w: %d of the positions from %d through %d are not in the log, which goes on", errIncomplete, end-first-n, first, end-1)
	}
	return err
}

// careful is a file system that removes nothing until the folder was found
// whole: opening removes what a damaged list of tables no longer names.
type careful struct {
	vfs.FS

	mu       sync.Mutex
	released bool
	kept     []string
}

// Remove removes a file, one with events or their places not before the folder
// was found whole.
func (fs *careful) Remove(name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !fs.released && isContent(fs.PathBase(name)) {
		fs.kept = append(fs.kept, name)
		return nil
	}
	return fs.FS.Remove(name)
}

// isContent reports whether a file of Pebble's may hold what exists nowhere else.
func isContent(base string) bool {
	return strings.HasSuffix(base, ".sst") || strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-")
}

// Unwrap is the file system below.
func (fs *careful) Unwrap() vfs.FS { return fs.FS }

// release removes what was to be removed.
func (fs *careful) release() error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.released = true
	var errs []error
	for _, name := range fs.kept {
		if err := fs.FS.Remove(name); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	fs.kept = nil
	return errors.Join(errs...)
}
