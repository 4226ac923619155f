package logcopy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// One append of a copy carries at most this much of one stream.
const (
	appendEvents = 256
	appendBytes  = eventstore.MaxAppendSize / 2
)

// translate is an event as the copy holds it: with its first time and position
// in the metadata, unless these cannot take them. The first event of the log
// gets the copy's log id.
func (k *copier) translate(r *eventstore.Recorded) (e eventstore.NewEvent, marked bool) {
	e = eventstore.NewEvent{ID: r.ID, Type: r.Type, Data: r.Data, Metadata: r.Metadata, Binary: r.Binary}
	if namesLog(r) {
		if data, err := json.Marshal(eventstore.LogStarted{LogID: k.newLog}); err == nil {
			e.Data = data
		}
	}
	origin, err := json.Marshal(struct {
		RecordedAt time.Time `json:"$hostfold_recorded_at"`
		Origin     string    `json:"$hostfold_origin"`
	}{r.RecordedAt, k.FromLog.String() + "/" + r.Position.String()})
	if err != nil {
		return e, false
	}
	metadata, ok := join(r.Metadata, origin)
	if !ok || len(e.Data)+len(metadata)+2*len(e.Type) > eventstore.MaxAppendSize {
		return e, false
	}
	e.Metadata = metadata
	return e, true
}

// join adds the fields of one JSON object to another as they stand. An object
// that was copied before keeps what it has. Anything else is not joined.
func join(object, fields []byte) ([]byte, bool) {
	var has map[string]json.RawMessage
	if err := json.Unmarshal(object, &has); err != nil || has == nil {
		return nil, false
	}
	if _, copied := has["$hostfold_origin"]; copied {
		return object, true
	}
	if len(has) == 0 {
		return fields, true
	}
	open := bytes.TrimRight(object, " \t\r\n")
	joined := make([]byte, 0, len(open)+len(fields))
	joined = append(joined, open[:len(open)-1]...)
	joined = append(joined, ',')
	return append(joined, fields[1:]...), true
}

// namesLog reports whether an event is the one that carries the log's id.
func namesLog(r *eventstore.Recorded) bool {
	return r.Stream == eventstore.LogStream && r.Revision == 0 && r.Type == eventstore.LogStarted{}.EventType()
}

// appends yields what is missing after the first events, consecutive events of
// a stream together.
func (k *copier) appends(ctx context.Context, after uint64) iter.Seq[Append] {
	if k.newLog == uuid.Nil {
		k.newLog = k.NewID()
	}
	return func(yield func(Append) bool) {
		var a Append
		size, n := 0, uint64(0)
		for r, err := range k.source(ctx) {
			if err != nil {
				k.failed = err
				return
			}
			if n++; n <= after {
				continue
			}
			e, _ := k.translate(&r)
			more := len(e.Data) + len(e.Metadata) + 2*len(e.Type)
			if len(a.Events) > 0 && (a.Stream != r.Stream || len(a.Events) == appendEvents || size+more > appendBytes) {
				if !yield(a) {
					return
				}
				a, size = Append{}, 0
			}
			if len(a.Events) == 0 {
				a.Stream, a.Expected = r.Stream, eventstore.After(r.Revision)
			}
			a.Events, size = append(a.Events, e), size+more
			if n%4096 == 0 {
				k.Step("events copied", n, k.total)
			}
		}
		if len(a.Events) > 0 {
			yield(a)
		}
	}
}

// compared is how far the target is the beginning of the log.
type compared struct {
	events uint64
	digest []byte
}

// compare reads both stores beside each other to the target's end.
func (k *copier) compare(ctx context.Context, what string) (compared, error) {
	next, stop := iter.Pull2(k.source(ctx))
	defer stop()
	out, digest := compared{}, sha256.New()
	for got, err := range k.To.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return out, fmt.Errorf("read the target: %w", err)
		}
		if !isCopied(got.Stream) {
			continue
		}
		r, err, more := next()
		if err != nil {
			return out, err
		}
		if !more {
			return out, fmt.Errorf("%w: it goes on with event %s of %s", ErrOtherData, got.ID, got.Stream)
		}
		if namesLog(&r) && got.ID == r.ID {
			if err := k.adopt(&got); err != nil {
				return out, err
			}
		}
		want, _ := k.translate(&r)
		if got.ID != want.ID || got.Stream != r.Stream || got.Revision != r.Revision || got.Type != want.Type || got.Binary != want.Binary ||
			!bytes.Equal(got.Data, want.Data) || !bytes.Equal(got.Metadata, want.Metadata) {
			return out, fmt.Errorf("%w: event %s, revision %d of %s, is where event %s, revision %d of %s, should be", ErrOtherData, got.ID, got.Revision, got.Stream, r.ID, r.Revision, r.Stream)
		}
		sum(digest, &got)
		if out.events++; out.events%8192 == 0 {
			k.Step(what, out.events, k.total)
		}
	}
	out.digest = digest.Sum(nil)
	return out, nil
}

// adopt reads the log id that an earlier attempt gave to the copy.
func (k *copier) adopt(got *eventstore.Recorded) error {
	var started eventstore.LogStarted
	if err := json.Unmarshal(got.Data, &started); err != nil || started.LogID == uuid.Nil || started.LogID == k.FromLog {
		return errors.Join(fmt.Errorf("%w: event %s does not name the copy", ErrOtherData, got.ID), err)
	}
	k.newLog = started.LogID
	return nil
}

// sum adds an event to a digest, each part after its length.
func sum(digest hash.Hash, r *eventstore.Recorded) {
	flag := byte(0)
	if r.Binary {
		flag = 1
	}
	head := binary.BigEndian.AppendUint64(append([]byte{flag}, r.ID[:]...), r.Revision)
	for _, part := range [][]byte{head, []byte(r.Stream), []byte(r.Type), r.Metadata, r.Data} {
		_, _ = digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // a digest takes everything
		_, _ = digest.Write(part)
	}
}
