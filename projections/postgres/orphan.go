package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopOrphan ends a server that a killed run left on the data folder. We hold
// the folder's lock, so nobody else uses it.
func stopOrphan(ctx context.Context, data string) error {
	pid := postmaster(data)
	if pid == 0 {
		return nil
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the Postgres of an earlier run, process %d: %w", pid, err)
		}
		waitCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
		for postmaster(data) == pid && waitCtx.Err() == nil {
			if pause(waitCtx, 20*time.Millisecond) != nil {
				break
			}
		}
		cancel()
		if postmaster(data) != pid {
			return nil
		}
	}
	return fmt.Errorf("the Postgres of an earlier run, process %d, does not stop: end it and start again", pid)
}

// postmaster is the process that serves the data folder, 0 when none does. The
// pid file alone proves nothing: the number may belong to somebody else by now.
func postmaster(data string) int {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return 0
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	cwd, err := os.Readlink(filepath.Join(proc, "cwd"))
	if err != nil {
		return 0
	}
	real, err := filepath.EvalSymlinks(data)
	if err != nil || cwd != real {
		return 0
	}
	return pid
}
