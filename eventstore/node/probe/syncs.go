package probe

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Syncs counts what a file system is asked to make durable.
type Syncs struct{ n atomic.Int64 }

// Count is the number of syncs so far.
func (s *Syncs) Count() int64 { return s.n.Load() }

// CountSyncs is a file system that counts the syncs of its files.
func CountSyncs(inner vfs.FS) (vfs.FS, *Syncs) {
	s := &Syncs{}
	return countingFS{FS: inner, syncs: s}, s
}

type countingFS struct {
	vfs.FS
	syncs *Syncs
}

func (fs countingFS) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return countingFile{File: f, syncs: fs.syncs}, nil
}

func (fs countingFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.wrap(fs.FS.Create(name, c))
}

func (fs countingFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return fs.wrap(fs.FS.OpenReadWrite(name, c, o...))
}

func (fs countingFS) ReuseForWrite(oldName, newName string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.wrap(fs.FS.ReuseForWrite(oldName, newName, c))
}

func (fs countingFS) Unwrap() vfs.FS { return fs.FS }

type countingFile struct {
	vfs.File
	syncs *Syncs
}

func (f countingFile) Sync() error {
	f.syncs.n.Add(1)
	return f.File.Sync()
}

func (f countingFile) SyncData() error {
	f.syncs.n.Add(1)
	return f.File.SyncData()
}

// SyncTo starts writing out part of a file; it counts when it waited for all.
func (f countingFile) SyncTo(length int64) (bool, error) {
	whole, err := f.File.SyncTo(length)
	if whole {
		f.syncs.n.Add(1)
	}
	return whole, err
}
