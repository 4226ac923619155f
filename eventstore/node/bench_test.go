package node_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hostfold/hostfold/eventstore/node/probe"
)

// BenchmarkAppend measures single durable appends on disk, the engine beside
// the raw log that is its limit.
func BenchmarkAppend(b *testing.B) {
	raw, err := probe.OpenRaw(filepath.Join(b.TempDir(), "raw.log"))
	if err != nil {
		b.Fatal(err)
	}
	engine, err := probe.OpenEngine(b.Context(), filepath.Join(b.TempDir(), "node"))
	if err != nil {
		b.Fatal(err)
	}
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("rawlog/writers=%d", writers), func(b *testing.B) {
			f, err := raw.Run(writers, times(b))
			report(b, f, err)
		})
		b.Run(fmt.Sprintf("engine/writers=%d", writers), func(b *testing.B) {
			f, err := engine.Run(b.Context(), writers, times(b))
			report(b, f, err)
		})
	}
	if err := errors.Join(raw.Close(), engine.Close(b.Context())); err != nil {
		b.Fatal(err)
	}
}

// times ends a run after b.N appends.
func times(b *testing.B) func() bool {
	b.Helper()
	var n atomic.Int64
	b.ResetTimer()
	return func() bool { return n.Add(1) <= int64(b.N) }
}

func report(b *testing.B, f probe.Figures, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(f.PerSecond, "appends/s")
	b.ReportMetric(float64(f.CPUPerAppend())/float64(time.Microsecond), "cpu-µs/op")
	b.ReportMetric(f.PerSync(), "appends/sync")
}
