package node_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// manyRole and manyFolder tell a child process of TestManyEvents what to do, and where.
const (
	manyRole   = "HOSTFOLD_TEST_MANY"
	manyFolder = "HOSTFOLD_TEST_MANY_FOLDER"
)

// perRead is how many events a measured read takes.
const perRead = 20

// many is the size of a large store: its events, of 400 bytes each, and streams.
func many() (events, streams int) {
	if os.Getenv("HOSTFOLD_SOAK") != "" {
		return 10_000_000, 200_000
	}
	return 1_000_000, 20_000
}

// opened is what a process that opens a large store has to say.
type opened struct {
	Opening     time.Duration
	Head        uint64
	ResidentMiB int
	HeapMiB     int
	// P50 and P99 are those of reading the first events of a stream.
	P50, P99           time.Duration
	EmptyP50, EmptyP99 time.Duration
}

// TestManyEvents fills a store, kills the process that did it, and opens the
// store in another: it holds everything, in bounded memory, and opening reads
// a bounded part of it.
func TestManyEvents(t *testing.T) {
	switch os.Getenv(manyRole) {
	case "fill":
		fillMany(t, os.Getenv(manyFolder))
		return
	case "open":
		openMany(t, os.Getenv(manyFolder))
		return
	}
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	events, _ := many()
	dir := t.TempDir()

	filling, said := startMany(t, "fill", dir)
	if line := said(); line != "filled" {
		t.Fatalf("the filling process said %q", line)
	}
	if err := filling.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = filling.Wait() // It was killed.
	found := openedBy(t, dir)
	again := openedBy(t, dir) // now it was closed in order

	t.Logf("%d events: opened in %s after a kill, in %s after a close; %d MiB resident, %d MiB heap", events, found.Opening, again.Opening, again.ResidentMiB, again.HeapMiB)
	t.Logf("reading %d events of a stream: p50 %s, p99 %s; of an empty store's only stream: p50 %s, p99 %s", perRead, again.P50, again.P99, again.EmptyP50, again.EmptyP99)
	if found.Head != uint64(events) || again.Head != uint64(events) {
		t.Errorf("the log ends at %d, then %d, want %d", found.Head, again.Head, events)
	}
	if found.HeapMiB > 512 || again.HeapMiB > 512 {
		t.Errorf("the heap took %d and %d MiB, want at most 512", found.HeapMiB, again.HeapMiB)
	}
	if os.Getenv("HOSTFOLD_SOAK") != "" && max(found.Opening, again.Opening) > 3*time.Second {
		t.Errorf("opening took %s and %s, want less than 3 s", found.Opening, again.Opening)
	}
}

// startMany starts a child of this test; said reads one line that it prints.
func startMany(t *testing.T, role, dir string) (child *exec.Cmd, said func() string) {
	t.Helper()
	child = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestManyEvents$", "-test.timeout=1h")
	child.Env = append(os.Environ(), manyRole+"="+role, manyFolder+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	return child, func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the process that should %s said %q: %v", role, line, err)
		}
		return strings.TrimSpace(line)
	}
}

func openedBy(t *testing.T, dir string) (o opened) {
	t.Helper()
	child, said := startMany(t, "open", dir)
	line := said()
	if err := json.Unmarshal([]byte(line), &o); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	return o
}

// fillMany fills a store, says so and waits to be killed.
func fillMany(t *testing.T, dir string) {
	t.Helper()
	e, err := node.Open(dir, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	events, streams := many()
	const batch = 10
	rounds := events / streams / batch
	group, ctx := errgroup.WithContext(t.Context())
	const writers = 32
	for w := range writers {
		group.Go(func() error {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for round := range rounds {
				for s := w; s < streams; s += writers {
					list := make([]eventstore.NewEvent, batch)
					for i := range list {
						list[i] = eventstore.NewEvent{ID: drawID(rng), Type: "many.written.v1", Data: text(rng), Metadata: []byte(`{}`)}
					}
					if _, err := e.Append(ctx, manyStream(s), eventstore.After(uint64(round*batch)), list...); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("filled")
	_, _ = io.Copy(io.Discard, os.Stdin) // Nothing comes: the parent kills us.
	<-t.Context().Done()
}

func manyStream(s int) string { return fmt.Sprintf("many-%08d", s) }

// text is 400 bytes of JSON that can be compressed about as well as real ones.
func text(rng *rand.Rand) []byte {
	b := make([]byte, 0, 400)
	b = append(b, `{"number":"`...)
	b = strconv.AppendUint(b, rng.Uint64(), 10)
	b = append(b, `","name":"`...)
	for len(b) < 240 {
		b = strconv.AppendUint(b, rng.Uint64(), 36)
	}
	b = append(b, `","lines":["`...)
	for len(b) < 396 {
		b = append(b, `unit of hosting `[len(b)%16])
	}
	return append(b, `"]}`...)
}

// openMany opens a store, reads from it here and there, and reports.
func openMany(t *testing.T, dir string) {
	t.Helper()
	begin := time.Now()
	e, err := node.Open(dir, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := opened{Opening: time.Since(begin)}
	head, err := e.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.Head = head.Commit
	_, streams := many()
	o.P50, o.P99 = readTimes(t, e, streams)
	o.ResidentMiB, o.HeapMiB = memory(t)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	empty := open(t, t.TempDir(), node.Options{})
	list := make([]eventstore.NewEvent, perRead)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range list {
		list[i] = eventstore.NewEvent{ID: uuid.New(), Type: "many.written.v1", Data: text(rng), Metadata: []byte(`{}`)}
	}
	if _, err := empty.Append(t.Context(), manyStream(0), eventstore.NoStream(), list...); err != nil {
		t.Fatal(err)
	}
	o.EmptyP50, o.EmptyP99 = readTimes(t, empty, 1)
	line, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(line))
}

// readTimes reads the beginnings of streams at random.
func readTimes(t *testing.T, e *node.Engine, streams int) (p50, p99 time.Duration) {
	t.Helper()
	times := make([]time.Duration, 5000)
	for i := range times {
		stream := manyStream(rand.IntN(streams))
		begin, n := time.Now(), 0
		for _, err := range e.Stream(t.Context(), stream, node.Forwards, 0, perRead) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		times[i] = time.Since(begin)
		if n != perRead {
			t.Fatalf("stream %s gave %d events, want %d", stream, n, perRead)
		}
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100]
}

// memory is what this process holds: pages in memory, and heap in use.
func memory(t *testing.T) (resident, heap int) {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return pages * os.Getpagesize() >> 20, int(m.HeapInuse >> 20)
}
