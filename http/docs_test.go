package http_test

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheDocsInABrowser opens the docs in a real browser that can reach no
// other host. `make test` sets HOSTFOLD_BROWSER_TESTS and, where it is not on
// the path, HOSTFOLD_CHROMIUM.
func TestTheDocsInABrowser(t *testing.T) {
	t.Parallel()
	if os.Getenv("HOSTFOLD_BROWSER_TESTS") == "" {
		t.Skip("make test runs the browser tests")
	}
	_, server := served(t)
	// The list draws only what is in sight, so the window is as high as all of it.
	cmd := exec.CommandContext(t.Context(), cmp.Or(os.Getenv("HOSTFOLD_CHROMIUM"), "chromium"),
		"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--virtual-time-budget=20000", "--window-size=1280,20000",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--enable-logging=stderr", "--v=0", "--dump-dom", server.URL+"/docs")
	var said bytes.Buffer
	cmd.Stderr = &said
	page, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	for _, operation := range []string{"Register a user", "Read the dashboard", "Issue an invoice", "Follow events"} {
		if !strings.Contains(string(page), operation) {
			t.Errorf("the docs do not show %q", operation)
		}
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the console says %s", line)
		}
	}
}
