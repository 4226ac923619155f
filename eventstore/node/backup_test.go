package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// TestABackupHoldsWhatWasAcknowledgedBefore backs a store up while writers are
// at work, restores it, and compares.
func TestABackupHoldsWhatWasAcknowledgedBefore(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		fs   vfs.FS
		root string
	}{
		"in memory": {vfs.NewMem(), "root"},
		"on disk":   {vfs.Default, t.TempDir()},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := func(name string) string { return filepath.Join(c.root, name) }
			e := open(t, in("node"), node.Options{FS: c.fs})
			for i := range 300 {
				appendTo(t, e, "s-"+strconv.Itoa(i%9), 2)
			}
			w := &witness{seen: map[uuid.UUID]uint64{}}
			stop := make(chan struct{})
			var writers sync.WaitGroup
			var some sync.WaitGroup
			for i := range 4 {
				some.Add(1)
				writers.Go(func() {
					writeUntil(t, e, w, "w-"+strconv.Itoa(i), stop, sync.OnceFunc(some.Done))
				})
			}
			some.Wait()
			before := w.copy()
			info, err := e.Backup(t.Context(), in("backup"))
			close(stop)
			writers.Wait()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Backup(t.Context(), in("backup")); !errors.Is(err, node.ErrNotEmpty) {
				t.Errorf("a second backup into the folder answered %v", err)
			}

			restored, err := node.Restore(t.Context(), in("backup"), in("restored"), node.Options{FS: c.fs})
			if err != nil {
				t.Fatal(err)
			}
			r := open(t, in("restored"), node.Options{FS: c.fs})
			survived(t, r, before)
			got := collect(t, r.ReadAll(t.Context(), eventstore.Start))
			all := collect(t, e.ReadAll(t.Context(), eventstore.Start))
			if diff := cmp.Diff(all[:len(got)], got); diff != "" {
				t.Fatalf("the copy is no prefix of the log:\n%s", diff)
			}
			if diff := cmp.Diff(info, restored); diff != "" {
				t.Errorf("the manifests differ:\n%s", diff)
			}
			head := got[len(got)-1].Position
			if info.Count != uint64(len(got)) || info.Head != head || info.LogID != e.LogID() || r.LogID() != e.LogID() {
				t.Errorf("the manifest says %d events up to %s of %s, there are %d up to %s of %s", info.Count, info.Head, info.LogID, len(got), head, e.LogID())
			}
			if out := appendTo(t, r, "s-1", 1); !head.Before(out.Position) {
				t.Errorf("the restored log goes on at %s after %s", out.Position, head)
			}
			if _, err := node.Restore(t.Context(), in("backup"), in("restored"), node.Options{FS: c.fs}); !errors.Is(err, node.ErrNotEmpty) {
				t.Errorf("a restore over a store answered %v", err)
			}
			t.Logf("%d events, %d known before, %d files", info.Count, len(before), len(info.Files))
		})
	}
}

func TestADamagedBackupIsNotRestored(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	e := open(t, "node", node.Options{FS: fs})
	for i := range 50 {
		appendTo(t, e, "s-"+strconv.Itoa(i%5), 3)
	}
	if _, err := e.Backup(t.Context(), "backup"); err != nil {
		t.Fatal(err)
	}
	files := imageOf(t, fs, "backup")
	rng := rand.New(rand.NewPCG(3, 4))
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if base := filepath.Base(path); base == "lock" || base == "LOCK" || base == "backup.json" {
			continue
		}
		for range 3 {
			spoilt, what := files.spoil(rng, path)
			if maps.EqualFunc(files, spoilt, bytes.Equal) {
				continue // zeroes upon zeroes
			}
			damaged := spoilt.laid(t)
			_, err := node.Restore(t.Context(), "backup", "restored", node.Options{FS: damaged})
			if !errors.Is(err, node.ErrBackup) || !strings.Contains(err.Error(), "another backup") {
				t.Errorf("%s, %s: restored with %v", path, what, err)
			}
			if names, err := damaged.List("restored"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s, %s: left %v, %v", path, what, names, err)
			}
		}
	}
	t.Run("without a manifest", func(t *testing.T) {
		cut := maps.Clone(files)
		delete(cut, "backup/backup.json")
		if _, err := node.Restore(t.Context(), "backup", "restored", node.Options{FS: cut.laid(t)}); !errors.Is(err, node.ErrBackup) {
			t.Errorf("answered %v", err)
		}
	})
	t.Run("of a newer format", func(t *testing.T) {
		newer := maps.Clone(files)
		newer["backup/backup.json"] = []byte(`{"format":99}`)
		if _, err := node.Restore(t.Context(), "backup", "restored", node.Options{FS: newer.laid(t)}); err == nil || !strings.Contains(err.Error(), "use a newer one") {
			t.Errorf("answered %v", err)
		}
	})
	t.Run("that names files outside of it", func(t *testing.T) {
		text, err := json.Marshal(node.BackupInfo{Format: 1, Files: []node.BackupFile{{Path: "../escaped"}}})
		if err != nil {
			t.Fatal(err)
		}
		foreign := maps.Clone(files)
		foreign["backup/backup.json"] = text
		if _, err := node.Restore(t.Context(), "backup", "restored", node.Options{FS: foreign.laid(t)}); !errors.Is(err, node.ErrBackup) {
			t.Errorf("answered %v", err)
		}
	})
}

func TestABackupThatIsCutShortLeavesNothing(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	e := open(t, "node", node.Options{FS: fs})
	appendTo(t, e, "s-1", 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Backup(ctx, "backup"); !errors.Is(err, context.Canceled) {
		t.Errorf("answered %v", err)
	}
	if _, err := fs.List("backup"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Backup(t.Context(), "backup"); !errors.Is(err, node.ErrClosed) {
		t.Errorf("a closed store answered %v", err)
	}
}
