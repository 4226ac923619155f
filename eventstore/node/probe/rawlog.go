// Package probe holds the yardsticks the engine is measured with: a bare log
// that only writes and syncs, a counter of syncs, and one run of many writers.
// hostfold bench and the benchmarks of eventstore/node use it. Its figures are
// compared over time, so its code changes only for a reason that is written
// down. It must not be used to store anything.
package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"syscall"
)

var (
	errFull    = errors.New("raw log is full")
	errVersion = errors.New("wrong version")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	rawGroup  = 512
	rawHeader = 16 // length, checksum, version
)

// RawLog is the limit for durable appends on one disk: one preallocated file
// filled with zeros, CRC-32C, stream versions in memory, one fdatasync per
// group. It has no index, no reads, no ids and no metadata.
type RawLog struct {
	file     *os.File
	size     int64
	requests chan *rawAppend
	stopped  chan struct{}

	// of the writer's goroutine
	end      int64
	versions map[string]uint64
	buf      []byte
	syncs    int64
}

type rawAppend struct {
	stream  string
	version uint64
	data    []byte
	done    chan error
}

// OpenRawLog makes a log of a fixed size.
func OpenRawLog(path string, size int64) (*RawLog, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open raw log: %w", err)
	}
	zeros := make([]byte, 1<<20)
	for n := int64(0); n < size; n += int64(len(zeros)) {
		if _, err := file.WriteAt(zeros, n); err != nil {
			return nil, errors.Join(fmt.Errorf("fill raw log: %w", err), file.Close())
		}
	}
	if err := file.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("sync raw log: %w", err), file.Close())
	}
	l := &RawLog{
		file: file, size: size, versions: map[string]uint64{},
		requests: make(chan *rawAppend, rawGroup), stopped: make(chan struct{}),
	}
	go l.run()
	return l, nil
}

// Writer answers an append function for one goroutine.
func (l *RawLog) Writer() func(stream string, version uint64, data []byte) error {
	a := &rawAppend{done: make(chan error, 1)}
	return func(stream string, version uint64, data []byte) error {
		a.stream, a.version, a.data = stream, version, data
		l.requests <- a
		return <-a.done
	}
}

// Rewind begins again at the start of the file, which stays preallocated. It
// answers the appends read back and the syncs made since the last time. No
// append may be under way.
func (l *RawLog) Rewind() (appends int, syncs int64, err error) {
	appends, err = l.check()
	syncs = l.syncs
	l.end, l.syncs, l.versions = 0, 0, map[string]uint64{}
	return appends, syncs, err
}

// Close ends the log.
func (l *RawLog) Close() error {
	close(l.requests)
	<-l.stopped
	return l.file.Close()
}

// run takes what is waiting, no more: like the log of the reference tables in
// the performance notes, it does not yield to let a group grow.
func (l *RawLog) run() {
	defer close(l.stopped)
	group := make([]*rawAppend, 0, rawGroup)
	for a := range l.requests {
		group = append(group[:0], a)
	drain:
		for len(group) < rawGroup {
			select {
			case a, ok := <-l.requests:
				if !ok {
					break drain
				}
				group = append(group, a)
			default:
				break drain
			}
		}
		l.commit(group)
	}
}

func (l *RawLog) commit(group []*rawAppend) {
	l.buf = l.buf[:0]
	accepted := group[:0]
	for _, a := range group {
		if l.versions[a.stream] != a.version {
			a.done <- errVersion
			continue
		}
		l.versions[a.stream]++
		l.buf = appendRaw(l.buf, a)
		accepted = append(accepted, a)
	}
	err := l.write()
	for _, a := range accepted {
		a.done <- err
	}
}

func appendRaw(b []byte, a *rawAppend) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(8+len(a.stream)+len(a.data)))
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, a.version)
	b = append(append(b, a.stream...), a.data...)
	sum := crc32.Checksum(b[start+8:], castagnoli)
	binary.BigEndian.PutUint32(b[start+4:], sum)
	return b
}

func (l *RawLog) write() error {
	if len(l.buf) == 0 {
		return nil
	}
	if l.end+int64(len(l.buf)) > l.size {
		return errFull
	}
	if _, err := l.file.WriteAt(l.buf, l.end); err != nil {
		return err
	}
	l.end += int64(len(l.buf))
	l.syncs++
	return syscall.Fdatasync(int(l.file.Fd()))
}

// check reads back what was written since the last rewind.
func (l *RawLog) check() (appends int, err error) {
	b := make([]byte, l.end)
	if _, err := l.file.ReadAt(b, 0); err != nil {
		return 0, fmt.Errorf("read raw log: %w", err)
	}
	for ; len(b) > 0; appends++ {
		end := rawHeader + int(binary.BigEndian.Uint32(b)) - 8
		if end > len(b) || crc32.Checksum(b[8:end], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
			return appends, fmt.Errorf("append %d of the raw log is damaged", appends)
		}
		b = b[end:]
	}
	return appends, nil
}
