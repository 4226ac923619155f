package node_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func TestCase77DerivedStreams(t *testing.T) {
	t.Parallel()
	conformance(t, map[string]func(*given){
		"a category and a type, as links and resolved":   derivedReads,
		"every stream is listed once":                    derivedStreamList,
		"backwards, in parts, and past the end":          derivedParts,
		"a link in a category leads to its target":       derivedLinks,
		"deletions are listed apart":                     derivedDeletions,
		"revisions and ids stay over a restart":          derivedStability,
		"a category that does not exist":                 derivedMissing,
		"nobody appends to a derived stream":             derivedRefusals,
		"a subscription wakes on new members":            derivedSubscription,
		"a subscription has no gap under appends":        derivedSeam,
		"older clients get events only, newer ones ends": derivedFrames,
		"projections are not implemented":                noProjections,
	})
}

// targets are what links name.
func targets(list []*client.ResolvedEvent) []string {
	to := make([]string, len(list))
	for i, e := range list {
		to[i] = string(e.OriginalEvent().Data)
	}
	return to
}

func derivedReads(g *given) {
	opened, closed := events(3), typed("thing.closed.v1", event(9))
	g.append("thing-1", client.NoStream{}, opened[:2]...)
	g.append("other-1", client.NoStream{}, event(5))
	g.append("thing-2-b", client.NoStream{}, opened[2], closed[0])
	g.append("thing", client.NoStream{}, event(6))
	g.append("$$thing-1", client.NoStream{}, typed("$metadata", event(7))...)
	for stream, want := range map[string][]string{
		"$ce-thing":             {"0@thing-1", "1@thing-1", "0@thing-2-b", "1@thing-2-b"},
		"$et-thing.happened.v1": {"0@thing-1", "1@thing-1", "0@other-1", "0@thing-2-b", "0@thing"},
		"$et-thing.closed.v1":   {"1@thing-2-b"},
		"$et-$metadata":         {"0@$$thing-1"},
		"$ce-other":             {"0@other-1"},
		"$ce-$$thing":           {"0@$$thing-1"},
	} {
		links := g.read(stream, client.ReadStreamOptions{}, 100)
		if diff := cmp.Diff(want, targets(links)); diff != "" {
			g.Errorf("%s:\n%s", stream, diff)
			continue
		}
		resolved := g.read(stream, client.ReadStreamOptions{ResolveLinkTos: true}, 100)
		for i, e := range resolved {
			link := links[i].Event
			if links[i].Link != nil || link.EventType != "$>" || link.ContentType != "application/octet-stream" || link.EventNumber != uint64(i) || link.StreamID != stream {
				g.Errorf("%s: link %d is %+v", stream, i, link)
			}
			if diff := cmp.Diff(link, e.Link); diff != "" {
				g.Errorf("%s: the link of the resolved event %d (-plain +resolved):\n%s", stream, i, diff)
			}
			if to := fmt.Sprintf("%d@%s", e.Event.EventNumber, e.Event.StreamID); to != want[i] || e.OriginalEvent() != e.Link {
				g.Errorf("%s: link %d leads to %s", stream, i, to)
			}
			if e.Commit == nil || *e.Commit != e.Event.Position.Commit || link.Position != e.Event.Position || !link.CreatedDate.Equal(e.Event.CreatedDate) {
				g.Errorf("%s: link %d is at %+v, its target at %+v", stream, i, link.Position, e.Event.Position)
			}
			wantMeta := fmt.Sprintf(`"$c":%d,"$p":%d,"$causedBy":"%s"}`, e.Event.Position.Commit, e.Event.Position.Prepare, e.Event.EventID)
			if meta := string(link.UserMetadata); !strings.HasPrefix(meta, `{"$v":"`) || !strings.HasSuffix(meta, wantMeta) {
				g.Errorf("%s: link %d has the metadata %s", stream, i, meta)
			}
		}
	}
}

func derivedStreamList(g *given) {
	g.append("a-1", client.NoStream{}, events(2)...)
	g.append("b", client.NoStream{}, event(0), link("1@a-1"))
	g.append("a-1", client.Any{}, event(0))
	g.append("a-2", client.NoStream{}, event(0))
	if diff := cmp.Diff([]string{"0@a-1", "0@b", "0@a-2"}, targets(g.read("$streams", client.ReadStreamOptions{}, 10))); diff != "" {
		g.Error(diff)
	}
	names := g.read("$category-a", client.ReadStreamOptions{ResolveLinkTos: true}, 10)
	if diff := cmp.Diff([]string{"a-1", "a-2"}, targets(names)); diff != "" || names[0].Event.EventType != "$@" {
		g.Errorf("%s %s", diff, names[0].Event.EventType)
	}
}

func derivedParts(g *given) {
	for i := range 10 {
		g.append(fmt.Sprintf("s-%d", i), client.NoStream{}, event(i))
	}
	for _, c := range []struct {
		from  client.StreamPosition
		back  bool
		count uint64
		want  []uint64
	}{
		{client.Start{}, false, 3, []uint64{0, 1, 2}},
		{client.Revision(7), false, math.MaxUint64, []uint64{7, 8, 9}},
		{client.Revision(10), false, 5, []uint64{}},
		{client.End{}, false, 5, []uint64{}},
		{client.End{}, true, 3, []uint64{9, 8, 7}},
		{client.Revision(2), true, math.MaxUint64, []uint64{2, 1, 0}},
		{client.Revision(99), true, 2, []uint64{9, 8}},
		{client.Start{}, true, 5, []uint64{0}},
	} {
		for _, resolve := range []bool{false, true} {
			o := client.ReadStreamOptions{From: c.from, ResolveLinkTos: resolve}
			if c.back {
				o.Direction = client.Backwards
			}
			if diff := cmp.Diff(c.want, numbers(g.read("$ce-s", o, c.count))); diff != "" {
				g.Errorf("from %v back %v count %d:\n%s", c.from, c.back, c.count, diff)
			}
		}
	}
}

func derivedLinks(g *given) {
	list := events(2)
	g.append("thing-1", client.NoStream{}, list...)
	g.append("links-1", client.NoStream{}, link("1@thing-1"), event(0), link("0@gone-1"))
	got := g.read("$ce-links", client.ReadStreamOptions{ResolveLinkTos: true}, 10)
	if diff := cmp.Diff([]string{"1@thing-1", "1@links-1", "0@gone-1"}, targets(got)); diff != "" {
		g.Fatal(diff)
	}
	if got[0].Event.EventID != list[1].EventID || got[2].Event != nil || got[2].Link == nil {
		g.Errorf("resolved to %+v and %+v", got[0].Event, got[2].Event)
	}
	g.isMissing("$et-$>")
}

func derivedDeletions(g *given) {
	g.append("thing-1", client.NoStream{}, events(2)...)
	gone := typed("$metadata", event(0))
	gone[0].Data = []byte(`{"$tb":9223372036854775807}`)
	g.append("$$thing-1", client.NoStream{}, gone...)
	for _, stream := range []string{"$et-$deleted", "$ce-thing"} {
		list := g.read(stream, client.ReadStreamOptions{}, 10)
		last := list[len(list)-1].Event
		if string(last.Data) != "0@$$thing-1" || !strings.Contains(string(last.UserMetadata), `"$deleted":-1`) {
			g.Errorf("%s ends with %s %s", stream, last.Data, last.UserMetadata)
		}
	}
	g.isMissing("$et-$metadata")
	g.isMissing("$ce-$$thing")
}

func derivedStability(g *given) {
	g.append("s-1", client.NoStream{}, events(5)...)
	before := g.read("$ce-s", client.ReadStreamOptions{}, 10)
	g.node.Stop()
	g.node.Serve(g.T)
	g.append("s-2", client.NoStream{}, events(5)...)
	after := g.read("$ce-s", client.ReadStreamOptions{}, 5)
	if diff := cmp.Diff(before, after); diff != "" {
		g.Error(diff)
	}
	ids := map[uuid.UUID]bool{}
	for _, stream := range []string{"$ce-s", "$et-thing.happened.v1"} {
		for _, e := range g.read(stream, client.ReadStreamOptions{}, 10) {
			ids[e.Event.EventID] = true
		}
	}
	if len(ids) != 20 || before[0].Event.EventID.Version() != 5 {
		g.Errorf("%d ids for 20 links, the first of version %d", len(ids), before[0].Event.EventID.Version())
	}
}

func derivedMissing(g *given) {
	g.append("s-1", client.NoStream{}, event(0))
	for _, stream := range []string{"$ce-none", "$ce-", "$ce-s-1", "$et-none", "$et-", "$category-none"} {
		g.isMissing(stream)
	}
}

func derivedRefusals(g *given) {
	g.append("s-1", client.NoStream{}, event(0))
	for _, stream := range []string{"$ce-s", "$ce-none", "$et-t", "$streams", "$category-s"} {
		g.refused(client.ErrorCodeAccessDenied, stream, client.Any{}, event(0))
	}
	if got := targets(g.read("$ce-s", client.ReadStreamOptions{}, 10)); len(got) != 1 {
		g.Errorf("the category holds %v", got)
	}
}

func derivedSubscription(g *given) {
	g.append("s-1", client.NoStream{}, events(3)...)
	start, live := g.toStream("$ce-s", client.Start{}), g.toStream("$ce-s", client.End{})
	after, none := g.toStream("$ce-s", client.Revision(1)), g.toStream("$ce-later", client.Start{})
	g.tells(start, "0", "1", "2", "live")
	g.tells(live, "live")
	g.tells(after, "2", "live")
	g.tells(none, "live")
	g.append("other-1", client.NoStream{}, event(0))
	g.append("s-2", client.NoStream{}, event(0))
	g.append("later-1", client.NoStream{}, event(0))
	g.tells(start, "3")
	g.tells(live, "3")
	g.tells(after, "3")
	g.tells(none, "0")
}

func derivedSeam(g *given) {
	const before, during = 300, 300
	for i := range before {
		g.append(fmt.Sprintf("s-%d", i%7), client.Any{}, event(i))
	}
	s, err := g.go4.SubscribeToStream(g.ctx, "$ce-s", client.SubscribeToStreamOptions{From: client.Start{}, ResolveLinkTos: true})
	if err != nil {
		g.Fatal(err)
	}
	defer s.Close()
	failed := make(chan error, 1)
	go func() {
		for i := range during {
			if _, err := g.go4.AppendToStream(g.ctx, fmt.Sprintf("s-%d", i%7), client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, event(before+i)); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	for next := 0; next < before+during; {
		m := s.Recv()
		if m.SubscriptionDropped != nil {
			g.Fatal(m.SubscriptionDropped.Error)
		}
		if m.EventAppeared == nil {
			continue
		}
		e := m.EventAppeared
		if want := fmt.Sprintf(`{"n":%d}`, next); e.Link.EventNumber != uint64(next) || string(e.Event.Data) != want {
			g.Fatalf("link %d with %s, want %d", e.Link.EventNumber, e.Event.Data, next)
		}
		next++
	}
	if err := <-failed; err != nil {
		g.Error(err)
	}
}

func derivedFrames(g *given) {
	g.append("s-1", client.NoStream{}, events(3)...)
	list, err := g.frames(streamRequest("$ce-s"))
	if err != nil || len(list) != 3 || list[2].GetEvent() == nil {
		g.Errorf("%v %v", list, err)
	}
	list, err = g.frames(withPositions(streamRequest("$ce-s")))
	if err != nil || len(list) != 4 || list[3].GetLastStreamPosition() != 2 {
		g.Errorf("%v %v", list, err)
	}
}

func noProjections(g *given) {
	projections, err := client.NewProjectionClient(func() *client.Configuration {
		c, err := client.ParseConnectionString(g.node.URL)
		if err != nil {
			g.Fatal(err)
		}
		c.Logger = client.NoopLogging()
		return c
	}())
	if err != nil {
		g.Fatal(err)
	}
	defer projections.Close()
	_, err = projections.GetStatus(g.ctx, "$by_category", client.GenericProjectionOptions{})
	if e, ok := errors.AsType[*client.Error](err); ok {
		err = e.Unwrap()
	}
	g.hasStatus(err, codes.Unimplemented, "")
}

func TestCase77AgesInDerivedStreams(t *testing.T) {
	t.Parallel()
	clock := &ticking{}
	g := with(t, nodetest.StartAt(t, clock.now, node.ServeOptions{}))
	g.append("thing-1", client.NoStream{}, events(2)...)
	g.append("thing-2", client.NoStream{}, event(2))
	g.setMetadata("thing-1", `{"$maxAge":1}`)
	clock.pass(2 * time.Second)
	g.append("thing-1", client.Revision(1), event(3))

	// A link to an event that is too old for its stream stays, and leads nowhere.
	want := []string{"0@thing-1", "1@thing-1", "0@thing-2", "2@thing-1"}
	for _, stream := range []string{"$ce-thing", "$et-thing.happened.v1"} {
		if diff := cmp.Diff(want, targets(g.read(stream, client.ReadStreamOptions{}, 10))); diff != "" {
			g.Errorf("%s:\n%s", stream, diff)
		}
		for how, list := range map[string][]*client.ResolvedEvent{
			"forwards":  g.read(stream, client.ReadStreamOptions{ResolveLinkTos: true}, 10),
			"backwards": reversed(g.read(stream, client.ReadStreamOptions{ResolveLinkTos: true, From: client.End{}, Direction: client.Backwards}, 10)),
		} {
			if diff := cmp.Diff(want, targets(list)); diff != "" {
				g.Fatalf("%s %s, resolved:\n%s", stream, how, diff)
			}
			for i, e := range list {
				if gone := i < 2; gone != (e.Event == nil) || e.Link == nil {
					g.Errorf("%s %s: link %d leads to %+v", stream, how, i, e.Event)
				}
			}
		}
	}

	// The derived stream's own age hides links.
	g.setMetadata("$ce-thing", `{"$maxAge":1}`)
	for how, list := range map[string][]*client.ResolvedEvent{
		"forwards":  g.read("$ce-thing", client.ReadStreamOptions{}, 10),
		"backwards": g.read("$ce-thing", client.ReadStreamOptions{From: client.End{}, Direction: client.Backwards}, 10),
	} {
		if diff := cmp.Diff([]uint64{3}, numbers(list)); diff != "" {
			g.Errorf("%s:\n%s", how, diff)
		}
	}
	clock.pass(2 * time.Second)
	if list := g.read("$ce-thing", client.ReadStreamOptions{}, 10); len(list) != 0 {
		g.Errorf("all is too old, but %v is read", numbers(list))
	}
	g.append("thing-2", client.Revision(0), event(4))
	g.tells(g.toStream("$ce-thing", client.Start{}), "4", "live")
}

func reversed(list []*client.ResolvedEvent) []*client.ResolvedEvent {
	slices.Reverse(list)
	return list
}
