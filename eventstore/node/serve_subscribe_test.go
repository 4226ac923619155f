package node_test

import (
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestServeSubscribe(t *testing.T) {
	t.Parallel()
	conformance(t, map[string]func(*given){
		"case 75: the server stops and comes back":    serverStops,
		"links are resolved in subscriptions":         subscribedLinks,
		"a start beyond the end skips what is before": startBeyondEnd,
	})
}

// appendAfter appends n events to a stream that has some.
func (g *given) appendAfter(stream string, have uint64, n int) {
	g.Helper()
	if have == 0 {
		g.append(stream, client.NoStream{}, events(n)...)
		return
	}
	g.append(stream, client.Revision(have-1), events(n)...)
}

func serverStops(g *given) {
	g.append("s", client.NoStream{}, event(0))
	s := g.toStream("s", client.Start{})
	g.tells(s, "0", "live")
	g.node.Stop()
	m := s.Recv()
	if m.SubscriptionDropped == nil || status.Code(m.SubscriptionDropped.Error) != codes.Unavailable {
		g.Fatalf("the stop was told as %+v", m)
	}
	g.node.Serve(g.T)
	g.append("s", client.Revision(0), event(1))
	g.tells(g.toStream("s", client.Revision(0)), "1", "live")
}

func subscribedLinks(g *given) {
	g.append("s", client.NoStream{}, event(0))
	g.append("links", client.NoStream{}, link("0@s"))
	o := streamRequest("links")
	o.ResolveLinks = true
	call := g.follow(o)
	g.frame(call)
	e := g.frame(call).GetEvent()
	if string(e.GetEvent().GetStreamIdentifier().GetStreamName()) != "s" || string(e.GetLink().GetStreamIdentifier().GetStreamName()) != "links" {
		g.Errorf("got %v", e)
	}
}

func startBeyondEnd(g *given) {
	g.append("s", client.NoStream{}, event(0))
	s := g.toStream("s", client.Revision(3))
	g.tells(s, "live")
	g.append("s", client.Revision(0), events(5)...)
	g.tells(s, "4", "5")
	far := g.follow(allRequest(&streams.ReadReq_Options_Position{CommitPosition: 8, PreparePosition: 8}))
	if g.frame(far).GetConfirmation() == nil || g.frame(far).GetCaughtUp() == nil {
		g.Fatal("a subscription from beyond the end is not live at once")
	}
	g.append("s", client.Revision(5), events(5)...)
	if e := g.frame(far).GetEvent().GetEvent(); e.GetCommitPosition() != 9 {
		g.Errorf("got position %d", e.GetCommitPosition())
	}
}
