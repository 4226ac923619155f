package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// StartTemp starts a fast server in a new temporary folder, which Stop removes.
// binaries is as in Config. For tests.
func StartTemp(ctx context.Context, binaries string) (*Server, error) {
	dir, err := os.MkdirTemp("", "hostfold-pg-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for Postgres: %w", err)
	}
	s, err := Start(ctx, Config{Dir: dir, Binaries: binaries, Fast: true})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.remove = []string{dir, s.dir}
	return s, nil
}
