package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
	"github.com/hostfold/hostfold/eventstore/logcopy"
	"github.com/hostfold/hostfold/eventstore/node"
)

// copyDeadline is how long the target may take for one append of a copy: more
// than any queue in front of it, since one that is given up and made later
// would be in the wrong place.
const copyDeadline = time.Minute

// nodeCopyCmd copies the store to another one.
type nodeCopyCmd struct {
	nodeReserve `json:"-"`
	To          string `help:"The store to copy to: empty, or with an earlier copy." required:"" placeholder:"esdb://…"`
}

// Run copies here or in the running server.
func (n *nodeCopyCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runNodeTool(ctx, g, n.Reserve, c, "node-copy", n)
}

func (n *nodeCopyCmd) work(ctx context.Context, p *parts, t terms) (err error) {
	if p.engine == nil {
		return errNoNode
	}
	id, err := logOf(ctx, p.store)
	if err != nil {
		return err
	}
	if id == uuid.Nil {
		id = p.engine.LogID() // the node's own
	}
	to, err := esdb.Open(esdb.Config{URL: n.To, Deadline: copyDeadline, MaxAppendBytes: node.LargestAppend, Logger: quiet(p.log)})
	if err != nil {
		return fmt.Errorf("%w; --to looks like esdb://127.0.0.1:2113?tls=false", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := isThere(ctx, to); err != nil {
		return fmt.Errorf("the store to copy to does not answer: %w; check --to and that the server runs", err)
	}
	out, err := logcopy.Copy(ctx, logcopy.Config{
		From: p.store, FromLog: id, To: to, Write: logcopy.InBulk(to), NewID: uuid.New, Step: t.Step, Say: t.Say,
	})
	if err != nil {
		return err
	}
	if out.Skipped > 0 {
		t.Say(fmt.Sprintf("%d events of system streams were left out", out.Skipped))
	}
	if out.Filled > 0 {
		t.Say(fmt.Sprintf("%d events were scavenged here; empty ones of the type $scavenged take their revisions in the copy", out.Filled))
	}
	if out.Unmarked > 0 {
		t.Say(fmt.Sprintf("%d events keep their metadata as they are, without the first time and position: they are no JSON object, or too large", out.Unmarked))
	}
	_, err = fmt.Fprintf(t, "copied log %s: %d events in %d streams, %d of them now, through %s; all verified, SHA-256 %s\n",
		id, out.Events, out.Streams, out.Written, out.Through, out.SHA256)
	t.Say("Set ESDB_URL to the new store, stop the server that uses the old one, copy once more, and run `hostfold projections rebuild --all`.")
	return err
}

// isThere asks the store to copy to for an answer within the usual time.
func isThere(ctx context.Context, to *esdb.Store) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := to.Head(ctx)
	return err
}

// logOf is the id of the log that projections know, nil when the log was never
// used by hostfold.
func logOf(ctx context.Context, store eventstore.Store) (uuid.UUID, error) {
	for r, err := range store.ReadStream(ctx, eventstore.LogStream, 0) {
		if err != nil {
			return uuid.Nil, err
		}
		var started eventstore.LogStarted
		if err := json.Unmarshal(r.Data, &started); err == nil {
			return started.LogID, nil
		}
		break
	}
	return uuid.Nil, nil
}
