package node_test

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var errDisk = errors.New("disk error")

// disturbed is a file system whose syncs can be held back or made to fail.
type disturbed struct {
	vfs.FS
	*disturbance
}

type disturbance struct {
	// held is locked by a test to hold every sync back; reached gets a value
	// when one arrives meanwhile.
	held    sync.RWMutex
	reached chan struct{}
	failing atomic.Bool
}

func disturb(fs vfs.FS) disturbed {
	return disturbed{FS: fs, disturbance: &disturbance{reached: make(chan struct{}, 1)}}
}

func (fs disturbed) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return disturbedFile{File: f, d: fs.disturbance}, nil
}

func (fs disturbed) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.wrap(fs.FS.Create(name, c))
}

func (fs disturbed) ReuseForWrite(oldName, newName string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.wrap(fs.FS.ReuseForWrite(oldName, newName, c))
}

type disturbedFile struct {
	vfs.File
	d *disturbance
}

func (f disturbedFile) Sync() error     { return f.d.sync(f.File.Sync) }
func (f disturbedFile) SyncData() error { return f.d.sync(f.File.SyncData) }

func (d *disturbance) sync(really func() error) error {
	if !d.held.TryRLock() {
		select {
		case d.reached <- struct{}{}:
		default:
		}
		d.held.RLock()
	}
	defer d.held.RUnlock()
	if d.failing.Load() {
		return errDisk
	}
	return really()
}
