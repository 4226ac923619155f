package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	protocol "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"

	"github.com/hostfold/hostfold/eventstore"
)

// Bare serves the store's append and read calls over a raw log with nothing in
// between: the same messages and the same client, but no index, no ids to
// compare, no filters and no streams to read. It is the limit for what goes
// through the protocol. It answers only well-formed requests.
type Bare struct {
	protocol.UnimplementedStreamsServer

	// Address is host and port of its server, on loopback.
	Address string

	log    *RawLog
	server *grpc.Server
	served chan error
	head   atomic.Uint64
}

// windowOfBatches bounds the batches of one call that wait for their answer,
// as in the store's own server.
const windowOfBatches = 1024

// ServeBare makes a raw log in a folder and serves it.
func ServeBare(dir string, l net.Listener) (*Bare, error) {
	log, err := OpenRawLog(filepath.Join(dir, "bare.log"), rawLogSize)
	if err != nil {
		return nil, err
	}
	b := &Bare{Address: l.Addr().String(), log: log, server: grpc.NewServer(grpc.MaxRecvMsgSize(32 << 20)), served: make(chan error, 1)}
	protocol.RegisterStreamsServer(b.server, b)
	go func() { b.served <- b.server.Serve(l) }()
	return b, nil
}

// Add begins to append one event as its own record, without the protocol, and
// answers what waits for its end. One goroutine may call it.
func (b *Bare) Add(stream string, version uint64, e *eventstore.NewEvent) (wait func() error) {
	data := append(bareStart(), e.ID[:]...)
	for _, part := range [][]byte{[]byte(e.Type), e.Metadata, e.Data} {
		data = append(binary.AppendUvarint(data, uint64(len(part))), part...)
	}
	a := &rawAppend{stream: stream, version: version, data: data, done: make(chan error, 1)}
	b.log.requests <- a
	return func() error { return <-a.done }
}

// Scan yields what was appended since the last rewind, see RawLog.Scan.
func (b *Bare) Scan(yield func(stream []byte, version uint64, data []byte) error) error {
	return b.log.Scan(yield)
}

// Rewind checks what was appended and begins again, see RawLog.Rewind.
func (b *Bare) Rewind() (appends int, syncs int64, err error) { return b.log.Rewind() }

// Close ends the server and its log.
func (b *Bare) Close() error {
	b.server.Stop()
	return errors.Join(<-b.served, b.log.Close())
}

// Append appends one call's events as one record.
func (b *Bare) Append(in protocol.Streams_AppendServer) error {
	first, err := in.Recv()
	if err != nil {
		return err
	}
	a := &rawAppend{
		stream: string(first.GetOptions().GetStreamIdentifier().GetStreamName()), done: make(chan error, 1), data: bareStart(),
		version: rawVersion(first.GetOptions().GetRevision(), first.GetOptions().GetNoStream() != nil),
	}
	events := 0
	for {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		a.data = appendBare(a.data, m.GetProposedMessage())
		events++
	}
	b.log.requests <- a
	if err := <-a.done; err != nil {
		return err
	}
	at := b.head.Add(uint64(events))
	return in.SendAndClose(&protocol.AppendResp{Result: &protocol.AppendResp_Success_{Success: &protocol.AppendResp_Success{
		CurrentRevisionOption: &protocol.AppendResp_Success_CurrentRevision{CurrentRevision: a.version},
		PositionOption:        &protocol.AppendResp_Success_Position{Position: &protocol.AppendResp_Position{CommitPosition: at, PreparePosition: at}},
	}}})
}

// rawVersion is how many records a stream has when its client expects a
// revision; a batch of events is one record here.
func rawVersion(revision uint64, none bool) uint64 {
	if none {
		return 0
	}
	return revision + 1
}

// BatchAppend appends each batch as one record, answered in order.
func (b *Bare) BatchAppend(in protocol.Streams_BatchAppendServer) error {
	type pending struct {
		request *protocol.BatchAppendReq
		append  *rawAppend
	}
	waiting, received := make(chan pending, windowOfBatches), make(chan error, 1)
	go func() {
		defer close(waiting)
		for {
			m, err := in.Recv()
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				received <- err
				return
			}
			o := m.GetOptions()
			a := &rawAppend{
				stream: string(o.GetStreamIdentifier().GetStreamName()), done: make(chan error, 1), data: bareStart(),
				version: rawVersion(o.GetStreamPosition(), o.GetNoStream() != nil),
			}
			for _, p := range m.GetProposedMessages() {
				a.data = appendBare(a.data, p)
			}
			b.log.requests <- a
			waiting <- pending{m, a}
		}
	}()
	for p := range waiting {
		if err := <-p.append.done; err != nil {
			return err
		}
		at := b.head.Add(uint64(len(p.request.GetProposedMessages())))
		if err := in.Send(&protocol.BatchAppendResp{
			CorrelationId: p.request.GetCorrelationId(), StreamIdentifier: p.request.GetOptions().GetStreamIdentifier(),
			Result: &protocol.BatchAppendResp_Success_{Success: &protocol.BatchAppendResp_Success{
				CurrentRevisionOption: &protocol.BatchAppendResp_Success_CurrentRevision{CurrentRevision: p.append.version},
				PositionOption:        &protocol.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: at, PreparePosition: at}},
			}},
		}); err != nil {
			return err
		}
	}
	return <-received
}

// bareMessage is what both kinds of append carry.
type bareMessage interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

// bareStart begins a record's data: a zero byte ends the stream's name.
func bareStart() []byte { return make([]byte, 1, 512) }

// appendBare encodes an event: id, type, custom metadata and data.
func appendBare(b []byte, m bareMessage) []byte {
	id := m.GetId().GetStructured()
	b = binary.BigEndian.AppendUint64(b, uint64(id.GetMostSignificantBits()))
	b = binary.BigEndian.AppendUint64(b, uint64(id.GetLeastSignificantBits()))
	kind := m.GetMetadata()["type"]
	b = append(binary.AppendUvarint(b, uint64(len(kind))), kind...)
	b = append(binary.AppendUvarint(b, uint64(len(m.GetCustomMetadata()))), m.GetCustomMetadata()...)
	return append(binary.AppendUvarint(b, uint64(len(m.GetData()))), m.GetData()...)
}

// Read streams the whole log: to a subscription a confirmation first, and the
// call stays open at the end.
func (b *Bare) Read(in *protocol.ReadReq, to protocol.Streams_ReadServer) error {
	_, subscribe := in.GetOptions().GetCountOption().(*protocol.ReadReq_Options_Subscription)
	if subscribe {
		if err := to.Send(&protocol.ReadResp{Content: &protocol.ReadResp_Confirmation{
			Confirmation: &protocol.ReadResp_SubscriptionConfirmation{SubscriptionId: "bare"},
		}}); err != nil {
			return err
		}
	}
	position := uint64(0)
	err := b.log.Scan(func(stream []byte, version uint64, data []byte) error {
		position++
		frame := bareEvent(stream, version, position, data)
		return to.Send(&protocol.ReadResp{Content: &protocol.ReadResp_Event{Event: &protocol.ReadResp_ReadEvent{
			Event: frame, Position: &protocol.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
		}}})
	})
	if err == nil && subscribe {
		<-to.Context().Done()
	}
	return err
}

// bareEvent is a record of one event in the protocol's form.
func bareEvent(stream []byte, version, position uint64, b []byte) *protocol.ReadResp_ReadEvent_RecordedEvent {
	high, low := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	b = b[16:]
	part := func() []byte {
		n, used := binary.Uvarint(b)
		p := b[used : used+int(n)]
		b = b[used+int(n):]
		return p
	}
	kind, meta, data := part(), part(), part()
	return &protocol.ReadResp_ReadEvent_RecordedEvent{
		Id: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits: int64(high), LeastSignificantBits: int64(low),
		}}},
		StreamIdentifier: &shared.StreamIdentifier{StreamName: stream},
		StreamRevision:   version, CommitPosition: position, PreparePosition: position,
		Metadata:       map[string]string{"type": string(kind), "content-type": "application/json", "created": "17000000000000000"},
		CustomMetadata: meta, Data: data,
	}
}

// scanBlock is how much of a raw log is read at once.
const scanBlock = 1 << 20

// Scan yields the appends since the last rewind, in order, and checks their
// sums. What it yields is not used again. No append may be under way.
func (l *RawLog) Scan(yield func(stream []byte, version uint64, data []byte) error) error {
	rest := make([]byte, 0)
	for at := int64(0); at < l.end || len(rest) > 0; {
		block := make([]byte, len(rest)+int(min(scanBlock, l.end-at)))
		copy(block, rest)
		n := len(block) - len(rest)
		if _, err := l.file.ReadAt(block[len(rest):], at); err != nil {
			return fmt.Errorf("read raw log: %w", err)
		}
		at += int64(n)
		rest = block
		for len(rest) >= rawHeader {
			end := rawHeader + int(binary.BigEndian.Uint32(rest)) - 8
			if end > len(rest) {
				break
			}
			if crc32.Checksum(rest[8:end], castagnoli) != binary.BigEndian.Uint32(rest[4:]) {
				return fmt.Errorf("raw log is damaged before %d", at)
			}
			stream, data, _ := bytes.Cut(rest[rawHeader:end:end], []byte{0})
			if err := yield(stream, binary.BigEndian.Uint64(rest[8:]), data); err != nil {
				return err
			}
			rest = rest[end:]
		}
		if n == 0 && len(rest) > 0 {
			return errors.New("raw log ends within an append")
		}
	}
	return nil
}
