// Package esdb is the event store port over the official EventStoreDB client.
//
// That client is dangerous while the server is away: calls ignore their
// context, a client object dies for ever after a second of outage, and closing
// it makes blocked calls panic. So this package never hands it out: a guard
// owns generations of the client, lets calls in only while a generation is
// known to be good, runs each call in a goroutine that may panic or get stuck,
// and replaces the generation. Every call ends within its deadline.
//
// It must not know what the events mean. Start reading at guard.go; append.go
// says how an append whose answer was lost is settled, and bulk.go how many
// appends are made over one call, which that client cannot.
package esdb

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/hostfold/hostfold/eventstore"
)

// watchInterval is how often the end of the log is looked at.
const watchInterval = time.Second

// Config says how to reach a store.
type Config struct {
	// URL is the connection string: esdb://127.0.0.1:2113?tls=false.
	URL string
	// Deadline bounds a call whose context has no deadline, and the silence of
	// a read; 5 s when zero.
	Deadline time.Duration
	// MaxAppendBytes bounds an append before it is sent, counted as
	// eventstore.MaxAppendSize is, which is the default. The store has a bound
	// of its own.
	MaxAppendBytes int
	// Calls bounds the appends and reads under way at once; 256 when zero.
	Calls int
	// Silence is how long a connection may say nothing although it is asked,
	// before it is replaced; 20 s when zero.
	Silence time.Duration
	// Logger hears when the store goes away and comes back; nil for silence.
	Logger *slog.Logger
}

// Store is the port over the official client.
type Store struct {
	settings client.Configuration
	deadline time.Duration
	largest  int // append, in bytes
	log      *slog.Logger
	// Appends and reads share one connection, subscriptions have their own, so
	// that a flood of one cannot starve the other.
	calls, feeds *guard

	stop    context.CancelFunc
	watched chan struct{}
	mu      sync.Mutex
	known   eventstore.Position // as far as the log is known to reach
}

var _ eventstore.Store = (*Store)(nil)

// Open starts to connect. It answers at once, also while the store is away;
// Close the store to end its connections.
func Open(c Config) (*Store, error) {
	if c.Deadline == 0 {
		c.Deadline = 5 * time.Second
	}
	if c.MaxAppendBytes == 0 {
		c.MaxAppendBytes = eventstore.MaxAppendSize
	}
	if c.Calls == 0 {
		c.Calls = 256
	}
	if c.Silence == 0 {
		c.Silence = 20 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	settings, err := client.ParseConnectionString(c.URL)
	if err != nil {
		return nil, fmt.Errorf("connection string of the event store: %w", err)
	}
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("connection string of the event store: %w", err)
	}
	// One attempt: the guard itself tries again, with a new client.
	settings.MaxDiscoverAttempts, settings.DiscoveryInterval, settings.GossipTimeout = 1, 20, 2
	settings.DefaultDeadline = &c.Deadline
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{
		settings: *settings,
		deadline: c.Deadline,
		largest:  c.MaxAppendBytes,
		log:      c.Logger,
		calls:    newGuard("calls", *settings, c),
		feeds:    newGuard("subscriptions", *settings, c),
		stop:     stop,
		watched:  make(chan struct{}),
	}
	go s.watch(ctx)
	return s, nil
}

// Plain reports whether a connection string leads to a server that is not local
// without TLS, or with a certificate that is not looked at. What is no connection
// string does not; Open refuses it.
func Plain(url string, local func(host string) bool) bool {
	c, err := client.ParseConnectionString(url)
	if err != nil || !c.DisableTLS && !c.SkipCertificateVerification {
		return false
	}
	hosts := []string{c.Address}
	for _, seed := range c.GossipSeeds {
		hosts = append(hosts, seed.String())
	}
	return slices.ContainsFunc(hosts, func(at string) bool {
		host, _, err := net.SplitHostPort(at)
		return at != "" && (err != nil || !local(host))
	})
}

// Close ends every call and subscription and frees the connections.
func (s *Store) Close() error {
	s.stop()
	<-s.watched
	s.feeds.close()
	s.calls.close()
	return nil
}

// Address is where the store is looked for, without credentials.
func (s *Store) Address() string {
	if s.settings.Address != "" {
		return s.settings.Address
	}
	var all []string
	for _, seed := range s.settings.GossipSeeds {
		all = append(all, seed.String())
	}
	return strings.Join(all, ",")
}

// Ready is nil while the store answers, else an error that wraps
// eventstore.ErrUnavailable and says why it does not.
func (s *Store) Ready() error { return s.calls.ready() }

// Head is the position of the last event.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	for {
		last, err := do(ctx, s.calls, newest)
		switch {
		case err == nil:
			s.learn(last)
			return last, nil
		case !worthwhile(err) || !pause(ctx):
			return eventstore.Position{}, fmt.Errorf("head of the log: %w", outward(err))
		}
	}
}

// limit gives a call its own deadline when the caller set none.
func (s *Store) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, s.deadline)
}

// watch asks for the head now and then, for the sake of silent subscriptions.
func (s *Store) watch(ctx context.Context) {
	defer close(s.watched)
	for ctx.Err() == nil {
		sleep(ctx, watchInterval)
		if s.Ready() == nil {
			_, _ = s.Head(ctx) // It will be asked again.
		}
	}
}

// learn notes that the log reaches at least to p.
func (s *Store) learn(p eventstore.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known.Before(p) {
		s.known = p
	}
}

// isBehind reports whether the log is known to reach further than p.
func (s *Store) isBehind(p eventstore.Position) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.Before(s.known)
}
