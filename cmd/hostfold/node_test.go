package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// runNode starts `hostfold node` on a data folder and waits for its address.
// A limit above 0 bounds, in KiB, every file that it may write.
func runNode(t *testing.T, dir string, limit int, args ...string) (cmd *exec.Cmd, url string, log *strings.Builder) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	script := `exec "$0" "$@"`
	if limit > 0 {
		script = fmt.Sprintf(`ulimit -f %d; `, 2*limit) + script
	}
	args = append([]string{"-c", script, path, "node", "--addr", "127.0.0.1:0", "--data", dir}, args...)
	cmd = exec.CommandContext(context.Background(), "sh", args...) // ends by itself or by the caller
	log = &strings.Builder{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if url, ok := strings.CutPrefix(strings.TrimSpace(line), "ready "); ok {
			return cmd, url, log
		}
		if err != nil {
			_ = cmd.Wait()
			t.Fatalf("the node is not ready: %v\n%s", err, log)
		}
	}
}

func dial(t *testing.T, url string) *client.Client {
	t.Helper()
	settings, err := client.ParseConnectionString(url)
	if err != nil {
		t.Fatal(err)
	}
	settings.Logger = client.NoopLogging()
	c, err := client.NewClient(settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fill appends until the store refuses, and answers what was acknowledged.
func fill(t *testing.T, url string) map[uuid.UUID]uint64 {
	t.Helper()
	c := dial(t, url)
	acknowledged := map[uuid.UUID]uint64{}
	data, err := json.Marshal(strings.Repeat("filling ", 8<<10))
	if err != nil {
		t.Fatal(err)
	}
	for range 4096 {
		e := client.EventData{EventID: uuid.New(), EventType: "thing.happened.v1", ContentType: client.ContentTypeJson, Data: data}
		w, err := c.AppendToStream(t.Context(), "s", client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, e)
		if err != nil {
			return acknowledged
		}
		acknowledged[e.EventID] = w.NextExpectedVersion
	}
	t.Fatal("the disk did not fill up")
	return nil
}

// present checks that a store holds what was acknowledged.
func present(t *testing.T, url string, acknowledged map[uuid.UUID]uint64) {
	t.Helper()
	c := dial(t, url)
	defer func() { _ = c.Close() }()
	read, err := c.ReadStream(t.Context(), "s", client.ReadStreamOptions{}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	found := map[uuid.UUID]uint64{}
	for {
		e, err := read.Recv()
		if err == io.EOF { //nolint:errorlint // the client answers io.EOF itself
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[e.Event.EventID] = e.Event.EventNumber
	}
	for id, revision := range acknowledged {
		if at, ok := found[id]; !ok || at != revision {
			t.Fatalf("event %s was acknowledged at revision %d and is now at %d of %d", id, revision, at, len(found))
		}
	}
}

// end waits for the process to end by itself, as the first end it has.
func end(t *testing.T, cmd *exec.Cmd, log *strings.Builder) {
	t.Helper()
	_ = cmd.Wait() // its status is looked at
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(log.String(), "event store") {
		t.Fatalf("the node ended with %v\n%s", cmd.ProcessState, log)
	}
}

func stopNode(t *testing.T, cmd *exec.Cmd, log *strings.Builder) {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("stop: %v\n%s", err, log)
	}
}

func TestAFailedWriteEndsTheNodeAndLosesNothing(t *testing.T) {
	t.Parallel()
	t.Run("a file that may not grow", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "data")
		cmd, url, log := runNode(t, dir, 4<<10)
		acknowledged := fill(t, url)
		end(t, cmd, log)
		cmd, url, log = runNode(t, dir, 0)
		present(t, url, acknowledged)
		stopNode(t, cmd, log)
		t.Logf("%d acknowledged events are there", len(acknowledged))
	})
	t.Run("a full disk", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := syscall.Mount("none", dir, "tmpfs", 0, "size=24m"); err != nil {
			t.Skipf("no small file system can be mounted here: %v", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		cmd, url, log := runNode(t, dir, 0, "--reserve", "0")
		acknowledged := fill(t, url)
		end(t, cmd, log)
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=96m"); err != nil {
			t.Fatal(err)
		}
		cmd, url, log = runNode(t, dir, 0, "--reserve", "0")
		present(t, url, acknowledged)
		stopNode(t, cmd, log)
		t.Logf("%d acknowledged events are there", len(acknowledged))
	})
}

func TestANodeAloneServesItsMetrics(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	cmd, url, log := runNode(t, dir, 0, "--reserve", "1MiB")
	c := dial(t, url)
	e := client.EventData{EventID: uuid.New(), EventType: "thing.happened.v1", ContentType: client.ContentTypeJson, Data: []byte(`{}`)}
	if _, err := c.AppendToStream(t.Context(), "s", client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, e); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var run struct{ Admin string }
	if err := json.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+run.Admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"hostfold_node_appends_total", "hostfold_node_events_appended_total 9", "hostfold_node_head_position 9", // with the seed
		"hostfold_node_sync_seconds_count", "hostfold_node_append_group_seconds_bucket", "hostfold_node_slow_subscriptions 0",
	} {
		if !strings.Contains(string(body), want+"\n") && !strings.Contains(string(body), want+"{") && !strings.Contains(string(body), want+" ") {
			t.Errorf("no %q in the metrics", want)
		}
	}
	_ = c.Close() // else the node waits for it
	stopNode(t, cmd, log)
}
