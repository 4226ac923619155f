package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hostfold/hostfold/eventstore"
)

const (
	// metaPrefix before a stream's name makes the name of its metastream.
	metaPrefix = "$$"
	// metadataType is the type of a metastream's events.
	metadataType = "$metadata"
	// truncateBefore is the key that soft deletion and recreation set.
	truncateBefore = "$tb"
)

// softDeleted is the metadata that a soft deletion writes.
const softDeleted = `{"` + truncateBefore + `":9223372036854775807}`

// StreamMetadata are the settings of a stream: what the last event of its
// metastream says. The zero value is a stream without any.
type StreamMetadata struct {
	// MaxCount is how many of the newest events can be read, at least 1; 0
	// sets no bound.
	MaxCount uint64
	// MaxAge is how old an event may be to be read, in whole seconds, at least
	// one; 0 sets no bound.
	MaxAge time.Duration
	// TruncateBefore is the first revision that can be read; 0 sets no bound,
	// math.MaxInt64 says that the stream is soft-deleted.
	TruncateBefore uint64
	// CacheControl is how long readers may keep what they read, in whole
	// seconds, at least one; 0 when it is not said. The store itself keeps to
	// nothing here.
	CacheControl time.Duration
	// Temporary is a note to readers; the store itself does nothing with it.
	Temporary bool
	// ACL is the value of "$acl" as it was written: an object, or a string
	// that names a default. It is nil when there is none.
	ACL json.RawMessage
}

// Deleted reports whether the stream is soft-deleted: nothing of it can be
// read until it is written to again.
func (m StreamMetadata) Deleted() bool { return m.TruncateBefore == maxNumber }

// Metadata answers a stream's metadata and their revision in its metastream,
// eventstore.NoRevision when there are none. Malformed metadata count as none
// but have their revision. A metastream's own metadata are fixed: it keeps its
// newest event. Those of a tombstoned stream are gone with it.
func (e *Engine) Metadata(ctx context.Context, stream string) (StreamMetadata, uint64, error) {
	none := func(err error) (StreamMetadata, uint64, error) {
		return StreamMetadata{}, eventstore.NoRevision, err
	}
	if err := checkStream(stream); err != nil {
		return none(err)
	}
	if err := ctx.Err(); err != nil {
		return none(fmt.Errorf("read metadata of %q: %w", stream, err))
	}
	leave, err := e.enter()
	if err != nil {
		return none(err)
	}
	defer leave()
	if isMetastream(stream) {
		return StreamMetadata{MaxCount: 1}, eventstore.NoRevision, nil
	}
	it, err := e.look()
	if err != nil {
		return none(fmt.Errorf("read metadata of %q: %w", stream, err))
	}
	defer it.Close()
	through := e.durable.position()
	last, _, err := it.lastEntry(stream, through)
	if err == nil && last != tombstoneRevision {
		var m StreamMetadata
		if m, last, err = metadataOf(it, stream, through); err == nil {
			return m, uint64(last), nil //nolint:gosec // -1 is NoRevision.
		}
	}
	if err != nil {
		err = fmt.Errorf("read metadata of %q: %w", stream, err)
	}
	return none(err)
}

// metadataOf reads a stream's metadata as they were at a position, and their
// revision, -1 when there are none.
func metadataOf(it *look, stream string, through uint64) (m StreamMetadata, revision int64, err error) {
	meta := metaPrefix + stream
	revision, pos, err := it.lastEntry(meta, through)
	if err != nil || revision < 0 {
		return m, revision, err
	}
	r, err := recordOf(it.Iterator, meta, pos)
	if err != nil {
		return m, revision, err
	}
	return parseMetadata(r.data, r.binary), revision, nil
}

// isMetastream reports whether a stream holds the metadata of another.
func isMetastream(stream string) bool { return strings.HasPrefix(stream, metaPrefix) }

// parseMetadata reads metadata as the store does: what is malformed, or holds a
// known key of another type, says nothing at all; a number out of range is
// passed over.
func parseMetadata(data []byte, binary bool) StreamMetadata {
	var keys map[string]json.RawMessage
	if binary || json.Unmarshal(data, &keys) != nil {
		return StreamMetadata{}
	}
	var m StreamMetadata
	ok := true
	number := func(key string) uint64 {
		text, there := keys[key]
		if !there || string(text) == "null" {
			return 0
		}
		n, err := strconv.ParseInt(string(text), 10, 64)
		ok = ok && err == nil
		return uint64(max(n, 0))
	}
	seconds := func(key string) time.Duration {
		n := number(key)
		if n > math.MaxInt64/uint64(time.Second) {
			return 0 // Longer than any log is old.
		}
		return time.Duration(n) * time.Second
	}
	m.MaxCount = number("$maxCount")
	m.MaxAge = seconds("$maxAge")
	m.TruncateBefore = number(truncateBefore)
	m.CacheControl = seconds("$cacheControl")
	if text, there := keys["$tmp"]; there {
		ok = ok && json.Unmarshal(text, &m.Temporary) == nil
	}
	if acl := keys["$acl"]; len(acl) > 0 && acl[0] != 'n' {
		ok = ok && (acl[0] == '{' || acl[0] == '"')
		m.ACL = acl
	}
	if !ok {
		return StreamMetadata{}
	}
	return m
}

// withTruncateBefore is the metadata with "$tb" set and all else kept; ok is
// false when they are malformed.
func withTruncateBefore(data []byte, revision int64) (_ []byte, ok bool) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(data, &keys) != nil || keys == nil {
		return nil, false
	}
	keys[truncateBefore] = strconv.AppendInt(nil, revision, 10)
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(keys) != nil {
		return nil, false
	}
	return bytes.TrimSpace(b.Bytes()), true
}
