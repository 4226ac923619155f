// Package nodetest runs the embedded event store inside a test: the engine in
// memory, and its protocol server on loopback, for code that speaks to a store
// through an official client. Code that takes the port uses the engine as it is.
package nodetest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hostfold/hostfold/eventstore/node"
)

// Node is a running event store.
type Node struct {
	// Engine is the store itself.
	Engine *node.Engine
	// Address is host and port of its server.
	Address string
	// URL is the connection string for official clients. That of a secure
	// server lacks user, password and the certificate's authority.
	URL string

	options node.ServeOptions
	mu      sync.Mutex
	stop    context.CancelFunc
	stopped chan struct{}
}

// Start runs an empty event store until the test ends.
func Start(tb testing.TB) *Node {
	tb.Helper()
	return StartWith(tb, node.ServeOptions{})
}

// StartWith is Start with options for its server.
func StartWith(tb testing.TB, o node.ServeOptions) *Node {
	tb.Helper()
	return StartAt(tb, nil, o)
}

// StartAt is StartWith at a time of the test's own; a nil clock is the real one.
func StartAt(tb testing.TB, clock func() time.Time, o node.ServeOptions) *Node {
	tb.Helper()
	engine, err := node.Open("node", node.Options{
		FS:    vfs.NewMem(),
		Clock: clock,
		Fatal: func(err error) { tb.Errorf("event store: %v", err) },
	})
	if err != nil {
		tb.Fatalf("open the event store: %v", err)
	}
	tb.Cleanup(func() {
		if err := engine.Close(); err != nil {
			tb.Errorf("close the event store: %v", err)
		}
	})
	return StartOn(tb, engine, o)
}

// StartOn serves an engine, which stays the caller's to close, until the test
// ends.
func StartOn(tb testing.TB, engine *node.Engine, o node.ServeOptions) *Node {
	tb.Helper()
	n := &Node{Engine: engine, Address: "127.0.0.1:0", options: o}
	tb.Cleanup(n.Stop)
	n.Serve(tb)
	return n
}

// Serve serves again, at the same address, after Stop.
func (n *Node) Serve(tb testing.TB) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", n.Address)
	if err != nil {
		tb.Fatalf("listen for the event store: %v", err)
	}
	n.Address = l.Addr().String()
	n.URL = "esdb://" + n.Address
	if n.options.TLS == nil {
		n.URL += "?tls=false"
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := node.Serve(ctx, n.Engine, l, n.options); err != nil {
			tb.Errorf("event store's server: %v", err)
		}
	}()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stop, n.stopped = stop, stopped
}

// Stop stops the server and leaves the engine as it is. It may be called more
// than once.
func (n *Node) Stop() {
	n.mu.Lock()
	stop, stopped := n.stop, n.stopped
	n.mu.Unlock()
	if stop != nil {
		stop()
		<-stopped
	}
}
