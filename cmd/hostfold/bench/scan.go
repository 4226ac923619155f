package bench

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"runtime"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// scanned is how many events the rows that read the whole log read.
const scanned = 200_000

// scans is row 6: the whole log, hashed, through the official client and from
// the engine; and a subscription to all from the start, beside a bare stream.
func (w *world) scans(ctx context.Context) (lines []line, err error) {
	t, err := w.openWire(ctx, "scans")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	if err := t.fill(ctx); err != nil {
		return nil, err
	}
	ours, err := clientOf(t.url)
	if err != nil {
		return nil, err
	}
	bare, err := clientOf(address(t.bare.Address))
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	defer func() { err = errors.Join(err, ours.Close(), bare.Close()) }()
	sum := func(read func(context.Context, *chain) (int, error)) func(context.Context) (sample, error) {
		return func(ctx context.Context) (sample, error) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s, err := w.measured(func() (int, error) { return read(ctx, &chain{Hash: sha256.New()}) })
			runtime.ReadMemStats(&after)
			s.allocations = after.Mallocs - before.Mallocs
			if err == nil && s.ops != scanned {
				err = fmt.Errorf("%d of %d events came", s.ops, scanned)
			}
			return s, err
		}
	}
	got, err := w.inTurns(
		ctx,
		contender{"client", sum(func(ctx context.Context, h *chain) (int, error) { return readAll(ctx, ours, h) })},
		contender{"bare client", sum(func(ctx context.Context, h *chain) (int, error) { return readAll(ctx, bare, h) })},
		contender{"engine", sum(func(ctx context.Context, h *chain) (int, error) { return t.readEngine(ctx, h) })},
		contender{"raw log", sum(func(_ context.Context, h *chain) (int, error) { return t.readRaw(h) })},
		contender{"subscription", sum(func(ctx context.Context, h *chain) (int, error) { return subscribed(ctx, ours, h) })},
		contender{"bare stream", sum(func(ctx context.Context, h *chain) (int, error) { return subscribed(ctx, bare, h) })},
	)
	if err != nil {
		return nil, err
	}
	return []line{
		w.beside("6, official client", "the same client over the bare raw log", got["client"], got["bare client"], 0.90),
		w.beside("6, embedded", "raw log, CRC and SHA-256", got["engine"], got["raw log"], 0.40),
		fact("6, embedded", "allocations per event", got["engine"], func(s sample) float64 { return float64(s.allocations) / scanned }, 0, 2),
		w.beside("6, subscription to all", "the same client on a bare stream", got["subscription"], got["bare stream"], 0),
	}, nil
}

func clientOf(url string) (*client.Client, error) {
	settings, err := client.ParseConnectionString(url)
	if err != nil {
		return nil, err
	}
	settings.Logger = client.NoopLogging()
	return client.NewClient(settings)
}

// fillAhead is how many events are under way while the logs are filled.
const fillAhead = 8000

// fill writes the same events to both sides, many under way at once.
func (t *wire) fill(ctx context.Context) error {
	ids, data := &sequence{}, newBatchLoad(1, nil).data
	for t.total < scanned {
		var waits []func() error
		for end := min(t.total+fillAhead, scanned); t.total < end; t.total += perAppend {
			stream, first := fmt.Sprintf("bench-%08d", t.total/perAppend%streams), uint64(t.total/(perAppend*streams)*perAppend)
			events := make([]eventstore.NewEvent, perAppend)
			for i := range events {
				events[i] = eventstore.NewEvent{ID: ids.next(), Type: "bench.appended.v1", Data: data, Metadata: []byte(`{}`)}
				waits = append(waits, t.bare.Add(stream, first+uint64(i), &events[i]))
			}
			expected := node.NoStream()
			if first > 0 {
				expected = node.Revision(first - 1)
			}
			ticket, err := t.engine.Submit(ctx, stream, expected, events)
			if err != nil {
				return err
			}
			waits = append(waits, func() error {
				_, err := ticket.Wait(ctx)
				return err
			})
		}
		for _, wait := range waits {
			if err := wait(); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAll reads the log through an official client.
func readAll(ctx context.Context, c *client.Client, h *chain) (n int, err error) {
	r, err := c.ReadAll(ctx, client.ReadAllOptions{From: client.Start{}}, math.MaxUint64)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for {
		e, err := r.Recv()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n += take(h, e.Event)
	}
}

// subscribed receives the log's events through a subscription from the start.
func subscribed(ctx context.Context, c *client.Client, h *chain) (n int, err error) {
	sub, err := c.SubscribeToAll(ctx, client.SubscribeToAllOptions{From: client.Start{}})
	if err != nil {
		return 0, err
	}
	for n < scanned {
		m := sub.Recv()
		if m.SubscriptionDropped != nil {
			return n, m.SubscriptionDropped.Error
		}
		if m.EventAppeared != nil {
			n += take(h, m.EventAppeared.Event)
		}
	}
	return n, sub.Close()
}

// take hashes one of the benchmark's events and counts it; others, of the
// store's own, are passed over.
func take(h *chain, e *client.RecordedEvent) int {
	if e.EventType != "bench.appended.v1" {
		return 0
	}
	h.link(e.StreamID, e.EventNumber, e.EventID, e.Data, e.UserMetadata)
	return 1
}

// readEngine reads the log in process.
func (t *wire) readEngine(ctx context.Context, h *chain) (n int, err error) {
	for e, err := range t.engine.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return n, err
		}
		if e.Type == "bench.appended.v1" {
			h.link(e.Stream, e.Revision, e.ID, e.Data, e.Metadata)
			n++
		}
	}
	return n, nil
}

// readRaw reads the raw log, whose checksums it checks, and hashes it.
func (t *wire) readRaw(h *chain) (n int, err error) {
	err = t.bare.Scan(func(_ []byte, _ uint64, data []byte) error {
		_, _ = h.Write(data) // A hash does not fail.
		n++
		return nil
	})
	return n, err
}

// chain is a hash of all events so far.
type chain struct {
	hash.Hash
	buffer []byte
}

// link adds an event.
func (c *chain) link(stream string, revision uint64, id [16]byte, data, metadata []byte) {
	b := c.buffer
	b = append(b, stream...)
	b = append(binary.BigEndian.AppendUint64(b, revision), id[:]...)
	b = append(append(b, data...), metadata...)
	_, _ = c.Write(b) // A hash does not fail.
	c.buffer = b[:0]
}
