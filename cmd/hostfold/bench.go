package main

import (
	"context"
	"time"

	"github.com/hostfold/hostfold/cmd/hostfold/bench"
)

// benchCmd measures beside the limits of the machine.
type benchCmd struct {
	Row         string `name:"run" help:"Row to measure: 1a (append), 1b (append, official client), 1c (batches of appends), 2 (catch-up), 4 (dashboard), 6 (whole log) or all." enum:"all,1a,1b,1c,2,4,6" default:"all" env:"-"`
	Rounds      int    `help:"How often each contender has its turn, five at least for a verdict." default:"5"`
	DatabaseURL string `help:"Empty Postgres database to measure with in place of a private server." placeholder:"postgres://…" env:"DATABASE_URL"`
	Child       bool   `hidden:"" help:"Be the process that a benchmark kills; what to do comes on standard input." env:"-"`
	Postgres    string `help:"Folder with the binaries of the private Postgres; the default is to look for them." env:"HOSTFOLD_POSTGRES" type:"path"`
}

// Run measures and prints the table.
func (b benchCmd) Run(ctx context.Context, c *console) error {
	if b.Child {
		return bench.Child(ctx, c.in, c.out)
	}
	return bench.Run(ctx, bench.Config{
		Row: b.Row, Rounds: max(b.Rounds, 1), Length: time.Second, DatabaseURL: b.DatabaseURL, Binaries: b.Postgres, Out: c, Say: c.Say,
	})
}
