// Package postgres runs a private Postgres: it finds the server's binaries,
// makes a cluster in a folder of ours, starts it on a socket that only we can
// reach, and stops it again. Tests and `hostfold serve` without DATABASE_URL
// use it.
//
// It must not know what is kept in the database; migrations are in
// projections/migrations and commands/vault. Start at Start, then find.go
// (binaries), cluster.go (initdb), user.go (root) and orphan.go (killed runs).
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// port names the socket file; nothing listens on TCP.
const port = "5432"

// owner is the only role and the name of the database.
const owner = "hostfold"

// Config says where a private Postgres lives and how it runs.
type Config struct {
	// Dir holds the cluster, its password and its log. As root it may be moved
	// to a folder under Fallback; Server.Dir tells.
	Dir string
	// Fallback replaces Dir's parent when the system user cannot enter it;
	// "" is /var/lib/hostfold.
	Fallback string
	// Binaries is a folder that holds the server, see Find.
	Binaries string
	// Fast gives up durability for speed. For tests only.
	Fast bool
	// Say is told, in one sentence each, what a person should know.
	Say func(string)
}

// Server is a running private Postgres.
type Server struct {
	dir     string
	url     string
	version int
	process *os.Process
	lock    *os.File
	done    chan struct{}
	exit    error
	remove  []string
}

// Start makes the cluster when there is none, stops a server that a killed run
// left, starts a new one and waits until it answers.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.Say == nil {
		c.Say = func(string) {}
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("postgres folder: %w", err)
	}
	u, err := runAs(ctx)
	if err != nil {
		return nil, err
	}
	dir, err = u.home(dir, c)
	if err != nil {
		return nil, err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, c, u, cluster{dir: dir, user: u})
	if err != nil {
		return nil, errors.Join(err, unlockFolder(lock))
	}
	s.lock = lock
	return s, nil
}

func start(ctx context.Context, c Config, u user, cl cluster) (*Server, error) {
	bin, err := find(ctx, c.Binaries, cl.version())
	if err != nil {
		return nil, err
	}
	if err := u.mayRun(bin); err != nil {
		return nil, err
	}
	if err := stopOrphan(ctx, cl.data()); err != nil {
		return nil, err
	}
	if err := cl.create(ctx, bin, c); err != nil {
		return nil, err
	}
	sock, err := cl.socketFolder()
	if err != nil {
		return nil, err
	}
	password, err := os.ReadFile(cl.passwordFile())
	if err != nil {
		return nil, fmt.Errorf("the password of the private Postgres cannot be read; restore %s from a backup: %w", cl.passwordFile(), err)
	}
	s := &Server{dir: cl.dir, version: bin.Version}
	s.url = connString(sock, strings.TrimSpace(string(password)), owner)
	return s, s.launch(ctx, c, cl, bin, sock, connString(sock, strings.TrimSpace(string(password)), "postgres"))
}

// launch starts the server, again while the remains of a killed one hold its
// shared memory, and waits until it answers.
func (s *Server) launch(ctx context.Context, c Config, cl cluster, bin Binaries, sock, admin string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := s.spawn(c, cl, bin, sock); err != nil {
			return err
		}
		err := s.waitReady(ctx, admin)
		if err == nil {
			return nil
		}
		stopCtx, stopCancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		stopErr := s.end(stopCtx)
		stopCancel()
		tail := tailOf(cl.logFile())
		if strings.Contains(tail, "pre-existing shared memory block") && ctx.Err() == nil {
			if waitErr := pause(ctx, 200*time.Millisecond); waitErr == nil {
				continue
			}
		}
		return errors.Join(explain(err, tail, cl.dir), stopErr)
	}
}

// spawn starts the server process and watches it until it ends.
func (s *Server) spawn(c Config, cl cluster, bin Binaries, sock string) error {
	log, err := cl.openLog()
	if err != nil {
		return err
	}
	args := []string{"-D", cl.data(), "-k", sock, "-p", port, "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "max_connections=200", "-c", "timezone=UTC", "-c", "log_timezone=UTC"}
	// What was erased must not live on in a log file that is kept to be used again.
	args = append(args, "-c", "wal_recycle=off")
	if c.Fast {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=400")
	}
	cmd := exec.Command(bin.path("postgres"), args...) //nolint:gosec,noctx // our own binary; it outlives the context of its start and ends with Stop
	cmd.Dir, cmd.Env = cl.dir, childEnv()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttr(cl.user)
	started := make(chan error)
	done := make(chan struct{})
	go func() {
		// The kernel ends the server when the thread that started it ends, so
		// this goroutine keeps its thread until the server has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			s.exit = cmd.Wait()
			close(done)
		}
	}()
	err = <-started
	if closeErr := log.Close(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", bin.path("postgres"), err), closeErr)
	}
	s.process, s.done = cmd.Process, done
	return nil
}

// waitReady waits until the server answers and our database exists.
func (s *Server) waitReady(ctx context.Context, admin string) error {
	for {
		err := ensureDatabase(ctx, admin)
		if err == nil {
			return nil
		}
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "28P01" {
			return errors.New("the password of the private Postgres is not the one it was made with: restore the file \"password\" from a backup")
		}
		select {
		case <-s.done:
			return fmt.Errorf("postgres ended while starting: %w", s.exit)
		case <-ctx.Done():
			return fmt.Errorf("postgres did not answer in time: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func ensureDatabase(ctx context.Context, admin string) error {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, owner).Scan(&there); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if there {
		return nil
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE hostfold`); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// URL is a connection string for pgx, password included.
func (s *Server) URL() string { return s.url }

// Dir is the folder that holds the cluster; it may differ from Config.Dir.
func (s *Server) Dir() string { return s.dir }

// Version is the server's major version.
func (s *Server) Version() int { return s.version }

// Done is closed when the server has ended, by Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop ends the server in order: sessions are cut, everything is on disk. When
// ctx ends first, the server is told to quit at once; it then repairs itself
// at its next start.
func (s *Server) Stop(ctx context.Context) error {
	err := s.end(ctx)
	if s.lock != nil {
		err = errors.Join(err, unlockFolder(s.lock))
	}
	for _, dir := range s.remove {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

func (s *Server) end(ctx context.Context) error {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		if err := s.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop postgres: %w", err)
		}
		select {
		case <-s.done:
			return nil
		case <-ctx.Done():
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("postgres, process %d, does not stop", s.process.Pid)
	}
}

// connString names the socket's folder as host.
func connString(sock, password, database string) string {
	q := url.Values{"host": {sock}, "port": {port}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(owner, password), Path: "/" + database, RawQuery: q.Encode()}
	return u.String()
}

// childEnv is all that initdb and postgres may see of our environment.
func childEnv() []string { return []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"} }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func tailOf(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	if i := bytes.LastIndex(data, []byte(logMark)); i >= 0 {
		data = data[i+len(logMark):]
	}
	if len(data) > 4096 {
		data = data[len(data)-4096:]
	}
	return strings.TrimSpace(string(data))
}
