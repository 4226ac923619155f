package node

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// Keys: 'L' + position holds the record; 'S' + escaped stream + 0 + revision
// holds the positions of a run of records (entries.go). In a stream's name a zero byte is escaped as
// 00 FF. Revisions are below 2^63, so the byte after the closing zero is never
// FF: no stream's keys lie among another's.
const (
	logPrefix    = 'L'
	streamPrefix = 'S'
)

// maxNumber is the largest revision or position the store's protocol can carry.
const maxNumber = math.MaxInt64

// tombstoneRevision is the revision of the event that closes a stream for ever.
const tombstoneRevision = maxNumber

const logKeySize = 9

func putLogKey(b []byte, pos uint64) {
	b[0] = logPrefix
	binary.BigEndian.PutUint64(b[1:], pos)
}

func logKey(pos uint64) []byte {
	b := make([]byte, logKeySize)
	putLogKey(b, pos)
	return b
}

func logKeyPosition(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

// appendStreamPrefix appends what all keys of a stream begin with.
func appendStreamPrefix(b []byte, stream string) []byte {
	return appendEscaped(append(b, streamPrefix), stream)
}

// appendEscaped appends a name and its closing zero.
func appendEscaped(b []byte, name string) []byte {
	for i := range len(name) {
		b = append(b, name[i])
		if name[i] == 0 {
			b = append(b, 0xFF)
		}
	}
	return append(b, 0)
}

// afterStream is behind a stream's last key and before the next stream's first.
func afterStream(prefix []byte) []byte { return append(slices.Clip(prefix), 0x80) }

// ofStream reports whether a key is one of the stream with the prefix.
func ofStream(key, prefix []byte) bool {
	return bytes.HasPrefix(key, prefix) && len(key) == len(prefix)+8 && key[len(prefix)] < 0x80
}

func appendStreamKey(b []byte, stream string, revision uint64) []byte {
	return appendOrdinal(appendStreamPrefix(b, stream), revision)
}

// appendOrdinal appends a revision to what a stream's keys begin with.
func appendOrdinal(prefix []byte, revision uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix, revision)
}

// streamKeyRevision is the revision in a stream's key.
func streamKeyRevision(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// splitStreamKey reads a stream's key back; ok is false when it is none.
func splitStreamKey(key []byte) (stream string, revision uint64, ok bool) {
	if len(key) < 10 || key[0] != streamPrefix || key[len(key)-9] != 0 {
		return "", 0, false
	}
	revision = streamKeyRevision(key)
	if revision > maxNumber {
		return "", 0, false
	}
	escaped := key[1 : len(key)-9]
	name := make([]byte, 0, len(escaped))
	for {
		i := bytes.IndexByte(escaped, 0)
		if i < 0 {
			return string(append(name, escaped...)), revision, true
		}
		if i+1 == len(escaped) || escaped[i+1] != 0xFF {
			return "", 0, false
		}
		name = append(name, escaped[:i+1]...)
		escaped = escaped[i+2:]
	}
}
