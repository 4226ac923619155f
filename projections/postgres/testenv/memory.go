package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// memory is where Linux keeps files in memory, and spare how many bytes must be
// free there, and in memory altogether.
const (
	memory = "/dev/shm"
	spare  = 6 << 30
)

// intoMemory has temporary files kept in memory, in a folder of this name, and
// answers what removes it; go's own, whole programs, stay where they were. It
// does nothing when TMPDIR is set, or when there is too little.
func intoMemory(name string) (remove func() error, err error) {
	nothing := func() error { return nil }
	if os.Getenv("TMPDIR") != "" || !roomInMemory() {
		return nothing, nil
	}
	dir := filepath.Join(memory, name)
	if err := os.RemoveAll(dir); err != nil { // of a killed run
		return nothing, nil //nolint:nilerr // somebody else's: the disk does as well
	}
	if err := os.Mkdir(dir, 0o755); err != nil { // root's Postgres runs as another user
		return nothing, fmt.Errorf("make a folder for temporary files: %w", err)
	}
	remove = func() error { return os.RemoveAll(dir) }
	if os.Getenv("GOTMPDIR") == "" {
		err = os.Setenv("GOTMPDIR", os.TempDir())
	}
	if err = errors.Join(err, os.Setenv("TMPDIR", dir)); err != nil {
		return nothing, errors.Join(err, remove())
	}
	return remove, nil
}

// roomInMemory reports whether there is room for what the tests write, and
// whether programs may be started from there.
func roomInMemory() bool {
	const noexec = 0x8 // ST_NOEXEC, statvfs(3)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil || int64(fs.Flags)&noexec != 0 || fs.Bavail*uint64(fs.Bsize) < spare { //nolint:unconvert // types differ between systems
		return false
	}
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(info)) {
		var kB uint64
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kB); err == nil {
			return kB<<10 >= spare
		}
	}
	return false
}
