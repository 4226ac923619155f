package probe

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

const (
	streams = 1000
	// PayloadSize is the size of an event's data, in bytes.
	PayloadSize = 400
)

// AppendFunc appends one event to a stream that holds version events.
type AppendFunc func(stream string, version uint64, data []byte) error

// Figures are what one run of writers gave.
type Figures struct {
	Appends   int
	Elapsed   time.Duration
	CPU       time.Duration // of the whole process
	Syncs     int64
	PerSecond float64
}

// CPUPerAppend is the processor time one append took.
func (f Figures) CPUPerAppend() time.Duration { return f.CPU / time.Duration(max(f.Appends, 1)) }

// PerSync is the number of appends that shared a sync.
func (f Figures) PerSync() float64 { return float64(f.Appends) / float64(max(f.Syncs, 1)) }

// Load is what writers append: single events of 400 bytes to 1,000 streams, in
// turns, with the version given. It remembers versions from run to run.
type Load struct {
	names    []string
	versions []uint64
	data     []byte
}

// NewLoad is a load on streams that do not exist yet.
func NewLoad() *Load {
	l := &Load{names: make([]string, streams), versions: make([]uint64, streams), data: make([]byte, PayloadSize)}
	for i := range l.names {
		l.names[i] = fmt.Sprintf("bench-%08d", i)
	}
	for i := range l.data {
		l.data[i] = `{"n":"abcdefghij`[i%16]
	}
	return l
}

// Run lets writers append, each to its own share of the streams, until more
// answers false. open gives each writer its append function.
func (l *Load) Run(writers int, open func() AppendFunc, more func() bool) (Figures, error) {
	counts := make([]int, writers)
	errs := make([]error, writers)
	var all sync.WaitGroup
	cpu, begin := processTime(), now()
	for w := range writers {
		all.Go(func() { counts[w], errs[w] = l.write(open(), w, writers, more) })
	}
	all.Wait()
	f := Figures{Elapsed: time.Since(begin), CPU: processTime() - cpu}
	for _, n := range counts {
		f.Appends += n
	}
	f.PerSecond = float64(f.Appends) / f.Elapsed.Seconds()
	return f, errors.Join(errs...)
}

// write is one writer: streams first, first+step, … in turns.
func (l *Load) write(add AppendFunc, first, step int, more func() bool) (n int, err error) {
	for {
		for s := first; s < len(l.names); s += step {
			if !more() {
				return n, nil
			}
			if err := add(l.names[s], l.versions[s], l.data); err != nil {
				return n, fmt.Errorf("append to %s at %d: %w", l.names[s], l.versions[s], err)
			}
			l.versions[s]++
			n++
		}
	}
}

// processTime is the processor time this process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// now is the clock of all measurements.
func now() time.Time {
	return time.Now() //nolint:forbidigo // a measurement takes real time
}
