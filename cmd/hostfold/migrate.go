package main

import (
	"context"
	"fmt"
)

// migrateCmd brings the schemas up to date. serve does so by itself; this is
// for who wants it done before.
type migrateCmd struct {
	Backends `json:"-"`
}

// Run migrates.
func (m *migrateCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, m.Backends, c, "migrate", m)
}

// work has nothing left to do: the database is migrated before the parts are opened.
func (m *migrateCmd) work(_ context.Context, _ *parts, t terms) error {
	_, err := fmt.Fprintln(t, "the database is up to date")
	return err
}
