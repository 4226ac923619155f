package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// folderFormat is the version of everything the engine writes into a folder.
// Format 2 added the checksum of the version file, and the watermark; format 3
// the notes of what was scavenged, without which that counts as lost; format 4
// the runs of streams' entries, which are not written with their events.
const (
	folderFormat = 4
	runsFormat   = 4
)

// folder is the engine's folder: its lock, its version file and the database.
type folder struct {
	fs   vfs.FS
	dir  string
	lock io.Closer
	id   uuid.UUID
	// format is that of the version file, 0 when there was none.
	format int
}

// versionFile says what wrote a folder. It is written last when a folder is
// made, so a folder without one holds nothing.
type versionFile struct {
	Format int       `json:"format"`
	LogID  uuid.UUID `json:"log_id"`
	// Sum is the CRC-32C of format and log id, from format 2 on.
	Sum uint32 `json:"sum,omitempty"`
}

func (v versionFile) sum() uint32 {
	return crc32.Checksum(fmt.Appendf(nil, "%d %s", v.Format, v.LogID), crc32.MakeTable(crc32.Castagnoli))
}

// parseVersion reads a version file as strictly as its format allows. It
// answers the format alone for one that is too new.
func parseVersion(text []byte) (versionFile, bool) {
	var v versionFile
	if err := json.Unmarshal(text, &v); err != nil || v.Format < 1 || v.Format > folderFormat {
		return v, err == nil && v.Format > folderFormat
	}
	sum := uint32(0)
	if v.Format >= 2 {
		sum = v.sum()
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var again versionFile
	return v, d.Decode(&again) == nil && !d.More() && v.Sum == sum && v.LogID != uuid.Nil
}

// openFolder locks a folder and reads its version.
func openFolder(fs vfs.FS, dir string, newID func() uuid.UUID) (*folder, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make event store folder: %w", err)
	}
	lock, err := fs.Lock(fs.PathJoin(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("event store folder %s is in use by another process, stop that one first: %w", dir, err)
	}
	f := &folder{fs: fs, dir: dir, lock: lock}
	if err := f.readVersion(newID); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *folder) dataDir() string { return f.fs.PathJoin(f.dir, "log") }

func (f *folder) versionPath() string { return f.fs.PathJoin(f.dir, "version.json") }

func (f *folder) close() error { return f.lock.Close() }

func (f *folder) readVersion(newID func() uuid.UUID) error {
	file, err := f.fs.Open(f.versionPath())
	if errors.Is(err, os.ErrNotExist) {
		f.id = newID()
		return f.checkUnmade()
	}
	if err != nil {
		return fmt.Errorf("read event store version: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read event store version: %w", err)
	}
	v, whole := parseVersion(text)
	if !whole {
		return fmt.Errorf("event store folder %s: %s is damaged; restore the folder from a backup", f.dir, f.versionPath())
	}
	if v.Format > folderFormat {
		return fmt.Errorf("event store folder %s has format %d, this program knows up to %d; use a newer one, or restore the folder from a backup if no newer one wrote it", f.dir, v.Format, folderFormat)
	}
	f.id, f.format = v.LogID, v.Format
	if _, err := f.fs.Stat(f.dataDir()); err != nil {
		return fmt.Errorf("event store folder %s has lost its log; restore the folder from a backup: %w", f.dir, err)
	}
	return nil
}

// checkUnmade refuses a folder without a version that holds events: only one
// whose making was cut short has none.
func (f *folder) checkUnmade() error {
	if m, err := f.readWatermark(); err == nil && m.durable > 0 {
		return f.lostVersion()
	}
	return nil
}

func (f *folder) lostVersion() error {
	return fmt.Errorf("event store folder %s holds events but has lost %s; restore the folder from a backup", f.dir, f.versionPath())
}

// seal writes the version file of a folder just made, or of an older format,
// durably, before anything is appended to it.
func (f *folder) seal(last uint64) error {
	if f.format == folderFormat {
		return nil
	}
	if f.format == 0 && last > 0 {
		return f.lostVersion()
	}
	v := versionFile{Format: folderFormat, LogID: f.id}
	v.Sum = v.sum()
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write event store version: %w", err)
	}
	if err := f.replace(f.versionPath(), text); err != nil {
		return fmt.Errorf("write event store version: %w", err)
	}
	return nil
}

// replace writes a small file whole, and makes it and its folder durable.
func (f *folder) replace(path string, text []byte) error {
	temporary := path + ".new"
	file, err := f.fs.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := f.fs.Rename(temporary, path); err != nil {
		return err
	}
	for _, path := range []string{f.dir, f.fs.PathDir(f.dir)} {
		if err := f.syncDir(path); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) syncDir(path string) error {
	dir, err := f.fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// corrupt explains what Pebble found while it was open.
func (f *folder) corrupt(info pebble.DataCorruptionInfo) error {
	return fmt.Errorf("%s is damaged, nothing was changed; restore the folder from a backup: %w", info.Path, errors.New(firstLine(info.Details.Error())))
}

// firstLine leaves out the stack traces that Pebble's errors print.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// damaged explains why the database did not open.
func (f *folder) damaged(err error) error {
	return fmt.Errorf("event store folder %s cannot be opened; if it is damaged, restore it from a backup: %w", f.dir, err)
}

// spoiled adds to the error of a read what to do about a damaged file.
func (f *folder) spoiled(err error) error {
	if pebble.IsCorruptionError(err) || errors.Is(err, errRecord) {
		return fmt.Errorf("event store folder %s is damaged; restore it from a backup: %w", f.dir, err)
	}
	return err
}
