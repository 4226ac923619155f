package node

import (
	"encoding/binary"
	"fmt"
)

// The index of derived streams lies behind the streams' entries: 'X' + rule +
// escaped name + 0 + ordinal holds a block, the positions of the entries from
// that ordinal on, each as the uvarint of its distance to the one before, the
// first to 0. An entry's ordinal is its revision in the derived stream.
// 'X' + 0 holds the layout and how far the log was followed.
const (
	indexPrefix = 'X'
	indexLayout = 1
)

func indexKeyThrough() []byte { return []byte{indexPrefix, 0} }

// appendIndexPrefix appends what all keys of a derived stream begin with.
// ofStream, afterStream and streamKeyRevision work on these keys as well.
func appendIndexPrefix(b []byte, by derivation, name string) []byte {
	return appendEscaped(append(b, indexPrefix, byte(by)), name)
}

// posting is a block that is being put together.
type posting struct {
	first uint64 // the ordinal of its first entry
	count uint64
	last  uint64 // its last position
	block []byte
}

func (p *posting) add(pos uint64) {
	p.block = binary.AppendUvarint(p.block, pos-p.last)
	p.last = pos
	p.count++
}

// nextPosition reads the position behind pos from a block.
func nextPosition(block []byte, pos uint64) (next uint64, rest []byte, err error) {
	distance, n := binary.Uvarint(block)
	if n <= 0 || distance == 0 || pos+distance < pos {
		return 0, nil, fmt.Errorf("%w: a block of the index", errRecord)
	}
	return pos + distance, block[n:], nil
}

// entriesIn counts the entries of a block: each ends with a byte below 80.
func entriesIn(block []byte) (n uint64) {
	for _, b := range block {
		if b < 0x80 {
			n++
		}
	}
	return n
}

func putThrough(pos uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{indexLayout}, pos)
}

// throughOf reads how far the log was followed; ok is false for another layout.
func throughOf(value []byte) (pos uint64, ok bool) {
	if len(value) != 9 || value[0] != indexLayout {
		return 0, false
	}
	return binary.BigEndian.Uint64(value[1:]), true
}
