package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hostfold/hostfold/eventstore/node"
)

// nodeGroup is the embedded event store: run alone, or looked after.
type nodeGroup struct {
	Serve    nodeServeCmd    `cmd:"" default:"withargs" help:"Run the event store for other processes (the default)."`
	User     nodeUserCmd     `cmd:"" help:"Look after the users of a secure event store, while it is not served."`
	Backup   nodeBackupCmd   `cmd:"" help:"Copy the event store, also while it is in use."`
	Restore  nodeRestoreCmd  `cmd:"" help:"Make an event store from a backup."`
	Copy     nodeCopyCmd     `cmd:"" help:"Copy the whole log to another store, an EventStoreDB or KurrentDB."`
	Verify   nodeVerifyCmd   `cmd:"" help:"Check every record and every stream against each other."`
	Scavenge nodeScavengeCmd `cmd:"" help:"Remove the events of deleted and truncated streams for ever, and give their disk space back, also while the store is in use."`
}

// nodeReserve is the reserve of the tools that open the store by themselves.
type nodeReserve struct {
	Reserve byteSize `help:"Free disk space below which appends are refused." default:"256MiB" placeholder:"SIZE" env:"HOSTFOLD_NODE_RESERVE" json:"-"`
}

// errNoNode says that the running server has its events elsewhere.
var errNoNode = errors.New("the running server uses the store of ESDB_URL; look after that one with its own tools")

// runNodeTool runs a tool in the process that holds the data folder, or on the
// store alone when no process does.
func runNodeTool(ctx context.Context, g *Globals, reserve byteSize, c *console, name string, t tool) error {
	f, err := openFolder(g.Data)
	if errors.Is(err, errLocked) {
		return askServer(ctx, g.Data, c, name, t)
	}
	if err != nil {
		return err
	}
	engine, err := openEngine(f.path("node"), node.Options{ReserveBytes: uint64(reserve), Logger: g.logger(c)})
	if err != nil {
		return errors.Join(err, f.Close())
	}
	p := &parts{backends: &backends{log: g.logger(c), folder: f, engine: engine, store: engine}}
	return errors.Join(t.work(ctx, p, c), p.Close(), f.Close())
}

// nodeTools are those that a running node takes.
func nodeTools() map[string]func() tool {
	return map[string]func() tool{
		"node-backup":   func() tool { return new(nodeBackupCmd) },
		"node-copy":     func() tool { return new(nodeCopyCmd) },
		"node-scavenge": func() tool { return new(nodeScavengeCmd) },
		"node-verify":   func() tool { return new(nodeVerifyCmd) },
	}
}

// nodeBackupCmd copies the store.
type nodeBackupCmd struct {
	nodeReserve `json:"-"`
	Dir         string `arg:"" help:"Folder to make; it must not exist or be empty." type:"path"`
}

// Run backs up here or in the running server.
func (b *nodeBackupCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runNodeTool(ctx, g, b.Reserve, c, "node-backup", b)
}

func (b *nodeBackupCmd) work(ctx context.Context, p *parts, t terms) error {
	if p.engine == nil {
		return errNoNode
	}
	info, err := p.engine.Backup(ctx, b.Dir)
	if err != nil {
		return full(err)
	}
	_, err = fmt.Fprintf(t, "backed up log %s: %d events, up to %s, in %d files in %s\n", info.LogID, info.Count, info.Head, len(info.Files), b.Dir)
	return err
}

// nodeRestoreCmd makes a store of a backup.
type nodeRestoreCmd struct {
	Dir string `arg:"" help:"The backup's folder." type:"path"`
}

// Run restores into the data folder, which nobody may be using.
func (r nodeRestoreCmd) Run(ctx context.Context, g *Globals, c *console) error {
	f, err := openFolder(g.Data)
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%w%s: stop that process, or give another folder with --data", err, byWhom(g.Data))
	}
	if err != nil {
		return err
	}
	info, err := node.Restore(ctx, r.Dir, f.path("node"), node.Options{Logger: g.logger(c)})
	if errors.Is(err, node.ErrNotEmpty) {
		err = fmt.Errorf("%w: the data folder has an event store already; give another one with --data, or move that store away", err)
	}
	if err == nil {
		_, err = fmt.Fprintf(c, "restored log %s: %d events, up to %s, into %s\n", info.LogID, info.Count, info.Head, f.path("node"))
	}
	return errors.Join(err, f.Close())
}

// nodeVerifyCmd checks the store.
type nodeVerifyCmd struct {
	nodeReserve `json:"-"`
}

// Run verifies here or in the running server.
func (v *nodeVerifyCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runNodeTool(ctx, g, v.Reserve, c, "node-verify", v)
}

func (*nodeVerifyCmd) work(ctx context.Context, p *parts, t terms) error {
	if p.engine == nil {
		return errNoNode
	}
	seen, err := p.engine.Verify(ctx, func(done uint64) {
		if done%(1<<17) == 0 {
			t.Step("records and entries verified", done, 0)
		}
	})
	for _, finding := range seen.Findings {
		if _, err := fmt.Fprintln(t, finding); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	gone := ""
	if seen.Scavenged > 0 {
		gone = fmt.Sprintf(", %d events scavenged", seen.Scavenged)
	}
	_, err = fmt.Fprintf(t, "the event store is sound: log %s, %d events in %d streams, through %s%s\n", p.engine.LogID(), seen.Events, seen.Streams, seen.Head, gone)
	return err
}
