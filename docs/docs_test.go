// Package docs_test compares what the documents say with the project.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// asvs is how many requirements levels 1 and 2 of the standard's version 5.0.0
// have.
const asvs = 253

// TestTheListOfTheASVSIsWhole reads docs/asvs.md: every requirement stands there
// once with its state, and every test and file that is to show one exists.
func TestTheListOfTheASVSIsWhole(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/asvs.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	seen, states := map[string]bool{}, map[string]int{}
	named, quoted := regexp.MustCompile(`\b(Test|Fuzz)[A-Z][A-Za-z0-9]+`), regexp.MustCompile("`((?:cmd|commands|docs|domain|eventstore|http|projections)/[a-z0-9_/.]+)`")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		if len(cells) != 5 || !regexp.MustCompile(`^\| \d`).MatchString(line) {
			continue
		}
		number, state, shown := strings.TrimPrefix(cells[0], "| "), cells[3], strings.TrimSuffix(strings.TrimSpace(cells[4]), " |")
		if seen[number] || len(shown) < 4 || cells[2] == "" {
			t.Errorf("%s stands twice, or says nothing: %s", number, line)
		}
		seen[number] = true
		states[state]++
		for _, name := range named.FindAllString(shown, -1) {
			if !tests[name] {
				t.Errorf("%s: there is no %s", number, name)
			}
		}
		for _, path := range quoted.FindAllStringSubmatch(shown, -1) {
			if _, err := os.Stat(filepath.Join("..", path[1])); err != nil {
				t.Errorf("%s: %v", number, err)
			}
		}
	}
	says := fmt.Sprintf("%d are met, %d are not applicable, %d are open", states["met"], states["not applicable"], states["open"])
	for _, path := range []string{"../docs/asvs.md", "../docs/security.md"} {
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), says) {
			t.Errorf("%s does not say that %s (%v)", path, says, err)
		}
	}
	if len(seen) != asvs || states["met"]+states["not applicable"]+states["open"] != asvs {
		t.Errorf("%d requirements, not %d: %v", len(seen), asvs, states)
	}
}

// testNames are the names of all tests of the project.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, found := range declared.FindAllSubmatch(text, -1) {
			names[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestTheInventoryOfCryptographyIsWhole looks for every package that imports
// cryptography in docs/cryptography.md.
func TestTheInventoryOfCryptographyIsWhole(t *testing.T) {
	t.Parallel()
	inventory := read(t, "../docs/cryptography.md")
	uses := regexp.MustCompile(`(?m)^\s*(?:\w+ )?"(crypto/|golang\.org/x/crypto|github\.com/go-webauthn|github\.com/pquerna/otp)`)
	found := 0
	for path, text := range sources(t) {
		folder := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
		if strings.HasSuffix(folder, "test") || !uses.MatchString(text) { // keystest and the like are for tests
			continue
		}
		if found++; !strings.Contains(inventory, "| `"+folder+"` |") {
			t.Errorf("%s uses cryptography, and docs/cryptography.md does not say for what", path)
		}
	}
	if found < 15 {
		t.Errorf("only %d files were found", found)
	}
}

// TestEveryLineOfTheLogIsDescribed looks for every message of the server's log in
// docs/logging.md, which names those of the store by how they begin.
func TestEveryLineOfTheLogIsDescribed(t *testing.T) {
	t.Parallel()
	inventory := read(t, "../docs/logging.md")
	logged := regexp.MustCompile(`(?i)log(?:ger)?\.(?:Debug|Info|Warn|Error|Log)(?:Context)?\((?:(?:ctx|level|r\.Context\(\)), )*"([^"]+)"`)
	found := 0
	for path, text := range sources(t) {
		if strings.HasPrefix(path, "../eventstore/") || strings.Contains(path, "/node_") || strings.Contains(path, "/bench/") {
			if !strings.HasPrefix(path, "../eventstore/feed/") {
				continue
			}
		}
		for _, message := range logged.FindAllStringSubmatch(text, -1) {
			if found++; !strings.Contains(inventory, "`"+message[1]+"`") {
				t.Errorf("%s logs %q, and docs/logging.md does not say what it means", path, message[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d messages were found", found)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sources are the texts of all Go files but tests, by path.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			all[filepath.ToSlash(path)] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
