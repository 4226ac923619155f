package node_test

import (
	"bytes"
	"math"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
)

func TestCase02AStreamForwards(t *testing.T) {
	g := begin(t)
	list := events(2)
	list[1].ContentType, list[1].Data = client.ContentTypeBinary, []byte{0, 1, 255}
	g.append("s", client.NoStream{}, list...)
	got := g.read("s", client.ReadStreamOptions{}, 10)
	if len(got) != 2 {
		g.Fatalf("%d events", len(got))
	}
	for i, e := range got {
		r, want := e.Event, list[i]
		content := map[client.ContentType]string{client.ContentTypeJson: "application/json", client.ContentTypeBinary: "application/octet-stream"}[want.ContentType]
		if r.EventID != want.EventID || r.EventType != want.EventType || !bytes.Equal(r.Data, want.Data) ||
			!bytes.Equal(r.UserMetadata, want.Metadata) || r.ContentType != content || r.EventNumber != uint64(i) ||
			r.CreatedDate.IsZero() || r.Position.Commit == 0 || e.Commit == nil || *e.Commit != r.Position.Commit || e.Link != nil {
			g.Errorf("event %d came back as %+v", i, r)
		}
	}
}

func TestCase03AnUnknownStream(t *testing.T) {
	g := begin(t)
	g.isMissing("s")
	list, err := g.frames(streamRequest("s"))
	if err != nil || len(list) != 1 || string(list[0].GetStreamNotFound().GetStreamIdentifier().GetStreamName()) != "s" {
		g.Fatalf("%v %v", list, err)
	}
}

func TestCase04NoFrameButEventsForOldClients(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(5)...)
	for _, o := range []*streams.ReadReq_Options{
		streamRequest("s"), fromRevision(streamRequest("s"), 3), fromRevision(streamRequest("s"), 99), allRequest(nil),
	} {
		list, err := g.frames(o)
		if err != nil {
			g.Fatal(err)
		}
		for _, f := range list {
			if f.GetEvent() == nil {
				g.Errorf("frame %v", f)
			}
		}
	}
}

func TestCase05TheLastPositionForNewClients(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(5)...)
	list, err := g.frames(withPositions(streamRequest("s")))
	if err != nil || len(list) != 6 || list[5].GetLastStreamPosition() != 4 {
		g.Fatalf("%v %v", list, err)
	}
	list, err = g.frames(withPositions(fromRevision(streamRequest("s"), 9)))
	if err != nil || len(list) != 2 || list[0].GetFirstStreamPosition() != 5 || list[1].GetLastStreamPosition() != 4 {
		g.Fatalf("%v %v", list, err)
	}
	back := fromRevision(streamRequest("s"), 9)
	back.ReadDirection = streams.ReadReq_Options_Backwards
	list, err = g.frames(withPositions(back))
	if err != nil || len(list) != 6 || list[0].GetEvent() == nil || list[5].GetLastStreamPosition() != 4 {
		g.Fatalf("%v %v", list, err)
	}
	list, err = g.frames(withPositions(streamRequest("none")))
	if err != nil || len(list) != 1 || list[0].GetStreamNotFound() == nil {
		g.Fatalf("%v %v", list, err)
	}
}

func TestCase33AllBackwardsFromTheEnd(t *testing.T) {
	g := begin(t)
	g.append("a", client.NoStream{}, events(3)...)
	g.append("b", client.NoStream{}, events(2)...)
	forwards := positions(g.readAll(client.ReadAllOptions{}, math.MaxUint64))
	back := positions(g.readAll(client.ReadAllOptions{Direction: client.Backwards, From: client.End{}}, 3))
	if diff := cmp.Diff([]uint64{forwards[4], forwards[3], forwards[2]}, back); diff != "" {
		g.Error(diff)
	}
}

func TestCase34AllFromThePositionOfAnEvent(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(6)...)
	all := g.readAll(client.ReadAllOptions{}, math.MaxUint64)
	k := all[3].Event.Position
	if diff := cmp.Diff([]uint64{3, 4}, numbers(g.readAll(client.ReadAllOptions{From: k}, 2))); diff != "" {
		g.Error(diff)
	}
	if diff := cmp.Diff([]uint64{2, 1}, numbers(g.readAll(client.ReadAllOptions{From: k, Direction: client.Backwards}, 2))); diff != "" {
		g.Error(diff)
	}
}

func TestCase35AllBackwardsFromTheStart(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(6)...)
	if got := g.readAll(client.ReadAllOptions{From: client.Start{}, Direction: client.Backwards}, 10); len(got) != 0 {
		g.Errorf("%d events", len(got))
	}
	if got := g.readAll(client.ReadAllOptions{From: client.End{}}, 10); len(got) != 0 {
		g.Errorf("%d events", len(got))
	}
}

func TestCase50ALinkResolved(t *testing.T) {
	g := begin(t)
	list := events(2)
	g.append("s@home", client.NoStream{}, list...)
	g.append("links", client.NoStream{}, event(7), link("1@s@home"))
	got := g.read("links", client.ReadStreamOptions{ResolveLinkTos: true}, 10)
	if len(got) != 2 || got[0].Link != nil {
		g.Fatalf("got %+v", got)
	}
	e := got[1]
	if e.Event.EventID != list[1].EventID || e.Event.StreamID != "s@home" || e.Link.StreamID != "links" || e.OriginalEvent() != e.Link ||
		*e.Commit != e.Link.Position.Commit {
		g.Errorf("event %+v, link %+v", e.Event, e.Link)
	}
	plain := g.read("links", client.ReadStreamOptions{}, 10)
	if plain[1].Link != nil || plain[1].Event.EventType != "$>" {
		g.Errorf("unresolved %+v", plain[1])
	}
}

func TestCase51ALinkToWhatIsGone(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(3)...)
	g.setMetadata("s", `{"$tb":2}`)
	for _, stream := range []string{"deleted", "tombstoned"} {
		g.append(stream, client.NoStream{}, event(0))
	}
	g.delete("deleted", client.Any{})
	g.tombstone("tombstoned", client.Any{})
	gone := []client.EventData{link("5@s"), link("1@s"), link("0@none"), link("0@deleted"), link("0@tombstoned"), link("0@$all")}
	g.append("links", client.NoStream{}, append(gone, link("word"), link("2@s"))...)
	got := g.read("links", client.ReadStreamOptions{ResolveLinkTos: true}, 10)
	if len(got) != 8 {
		g.Fatalf("%d events", len(got))
	}
	for i, e := range got[:6] {
		if e.Event != nil || e.Link == nil || e.Link.EventNumber != uint64(i) {
			g.Errorf("link %s came as %+v", gone[i].Data, e)
		}
	}
	if got[6].Link != nil || got[6].Event == nil {
		g.Errorf("what is no link came as %+v", got[6])
	}
	if got[7].Link == nil || got[7].Event == nil || got[7].Event.EventNumber != 2 {
		g.Errorf("a link to what is still there came as %+v", got[7])
	}
}
