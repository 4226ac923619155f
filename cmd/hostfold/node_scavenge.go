package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hostfold/hostfold/eventstore/node"
)

// nodeScavengeCmd removes what nobody can read any more.
type nodeScavengeCmd struct {
	nodeReserve `json:"-"`
}

// Run scavenges here or in the running server.
func (s *nodeScavengeCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runNodeTool(ctx, g, s.Reserve, c, "node-scavenge", s)
}

func (*nodeScavengeCmd) work(ctx context.Context, p *parts, t terms) error {
	if p.engine == nil {
		return errNoNode
	}
	told := uint64(0)
	out, err := p.engine.Scavenge(ctx, func(removed uint64) {
		if removed-told >= 1<<17 {
			told = removed
			t.Step("events removed", removed, 0)
		}
	})
	switch {
	case errors.Is(err, node.ErrScavenging):
		return fmt.Errorf("%w: wait for its end, which the log and the metrics tell", err)
	case err != nil && out.Events > 0:
		return fmt.Errorf("%w: %d events were removed; run it again to go on and to get their space back", full(err), out.Events)
	case err != nil:
		return full(err)
	}
	_, err = fmt.Fprintf(t, "scavenged log %s: removed %d events of %d streams, %s before, %s after, %s given back\n",
		p.engine.LogID(), out.Events, out.Streams, inUnits(out.BytesBefore), inUnits(out.BytesAfter), inUnits(out.BytesBefore-min(out.BytesBefore, out.BytesAfter)))
	return err
}
