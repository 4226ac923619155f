package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/postgres"
)

// binary is hostfold: TestMain put this test binary on the path under that name.
func binary() (string, error) { return exec.LookPath("hostfold") }

// process is a hostfold command that runs until it is ended.
type process struct {
	env []string

	mu  sync.Mutex
	url string
	cmd *exec.Cmd
	log *lockedBuffer
}

// start starts the command and waits for its ready line.
func (p *process) start(t *testing.T, args ...string) {
	t.Helper()
	p.await(t, p.launch(t, args...))
}

// launch starts the command. Its address comes when it is ready; the channel
// is closed when it says nothing any more.
func (p *process) launch(t *testing.T, args ...string) (ready <-chan string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p.log = &lockedBuffer{}
	cmd := exec.CommandContext(context.Background(), path, args...) // ends by Kill or Stop
	cmd.Env, cmd.Stderr = p.env, p.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if url, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				said <- url
			}
		}
	}()
	p.mu.Lock()
	p.cmd = cmd
	p.mu.Unlock()
	return said
}

// await waits until the command is ready.
func (p *process) await(t *testing.T, ready <-chan string) {
	t.Helper()
	select {
	case url, ok := <-ready:
		if !ok {
			_ = p.cmd.Wait()
			t.Fatalf("%s ended before it was ready: %v\n%s", p.cmd, p.cmd.ProcessState, p.log)
		}
		p.mu.Lock()
		p.url = url
		p.mu.Unlock()
	case <-time.After(90 * time.Second):
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		t.Fatalf("%s was not ready in 90 s\n%s", p.cmd, p.log)
	}
}

// lockedBuffer keeps what a process logs.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
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

// URL is the server's address, also while it is down.
func (p *process) URL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

// Kill ends the process as a power cut would, without a word.
func (p *process) Kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatalf("kill: %v\n%s", err, p.log)
	}
	_ = p.cmd.Wait() // its error says that it was killed
	p.cmd = nil
}

// Stop ends the process in order.
func (p *process) Stop(t *testing.T) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop: %v\n%s", err, p.log)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("stop: %v\n%s", err, p.log)
	}
	p.cmd = nil
}

// portal is one hostfold on a data folder of its own.
type portal struct {
	process

	dir string
	// database is where its rows live, "" for its private Postgres.
	database string
}

// folderFor makes a folder that the system user of Postgres can enter, unlike
// that of t.TempDir.
func folderFor(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hostfold-system-*") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newPortal(t *testing.T, env ...string) *portal {
	t.Helper()
	p := &portal{dir: filepath.Join(folderFor(t), "var")}
	p.env = append(append(os.Environ(),
		"HOSTFOLD_DATA="+p.dir, "HOSTFOLD_ADDR=127.0.0.1:0", "HOSTFOLD_ADMIN_ADDR=127.0.0.1:0", "HOSTFOLD_NODE_ADDR=127.0.0.1:0",
		"DATABASE_URL=", "ESDB_URL=", "HOSTFOLD_LOG=json", "HOSTFOLD_CALLS_PER_MINUTE=0"), env...)
	t.Cleanup(func() { p.Stop(t) })
	return p
}

// Start starts the server and waits for its ready line.
func (p *portal) Start(t *testing.T, args ...string) {
	t.Helper()
	p.start(t, append([]string{"serve"}, args...)...)
}

// Admin is the address for operators of the running server.
func (p *portal) Admin(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var run struct {
		Admin string `json:"admin"`
	}
	if err := json.Unmarshal(data, &run); err != nil {
		t.Fatal(err)
	}
	return "http://" + run.Admin
}

// Run runs another command of the binary on the same folder and answers its
// standard output.
func (p *portal) Run(t *testing.T, input string, args ...string) []byte {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.env, strings.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("hostfold %s: %v\n%s%s", strings.Join(args, " "), err, out.Bytes(), errs.Bytes())
	}
	return out.Bytes()
}

// DropDerived stops the server and drops every schema but vault.
func (p *portal) DropDerived(t *testing.T) {
	t.Helper()
	p.Stop(t)
	database := p.database
	if database == "" {
		server, err := postgres.Start(t.Context(), postgres.Config{Dir: filepath.Join(p.dir, "postgres")})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := server.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		database = server.URL()
	}
	db, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	if _, err := db.Exec(t.Context(), `DROP SCHEMA read, feed, river, web CASCADE`); err != nil {
		t.Fatal(err)
	}
}

// exportHistory is everything that was ever written, without the trailer.
func exportHistory(t *testing.T, p *portal) []historyLine {
	t.Helper()
	var history []historyLine
	for line := range bytes.Lines(p.Run(t, "", "audit", "export")) {
		var one historyLine
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if one.Type != "" {
			history = append(history, one)
		}
	}
	return history
}

// sellerFile is a seller with every mention that an invoice needs.
func sellerFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seller.json")
	if err := os.WriteFile(path, []byte(`{
		"name": "Hostfold SAS", "legal_form": "SAS", "share_capital": {"amount": "10000.00", "currency": "EUR"},
		"address": {"line1": "1 rue du Test", "postal_code": "59000", "city": "Lille", "country": "FR"},
		"siren": "123456782", "siret": "12345678200010", "rcs": "Lille Métropole", "vat_number": "FR32123456782"
	}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Checksums is the checksum of every read model of the running server.
func (p *portal) Checksums(t *testing.T) map[string]string {
	t.Helper()
	db := p.connect(t)
	defer db.Close()
	sums, err := projections.Checksums(t.Context(), db, projections.Models())
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// connect opens the running server's database.
func (p *portal) connect(t *testing.T) *pgxpool.Pool {
	t.Helper()
	database := p.database
	if database == "" {
		password, err := os.ReadFile(filepath.Join(p.dir, "postgres", "password"))
		if err != nil {
			t.Fatal(err)
		}
		database = fmt.Sprintf("host=%s user=hostfold dbname=hostfold password=%s", filepath.Join(p.dir, "postgres", "sock"), strings.TrimSpace(string(password)))
	}
	db, err := pgxpool.New(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	return db
}
