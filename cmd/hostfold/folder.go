package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/hostfold/hostfold/eventstore"
)

// folderFormat is the version of the data folder's layout. An older binary
// refuses a newer folder.
const folderFormat = 1

// errLocked says that another process uses the data folder.
var errLocked = errors.New("the data folder is in use by another process")

// folder is the data folder, held under its lock.
type folder struct {
	dir  string
	lock *os.File
}

// openFolder makes the folder when it is missing, checks its format and locks
// it. Nothing in it is changed before the lock is held.
func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, folderMode()); err != nil {
		return nil, fmt.Errorf("make the data folder: %w; set HOSTFOLD_DATA to a folder that can be written", err)
	}
	if err := checkFormat(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data folder: %w; set HOSTFOLD_DATA to a folder that can be written", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", errLocked, dir), lock.Close())
	}
	f := &folder{dir: dir, lock: lock}
	if _, err := os.Stat(f.path(restoring)); err == nil {
		return nil, errors.Join(fmt.Errorf("a restore into %s was cut short: remove the folder and restore again; with DATABASE_URL drop the schema vault first", dir), f.Close())
	}
	if err := f.writeFormat(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// folderMode lets the user of the private Postgres pass through when we are
// root; secrets are files that only we can read.
func folderMode() fs.FileMode {
	if os.Geteuid() == 0 {
		return 0o711
	}
	return 0o700
}

// checkFormat refuses a folder that is not ours or too new for us.
func checkFormat(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "format"))
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("look into the data folder: %w", err)
		}
		for _, e := range entries {
			if e.Name() != "lock" {
				return fmt.Errorf("%s holds %q but no file \"format\", so it is not a data folder of hostfold, or a damaged one; nothing was changed: restore it from a backup, or set HOSTFOLD_DATA to an empty folder", dir, e.Name())
			}
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the format of the data folder: %w", err)
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || v < 1:
		return fmt.Errorf("the file %s is damaged: it holds %q in place of a version; nothing was changed: restore the folder from a backup", filepath.Join(dir, "format"), strings.TrimSpace(string(text)))
	case v > folderFormat:
		return fmt.Errorf("the data folder %s was written by a newer hostfold (format %d, this one knows %d); nothing was changed: run the newer version", dir, v, folderFormat)
	}
	return nil
}

func (f *folder) writeFormat() error {
	if _, err := os.Stat(f.path("format")); err == nil {
		return nil
	}
	return f.writeFile("format", []byte(strconv.Itoa(folderFormat)+"\n"))
}

func (f *folder) path(elem ...string) string {
	return filepath.Join(append([]string{f.dir}, elem...)...)
}

// writeFile replaces a small file whole, readable by us alone.
func (f *folder) writeFile(name string, data []byte) error {
	temp, err := os.CreateTemp(f.dir, "."+name+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path(name), err)
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), f.path(name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.path(name), err), os.Remove(temp.Name()))
	}
	return nil
}

// full adds what to do about a full disk.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, eventstore.ErrNoSpace) {
		return fmt.Errorf("the disk is full: free some space and start again; nothing was lost: %w", err)
	}
	return err
}

// secret is the content of a file, made at random when it is missing.
func (f *folder) secret(name string) (string, error) {
	text, err := os.ReadFile(f.path(name))
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", f.path(name), err)
	}
	s := rand.Text()
	return s, f.writeFile(name, []byte(s+"\n"))
}

// Close gives the folder up.
//
// It unlocks before it closes: a child that is just being started holds a copy
// of the file until it runs, and with it the lock.
func (f *folder) Close() error {
	return errors.Join(syscall.Flock(int(f.lock.Fd()), syscall.LOCK_UN), f.lock.Close())
}

// runFile tells commands beside a running server how to reach it.
type runFile struct {
	PID    int    `json:"pid"`
	Admin  string `json:"admin"`
	Socket string `json:"socket,omitempty"`
	Secret string `json:"secret"`
}

func (f *folder) writeRun(r runFile) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write run.json: %w", err)
	}
	return f.writeFile("run.json", data)
}

func (f *folder) removeRun() error {
	if err := os.Remove(f.path("run.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove run.json: %w", err)
	}
	return nil
}

// readRun reads how to reach the server that holds the folder.
func readRun(dir string) (runFile, error) {
	var r runFile
	data, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, errors.New("a hostfold process that uses this data folder is starting or stopping: try again in a moment")
	}
	if err != nil {
		return r, fmt.Errorf("read how to reach the running server: %w; run this as the user that runs the server", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read how to reach the running server: %w", err)
	}
	return r, nil
}
