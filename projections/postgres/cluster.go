package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxSocketPath is what the kernel allows for a socket's path.
const maxSocketPath = 107

// logMark begins each run in the log, so that an error quotes its own run.
const logMark = "==== start ====\n"

// cluster is the folder that holds a Postgres cluster and what goes with it.
type cluster struct {
	dir  string
	user user
}

func (c cluster) data() string         { return filepath.Join(c.dir, "data") }
func (c cluster) passwordFile() string { return filepath.Join(c.dir, "password") }
func (c cluster) logFile() string      { return filepath.Join(c.dir, "postgres.log") }

// version is the major version the cluster was made with, 0 when there is none.
func (c cluster) version() int {
	text, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if err != nil {
		return 0
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return v
}

// create makes the cluster when there is none. It is made beside its place and
// renamed, so that a broken attempt is never taken for a cluster.
func (c cluster) create(ctx context.Context, bin Binaries, cfg Config) error {
	if c.version() != 0 {
		return nil
	}
	if _, err := os.Stat(c.data()); err == nil {
		return fmt.Errorf("the folder %s is no Postgres cluster (PG_VERSION is missing or unreadable); nothing was changed: restore it from a backup, or move it away to start with an empty database", c.data())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at the Postgres folder: %w", err)
	}
	cfg.Say("Making the private Postgres (version " + strconv.Itoa(bin.Version) + ") in " + c.dir + ".")
	if err := c.newPassword(); err != nil {
		return explain(err, err.Error(), c.dir)
	}
	fresh := c.data() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove a half-made cluster: %w", err)
	}
	args := []string{"-D", fresh, "-U", owner, "-A", "scram-sha-256", "--pwfile", c.passwordFile(), "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"}
	if cfg.Fast {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.path("initdb"), args...) //nolint:gosec // our own binary
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dir, childEnv(), childAttr(c.user)
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(explain(fmt.Errorf("make the Postgres cluster: %w", err), string(out), c.dir), os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, c.data()); err != nil {
		return fmt.Errorf("put the Postgres cluster in its place: %w", err)
	}
	return nil
}

// newPassword writes a random password that only the server's user can read.
func (c cluster) newPassword() error {
	if err := os.WriteFile(c.passwordFile(), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the password of the private Postgres: %w", err)
	}
	return c.user.own(c.passwordFile())
}

// socketFolder is a folder for the socket that only the server's user enters,
// and whose path is short enough for the kernel.
func (c cluster) socketFolder() (string, error) {
	dir := filepath.Join(c.dir, "sock")
	if len(filepath.Join(dir, ".s.PGSQL."+port)) > maxSocketPath {
		sum := sha256.Sum256([]byte(c.dir))
		dir = filepath.Join("/tmp", "hostfold-"+hex.EncodeToString(sum[:6]))
	}
	if err := os.Mkdir(dir, 0o700); err == nil {
		return dir, c.user.own(dir)
	} else if !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make the folder of the Postgres socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("look at the folder of the Postgres socket: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || st.Uid != c.user.uid || info.Mode().Perm() != 0o700 {
		return "", fmt.Errorf("%s is not a folder of ours that only we can enter: remove it and start again", dir)
	}
	return dir, nil
}

// openLog opens the server's log; one that has grown large is set aside.
func (c cluster) openLog() (*os.File, error) {
	if info, err := os.Stat(c.logFile()); err == nil && info.Size() > 16<<20 {
		if err := os.Rename(c.logFile(), c.logFile()+".old"); err != nil {
			return nil, fmt.Errorf("set the Postgres log aside: %w", err)
		}
	}
	f, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, explain(fmt.Errorf("open the Postgres log: %w", err), err.Error(), c.dir)
	}
	if _, err := f.WriteString(logMark); err != nil {
		return nil, errors.Join(explain(fmt.Errorf("write the Postgres log: %w", err), err.Error(), c.dir), f.Close())
	}
	return f, nil
}

// lockFolder keeps a second process out of the folder until the file is closed.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, explain(fmt.Errorf("open the lock of the Postgres folder: %w", err), err.Error(), dir)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the Postgres in %s is in use by another process: stop that one first", dir), f.Close())
	}
	return f, nil
}

// unlockFolder lets the next one in. Closing the file alone would not do it at
// once: a child that another goroutine is starting holds a copy until it runs.
func unlockFolder(lock *os.File) error {
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}

// explain turns what Postgres said into what to do.
func explain(err error, said, dir string) error {
	switch {
	case strings.Contains(said, "No space left on device"), strings.Contains(said, "no space left on device"), strings.Contains(said, "Disk quota exceeded"):
		return fmt.Errorf("the disk that holds %s is full: free some space and start again; nothing was lost: %w", dir, err)
	case strings.Contains(said, "ermission denied"):
		return fmt.Errorf("the private Postgres may not use %s: give the folder back to the user that runs it: %w\n%s", dir, err, said)
	case said == "":
		return err
	}
	return fmt.Errorf("the private Postgres in %s does not start; nothing was changed: mend what it says below or restore the folder from a backup: %w\n%s", dir, err, said)
}
