package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

func TestLogKeepsItsIDAndPositionsOverReopening(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	id, before := e.LogID(), appendTo(t, e, "s-1", 3)
	e = d.reopen(t, e)
	after := appendTo(t, e, "s-1", 1)
	if e.LogID() != id || after.Revision != 3 || !before.Position.Before(after.Position) {
		t.Fatalf("log %s went on as %s, %+v after %+v", id, e.LogID(), after, before)
	}
	if other := inMemory(t).LogID(); other == id {
		t.Fatal("two logs have one id")
	}
}

func TestOpenRefusesAFolder(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spoil func(t *testing.T, dir string)
		says  string
	}{
		"of a newer version": {func(t *testing.T, dir string) {
			t.Helper()
			write(t, filepath.Join(dir, "version.json"), `{"format":99,"log_id":"b1a7c1c0-0000-4000-8000-000000000001"}`)
		}, "use a newer one"},
		"with a damaged version": {func(t *testing.T, dir string) {
			t.Helper()
			write(t, filepath.Join(dir, "version.json"), `{"form`)
		}, "restore the folder from a backup"},
		"that lost its version": {func(t *testing.T, dir string) {
			t.Helper()
			remove(t, filepath.Join(dir, "version.json"))
		}, "restore the folder from a backup"},
		"that lost its log": {func(t *testing.T, dir string) {
			t.Helper()
			remove(t, filepath.Join(dir, "log"))
		}, "restore the folder from a backup"},
		"that lost a table": {func(t *testing.T, dir string) {
			t.Helper()
			tables, err := filepath.Glob(filepath.Join(dir, "log", "*.sst"))
			if err != nil || len(tables) == 0 {
				t.Fatalf("no tables: %v", err)
			}
			remove(t, tables[0])
		}, "restore it from a backup"},
		"that lost the mark of its list of tables": {func(t *testing.T, dir string) {
			t.Helper()
			marks, err := filepath.Glob(filepath.Join(dir, "log", "marker.manifest.*"))
			if err != nil || len(marks) == 0 {
				t.Fatalf("no marks: %v", err)
			}
			for _, mark := range marks {
				remove(t, mark)
			}
		}, "restore it from a backup"},
		"whose list of tables is damaged": {func(t *testing.T, dir string) {
			t.Helper()
			lists, err := filepath.Glob(filepath.Join(dir, "log", "MANIFEST-*"))
			if err != nil || len(lists) == 0 {
				t.Fatalf("no lists: %v", err)
			}
			write(t, lists[len(lists)-1], strings.Repeat("damage", 100))
		}, "restore it from a backup"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for range 2 { // the second opening turns the log of the first into a table
				e, err := node.Open(dir, node.Options{})
				if err != nil {
					t.Fatal(err)
				}
				appendTo(t, e, "s-1", 10)
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
			}
			c.spoil(t, dir)
			e, err := node.Open(dir, node.Options{})
			if err == nil {
				t.Fatalf("opened; close: %v", e.Close())
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) {
				t.Errorf("refused with: %v", err)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, node.Options{})
	if _, err := node.Open(dir, node.Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("a second opening answered %v", err)
	}
}

func TestCloseWaitsForAppendsAndEndsEverything(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	sub, err := e.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() {
		var err error
		for err == nil {
			_, err = sub.Next(t.Context(), 10)
		}
		ended <- err
	}()
	go func() {
		_, err := e.WaitHead(t.Context(), node.End)
		ended <- err
	}()
	var writers sync.WaitGroup
	var acknowledged atomic.Int64
	enough := make(chan struct{})
	for i := range 8 {
		writers.Go(func() {
			for n := 0; ; n++ {
				if _, err := e.AppendExpecting(t.Context(), "s-"+string(rune('a'+i)), node.Any(), newEvents(1)); err != nil {
					if !errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUncertain) {
						t.Errorf("an append at close answered %v", err)
					}
					return
				}
				if acknowledged.Add(1) == 200 {
					close(enough)
				}
			}
		})
	}
	<-enough
	if err := e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	writers.Wait()
	for range 2 {
		if err := <-ended; !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("a wait ended with %v", err)
		}
	}
	if err := e.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	closedAnswers(t, e)
	if n := len(collect(t, d.open(t).ReadAll(t.Context(), eventstore.Start))); int64(n) != acknowledged.Load() {
		t.Errorf("%d events, %d were acknowledged", n, acknowledged.Load())
	}
}

// closedAnswers checks that every method of a closed engine says so.
func closedAnswers(t *testing.T, e *node.Engine) {
	t.Helper()
	ctx := t.Context()
	calls := map[string]func() error{
		"append":    func() error { _, err := e.Append(ctx, "s", eventstore.NoStream(), newEvents(1)...); return err },
		"head":      func() error { _, err := e.Head(ctx); return err },
		"wait":      func() error { _, err := e.WaitHead(ctx, eventstore.Start); return err },
		"last":      func() error { _, err := e.LastRevision(ctx, "s"); return err },
		"scan":      func() error { _, err := e.ScanAll(ctx, node.Scan{}); return err },
		"subscribe": func() error { _, err := e.Subscribe(ctx, eventstore.Start, eventstore.Filter{}); return err },
		"stream":    func() error { return firstError(e.ReadStream(ctx, "s", 0)) },
		"all":       func() error { return firstError(e.ReadAll(ctx, eventstore.Start)) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, node.ErrClosed) || !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s after close answered %v", name, err)
		}
	}
}

func firstError(events func(func(eventstore.Recorded, error) bool)) (first error) {
	for _, err := range events {
		first = err
		break
	}
	return first
}

// scarce is a file system with little free space.
type scarce struct {
	vfs.FS
	free *atomic.Uint64
}

func (fs scarce) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: fs.free.Load(), TotalBytes: 1 << 40}, nil
}

func TestAppendsStopAtTheReserveAndResume(t *testing.T) {
	t.Parallel()
	fs := scarce{FS: vfs.NewMem(), free: &atomic.Uint64{}}
	fs.free.Store(1 << 30)
	e := open(t, "node", node.Options{FS: fs, ReserveBytes: 256 << 20})
	list := newEvents(2)
	first, err := e.Append(t.Context(), "s-1", eventstore.NoStream(), list...)
	if err != nil {
		t.Fatal(err)
	}
	fs.free.Store(200 << 20)
	if _, err := e.Append(t.Context(), "s-1", eventstore.Revision(1), newEvents(1)...); !errors.Is(err, eventstore.ErrNoSpace) {
		t.Fatalf("an append into the reserve answered %v", err)
	}
	if again, err := e.Append(t.Context(), "s-1", eventstore.NoStream(), list...); err != nil || again != first {
		t.Fatalf("a repeat answered %+v, %v", again, err)
	}
	if n := len(streamOf(t, e, "s-1")); n != 2 {
		t.Fatalf("%d events, want 2", n)
	}
	fs.free.Store(1 << 30)
	if out, err := e.Append(t.Context(), "s-1", eventstore.Revision(1), newEvents(1)...); err != nil || out.Revision != 2 {
		t.Fatalf("an append with room again answered %+v, %v", out, err)
	}
}

func TestAnEndedContextEndsReads(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	appendTo(t, e, "s-1", 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"stream": firstError(e.ReadStream(ctx, "s-1", 0)),
		"all":    firstError(e.ReadAll(ctx, eventstore.Start)),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s answered %v", name, err)
		}
	}
}
