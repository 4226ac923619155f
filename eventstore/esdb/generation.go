package esdb

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
)

const (
	// grace is how long a caller waits, past its deadline, for a call that is
	// about to answer.
	grace = 40 * time.Millisecond
	// patience is how long a call may outlive its deadline before it counts as
	// stuck, and how long a retired generation waits for its calls.
	patience = 2 * time.Second
	// failures in a row, each by a deadline or because the node does not lead,
	// are a connection that swallows everything or leads to the wrong node.
	failures = 5
)

// generation is one client object and its life: let calls in, be retired, wait
// for the calls that are in, close.
type generation struct {
	number int
	client *client.Client
	// life is the context of every call on this generation.
	life   context.Context
	cancel context.CancelFunc
	calls  sync.WaitGroup
	misses atomic.Int32

	closed atomic.Bool
	once   sync.Once
	gone   chan struct{} // closed when retired
	cause  error         // why; read it after gone
	// door is held by a call until the client has given it a connection.
	door sync.RWMutex
}

func newGeneration(number int, settings client.Configuration) (*generation, error) {
	g := &generation{number: number, gone: make(chan struct{})}
	g.life, g.cancel = context.WithCancel(context.Background())
	settings.Logger = g.overhear
	c, err := client.NewClient(&settings)
	if err != nil {
		g.cancel()
		return nil, fmt.Errorf("make a client: %w", err)
	}
	g.client = c
	return g, nil
}

// overhear is the client's log. The client tells it of a failed call just
// before it asks itself to search for a node again. A search must not happen:
// it drops the old connection without closing it, and when it fails every
// later caller is blocked for ever. Since it is only done for the next call,
// it is enough to let none in: retire, and wait for those on the threshold.
func (g *generation) overhear(_ client.LogLevel, format string, args ...any) {
	if !strings.HasPrefix(format, "unexpected exception") && !strings.HasPrefix(format, "subscription has dropped") {
		return
	}
	for _, a := range args {
		if err, ok := a.(error); ok && grpcCode(err) == codes.Unavailable {
			g.retire(err)
			g.settle()
		}
	}
}

// start runs a call in its own goroutine; done gets its error, or its panic as one.
func (g *generation) start(ctx context.Context, call func(context.Context, *client.Client) error, done func(error)) {
	go func() {
		g.door.RLock()
		if g.closed.Load() {
			g.door.RUnlock()
			done(fmt.Errorf("%w: %w", errNotSent, errRetired))
			return
		}
		g.calls.Add(1)
		defer g.calls.Done()
		through := sync.OnceFunc(g.door.RUnlock)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(g.life, cancel)()
		err := safely(func() error { return call(entering{Context: ctx, through: through}, g.client) })
		through()
		if err != nil && g.life.Err() != nil {
			err = fmt.Errorf("%w: %w", errRetired, err)
		}
		done(err)
	}()
}

// retire lets no call in any more; it does not block.
func (g *generation) retire(cause error) {
	g.once.Do(func() {
		g.cause = cause
		g.closed.Store(true)
		close(g.gone)
	})
}

// settle waits for the calls that were let in before retire to have a connection.
func (g *generation) settle() {
	g.door.Lock()
	defer g.door.Unlock()
}

// finish ends the calls that are in and closes the client. Closing it under
// callers that are stuck makes them panic; that frees them, and start recovers
// them.
func (g *generation) finish() {
	g.retire(errRetired)
	g.cancel()
	out := make(chan struct{})
	go func() {
		g.settle()
		g.calls.Wait()
		close(out)
	}()
	select {
	case <-out:
	case <-time.After(patience):
	}
	_ = safely(g.client.Close)
}

// judge retires the generation when a call's error says that it is bad.
func (g *generation) judge(err error) {
	switch {
	case err == nil:
		g.misses.Store(0)
	case isBroken(err):
		g.retire(err)
	case (isLate(err) || isAstray(err)) && g.misses.Add(1) >= failures:
		g.retire(err)
	}
}

// entering is the context of a call. The client asks for its deadline as soon
// as it has a connection for the call, and not before.
type entering struct {
	context.Context

	through func()
}

// Deadline notes that the call has its connection.
func (e entering) Deadline() (time.Time, bool) {
	e.through()
	return e.Context.Deadline()
}

// safely turns a panic into an error.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return f()
}
