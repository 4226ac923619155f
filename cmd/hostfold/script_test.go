package main

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary the command "hostfold" of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hostfold": main})
}

// The scripts are part of the test, so that go test runs again when they have
// changed, and only then, wherever the project lies.
//
//go:embed testdata/script
var scripts embed.FS

// TestScripts runs the command line as a person would. A server is started
// with `start NAME COMMAND…`, which waits for its ready line and sets $NAME to
// the address, and ended with `end NAME` or `kill NAME`.
func TestScripts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("one command after the other, which make test runs")
	}
	// The user of the private Postgres must be able to get here.
	root, err := os.MkdirTemp("", "hostfold-script-") //nolint:usetesting // the folder of t.TempDir is closed to the system user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, scripts); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:         filepath.Join(dir, "testdata", "script"),
		WorkdirRoot: root,
		Setup: func(e *testscript.Env) error {
			servers := &servers{running: map[string]*exec.Cmd{}}
			e.Values["servers"] = servers
			e.Defer(servers.killAll)
			e.Setenv("HOSTFOLD_DATA", e.WorkDir+"/data")
			e.Setenv("HOSTFOLD_ADDR", "127.0.0.1:0")
			e.Setenv("HOSTFOLD_ADMIN_ADDR", "127.0.0.1:0")
			e.Setenv("HOSTFOLD_NODE_ADDR", "127.0.0.1:0")
			e.Setenv("HOSTFOLD_POSTGRES", os.Getenv("HOSTFOLD_POSTGRES"))
			e.Setenv("HOSTFOLD_DEMO_PASSWORD", "correct horse battery staple")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start":       start,
			"end":         endServer,
			"erase":       erase,
			"kill-9":      kill9,
			"get":         get,
			"status":      status,
			"get-port":    getPort,
			"certificate": certificate,
		},
	})
}

// servers are the processes that one script started.
type servers struct {
	mu      sync.Mutex
	running map[string]*exec.Cmd
}

func (s *servers) take(name string) *exec.Cmd {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := s.running[name]
	delete(s.running, name)
	return cmd
}

func (s *servers) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cmd := range s.running {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// start NAME COMMAND… starts a command and waits until it says "ready ADDRESS".
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME COMMAND…")
	}
	cmd := exec.Command(args[1], args[2:]...) //nolint:noctx // the script ends it
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = environ(ts)
	log := &lockedBuffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	s := ts.Value("servers").(*servers)
	s.mu.Lock()
	s.running[args[0]] = cmd
	s.mu.Unlock()
	lines := bufio.NewReader(out)
	var before strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready "); ok {
			ts.Setenv(args[0], addr)
			go func() { _, _ = io.Copy(io.Discard, lines) }()
			ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), []byte(before.String()), 0o600))
			return
		}
		before.WriteString(line)
		if err != nil {
			ts.Fatalf("%s is not ready: %v\n%s", args[0], err, log)
		}
	}
}

// end NAME ends a server as Ctrl-C does; it must end well.
func endServer(ts *testscript.TestScript, _ bool, args []string) {
	cmd := ts.Value("servers").(*servers).take(args[0])
	ts.Check(cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("%s: %v\n%s", args[0], err, cmd.Stderr)
	}
}

// kill-9 NAME ends a server without warning.
func kill9(ts *testscript.TestScript, _ bool, args []string) {
	cmd := ts.Value("servers").(*servers).take(args[0])
	ts.Check(cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait() // it was killed
}

// get URL STATUS [TEXT] reads an address.
func get(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
	ts.Check(err)
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	body, err := io.ReadAll(res.Body)
	ts.Check(errors.Join(err, res.Body.Close()))
	if strconv.Itoa(res.StatusCode) != args[1] {
		ts.Fatalf("%s answers %d, want %s\n%s", args[0], res.StatusCode, args[1], body)
	}
	if len(args) > 2 && !strings.Contains(string(body), args[2]) {
		ts.Fatalf("%s answers %s, want %q in it", args[0], body, args[2])
	}
}

// status N COMMAND… runs a command that must exit with the status N.
func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// get-port NAME sets $port to the port of a server.
func getPort(ts *testscript.TestScript, _ bool, args []string) {
	u, err := url.Parse(ts.Getenv(args[0]))
	ts.Check(err)
	ts.Setenv("port", u.Port())
}

func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "HOSTFOLD_DATA", "HOSTFOLD_ADDR", "HOSTFOLD_ADMIN_ADDR", "HOSTFOLD_NODE_ADDR", "HOSTFOLD_POSTGRES",
		"HOSTFOLD_DEMO_PASSWORD", "DATABASE_URL", "ESDB_URL",
	} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// lockedBuffer keeps what a server logs.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds to the log.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is the log so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
