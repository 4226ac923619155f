// Package node is the embedded event store: an engine over Pebble that is
// called in process (Engine), and the store's own protocol served on top of it
// (the serve files). Nothing is visible before it is durable: every read,
// subscription and refusal waits for or stops at the durable position.
//
// One goroutine, the committer, decides expected revisions and writes groups of
// appends as one batch and one sync each. Where the events of a stream are is in
// memory for the newest, and is written in runs by another, entries. A third,
// index, follows the log in the background for the streams derived from it ($ce-,
// $et-). The engine on an in-memory file system is the store of fast tests. It
// must not know domain events, codecs or read models; eventstore is the port it
// implements, eventstore/storetest the suite it passes, probe what it is measured
// with.
package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// ErrClosed says that the engine was closed, or that it stopped because a
// write failed, and then why. It wraps eventstore.ErrUnavailable.
var ErrClosed = fmt.Errorf("event store is closed: %w", eventstore.ErrUnavailable)

// ErrStreamName refuses a stream name: empty, "$$", "$all", or over MaxStreamName.
var ErrStreamName = errors.New("invalid stream name")

var errPanicked = errors.New("the storage panicked")

// MaxStreamName bounds a stream's name, in bytes.
const MaxStreamName = 4096

// LargestAppend bounds Options.MaxAppendBytes. Official clients take messages
// of 17 MiB, which have room for an event of this size.
const LargestAppend = 16 << 20

// ErrMaxAppend refuses options with a bound of appends that cannot be kept.
var ErrMaxAppend = fmt.Errorf("the largest append is from %d to %d bytes", eventstore.MaxAppendSize, LargestAppend)

// Options configure an engine. The zero value is fit for production.
type Options struct {
	// FS is the file system; the disk by default. vfs.NewMem() makes an engine
	// for tests.
	FS vfs.FS
	// Clock gives events their recorded time.
	Clock func() time.Time
	// NewID draws the log's id when the folder is made.
	NewID func() uuid.UUID
	// Logger gets what the storage has to say; nothing by default.
	Logger *slog.Logger
	// ReserveBytes is the free space under which appends are refused with
	// eventstore.ErrNoSpace, while reads go on. It is looked at before each
	// group, so appends resume when there is room again.
	ReserveBytes uint64
	// MaxAppendBytes bounds one append, counted as eventstore.MaxAppendSize is,
	// which is the default and the least; LargestAppend is the most. It may be
	// another one each time that the folder is opened.
	MaxAppendBytes int
	// CacheBytes bounds the cache of blocks read from disk; 64 MiB by default.
	CacheBytes int64
	// Fatal is called once when a write or a sync failed: what is on disk is
	// then unknown until the folder is opened again, so it should not return.
	// By default it logs and ends the process with exit 1.
	Fatal func(error)

	unwritten int // entries kept in memory; tests set it
}

// Engine is an open store. All methods may be called from many goroutines.
type Engine struct {
	dir    string
	o      Options
	db     *pebble.DB
	folder *folder
	mark   *watermark

	submitted chan *Ticket // to the committer
	stopped   chan struct{}
	durable   horizon
	entries   *entries
	index     *index // of derived streams
	scavenger scavenger

	// life is held for reading while a call touches the database, so that
	// Close waits for it; closed is guarded by it.
	life   sync.RWMutex
	closed bool

	broken   atomic.Pointer[error] // why nothing is read or written any more
	tickets  sync.Pool
	observed observed
}

var _ eventstore.Store = (*Engine)(nil)

// Open opens the store in a folder, making it when it is not there. A folder
// in use by another process, of a newer version, or damaged is refused with an
// error that says so. It reads a bounded recent part of the log, never all.
func Open(dir string, o Options) (*Engine, error) {
	o = o.withDefaults()
	if o.MaxAppendBytes < eventstore.MaxAppendSize || o.MaxAppendBytes > LargestAppend {
		return nil, fmt.Errorf("%w, not %d", ErrMaxAppend, o.MaxAppendBytes)
	}
	e := &Engine{
		dir:       dir,
		o:         o,
		submitted: make(chan *Ticket, maxGroup),
		stopped:   make(chan struct{}),
		durable:   horizon{bell: make(chan struct{}, 1)},
	}
	e.tickets.New = func() any { return &Ticket{done: make(chan struct{}, 1)} }
	folder, err := openFolder(o.FS, dir, o.NewID)
	if err != nil {
		return nil, err
	}
	e.folder = folder
	if e.mark, err = folder.openWatermark(); err != nil {
		return nil, errors.Join(err, folder.close())
	}
	e.mark.failed = e.fail
	go e.mark.keep()
	c, err := e.openLog()
	if err != nil {
		return nil, errors.Join(err, e.mark.close(), folder.close())
	}
	e.durable.advance(c.last)
	o.Logger.Info("event store is open", "folder", dir, "log", folder.id, "head", c.last, "events_read", len(c.ids.young))
	go c.run()
	go e.entries.run()
	go e.index.run()
	return e, nil
}

// openLog opens the database and finds it whole.
func (e *Engine) openLog() (*committer, error) {
	fs := &careful{FS: e.o.FS}
	var err error
	if e.db, err = e.openPebble(fs); err != nil {
		return nil, e.folder.damaged(err)
	}
	e.entries = newEntries(e)
	c, err := e.newCommitter()
	if err == nil {
		err = e.checkWhole(c.last)
	}
	if err != nil {
		return nil, errors.Join(e.folder.damaged(err), e.db.Close())
	}
	if err := errors.Join(e.entries.adopt(c.last), e.folder.seal(c.last), e.mark.advance(c.last), fs.release()); err != nil {
		return nil, errors.Join(err, e.db.Close())
	}
	if e.index, err = e.openIndex(c.last); err == nil {
		err = e.openScavenger()
	}
	if err != nil {
		return nil, errors.Join(e.folder.damaged(err), e.db.Close())
	}
	return c, nil
}

// openPebble opens the database. What Pebble does not expect in a damaged file
// may make it panic.
func (e *Engine) openPebble(fs *careful) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w: %v", errPanicked, r)
		}
	}()
	return pebble.Open(e.folder.dataDir(), e.pebbleOptions(fs))
}

// LogID is drawn once, when the folder is made: positions and checkpoints of
// one log mean nothing in another.
func (e *Engine) LogID() uuid.UUID { return e.folder.id }

// Close waits for what is in flight and closes the folder. Calls after it
// answer ErrClosed; subscriptions and waits end with it. It may be called again.
func (e *Engine) Close() error {
	e.life.Lock()
	if e.closed {
		e.life.Unlock()
		<-e.stopped
		return nil
	}
	e.closed = true
	close(e.submitted)
	e.life.Unlock()
	e.durable.close()
	<-e.stopped
	close(e.entries.due)
	<-e.entries.stopped
	<-e.index.stopped
	e.life.Lock()
	defer e.life.Unlock()
	return errors.Join(e.db.Close(), e.mark.close(), e.folder.close())
}

// Head is the position of the last durable event, Start when there is none.
func (e *Engine) Head(ctx context.Context) (eventstore.Position, error) {
	if err := ctx.Err(); err != nil {
		return eventstore.Start, fmt.Errorf("read head: %w", err)
	}
	leave, err := e.enter()
	if err != nil {
		return eventstore.Start, err
	}
	defer leave()
	return at(e.durable.position()), nil
}

// WaitHead waits until the durable head has passed a position, and answers the
// head. It ends with ctx's error, or with ErrClosed.
func (e *Engine) WaitHead(ctx context.Context, after eventstore.Position) (eventstore.Position, error) {
	head, err := e.durable.wait(ctx, nextAfter(after), nil)
	return at(head), err
}

// enter begins a call that touches the database; call leave when done with it.
func (e *Engine) enter() (leave func(), err error) {
	e.life.RLock()
	if why := e.broken.Load(); why != nil {
		e.life.RUnlock()
		return nil, *why
	}
	if e.closed {
		e.life.RUnlock()
		return nil, ErrClosed
	}
	return e.life.RUnlock, nil
}

// fail stops the engine after a failed write: nothing after it is acknowledged.
func (e *Engine) fail(err error) {
	err = fmt.Errorf("event store %s: %w", e.dir, err)
	why := fmt.Errorf("%w: %w", ErrClosed, err)
	if !e.broken.CompareAndSwap(nil, &why) {
		return
	}
	e.durable.close()
	e.o.Fatal(err)
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // the embedding program gave no clock
	}
	if o.NewID == nil {
		o.NewID = uuid.New //nolint:forbidigo // the embedding program gave no source of ids
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.MaxAppendBytes == 0 {
		o.MaxAppendBytes = eventstore.MaxAppendSize
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Fatal == nil {
		logger := o.Logger
		o.Fatal = func(err error) {
			logger.Error("event store stops", "error", err)
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	return o
}

// at is the position of the event with the given number; commit and prepare
// are the same in this store.
func at(n uint64) eventstore.Position { return eventstore.Position{Commit: n, Prepare: n} }

// nextFrom is the number of the first event that is not before p.
func nextFrom(p eventstore.Position) uint64 {
	if p.Prepare > p.Commit && p.Commit < maxNumber {
		return p.Commit + 1
	}
	return min(p.Commit, maxNumber)
}

// nextAfter is the number of the first event that comes after p.
func nextAfter(p eventstore.Position) uint64 {
	if p.Prepare >= p.Commit && p.Commit < maxNumber {
		return p.Commit + 1
	}
	return min(p.Commit, maxNumber)
}
