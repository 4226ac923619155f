package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleOptions are those measured best for small appends and short reads.
func (e *Engine) pebbleOptions(fs vfs.FS) *pebble.Options {
	o := &pebble.Options{
		FS:                          fs,
		ErrorIfNotExists:            e.folder.format > 0, // else a lost list of tables makes an empty log
		CacheSize:                   e.o.CacheBytes,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                16 << 20,
		MemTableStopWritesThreshold: 4,
		Logger:                      pebbleLogger{e},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { e.fail(fmt.Errorf("background write: %w", err)) },
			DataCorruption:  func(info pebble.DataCorruptionInfo) { e.fail(e.folder.corrupt(info)) },
			DiskSlow: func(info pebble.DiskSlowInfo) {
				e.o.Logger.Warn("event store: disk is slow", "what", info.String())
			},
		},
	}
	o.Experimental.SpanPolicyFunc = splitTables
	for i := range o.Levels {
		o.Levels[i].BlockSize = 8 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// splitTables keeps records, streams' entries, the index of derived streams and
// the notes of what was scavenged in tables of their own. The records, whose keys only rise, then sink to the
// last level by being moved; together with the entries they would be written
// again and again.
func splitTables(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	for _, next := range []byte{logPrefix, streamPrefix, indexPrefix} {
		if bytes.Compare(start, []byte{next}) < 0 {
			return policy, []byte{next}, nil
		}
	}
	return policy, nil, nil
}

// pebbleLogger passes on what Pebble says; what Pebble cannot survive, the
// engine does not survive either.
type pebbleLogger struct{ e *Engine }

func (l pebbleLogger) Infof(format string, args ...any) { l.say(slog.LevelDebug, format, args...) }

func (l pebbleLogger) Errorf(format string, args ...any) { l.say(slog.LevelError, format, args...) }

func (l pebbleLogger) Fatalf(format string, args ...any) { l.e.fail(fmt.Errorf(format, args...)) }

func (l pebbleLogger) say(level slog.Level, format string, args ...any) {
	ctx := context.Background()
	if l.e.o.Logger.Enabled(ctx, level) {
		l.e.o.Logger.Log(ctx, level, "event store: "+fmt.Sprintf(format, args...))
	}
}
