package http_test

import (
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
