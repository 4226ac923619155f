package node_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// killedFolder names the folder to write to, in the process that gets killed.
const killedFolder = "HOSTFOLD_TEST_KILLED_FOLDER"

// TestKill kills a process that writes to disk, several times on one folder:
// nothing acknowledged is lost, and there are no holes.
func TestKill(t *testing.T) {
	if dir := os.Getenv(killedFolder); dir != "" {
		writeForEver(t, dir, os.Stdout)
		return
	}
	t.Parallel()
	const kills = 6
	dir := t.TempDir()
	known := map[uuid.UUID]uint64{}
	for range kills {
		killWriter(t, dir, known, 500+rand.IntN(2000))
		e, err := node.Open(dir, node.Options{}.WritingEntriesAt(fewEntries))
		if err != nil {
			t.Fatal(err)
		}
		survived(t, e, known)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged events outlived %d kills", len(known), kills)
}

// killWriter starts a writer, kills it after so many acknowledgements, and
// notes all that it told.
func killWriter(t *testing.T, dir string, known map[uuid.UUID]uint64, after int) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
	child.Env = append(os.Environ(), killedFolder+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	told := 0
	for lines := bufio.NewReader(out); ; told++ {
		line, err := lines.ReadString('\n')
		if err != nil { // a line without end was cut off by the kill
			break
		}
		var id string
		var pos uint64
		if _, err := fmt.Sscan(line, &id, &pos); err != nil {
			t.Errorf("the writer said %q", strings.TrimSpace(line))
			continue
		}
		known[uuid.MustParse(id)] = pos
		if told == after {
			if err := child.Process.Kill(); err != nil {
				t.Errorf("kill: %v", err)
			}
		}
	}
	if err := child.Wait(); err == nil || told < after {
		t.Fatalf("the writer ended by itself after %d acknowledgements", told)
	}
}

// writeForEver appends with 32 writers and tells every acknowledged event.
func writeForEver(t *testing.T, dir string, out io.Writer) {
	t.Helper()
	e, err := node.Open(dir, node.Options{}.WritingEntriesAt(fewEntries))
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 32 {
		writers.Go(func() {
			stream := fmt.Sprintf("s-%d", i)
			last, err := e.LastRevision(t.Context(), stream)
			for next := last + 1; err == nil; next++ { // NoRevision wraps to 0
				list := newEvents(1)
				var done eventstore.Appended
				if done, err = e.Append(t.Context(), stream, eventstore.After(next), list...); err == nil {
					_, err = fmt.Fprintf(out, "%s %d\n", list[0].ID, done.Position.Commit)
				}
			}
			t.Errorf("writer %d: %v", i, err)
		})
	}
	writers.Wait()
}
