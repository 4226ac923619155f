package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// backupFormat is the version of a backup's layout.
const backupFormat = 1

// backupFile is the manifest's name. It is written last: a folder without one
// is no backup, or one that was cut short.
const backupFile = "backup.json"

// ErrNotEmpty refuses a folder that holds something already.
var ErrNotEmpty = errors.New("the folder is not empty")

// ErrBackup says that a folder is not a whole backup.
var ErrBackup = errors.New("not a whole backup")

// BackupInfo is the manifest of a backup.
type BackupInfo struct {
	Format int       `json:"format"`
	LogID  uuid.UUID `json:"log_id"`
	// Head is the position of the last event, Count the number of events.
	Head   eventstore.Position `json:"head"`
	Count  uint64              `json:"count"`
	MadeAt time.Time           `json:"made_at"`
	Files  []BackupFile        `json:"files"`
}

// BackupFile is one file of a backup; its path is relative, with slashes.
type BackupFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Backup copies the log, while it is in use, into a folder that does not exist
// or is empty. The copy holds the log up to a position that is not before the
// durable head at the time of the call, is opened and counted, and is synced
// before the manifest names it. On the log's own file system tables are
// linked, not copied.
func (e *Engine) Backup(ctx context.Context, dir string) (info BackupInfo, err error) {
	if err := mustBeEmpty(e.o.FS, dir); err != nil {
		return info, fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup into %s: %w", dir, errors.Join(err, e.o.FS.RemoveAll(dir)))
		}
	}()
	if err := e.checkpoint(ctx, dir); err != nil {
		return info, err
	}
	info = BackupInfo{Format: backupFormat, LogID: e.folder.id, MadeAt: e.o.Clock().UTC()}
	if err := e.countCopy(ctx, dir, &info); err != nil {
		return info, err
	}
	if info.Files, err = describe(ctx, e.o.FS, dir); err != nil {
		return info, err
	}
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return info, err
	}
	return info, (&folder{fs: e.o.FS, dir: dir}).replace(e.o.FS.PathJoin(dir, backupFile), append(text, '\n'))
}

// checkpoint makes a folder with the state of the log.
func (e *Engine) checkpoint(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	leave, err := e.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := e.o.FS.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	copied := &folder{fs: e.o.FS, dir: dir, id: e.folder.id}
	m := e.mark.now()
	if err := e.db.Checkpoint(copied.dataDir()); err != nil {
		return err
	}
	if err := copied.makeWatermark(mark{durable: m.durable}); err != nil {
		return err
	}
	return copied.seal(0)
}

// countCopy opens the copy, which finds it whole, and counts it.
func (e *Engine) countCopy(ctx context.Context, dir string, info *BackupInfo) (err error) {
	o := e.o
	o.Logger = nil
	failed := make(chan error, 1) // Fatal is called once, from any goroutine.
	o.Fatal = func(err error) { failed <- err }
	opened, err := Open(dir, o)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, opened.Close())
		select {
		case fatal := <-failed:
			err = errors.Join(err, fatal)
		default:
		}
	}()
	if info.Head, err = opened.Head(ctx); err != nil {
		return err
	}
	s := Scan{Match: func(_, _ []byte) bool { return false }}
	for {
		page, err := opened.ScanAll(ctx, s)
		if err != nil {
			return err
		}
		info.Count += uint64(page.Scanned) //nolint:gosec // a count
		if page.End {
			return nil
		}
		s.From = at(page.Through.Commit + 1)
	}
}

// mustBeEmpty refuses a folder with anything in it.
func mustBeEmpty(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "." || name == ".." })
	if len(names) > 0 {
		return fmt.Errorf("%w: %s holds %q; give another one", ErrNotEmpty, dir, names[0])
	}
	return nil
}
