package node_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func TestServeAppend(t *testing.T) {
	t.Parallel()
	conformance(t, map[string]func(*given){
		"an event as large as may be, and larger":                largest,
		"case 73: names beyond ASCII":                            utf8Names,
		"an append without options or expectation is refused":    malformed,
		"an empty append tests the expectation":                  emptyAppend,
		"$all and nameless streams take no events":               noSuchTarget,
		"the largest revision stands for no stream":              maxIsNoStream,
		"a refused append is read to its end, whatever its size": drained,
	})
}

func largest(g *given) {
	e := event(0)
	e.Data = bytes.Repeat([]byte("y"), eventstore.MaxAppendSize-len(e.Metadata)-2*len(e.EventType))
	g.append("s", client.NoStream{}, e)
	got := g.read("s", client.ReadStreamOptions{}, 10)
	if len(got) != 1 || !bytes.Equal(got[0].Event.Data, e.Data) {
		g.Fatalf("%d events came back, or another one", len(got))
	}
	for _, size := range []int{2 << 20, 16 << 20, 40 << 20} {
		e = event(1)
		e.Data = make([]byte, size)
		g.refused(client.ErrorCodeUnknown, "s", client.Revision(0), e)
	}
	g.append("s", client.Revision(0), event(2))
}

// TestCase72AnEventOf16MiBIsReadable has a server that is told to take appends
// of that size; the default refuses them above 1 MiB.
func TestCase72AnEventOf16MiBIsReadable(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	g := with(t, nodetest.StartOn(t, open(t, "node", node.Options{FS: vfs.NewMem(), MaxAppendBytes: node.LargestAppend}), node.ServeOptions{}))
	large := event(0)
	large.Data = make([]byte, node.LargestAppend-len(large.Metadata)-2*len(large.EventType))
	for i := range large.Data {
		large.Data[i] = byte(i >> 8)
	}
	live := g.toStream("s", client.Start{})
	g.tells(live, "live")
	g.append("s", client.NoStream{}, large)
	is := func(how string, e *client.RecordedEvent) {
		if e == nil || e.EventID != large.EventID || !bytes.Equal(e.Data, large.Data) || !bytes.Equal(e.UserMetadata, large.Metadata) {
			g.Errorf("%s: it comes back as another event", how)
		}
	}
	for how, o := range map[string]client.ReadStreamOptions{"forwards": {From: client.Start{}}, "backwards": {From: client.End{}, Direction: client.Backwards}} {
		got := g.read("s", o, 10)
		if len(got) != 1 {
			g.Fatalf("%s: %d events came", how, len(got))
		}
		is(how, got[0].Event)
	}
	all := g.readAll(client.ReadAllOptions{From: client.End{}, Direction: client.Backwards}, 1)
	is("the log", all[0].Event)
	link := event(1)
	link.EventType, link.Data = "$>", []byte("0@s")
	g.append("links", client.NoStream{}, link)
	is("a link", g.read("links", client.ReadStreamOptions{ResolveLinkTos: true}, 10)[0].Event)
	is("a subscription", live.Recv().EventAppeared.Event)
	is("a derived stream", g.read("$et-"+large.EventType, client.ReadStreamOptions{ResolveLinkTos: true}, 10)[0].Event)

	larger := large
	larger.EventID, larger.Data = uuid.New(), make([]byte, len(large.Data)+1)
	g.refused(client.ErrorCodeUnknown, "s", client.Revision(0), larger)
	_, trailers, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier: identifier("s"), ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}, proposed(larger))
	g.hasStatus(err, codes.InvalidArgument, "Maximum Append Size of 16777216 Exceeded.")
	if got := trailers.Get("maximum-append-size"); len(got) != 1 || got[0] != "16777216" {
		g.Errorf("trailers %v", trailers)
	}
	message := event(2)
	message.Data = make([]byte, 40<<20)
	g.refused(client.ErrorCodeUnknown, "s", client.Revision(0), message)
	g.append("s", client.Revision(0), event(3))
}

func TestAnAppendIsBoundedWithinReason(t *testing.T) {
	t.Parallel()
	for _, size := range []int{-1, 1, eventstore.MaxAppendSize - 1, node.LargestAppend + 1} {
		if _, err := node.Open("node", node.Options{FS: vfs.NewMem(), MaxAppendBytes: size}); !errors.Is(err, node.ErrMaxAppend) {
			t.Errorf("%d bytes answered %v", size, err)
		}
	}
}

func utf8Names(g *given) {
	e := event(0)
	e.EventType, e.Data = "événement.créé.v1", []byte(`{"nom":"Zoë 東京"}`)
	g.append("flux-été/東京", client.NoStream{}, e)
	got := g.read("flux-été/東京", client.ReadStreamOptions{}, 10)
	if len(got) != 1 || got[0].Event.StreamID != "flux-été/東京" || got[0].Event.EventType != e.EventType || !bytes.Equal(got[0].Event.Data, e.Data) {
		g.Fatalf("came back as %+v", got)
	}
}

func malformed(g *given) {
	_, _, err := g.rawAppend(nil, proposed(event(0)))
	g.hasStatus(err, codes.InvalidArgument, "")
	_, _, err = g.rawAppend(&streams.AppendReq_Options{StreamIdentifier: identifier("s")}, proposed(event(0)))
	g.hasStatus(err, codes.InvalidArgument, "")
	m := proposed(event(0))
	m.Id = &shared.UUID{Value: &shared.UUID_String_{String_: "no id"}}
	_, _, err = g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}, m)
	g.hasStatus(err, codes.InvalidArgument, "")
	_, _, err = g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: math.MaxInt64 + 1},
	}, proposed(event(0)))
	g.hasStatus(err, codes.InvalidArgument, "")
	g.isMissing("s")
}

func emptyAppend(g *given) {
	o := &streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}},
	}
	resp, _, err := g.rawAppend(o)
	if err != nil || resp.GetSuccess().GetNoStream() == nil {
		g.Fatalf("answered %v, %v", resp, err)
	}
	g.append("s", client.NoStream{}, events(3)...)
	resp, _, err = g.rawAppend(o)
	if err != nil || resp.GetWrongExpectedVersion() == nil {
		g.Fatalf("answered %v, %v", resp, err)
	}
	o.ExpectedStreamRevision = &streams.AppendReq_Options_Any{Any: &shared.Empty{}}
	resp, _, err = g.rawAppend(o)
	if err != nil || resp.GetSuccess().GetCurrentRevision() != 2 {
		g.Fatalf("answered %v, %v", resp, err)
	}
}

func noSuchTarget(g *given) {
	g.refused(client.ErrorCodeAccessDenied, "$all", client.Any{}, event(0))
	for _, name := range []string{"", "$$"} {
		_, _, err := g.rawAppend(&streams.AppendReq_Options{
			StreamIdentifier:       identifier(name),
			ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
		}, proposed(event(0)))
		g.hasStatus(err, codes.InvalidArgument, "")
	}
}

func maxIsNoStream(g *given) {
	g.append("s", client.Revision(math.MaxUint64), event(0))
	g.refused(client.ErrorCodeWrongExpectedVersion, "s", client.Revision(math.MaxUint64), event(0))
}

func drained(g *given) {
	e := proposed(event(0))
	e.Data = make([]byte, 1<<20)
	list := make([]*streams.AppendReq_ProposedMessage, 40)
	for i := range list {
		list[i] = e
	}
	_, _, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}, list...)
	g.hasStatus(err, codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
}

func TestServeWritesOfOutsiders(t *testing.T) {
	t.Parallel()
	g := start(t, node.ServeOptions{MayWrite: func(stream string) error {
		if strings.HasPrefix(stream, "invoice-") {
			return errors.New("ours")
		}
		return nil
	}})
	g.refused(client.ErrorCodeAccessDenied, "invoice-1", client.NoStream{}, event(0))
	_, trailers, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("invoice-1"),
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}, proposed(event(0)))
	g.hasStatus(err, codes.PermissionDenied, "Access Denied")
	if diff := cmp.Diff([]string{"access-denied"}, trailers.Get("exception")); diff != "" {
		g.Error(diff)
	}
	g.append("theirs-1", client.NoStream{}, event(0))
	g.isMissing("invoice-1")
}
