package node_test

import (
	"errors"
	"math"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
)

func TestServeRead(t *testing.T) {
	t.Parallel()
	conformance(t, map[string]func(*given){
		"streams read backwards, in parts, past the end":  streamParts,
		"all reads with a filter":                         filteredAll,
		"requests that make no sense are refused":         badReads,
		"a read of all ends where the log ended at first": endsAtCall,
	})
}

// withPositions asks for the frames that came with version 21.6.
func withPositions(o *streams.ReadReq_Options) *streams.ReadReq_Options {
	o.ControlOption = &streams.ReadReq_Options_ControlOption{Compatibility: 1}
	return o
}

func fromRevision(o *streams.ReadReq_Options, r uint64) *streams.ReadReq_Options {
	o.GetStream().RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: r}
	return o
}

// allRequest reads all forwards from a position, nil for the start.
func allRequest(from *streams.ReadReq_Options_Position) *streams.ReadReq_Options {
	o := streamRequest("")
	all := &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}
	if from != nil {
		all.AllOption = &streams.ReadReq_Options_AllOptions_Position{Position: from}
	}
	o.StreamOption = &streams.ReadReq_Options_All{All: all}
	return o
}

func positions(list []*client.ResolvedEvent) []uint64 {
	p := make([]uint64, len(list))
	for i, e := range list {
		p[i] = e.OriginalEvent().Position.Commit
	}
	return p
}

func link(to string) client.EventData {
	e := event(0)
	e.EventType, e.ContentType, e.Data = "$>", client.ContentTypeBinary, []byte(to)
	return e
}

func streamParts(g *given) {
	g.append("s", client.NoStream{}, events(10)...)
	for _, c := range []struct {
		from  client.StreamPosition
		back  bool
		count uint64
		want  []uint64
	}{
		{client.Start{}, false, 3, []uint64{0, 1, 2}},
		{client.Revision(7), false, 9007199254740991, []uint64{7, 8, 9}},
		{client.Revision(10), false, 5, []uint64{}},
		{client.End{}, false, 5, []uint64{}},
		{client.End{}, true, 3, []uint64{9, 8, 7}},
		{client.Revision(2), true, math.MaxUint64, []uint64{2, 1, 0}},
		{client.Revision(99), true, 2, []uint64{9, 8}},
		{client.Start{}, true, 5, []uint64{0}},
		{client.Start{}, false, 0, []uint64{}},
	} {
		o := client.ReadStreamOptions{From: c.from}
		if c.back {
			o.Direction = client.Backwards
		}
		if diff := cmp.Diff(c.want, numbers(g.read("s", o, c.count))); diff != "" {
			g.Errorf("from %v back %v count %d:\n%s", c.from, c.back, c.count, diff)
		}
	}
}

func filteredAll(g *given) {
	g.append("invoice-1", client.NoStream{}, typed("invoice.issued.v1", events(3)...)...)
	g.append("ticket-1", client.NoStream{}, typed("ticket.opened.v1", events(2)...)...)
	g.append("$sys", client.NoStream{}, typed("$thing", event(0))...)
	g.append("$persistentsubscription-$all::g-parked", client.NoStream{}, typed("hidden", event(0))...)
	count := func(back bool, f *streams.ReadReq_Options_FilterOptions) int {
		o := allRequest(nil)
		if back {
			o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
			o.ReadDirection = streams.ReadReq_Options_Backwards
		}
		if f != nil {
			o.FilterOption = &streams.ReadReq_Options_Filter{Filter: f}
		}
		list, err := g.frames(o)
		if err != nil {
			g.Fatal(err)
		}
		return len(list)
	}
	for _, back := range []bool{false, true} {
		got := []int{
			count(back, nil),
			count(back, byStream(nil, "ticket-", "nothing")),
			count(back, byType(new("^[^$].*"))),
			count(back, byType(new("opened"))),
			count(back, byType(nil, "$")),
			count(back, byStream(new("-1$"), "ignored")),
		}
		if diff := cmp.Diff([]int{6, 2, 5, 2, 1, 5}, got); diff != "" {
			g.Errorf("backwards %v:\n%s", back, diff)
		}
	}
}

func byStream(regex *string, prefix ...string) *streams.ReadReq_Options_FilterOptions {
	f := byType(regex, prefix...)
	f.Filter = &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: f.GetEventType()}
	return f
}

func byType(regex *string, prefix ...string) *streams.ReadReq_Options_FilterOptions {
	x := &streams.ReadReq_Options_FilterOptions_Expression{Prefix: prefix}
	if regex != nil {
		x.Regex = *regex
	}
	return &streams.ReadReq_Options_FilterOptions{
		Filter:                       &streams.ReadReq_Options_FilterOptions_EventType{EventType: x},
		Window:                       &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}},
		CheckpointIntervalMultiplier: 1,
	}
}

func badReads(g *given) {
	subscription := &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	for name, spoil := range map[string]func(*streams.ReadReq_Options) *streams.ReadReq_Options{
		"nothing at all": func(*streams.ReadReq_Options) *streams.ReadReq_Options { return nil },
		"no form of ids": func(o *streams.ReadReq_Options) *streams.ReadReq_Options { o.UuidOption = nil; return o },
		"no stream":      func(o *streams.ReadReq_Options) *streams.ReadReq_Options { o.StreamOption = nil; return o },
		"no count":       func(o *streams.ReadReq_Options) *streams.ReadReq_Options { o.CountOption = nil; return o },
		"a filter on one stream": func(o *streams.ReadReq_Options) *streams.ReadReq_Options {
			o.FilterOption = &streams.ReadReq_Options_Filter{Filter: byType(nil, "x")}
			return o
		},
		"a subscription backwards": func(o *streams.ReadReq_Options) *streams.ReadReq_Options {
			o.CountOption = subscription
			o.ReadDirection = streams.ReadReq_Options_Backwards
			return o
		},
		"a revision out of range": func(o *streams.ReadReq_Options) *streams.ReadReq_Options { return fromRevision(o, math.MaxInt64+1) },
		"a position out of range": func(*streams.ReadReq_Options) *streams.ReadReq_Options {
			return allRequest(&streams.ReadReq_Options_Position{CommitPosition: math.MaxUint64 - 1, PreparePosition: 1})
		},
		"an expression that is none": func(*streams.ReadReq_Options) *streams.ReadReq_Options {
			o := allRequest(nil)
			o.FilterOption = &streams.ReadReq_Options_Filter{Filter: byType(new("(?=x)"))}
			return o
		},
		"an interval of nothing": func(*streams.ReadReq_Options) *streams.ReadReq_Options {
			o, f := allRequest(nil), byType(nil, "x")
			f.CheckpointIntervalMultiplier = 0
			o.FilterOption, o.CountOption = &streams.ReadReq_Options_Filter{Filter: f}, subscription
			return o
		},
	} {
		list, err := g.frames(spoil(streamRequest("s")))
		if len(list) != 0 || err == nil {
			g.Errorf("%s: %v", name, list)
			continue
		}
		g.hasStatus(err, codes.InvalidArgument, "")
	}
}

func endsAtCall(g *given) {
	g.append("s", client.NoStream{}, events(600)...)
	r, err := g.go4.ReadAll(g.ctx, client.ReadAllOptions{}, math.MaxUint64)
	if err != nil {
		g.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Recv(); err != nil {
		g.Fatal(err)
	}
	g.append("s", client.Revision(599), events(600)...)
	n := 1
	for ; err == nil; n++ {
		_, err = r.Recv()
	}
	var e *client.Error
	if errors.As(err, &e) || n-1 > 1200 {
		g.Errorf("%d events, then %v", n-1, err)
	}
}
