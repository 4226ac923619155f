package node

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// WriteIndex writes the blocks of derived streams that are pending, as the
// engine does when there are enough.
func (e *Engine) WriteIndex() error {
	leave, err := e.enter()
	if err != nil {
		return err
	}
	defer leave()
	e.index.turn <- struct{}{}
	defer func() { <-e.index.turn }()
	return e.index.write()
}

// WriteEntries writes the entries of streams that are in memory, as the engine
// does when there are enough.
func (e *Engine) WriteEntries() error { return e.keepEntries() }

// WritingEntriesAt are the options with another bound of the entries in memory.
func (o Options) WritingEntriesAt(n int) Options {
	o.unwritten = n
	return o
}

// ClearIndex forgets the index, as if the log were followed for the first time.
func (e *Engine) ClearIndex() error {
	x := e.index
	x.turn <- struct{}{}
	defer func() { <-x.turn }()
	if err := x.write(); err != nil {
		return err
	}
	x.counts = newCache[string, uint64](knownCounts)
	x.through.Store(0)
	return e.db.DeleteRange([]byte{indexPrefix}, []byte{indexPrefix + 1}, pebble.NoSync)
}

// SubmitDelete and SubmitTombstone begin a deletion without waiting for its end.
func (e *Engine) SubmitDelete(ctx context.Context, stream string, x Expectation) (*Ticket, error) {
	return e.submit(ctx, Ticket{does: doDelete, stream: stream, expected: x})
}

func (e *Engine) SubmitTombstone(ctx context.Context, stream string, x Expectation) (*Ticket, error) {
	return e.submit(ctx, Ticket{does: doTombstone, stream: stream, expected: x})
}

// IndexWritten is how far the blocks of derived streams that are written reach.
func (e *Engine) IndexWritten() (uint64, error) {
	e.index.turn <- struct{}{}
	defer func() { <-e.index.turn }()
	value, closer, err := e.db.Get(indexKeyThrough())
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	through, _ := throughOf(value)
	return through, closer.Close()
}
