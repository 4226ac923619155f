package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/probe"
)

// callers is how many ask at once in the rows that go through the protocol.
const callers = 64

// wire is what the rows through the protocol measure: the engine behind its
// server, and the same messages over the bare raw log.
type wire struct {
	bare   *probe.Bare
	engine *node.Engine
	dir    string
	syncs  *probe.Syncs
	url    string
	stop   context.CancelFunc
	served chan error
	total  int // appends acknowledged by the engine
}

func (w *world) openWire(ctx context.Context, name string) (_ *wire, err error) {
	t := &wire{dir: filepath.Join(w.dir, name), served: make(chan error, 1)}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return nil, err
	}
	var listen net.ListenConfig
	first, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if t.bare, err = probe.ServeBare(t.dir, first); err != nil {
		return nil, errors.Join(err, first.Close())
	}
	fs, syncs := probe.CountSyncs(vfs.Default)
	t.syncs = syncs
	if t.engine, err = node.Open(filepath.Join(t.dir, "node"), node.Options{FS: fs}); err != nil {
		return nil, errors.Join(err, t.bare.Close())
	}
	second, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, t.bare.Close(), t.engine.Close())
	}
	t.url = address(second.Addr().String())
	ctx, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() { t.served <- node.Serve(ctx, t.engine, second, node.ServeOptions{}) }()
	return t, nil
}

func address(host string) string { return "esdb://" + host + "?tls=false" }

// close ends both servers, opens the store again and counts what it holds of
// the streams that were appended to.
func (t *wire) close(ctx context.Context) error {
	t.stop()
	err := errors.Join(<-t.served, t.bare.Close(), t.engine.Close())
	if err != nil {
		return err
	}
	e, err := node.Open(filepath.Join(t.dir, "node"), node.Options{})
	if err != nil {
		return err
	}
	held := 0
	for r, err := range e.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return errors.Join(err, e.Close())
		}
		if strings.HasPrefix(r.Stream, "bench-") {
			held++
		}
	}
	if held != t.total {
		err = fmt.Errorf("the store holds %d of %d appends", held, t.total)
	}
	return errors.Join(err, e.Close())
}

// unary is row 1b: single durable appends through the official client.
func (w *world) unary(ctx context.Context) (lines []line, err error) {
	t, err := w.openWire(ctx, "unary")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	load := probe.NewLoad()
	got, err := w.inTurns(
		ctx,
		contender{"probe", func(ctx context.Context) (sample, error) {
			s, err := w.clientTurn(ctx, address(t.bare.Address), probe.NewLoad())
			held, syncs, checked := t.bare.Rewind()
			if s.syncs = syncs; checked == nil && held != s.ops {
				checked = fmt.Errorf("the raw log holds %d of %d appends", held, s.ops)
			}
			return s, errors.Join(err, checked)
		}},
		contender{"ours", func(ctx context.Context) (sample, error) {
			before := t.syncs.Count()
			s, err := w.clientTurn(ctx, t.url, load)
			s.syncs = t.syncs.Count() - before
			t.total += s.ops
			return s, err
		}},
	)
	if err != nil {
		return nil, err
	}
	const row, other = "1b, 64 callers", "the same client over the bare raw log"
	return []line{
		w.beside(row, other, got["ours"], got["probe"], 0.90),
		cpuGate(row, "the probe", got["ours"], got["probe"], 1.15),
		fact(row, "appends per sync", got["ours"], perSync, 0, 0),
	}, nil
}

// clientTurn appends with one official client, shared by all callers.
func (w *world) clientTurn(ctx context.Context, url string, load *probe.Load) (sample, error) {
	settings, err := client.ParseConnectionString(url)
	if err != nil {
		return sample{}, err
	}
	settings.Logger = client.NoopLogging()
	c, err := client.NewClient(settings)
	if err != nil {
		return sample{}, err
	}
	ids := &sequence{}
	end := time.Now().Add(w.Length)
	f, err := load.Run(callers, func() probe.AppendFunc {
		return func(stream string, version uint64, data []byte) error {
			options := client.AppendToStreamOptions{ExpectedRevision: client.NoStream{}}
			if version > 0 {
				options.ExpectedRevision = client.Revision(version - 1)
			}
			_, err := c.AppendToStream(ctx, stream, options, client.EventData{
				EventID: ids.next(), EventType: "bench.appended.v1", ContentType: client.ContentTypeJson, Data: data, Metadata: []byte(`{}`),
			})
			return err
		}
	}, func() bool { return ctx.Err() == nil && time.Now().Before(end) })
	return sample{ops: f.Appends, elapsed: f.Elapsed, self: f.CPU}, errors.Join(err, c.Close())
}

// sequence gives out ids that are not used twice.
type sequence struct {
	mu   sync.Mutex
	run  uuid.UUID
	last uint64
}

func (s *sequence) next() uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == 0 {
		s.run = uuid.New()
	}
	s.last++
	id := s.run
	binary.BigEndian.PutUint64(id[8:], s.last)
	return id
}

func perSync(s sample) float64 { return float64(s.ops) / float64(max(s.syncs, 1)) }
