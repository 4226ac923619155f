package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	protocol "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hostfold/hostfold/eventstore/node/probe"
)

// underWay is how many batches of one connection may wait for their answer.
const underWay = 512

// batches is row 1c: batches of durable appends, pipelined over one call.
func (w *world) batches(ctx context.Context) (lines []line, err error) {
	t, err := w.openWire(ctx, "batches")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	ids := &sequence{}
	for _, size := range []int{1, 8} {
		ours := newBatchLoad(size, ids)
		got, err := w.inTurns(
			ctx,
			contender{"probe", func(ctx context.Context) (sample, error) {
				s, err := w.batchTurn(ctx, t.bare.Address, newBatchLoad(size, ids).asRecords())
				held, syncs, checked := t.bare.Rewind()
				if s.syncs = syncs; checked == nil && held*size != s.ops {
					checked = fmt.Errorf("the raw log holds %d batches of %d, %d appends were acknowledged", held, size, s.ops)
				}
				return s, errors.Join(err, checked)
			}},
			contender{"ours", func(ctx context.Context) (sample, error) {
				before := t.syncs.Count()
				s, err := w.batchTurn(ctx, strings.TrimSuffix(strings.TrimPrefix(t.url, "esdb://"), "?tls=false"), ours)
				s.syncs = t.syncs.Count() - before
				t.total += s.ops
				return s, err
			}},
		)
		if err != nil {
			return nil, err
		}
		wall, cpu := 0.80, 1.4
		if size == 8 {
			wall, cpu = 0.65, 2
		}
		row := fmt.Sprintf("1c, %d per batch", size)
		lines = append(lines,
			w.beside(row, "the same messages over the bare raw log", got["ours"], got["probe"], wall),
			cpuGate(row, "the probe", got["ours"], got["probe"], cpu),
			fact(row, "appends per sync", got["ours"], perSync, 0, 0),
		)
	}
	return lines, nil
}

// batchLoad makes batches for streams in turns, each at the revision where the
// last one ended.
type batchLoad struct {
	names    [][]byte
	versions []uint64
	next     int
	size     int
	step     uint64 // by how much a batch moves a stream's version
	ids      *sequence
	metadata map[string]string
	data     []byte
}

func newBatchLoad(size int, ids *sequence) *batchLoad {
	l := &batchLoad{
		names: make([][]byte, streams), versions: make([]uint64, streams), size: size, step: uint64(size), ids: ids,
		metadata: map[string]string{"type": "bench.appended.v1", "content-type": "application/json"},
		data:     []byte(strings.Repeat(`{"n":"abcdefghij`, probe.PayloadSize/16)),
	}
	for i := range l.names {
		l.names[i] = fmt.Appendf(nil, "bench-%d-%08d", size, i)
	}
	return l
}

// asRecords is the load for the bare raw log, where a batch is one record.
func (l *batchLoad) asRecords() *batchLoad {
	l.step = 1
	return l
}

func (l *batchLoad) request() *protocol.BatchAppendReq {
	s := l.next
	l.next = (s + 1) % len(l.names)
	o := &protocol.BatchAppendReq_Options{StreamIdentifier: &shared.StreamIdentifier{StreamName: l.names[s]}}
	if v := l.versions[s]; v == 0 {
		o.ExpectedStreamPosition = &protocol.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	} else {
		o.ExpectedStreamPosition = &protocol.BatchAppendReq_Options_StreamPosition{StreamPosition: v - 1}
	}
	l.versions[s] += l.step
	m := &protocol.BatchAppendReq{CorrelationId: l.id(), Options: o, IsFinal: true, ProposedMessages: make([]*protocol.BatchAppendReq_ProposedMessage, l.size)}
	for i := range m.ProposedMessages {
		m.ProposedMessages[i] = &protocol.BatchAppendReq_ProposedMessage{Id: l.id(), Metadata: l.metadata, CustomMetadata: []byte(`{}`), Data: l.data}
	}
	return m
}

func (l *batchLoad) id() *shared.UUID {
	id := l.ids.next()
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

// batchTurn sends batches over one call until the turn is over, and counts the
// appends acknowledged.
func (w *world) batchTurn(ctx context.Context, addr string, load *batchLoad) (sample, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return sample{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := protocol.NewStreamsClient(conn).BatchAppend(ctx)
	if err != nil {
		return sample{}, errors.Join(err, conn.Close())
	}
	s, err := w.measured(func() (int, error) {
		window, sent, end := make(chan struct{}, underWay), make(chan error, 1), time.Now().Add(w.Length)
		go func() {
			for time.Now().Before(end) {
				select {
				case window <- struct{}{}:
				case <-ctx.Done():
					sent <- ctx.Err()
					return
				}
				if err := call.Send(load.request()); err != nil {
					sent <- err
					return
				}
			}
			sent <- call.CloseSend()
		}()
		appends := 0
		for {
			m, err := call.Recv()
			if errors.Is(err, io.EOF) {
				return appends, <-sent
			}
			if err != nil {
				return appends, err
			}
			if m.GetSuccess() == nil {
				return appends, fmt.Errorf("a batch was refused: %s", m.GetError().GetMessage())
			}
			appends += load.size
			<-window
		}
	})
	return s, errors.Join(err, conn.Close())
}
