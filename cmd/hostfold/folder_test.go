package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

func TestAFolderInUseNamesItsServerWhileThatLives(t *testing.T) {
	t.Parallel()
	f := &folder{dir: t.TempDir()}
	gone := exec.CommandContext(t.Context(), "true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for pid, want := range map[int]string{
		os.Getpid():      fmt.Sprintf(" (process %d)", os.Getpid()),
		gone.Process.Pid: "",
	} {
		if err := f.writeRun(runFile{PID: pid}); err != nil {
			t.Fatal(err)
		}
		if got := byWhom(f.dir); got != want {
			t.Errorf("a folder left by process %d is in use by %q, want %q", pid, got, want)
		}
	}
}
