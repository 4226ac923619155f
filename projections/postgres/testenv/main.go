// Command testenv runs a command beside a private test Postgres and passes its
// exit status on:
//
//	go run ./projections/postgres/testenv go test ./...
//
// Tests find the server in HOSTFOLD_TEST_DATABASE_URL. The address is
// the same in every run, so that go test knows what need not run again; nothing
// but an empty folder for it is left behind. Where the machine has memory to
// spare, temporary files are kept there (TMPDIR is set, unless it was set
// before): most of what the tests write is databases that live for a second.
//
// It must not set up anything that a test could start for itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hostfold/hostfold/projections/postgres"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: testenv COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1], os.Args[2:])
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "testenv:", err)
		os.Exit(1)
	}
}

// run starts Postgres, then the command, and ends both.
func run(ctx context.Context, name string, args []string) (err error) {
	dir, unlock, err := ownFolder()
	if err != nil {
		return err
	}
	defer unlock()
	sweep, err := intoMemory(filepath.Base(dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sweep()) }()
	server, err := postgres.StartTemp(ctx, os.Getenv("HOSTFOLD_POSTGRES"))
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err = errors.Join(err, server.Stop(stopCtx))
	}()
	url, err := sameAddress(server.URL(), dir)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.Remove(filepath.Join(dir, "socket")), os.Remove(filepath.Join(dir, "pass")))
	}()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "HOSTFOLD_TEST_DATABASE_URL="+url)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	return cmd.Run()
}

// ownFolder is the first of a few folders that no other run has locked.
func ownFolder() (dir string, unlock func(), err error) {
	for i := range 100 {
		dir := filepath.Join(os.TempDir(), fmt.Sprintf("hostfold-test-%d-%d", os.Getuid(), i))
		if lock, err := lockOwn(dir); err == nil {
			return dir, func() { _ = lock.Close() }, nil
		}
	}
	return "", nil, fmt.Errorf("no folder hostfold-test-… in %s is free: remove those that belong to nobody", os.TempDir())
}

// sameAddress gives the server an address that is the same in the next run, for
// go test runs a package again when a variable that it read has changed: a link
// to the socket's folder and a file with the password, in dir. What a killed run
// left there is replaced.
func sameAddress(server, dir string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("address of the test Postgres: %w", err)
	}
	password, _ := u.User.Password()
	q := u.Query()
	link, pass := filepath.Join(dir, "socket"), filepath.Join(dir, "pass")
	err = errors.Join(
		os.RemoveAll(link), os.Symlink(q.Get("host"), link),
		os.RemoveAll(pass), os.WriteFile(pass, []byte("*:*:*:*:"+password+"\n"), 0o600))
	if err != nil {
		return "", fmt.Errorf("prepare %s: %w", dir, err)
	}
	q.Set("host", link)
	q.Set("passfile", pass)
	u.User, u.RawQuery = url.User(u.User.Username()), q.Encode()
	return u.String(), nil
}

// lockOwn makes a folder that only this user may enter, if need be, and locks it.
func lockOwn(dir string) (*os.File, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid())) {
		err = os.ErrPermission
	}
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
