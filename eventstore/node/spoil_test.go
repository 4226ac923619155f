package node_test

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// image is the content of a folder's files, by path.
type image map[string][]byte

// imageOf copies what a file system holds under a folder.
func imageOf(t *testing.T, fs vfs.FS, dir string) image {
	t.Helper()
	files := image{}
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			maps.Copy(files, imageOf(t, fs, path))
			continue
		}
		file, err := fs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if files[path], err = io.ReadAll(file); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// laid is a file system in memory that holds the image.
func (i image) laid(t *testing.T) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	for path, content := range i {
		if err := fs.MkdirAll(fs.PathDir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(slices.Clone(content)); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// kindOf sorts the files of a folder.
func kindOf(path string) string {
	base := filepath.Base(path)
	switch {
	case strings.HasSuffix(base, ".sst"):
		return "table"
	case strings.HasSuffix(base, ".log"):
		return "log"
	case strings.HasPrefix(base, "MANIFEST-"):
		return "list of tables"
	case strings.HasPrefix(base, "OPTIONS-"):
		return "options"
	case strings.HasPrefix(base, "marker."):
		return "marker"
	default:
		return base
	}
}

// spoil damages one file: a bit, a run of bytes, its end, or all of it.
func (i image) spoil(rng *rand.Rand, path string) (image, string) {
	out := maps.Clone(i)
	content := slices.Clone(i[path])
	n := len(content)
	if n == 0 {
		delete(out, path)
		return out, "removed"
	}
	var what string
	at := rng.IntN(n)
	switch rng.IntN(5) {
	case 0, 1:
		content[at] ^= 1 << rng.IntN(8)
		what = fmt.Sprintf("a bit at %d of %d", at, n)
	case 2:
		content = content[:at]
		what = fmt.Sprintf("cut off at %d of %d", at, n)
	case 3:
		end := min(n, at+1+rng.IntN(64))
		clear(content[at:end])
		what = fmt.Sprintf("zeroes from %d to %d of %d", at, end, n)
	default:
		delete(out, path)
		return out, "removed"
	}
	out[path] = content
	return out, what
}

// lived makes a store that was opened several times, and answers its events.
// It is then closed, or left as a kill leaves it.
func lived(t *testing.T, closed bool) (image, []eventstore.Recorded) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	var all []eventstore.Recorded
	for n := range 5 { // each opening turns the log of the one before into tables
		e := open(t, "node", node.Options{FS: fs})
		for i := range 40 {
			appendTo(t, e, "s-"+strconv.Itoa(i%7), 1+i%3)
		}
		all = collect(t, e.ReadAll(t.Context(), eventstore.Start))
		if n == 4 && !closed {
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return imageOf(t, fs, "node"), all
}

// scavenged is a store like that of lived, half of whose streams were cut.
func scavenged(t *testing.T) (image, []eventstore.Recorded) {
	t.Helper()
	folder, _ := lived(t, true)
	fs := folder.laid(t)
	var all []eventstore.Recorded
	for n := range 2 {
		e := open(t, "node", node.Options{FS: fs})
		for i := range 3 {
			stream := "s-" + strconv.Itoa(2*i)
			text := fmt.Appendf(nil, `{"$tb":%d}`, 20*(n+1))
			if _, err := e.AppendExpecting(t.Context(), "$$"+stream, node.Any(), []eventstore.NewEvent{{ID: uuid.New(), Type: "$metadata", Data: text}}); err != nil {
				t.Fatal(err)
			}
		}
		scavenge(t, e)
		appendTo(t, e, "s-1", 3)
		all = collect(t, e.ReadAll(t.Context(), eventstore.Start))
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return imageOf(t, fs, "node"), all
}

// usable opens a folder and reads all of it, both ways. It answers the first
// error, and what it read.
func usable(t *testing.T, fs vfs.FS) (events map[uuid.UUID]eventstore.Recorded, err error) {
	t.Helper()
	e, err := node.Open("node", node.Options{FS: fs, Fatal: func(error) {}}.WritingEntriesAt(fewEntries))
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := e.Close(); err == nil {
			err = closing
		}
	}()
	events = map[uuid.UUID]eventstore.Recorded{}
	streams := map[string]bool{}
	for r, err := range e.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			return nil, why(t, e, err)
		}
		events[r.ID] = r
		streams[r.Stream] = true
	}
	read := 0
	for name := range streams {
		for _, err := range e.ReadStream(t.Context(), name, 0) {
			if err != nil {
				return nil, why(t, e, err)
			}
			read++
		}
	}
	if read != len(events) {
		t.Errorf("the log has %d events, its streams %d", len(events), read)
	}
	return events, why(t, e, nil)
}

// why is what stopped the engine, which it tells whoever calls it afterwards,
// or else err: any goroutine of it may have met the damage.
func why(t *testing.T, e *node.Engine, err error) error {
	t.Helper()
	if _, stopped := e.Head(t.Context()); stopped != nil {
		return stopped
	}
	return err
}

// TestADamagedFileIsNeverSkippedInSilence damages every kind of file at random:
// either an error names the folder and what to do, or nothing is missing.
func TestADamagedFileIsNeverSkippedInSilence(t *testing.T) {
	t.Parallel()
	rounds := 60
	if raced {
		rounds = 15
	}
	if os.Getenv("HOSTFOLD_SOAK") != "" {
		rounds = 400
	}
	cases := map[string]func(t *testing.T) (image, []eventstore.Recorded){
		"of a closed store":    func(t *testing.T) (image, []eventstore.Recorded) { t.Helper(); return lived(t, true) },
		"of a killed store":    func(t *testing.T) (image, []eventstore.Recorded) { t.Helper(); return lived(t, false) },
		"of a scavenged store": scavenged,
	}
	for name, made := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, all := made(t)
			kinds := map[string][]string{}
			for path := range folder {
				kinds[kindOf(path)] = append(kinds[kindOf(path)], path)
			}
			for _, must := range []string{"table", "log", "list of tables", "options", "marker", "version.json", "watermark"} {
				if len(kinds[must]) == 0 {
					t.Errorf("the folder has no %s: %v", must, slices.Sorted(maps.Keys(folder)))
				}
			}
			for kind, paths := range kinds {
				slices.Sort(paths)
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					rng := rand.New(rand.NewPCG(uint64(len(paths)), uint64(len(kind))))
					told := 0
					for range rounds {
						path := paths[rng.IntN(len(paths))]
						spoilt, what := folder.spoil(rng, path)
						if complete(t, spoilt, all, path+", "+what) {
							continue
						}
						told++
					}
					t.Logf("%d of %d damages were refused, the others did no harm", told, rounds)
				})
			}
		})
	}
}

// complete reports whether a folder holds everything. When it does not there
// must be an error that helps.
func complete(t *testing.T, folder image, all []eventstore.Recorded, what string) bool {
	t.Helper()
	events, err := usable(t, folder.laid(t))
	if err != nil {
		if text := err.Error(); !strings.Contains(text, "node") || !strings.Contains(text, "restore") {
			t.Errorf("%s: the error does not help: %v", what, err)
		}
		return false
	}
	for _, want := range all {
		got, ok := events[want.ID]
		if !ok || got.Position != want.Position || got.Stream != want.Stream || got.Revision != want.Revision || string(got.Data) != string(want.Data) {
			t.Fatalf("%s: event %s at %s is missing or changed, and nothing was said", what, want.ID, want.Position)
		}
	}
	return true
}
