package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A watermark is a small file beside the log that says how far the log was
// durable. Pebble cannot tell a log that ends from one whose end was cut off or
// spoiled after it had been written; the watermark can. It is written in place
// after each group's sync and before the group is answered, so it never runs
// ahead of the log, and a killed process leaves it exact. It is itself synced
// at most once a second, so a power loss may leave it that much behind.
//
// It holds two slots, written in turns, each in a disk sector of its own:
// magic (4), count of writes (8), durable position (8), nothing (8), CRC-32C of
// these (4), big-endian.
const (
	watermarkMagic  = 0x4846574d
	watermarkSize   = 32
	watermarkOffset = 4096 // from one slot to the other
)

// watermarkSync is the longest that a change of the watermark stays unsynced.
const watermarkSync = time.Second

var errWatermark = errors.New("neither of its two entries is whole")

// mark is what a watermark says.
type mark struct {
	turn    uint64
	durable uint64
}

type watermark struct {
	mu   sync.Mutex
	file vfs.File
	buf  [watermarkSize]byte
	mark mark

	changed chan struct{} // has a value while there is something to sync
	stop    chan struct{}
	synced  chan struct{} // closed when keep has ended
	failed  func(error)
}

func (f *folder) watermarkPath() string { return f.fs.PathJoin(f.dir, "watermark") }

// openWatermark reads the watermark, making it when the folder has none yet.
func (f *folder) openWatermark() (*watermark, error) {
	w := &watermark{changed: make(chan struct{}, 1), stop: make(chan struct{}), synced: make(chan struct{})}
	if f.format < 2 {
		if err := f.makeWatermark(mark{}); err != nil {
			return nil, fmt.Errorf("make %s: %w", f.watermarkPath(), err)
		}
	}
	m, err := f.readWatermark()
	if err != nil {
		return nil, fmt.Errorf("event store folder %s: %s is damaged or lost, so that nothing says how far the log went; restore the folder from a backup: %w", f.dir, f.watermarkPath(), err)
	}
	w.mark = m
	if w.file, err = f.fs.OpenReadWrite(f.watermarkPath(), vfs.WriteCategoryUnspecified); err != nil {
		return nil, fmt.Errorf("open %s: %w", f.watermarkPath(), err)
	}
	return w, nil
}

// makeWatermark makes the file with both slots, durably.
func (f *folder) makeWatermark(m mark) error {
	file, err := f.fs.Create(f.watermarkPath(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	content := make([]byte, watermarkOffset+watermarkSize)
	m.put(content)
	m.put(content[watermarkOffset:])
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close(), f.syncDir(f.dir))
}

func (f *folder) readWatermark() (mark, error) {
	file, err := f.fs.Open(f.watermarkPath())
	if err != nil {
		return mark{}, err
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		return mark{}, err
	}
	if len(content) != watermarkOffset+watermarkSize {
		return mark{}, errWatermark
	}
	a, aWhole := parseMark(content)
	b, bWhole := parseMark(content[watermarkOffset:])
	switch {
	case aWhole && (!bWhole || a.turn >= b.turn):
		return a, nil
	case bWhole:
		return b, nil
	default:
		return mark{}, errWatermark
	}
}

func (m mark) put(b []byte) {
	binary.BigEndian.PutUint32(b, watermarkMagic)
	binary.BigEndian.PutUint64(b[4:], m.turn)
	binary.BigEndian.PutUint64(b[12:], m.durable)
	binary.BigEndian.PutUint32(b[28:], crc32.Checksum(b[:28], crc32.MakeTable(crc32.Castagnoli)))
}

func parseMark(b []byte) (mark, bool) {
	if binary.BigEndian.Uint32(b) != watermarkMagic ||
		binary.BigEndian.Uint32(b[28:]) != crc32.Checksum(b[:28], crc32.MakeTable(crc32.Castagnoli)) {
		return mark{}, false
	}
	return mark{turn: binary.BigEndian.Uint64(b[4:]), durable: binary.BigEndian.Uint64(b[12:])}, true
}

// advance notes that the log is durable through a position. It costs one small
// write into memory of the operating system and allocates nothing.
func (w *watermark) advance(durable uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mark.durable = max(durable, w.mark.durable)
	return w.write()
}

// now is what the watermark says.
func (w *watermark) now() mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mark
}

// write puts the mark into the slot whose turn it is.
func (w *watermark) write() error {
	w.mark.turn++
	w.mark.put(w.buf[:])
	if _, err := w.file.WriteAt(w.buf[:], int64(w.mark.turn%2)*watermarkOffset); err != nil {
		return fmt.Errorf("write the watermark: %w", err)
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
	return nil
}

// keep syncs changes until close, at most once in watermarkSync.
func (w *watermark) keep() {
	defer close(w.synced)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-pause.C:
		}
		select {
		case <-w.stop:
			return
		case <-w.changed:
		}
		if err := w.file.SyncData(); err != nil {
			w.failed(fmt.Errorf("sync the watermark: %w", err))
			return
		}
		pause.Reset(watermarkSync)
	}
}

// close syncs what is left. keep must have been started.
func (w *watermark) close() error {
	close(w.stop)
	<-w.synced
	return errors.Join(w.file.Sync(), w.file.Close())
}
