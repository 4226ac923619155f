package node

import (
	"context"
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/cockroachdb/pebble/v2"

	"github.com/hostfold/hostfold/eventstore"
)

// What a scavenge removes it notes, in the batch that removes it: so a log says
// of each position that is missing whether it may be. 'G' + number of a chunk
// holds one bit for each of the chunk's positions, set when it was removed.
// 'F' + position holds the record of a stream's first event when that was
// removed, without data and metadata: $streams and $category- still name it.
const (
	removedPrefix = 'G'
	firstPrefix   = 'F'
	chunkSize     = 512 // positions
)

// chunkBits are a chunk's positions, the lowest bit of the first byte first.
type chunkBits [chunkSize / 8]byte

func (b *chunkBits) set(pos uint64) { b[pos%chunkSize/8] |= 1 << (pos % 8) }

func (b *chunkBits) has(pos uint64) bool { return b[pos%chunkSize/8]&(1<<(pos%8)) != 0 }

// count counts the positions removed from one through another of the chunk.
func (b *chunkBits) count(from, through uint64) (n uint64) {
	if from%chunkSize == 0 && through%chunkSize == chunkSize-1 {
		for i := 0; i < len(b); i += 8 {
			n += uint64(bits.OnesCount64(binary.BigEndian.Uint64(b[i:]))) //nolint:gosec // a count
		}
		return n
	}
	for pos := from; pos <= through; pos++ {
		if b.has(pos) {
			n++
		}
	}
	return n
}

func removedKey(chunk uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{removedPrefix}, chunk)
}

func firstKey(pos uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{firstPrefix}, pos)
}

// notes reads which positions were removed.
type notes struct {
	it     *pebble.Iterator
	chunk  uint64 // the one in bits
	bits   chunkBits
	loaded bool
}

func newNotes(r pebble.Reader) (*notes, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{removedPrefix}, UpperBound: []byte{removedPrefix + 1}})
	return &notes{it: it}, err
}

func (n *notes) close() error { return n.it.Close() }

// of are the bits of a chunk, good until the next call.
func (n *notes) of(chunk uint64) (*chunkBits, error) {
	if n.loaded && n.chunk == chunk {
		return &n.bits, nil
	}
	n.bits, n.chunk, n.loaded = chunkBits{}, chunk, true
	key := removedKey(chunk)
	if !n.it.SeekGE(key) || string(n.it.Key()) != string(key) {
		return &n.bits, n.it.Error()
	}
	value, err := n.it.ValueAndErr()
	if err == nil && copy(n.bits[:], value) != len(n.bits) {
		err = errRecord
	}
	return &n.bits, err
}

// count counts the positions removed from first to before end.
func (n *notes) count(first, end uint64) (count uint64, err error) {
	for first < end {
		through := min(end-1, first|(chunkSize-1))
		b, err := n.of(first / chunkSize)
		if err != nil {
			return count, err
		}
		count += b.count(first, through)
		first = through + 1
	}
	return count, nil
}

// has reports whether a position was removed.
func (n *notes) has(pos uint64) (bool, error) {
	b, err := n.of(pos / chunkSize)
	return err == nil && b.has(pos), err
}

// any reports whether anything was ever removed.
func (n *notes) any() (bool, error) { return n.it.First(), n.it.Error() }

// Scavenged reports whether the event at a position was removed by a scavenge.
func (e *Engine) Scavenged(ctx context.Context, p eventstore.Position) (is bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	leave, err := e.enter()
	if err != nil {
		return false, err
	}
	defer leave()
	n, err := newNotes(e.db)
	if err != nil {
		return false, err
	}
	is, err = n.has(p.Commit)
	return is, errors.Join(err, n.close())
}

// firstOf is the record of a stream's first event that was removed, as far as
// it is kept; it is good as long as the iterator is not moved.
func firstOf(it *pebble.Iterator, pos uint64) (r record, found bool, err error) {
	key := firstKey(pos)
	if !it.SeekGE(key) || string(it.Key()) != string(key) {
		return r, false, it.Error()
	}
	value, err := it.ValueAndErr()
	if err == nil {
		r, err = parseRecord(value)
	}
	return r, err == nil, err
}
