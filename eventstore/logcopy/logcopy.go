// Package logcopy copies a whole log from one event store to another: same
// events under the same ids, in the same order, at the same revisions. It is
// the way from the embedded node to a cluster.
//
// Where a copy stopped is found by reading the target, so it can be repeated
// after any failure; a target that holds anything else is refused. It must not
// know domain events beyond the one that names the log.
package logcopy

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
)

var (
	// ErrOtherData refuses a target that holds something else.
	ErrOtherData = errors.New("the target holds other data; give an empty store, or the one that an earlier copy of this log went to")
	// ErrRecreated refuses a log with a stream that was changed after it was
	// deleted: stores then add an event to its metadata themselves, so the copy
	// would not be the same. A scavenge takes the deletion out of the log.
	ErrRecreated = errors.New("it was changed after its deletion, which a copy cannot repeat; scavenge the store, and copy to an empty one")
	// ErrDiffers says that the copy is not what it should be.
	ErrDiffers = errors.New("the copy differs from the log; empty the target and copy again")
)

// Append is one append of a copy.
type Append = esdb.Append

// Config says what to copy, and where to.
type Config struct {
	From, To eventstore.Store
	// FromLog names the log in its copied events.
	FromLog uuid.UUID
	// Write makes the appends, in their order; by default one after the other
	// with To's Append. InBulk is several times as fast.
	Write func(ctx context.Context, appends iter.Seq[Append]) error
	// NewID draws the copy's log id: the copy is another log, with positions
	// of its own.
	NewID func() uuid.UUID
	// Step is told how far the copy has come; Say what the operator should
	// know. Either may be nil.
	Step func(what string, done, total uint64)
	Say  func(text string)
}

// Copied is what a copy came to.
type Copied struct {
	// Events were compared at the end, Written of them are new.
	Events, Written uint64
	Streams         uint64
	// Skipped are events of system streams, which belong to a store.
	Skipped uint64
	// Filled are events written in the place of events that were scavenged, so
	// that those after them keep their revisions.
	Filled uint64
	// Unmarked are events whose metadata could not take the first time and
	// position: no JSON object, or too large.
	Unmarked uint64
	// SHA256 is the digest of all events as they are in both stores.
	SHA256 string
	// Through is the last position of the source that was copied.
	Through eventstore.Position
}

// Copy copies everything up to the source's head at the time of the call, and
// compares the whole copy with it.
func Copy(ctx context.Context, c Config) (Copied, error) {
	k := &copier{Config: c.withDefaults()}
	var err error
	if k.out.Through, err = c.From.Head(ctx); err != nil {
		return k.out, fmt.Errorf("copy: %w", err)
	}
	if err := k.survey(ctx); err != nil {
		return k.out, fmt.Errorf("copy: %w", err)
	}
	there, err := k.compare(ctx, "events compared with what is there")
	if err != nil {
		return k.out, fmt.Errorf("copy: %w", err)
	}
	if there.events > 0 {
		k.Say(fmt.Sprintf("%d events are there already", there.events))
	}
	if err := k.Write(ctx, k.appends(ctx, there.events)); err != nil || k.failed != nil {
		return k.out, fmt.Errorf("copy: %w", errors.Join(k.failed, err))
	}
	done, err := k.compare(ctx, "events verified")
	if err == nil && done.events != k.total {
		err = fmt.Errorf("%d events of %d are there", done.events, k.total)
	}
	if err != nil {
		return k.out, fmt.Errorf("verify the copy: %w: %w", ErrDiffers, err)
	}
	k.out.Events, k.out.Written, k.out.SHA256 = done.events, done.events-there.events, hex.EncodeToString(done.digest)
	return k.out, nil
}

func (c Config) withDefaults() Config {
	if c.Step == nil {
		c.Step = func(string, uint64, uint64) {}
	}
	if c.Say == nil {
		c.Say = func(string) {}
	}
	if c.Write == nil {
		to := c.To
		c.Write = func(ctx context.Context, appends iter.Seq[Append]) error {
			for a := range appends {
				if _, err := to.Append(ctx, a.Stream, a.Expected, a.Events...); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return c
}

// copier is one run of Copy.
type copier struct {
	Config

	out   Copied
	total uint64
	// newLog is the copy's log id, once it is drawn or read.
	newLog uuid.UUID
	failed error
}

// isCopied reports whether a stream belongs to the log's users: their streams,
// and the metadata of these, but none of the store's own.
func isCopied(stream string) bool {
	of, _ := strings.CutPrefix(stream, "$$")
	return !strings.HasPrefix(of, "$")
}

// isTombstone reports whether an event closes its stream for ever.
func isTombstone(r *eventstore.Recorded) bool { return r.Revision >= math.MaxInt64 }

// deletes reports whether stream metadata hide every event until the next one.
func deletes(r *eventstore.Recorded) bool {
	var m struct {
		TruncateBefore int64 `json:"$tb"`
	}
	return !r.Binary && json.Unmarshal(r.Data, &m) == nil && m.TruncateBefore == math.MaxInt64
}

// source yields the events to copy, as they are in the source. Where the first
// of a stream were scavenged, fillers come in their place.
func (k *copier) source(ctx context.Context) iter.Seq2[eventstore.Recorded, error] {
	begun := map[string]bool{}
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range k.From.ReadAll(ctx, eventstore.Start) {
			if err == nil && k.out.Through.Before(r.Position) {
				return
			}
			if err == nil && (!isCopied(r.Stream) || isTombstone(&r)) {
				continue
			}
			if err == nil && !begun[r.Stream] {
				begun[r.Stream] = true
				for revision := range r.Revision {
					if !yield(k.filler(&r, revision), nil) {
						return
					}
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// scavengedType is the type of an event that stands for a scavenged one.
const scavengedType = "$scavenged"

// filler stands for an event of a stream that was scavenged, before the first
// one that was not.
func (k *copier) filler(first *eventstore.Recorded, revision uint64) eventstore.Recorded {
	return eventstore.Recorded{
		ID:     uuid.NewSHA1(k.FromLog, fmt.Appendf(nil, "%d@%s", revision, first.Stream)),
		Stream: first.Stream, Revision: revision, Position: first.Position, RecordedAt: first.RecordedAt,
		Type: scavengedType, Data: []byte("{}"), Metadata: []byte("{}"),
	}
}

// survey counts the events, and refuses a log that cannot be copied, before
// anything is written.
func (k *copier) survey(ctx context.Context) error {
	next, deleted := map[string]uint64{}, map[string]bool{}
	for r, err := range k.From.ReadAll(ctx, eventstore.Start) {
		switch {
		case err != nil:
			return err
		case k.out.Through.Before(r.Position):
			k.out.Streams = uint64(len(next))
			return nil
		case !isCopied(r.Stream):
			k.out.Skipped++
			continue
		case isTombstone(&r):
			k.Say(fmt.Sprintf("stream %s is tombstoned here; tombstone it in the target when the copy is done", r.Stream))
			k.out.Skipped++
			continue
		case next[r.Stream] == 0:
			k.out.Filled += r.Revision
			k.total += r.Revision
			next[r.Stream] = r.Revision
		case r.Revision != next[r.Stream]:
			return fmt.Errorf("stream %s: revision %d follows %d events, so it cannot have the same revisions in another store: %w", r.Stream, r.Revision, next[r.Stream], eventstore.ErrHistoryTruncated)
		}
		of := strings.TrimPrefix(r.Stream, "$$")
		if deleted[of] {
			return fmt.Errorf("stream %s: %w", of, ErrRecreated)
		}
		if of != r.Stream && deletes(&r) {
			deleted[of] = true
		}
		next[r.Stream]++
		if _, marked := k.translate(&r); !marked {
			k.out.Unmarked++
		}
		if k.total++; k.total%8192 == 0 {
			k.Step("events counted", k.total, 0)
		}
	}
	k.out.Streams = uint64(len(next))
	return nil
}
