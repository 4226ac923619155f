package esdb_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
)

// soak is true when tests may take minutes.
var soak = os.Getenv("HOSTFOLD_SOAK") != ""

// proxy stands between the client and a server, and spoils what goes through.
type proxy struct {
	t *testing.T
	*toxiproxy.Proxy

	// URL is the connection string through the proxy.
	URL string
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &proxy{t: t, Proxy: toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", target)}
	p.mend()
	p.URL = "esdb://" + p.Listen + "?tls=false"
	t.Cleanup(p.Stop)
	return p
}

// mend lets connections in again after Stop.
func (p *proxy) mend() {
	p.t.Helper()
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// spoil adds a toxic in one direction, upstream or downstream.
func (p *proxy) spoil(kind, stream, attributes string, a ...any) {
	p.t.Helper()
	text := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, fmt.Sprintf(attributes, a...))
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		p.t.Fatal(err)
	}
}

// cure removes every toxic.
func (p *proxy) cure() { p.Toxics.ResetToxics(context.Background()) }

// overrun is how far past its deadline a call answered. A machine that is busy
// runs nothing on time: when this process stood still is not counted.
func overrun(ctx context.Context, call func(context.Context) error) (time.Duration, error) {
	deadline, _ := ctx.Deadline()
	p := pulses()
	err := call(ctx)
	end := time.Now()
	if end.Before(deadline) {
		return 0, err
	}
	return end.Sub(deadline) - p.stalled(deadline, end), err
}

// pulses are started once, before a test counts goroutines.
var pulses = sync.OnceValue(startPulse)

// pulse is the control: goroutines that only want to run every few
// milliseconds, and note when they could not.
type pulse struct {
	mu    sync.Mutex
	beats [2]time.Time
	gaps  [2][]span
}

type span struct{ from, to time.Time }

const beatEvery = 5 * time.Millisecond

func startPulse() *pulse {
	p := &pulse{}
	for i := range p.beats {
		p.beats[i] = time.Now()
		go func() {
			for {
				<-time.After(beatEvery)
				p.beat(i, time.Now())
			}
		}()
	}
	return p
}

func (p *pulse) beat(i int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if due := p.beats[i].Add(beatEvery); now.Sub(due) > beatEvery {
		p.gaps[i] = append(p.gaps[i], span{due, now})
	}
	p.beats[i] = now
}

// stalled is how long the process stood still between two moments.
func (p *pulse) stalled(from, to time.Time) (most time.Duration) {
	for i := range p.beats {
		most = max(most, p.gapsIn(i, from, to))
	}
	return most
}

func (p *pulse) gapsIn(i int, from, to time.Time) (sum time.Duration) {
	for {
		p.mu.Lock()
		beat, gaps := p.beats[i], p.gaps[i]
		p.mu.Unlock()
		if !beat.Before(to) {
			for _, g := range gaps {
				if g.from.Before(from) {
					g.from = from
				}
				if g.to.After(to) {
					g.to = to
				}
				sum += max(0, g.to.Sub(g.from))
			}
			return sum
		}
		<-time.After(beatEvery)
	}
}

// openWith opens a store with settings of its own.
func openWith(t *testing.T, c esdb.Config) *esdb.Store {
	t.Helper()
	s, err := esdb.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// crowd are writers that append to a stream each, one call after the other.
type crowd struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu       sync.Mutex
	faults   []string
	worst    time.Duration
	good     int
	at       []time.Time // the last success of each
	appended []uint64    // events that are known to be written
}

// gather starts n writers; each call has the deadline.
func gather(s eventstore.Store, n int, deadline time.Duration) *crowd {
	ctx, stop := context.WithCancel(context.Background())
	c := &crowd{stop: stop, at: make([]time.Time, n), appended: make([]uint64, n)}
	for i := range n {
		c.all.Go(func() {
			for ctx.Err() == nil {
				c.write(s, i, deadline)
			}
		})
	}
	return c
}

// write appends one event, however often it takes.
func (c *crowd) write(s eventstore.Store, i int, deadline time.Duration) {
	list := events(1, "x.happened.v1")
	for range 1000 {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		over, err := overrun(ctx, func(ctx context.Context) error {
			_, err := s.Append(ctx, fmt.Sprint("crowd-", i), eventstore.After(c.appended[i]), list...)
			return err
		})
		cancel()
		if c.note(i, over, err) {
			return
		}
	}
}

func (c *crowd) note(i int, over time.Duration, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worst = max(c.worst, over)
	if over > slack {
		c.faults = append(c.faults, fmt.Sprintf("writer %d was answered %s late", i, over))
	}
	if err == nil {
		c.good++
		c.appended[i]++
		c.at[i] = time.Now()
		return true
	}
	if !isAway(err) {
		c.faults = append(c.faults, fmt.Sprintf("writer %d: %v", i, err))
	}
	return false
}

// since reports whether every writer had a success after t.
func (c *crowd) since(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.at {
		if !at.After(t) {
			return false
		}
	}
	return true
}

// any reports whether some writer had a success after t.
func (c *crowd) any(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.at, func(at time.Time) bool { return at.After(t) })
}

// disperse ends the writers.
func (c *crowd) disperse() {
	c.stop()
	c.all.Wait()
}
