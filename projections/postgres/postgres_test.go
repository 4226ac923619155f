package postgres_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/projections/postgres"
)

func TestStartKeepsData(t *testing.T) {
	t.Parallel()
	dir := folder(t)

	first := started(t, postgres.Config{Dir: dir})
	query(t, first, `CREATE TABLE kept (n int)`)
	query(t, first, `INSERT INTO kept VALUES (42)`)
	stop(t, first)

	second := started(t, postgres.Config{Dir: dir})
	if got := query(t, second, `SELECT n FROM kept`); got != "42" {
		t.Errorf("after a restart the row is %q, want 42", got)
	}
	if got := query(t, second, `SHOW fsync`); got != "on" {
		t.Errorf("fsync is %s, want on", got)
	}
	if got := query(t, second, `SHOW listen_addresses`); got != "" {
		t.Errorf("it listens on %q, want only the socket", got)
	}
	if info, err := os.Stat(filepath.Join(second.Dir(), "password")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v %v, want 0600", info.Mode(), err)
	}
	stop(t, second)
}

func TestStartAsksForThePassword(t *testing.T) {
	t.Parallel()
	s := started(t, postgres.Config{Dir: folder(t), Fast: true})
	wrong, err := pgx.ParseConfig(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	wrong.Password = "wrong"
	if conn, err := pgx.ConnectConfig(t.Context(), wrong); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a wrong password was accepted")
	}
	stop(t, s)
}

func TestStartReplacesTheServerOfAKilledRun(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := started(t, postgres.Config{Dir: dir})
	query(t, s, `CREATE TABLE kept (n int)`)

	// The postmaster dies; its file stays behind.
	text, err := os.ReadFile(filepath.Join(s.Dir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	stop(t, s)

	again := started(t, postgres.Config{Dir: dir, Fast: true})
	query(t, again, `INSERT INTO kept VALUES (1)`)
	stop(t, again)
}

func TestStartRefusesAFolderInUse(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := started(t, postgres.Config{Dir: dir, Fast: true})
	refused(t, postgres.Config{Dir: dir}, "in use by another process")
	query(t, s, `SELECT 1`)
	stop(t, s)
}

func TestStartUsesAShortSocketPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), strings.Repeat("long", 20), strings.Repeat("path", 20))
	s := started(t, postgres.Config{Dir: dir, Fast: true})
	config, err := pgx.ParseConfig(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(config.Host) })
	if len(config.Host) > 90 {
		t.Errorf("socket folder %s is long", config.Host)
	}
	query(t, s, `SELECT 1`)
	stop(t, s)
}

func TestStartMovesOutOfAFolderThatTheSystemUserCannotEnter(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // there is no system user then: Postgres runs as we do
	}
	closed := filepath.Join(folder(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	var said []string
	fallback := folder(t)
	s := started(t, postgres.Config{Dir: filepath.Join(closed, "pg"), Fallback: fallback, Fast: true, Say: func(text string) { said = append(said, text) }})
	if !strings.HasPrefix(s.Dir(), fallback) {
		t.Errorf("data is in %s, want it under %s", s.Dir(), fallback)
	}
	if len(said) == 0 || !strings.Contains(said[0], closed) {
		t.Errorf("said %q, want the closed folder named", said)
	}
	stop(t, s)
}

func TestStartSaysWhatToDo(t *testing.T) {
	t.Parallel()
	t.Run("about a server that is too old", func(t *testing.T) {
		t.Parallel()
		bin := folder(t)
		script(t, bin, "postgres", `echo "postgres (PostgreSQL) 13.4"`)
		script(t, bin, "initdb", `exit 1`)
		refused(t, postgres.Config{Dir: folder(t), Binaries: bin}, "too old: install 15 or newer")
	})
	t.Run("about a server that is missing", func(t *testing.T) {
		t.Parallel()
		refused(t, postgres.Config{Dir: folder(t), Binaries: folder(t)}, "no PostgreSQL server in")
	})
	t.Run("about a full disk", func(t *testing.T) {
		t.Parallel()
		bin := folder(t)
		script(t, bin, "postgres", `echo "postgres (PostgreSQL) 16.1"`)
		script(t, bin, "initdb", `echo "initdb: error: could not write to file: No space left on device" >&2; exit 1`)
		refused(t, postgres.Config{Dir: folder(t), Binaries: bin}, "is full: free some space")
	})
	t.Run("about a folder that is no cluster", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		if err := os.MkdirAll(filepath.Join(dir, "data", "base"), 0o755); err != nil {
			t.Fatal(err)
		}
		refused(t, postgres.Config{Dir: dir}, "is no Postgres cluster")
	})
	t.Run("about a cluster that is broken", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		s := started(t, postgres.Config{Dir: dir, Fast: true})
		stop(t, s)
		if err := os.Remove(filepath.Join(s.Dir(), "data", "global", "pg_control")); err != nil {
			t.Fatal(err)
		}
		refused(t, postgres.Config{Dir: dir}, "nothing was changed")
	})
	t.Run("about a cluster of another version", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		s := started(t, postgres.Config{Dir: dir, Fast: true})
		stop(t, s)
		if err := os.WriteFile(filepath.Join(s.Dir(), "data", "PG_VERSION"), []byte("14\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, postgres.Config{Dir: dir}, "made by PostgreSQL 14")
	})
}

func TestStartTempLeavesNothing(t *testing.T) {
	t.Parallel()
	s, err := postgres.StartTemp(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	query(t, s, `SELECT 1`)
	stop(t, s)
	if _, err := os.Stat(s.Dir()); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", s.Dir(), err)
	}
}

// folder is a temporary folder that every user may enter.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hostfold-test-") //nolint:usetesting // the folder of t.TempDir is closed to the system user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func started(t *testing.T, c postgres.Config) *postgres.Server {
	t.Helper()
	s, err := postgres.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	return s
}

func stop(t *testing.T, s *postgres.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func refused(t *testing.T, c postgres.Config, want string) {
	t.Helper()
	s, err := postgres.Start(t.Context(), c)
	if err == nil {
		stop(t, s)
		t.Fatalf("it started, want %q", want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("error is %q, want %q in it", err, want)
	}
}

func query(t *testing.T, s *postgres.Server, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 || len(results[0].Rows) == 0 {
		return ""
	}
	return string(results[0].Rows[0][0])
}

func script(t *testing.T, dir, name, body string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
