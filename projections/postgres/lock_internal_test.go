package postgres

import (
	"os/exec"
	"sync"
	"testing"
)

func TestALockIsFreeAtOnceWhileOthersStartProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := make(chan struct{})
	var starting sync.WaitGroup
	defer starting.Wait()
	defer close(stop)
	for range 4 {
		starting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := exec.CommandContext(t.Context(), "/bin/true").Run(); err != nil {
						return
					}
				}
			}
		})
	}
	for range 2000 {
		lock, err := lockFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := unlockFolder(lock); err != nil {
			t.Fatal(err)
		}
	}
}
