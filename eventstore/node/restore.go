package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Restore checks a backup against its manifest and makes a store's folder of
// it, which must not exist or be empty. The folder appears when it is complete
// and synced, or not at all.
func Restore(ctx context.Context, backup, dir string, o Options) (BackupInfo, error) {
	o = o.withDefaults()
	info, err := readBackup(o.FS, backup)
	if err != nil {
		return info, err
	}
	if err := mustBeEmpty(o.FS, dir); err != nil {
		return info, fmt.Errorf("restore: %w", err)
	}
	partial := strings.TrimRight(dir, `/\`) + ".restoring" // of an attempt that was cut short, too
	if err := o.FS.RemoveAll(partial); err != nil {
		return info, fmt.Errorf("restore: %w", err)
	}
	if err := restoreInto(ctx, o, backup, partial, info); err != nil {
		return info, fmt.Errorf("restore %s: %w", backup, errors.Join(err, o.FS.RemoveAll(partial)))
	}
	if err := o.FS.RemoveAll(dir); err != nil { // it is empty
		return info, fmt.Errorf("restore: %w", err)
	}
	if err := o.FS.Rename(partial, dir); err != nil {
		return info, fmt.Errorf("restore: %w", err)
	}
	return info, (&folder{fs: o.FS, dir: dir}).syncDir(o.FS.PathDir(dir))
}

// readBackup reads a backup's manifest.
func readBackup(fs vfs.FS, backup string) (BackupInfo, error) {
	var info BackupInfo
	file, err := fs.Open(fs.PathJoin(backup, backupFile))
	if errors.Is(err, os.ErrNotExist) {
		return info, fmt.Errorf("%w: %s holds no %s: it is another folder, or the backup was cut short; use another backup", ErrBackup, backup, backupFile)
	}
	if err != nil {
		return info, fmt.Errorf("read the backup: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return info, fmt.Errorf("read the backup: %w", err)
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return info, fmt.Errorf("%w: %s in %s is damaged; use another backup", ErrBackup, backupFile, backup)
	}
	if info.Format > backupFormat {
		return info, fmt.Errorf("the backup %s has format %d, this program knows up to %d; use a newer one", backup, info.Format, backupFormat)
	}
	for _, f := range info.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return info, fmt.Errorf("%w: %s in %s names the file %q outside of it", ErrBackup, backupFile, backup, f.Path)
		}
	}
	if info.Format < 1 || len(info.Files) == 0 {
		return info, fmt.Errorf("%w: %s in %s names no files; use another backup", ErrBackup, backupFile, backup)
	}
	return info, nil
}

// restoreInto copies what the manifest names, and opens it once.
func restoreInto(ctx context.Context, o Options, backup, dir string, info BackupInfo) error {
	dirs := map[string]bool{dir: true}
	for _, want := range info.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := o.FS.PathJoin(dir, filepath.FromSlash(want.Path))
		if err := o.FS.MkdirAll(o.FS.PathDir(to), 0o700); err != nil {
			return err
		}
		dirs[o.FS.PathDir(to)] = true
		got, err := copyFile(o.FS, o.FS.PathJoin(backup, filepath.FromSlash(want.Path)), to)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w: the file %s is missing; use another backup", ErrBackup, want.Path)
		}
		if err != nil {
			return err
		}
		if got.Size != want.Size || got.SHA256 != want.SHA256 {
			return fmt.Errorf("%w: the file %s is not what the manifest says; use another backup", ErrBackup, want.Path)
		}
	}
	for path := range dirs {
		if err := (&folder{fs: o.FS}).syncDir(path); err != nil {
			return err
		}
	}
	return openRestored(ctx, o, dir, info)
}

// openRestored opens the restored folder, to see that it holds what it should.
func openRestored(ctx context.Context, o Options, dir string, info BackupInfo) (err error) {
	e, err := Open(dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	head, err := e.Head(ctx)
	if err == nil && (head != info.Head || e.LogID() != info.LogID) {
		err = fmt.Errorf("%w: it holds log %s up to %s, its manifest says %s up to %s", ErrBackup, e.LogID(), head, info.LogID, info.Head)
	}
	return err
}

// describe lists a folder's files but locks and the manifest.
func describe(ctx context.Context, fs vfs.FS, dir string) ([]BackupFile, error) {
	var files []BackupFile
	var walk func(below string) error
	walk = func(below string) error {
		names, err := fs.List(fs.PathJoin(dir, filepath.FromSlash(below)))
		if err != nil {
			return err
		}
		slices.Sort(names)
		for _, name := range names {
			path := strings.TrimPrefix(below+"/"+name, "/")
			full := fs.PathJoin(dir, filepath.FromSlash(path))
			info, err := fs.Stat(full)
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case info.IsDir():
				err = walk(path)
			case name != "lock" && name != "LOCK":
				var f BackupFile
				f, err = hashFile(fs, full)
				f.Path = path
				files = append(files, f)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return files, walk("")
}

// hashFile describes a file, which is synced first.
func hashFile(fs vfs.FS, path string) (BackupFile, error) {
	file, err := fs.Open(path)
	if err != nil {
		return BackupFile{}, err
	}
	digest := sha256.New()
	n, err := io.Copy(digest, file)
	return BackupFile{Size: n, SHA256: hex.EncodeToString(digest.Sum(nil))}, errors.Join(err, file.Sync(), file.Close())
}

// copyFile copies a file durably and describes it.
func copyFile(fs vfs.FS, from, to string) (BackupFile, error) {
	in, err := fs.Open(from)
	if err != nil {
		return BackupFile{}, err
	}
	defer in.Close()
	out, err := fs.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return BackupFile{}, err
	}
	digest := sha256.New()
	n, err := io.Copy(io.MultiWriter(digest, out), in)
	return BackupFile{Size: n, SHA256: hex.EncodeToString(digest.Sum(nil))}, errors.Join(err, out.Sync(), out.Close())
}
