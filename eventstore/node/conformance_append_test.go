package node_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/hostfold/hostfold/eventstore"
)

func TestCase01TheFirstEvent(t *testing.T) {
	g := begin(t)
	resp, _, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}},
	}, proposed(event(0)))
	if err != nil {
		g.Fatal(err)
	}
	ok := resp.GetSuccess()
	p := ok.GetPosition()
	if ok.GetCurrentRevision() != 0 || p.GetCommitPosition() == 0 || p.GetCommitPosition() != p.GetPreparePosition() {
		g.Fatalf("answered %v", resp)
	}
	w := g.append("go", client.NoStream{}, event(0))
	if w.NextExpectedVersion != 0 || w.CommitPosition <= p.GetCommitPosition() || w.CommitPosition != w.PreparePosition {
		g.Fatalf("answered %+v", w)
	}
}

func TestCase06ARevisionThatLiesAhead(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(2)...)
	text := g.refused(client.ErrorCodeWrongExpectedVersion, "s", client.Revision(5), event(0))
	if !strings.Contains(text, "expecting '5' but got '1'") {
		g.Errorf("text %q", text)
	}
	resp, _, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: 5},
	}, proposed(event(0)))
	if err != nil {
		g.Fatal(err)
	}
	w := resp.GetWrongExpectedVersion()
	got := []uint64{w.GetExpectedRevision(), w.GetCurrentRevision(), w.GetExpectedRevision_20_6_0(), w.GetCurrentRevision_20_6_0()}
	if diff := cmp.Diff([]uint64{5, 1, 5, 1}, got); diff != "" {
		g.Error(diff)
	}
}

func TestCase07StreamExistsOnAnAbsentStream(t *testing.T) {
	g := begin(t)
	resp, _, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}},
	}, proposed(event(0)))
	if err != nil {
		g.Fatal(err)
	}
	w := resp.GetWrongExpectedVersion()
	if w.GetExpectedStreamExists() == nil || w.GetCurrentNoStream() == nil || w.GetStreamExists_20_6_0() == nil || w.GetNoStream_20_6_0() == nil {
		g.Fatalf("answered %v", resp)
	}
	g.append("s", client.NoStream{}, event(0))
	g.append("s", client.StreamExists{}, event(1))
}

func TestCase08NoStreamOnAStream(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(3)...)
	resp, _, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}},
	}, proposed(event(0)))
	if err != nil {
		g.Fatal(err)
	}
	w := resp.GetWrongExpectedVersion()
	if w.GetExpectedNoStream() == nil || w.GetCurrentRevision() != 2 || w.GetExpectedRevision_20_6_0() != math.MaxUint64 {
		g.Fatalf("answered %v", resp)
	}
}

func TestCase09NoStreamTwiceWithTheSameIDs(t *testing.T) {
	g := begin(t)
	list := events(2)
	first := g.append("s", client.NoStream{}, list...)
	if diff := cmp.Diff(first, g.append("s", client.NoStream{}, list...)); diff != "" {
		g.Error(diff)
	}
	if n := len(g.readAll(client.ReadAllOptions{}, 100)); n != 2 {
		g.Errorf("%d events, want 2", n)
	}
}

func TestCase10AnyTwiceWithTheSameIDs(t *testing.T) {
	g := begin(t)
	list := events(2)
	first := g.append("s", client.Any{}, list...)
	g.append("s", client.Any{}, event(9))
	if diff := cmp.Diff(first, g.append("s", client.Any{}, list...)); diff != "" {
		g.Error(diff)
	}
	if n := len(g.readAll(client.ReadAllOptions{}, 100)); n != 3 {
		g.Errorf("%d events, want 3", n)
	}
}

func TestCase11ARevisionBehindWithTheIDsStoredThere(t *testing.T) {
	g := begin(t)
	list := events(3)
	whole := g.append("s", client.NoStream{}, list...)
	g.append("s", client.NoStream{}, list[:1]...)
	if diff := cmp.Diff(whole, g.append("s", client.Revision(0), list[1:]...)); diff != "" {
		g.Error(diff)
	}
	if n := len(g.readAll(client.ReadAllOptions{}, 100)); n != 3 {
		g.Errorf("%d events, want 3", n)
	}
}

func TestCase12ARevisionBehindWithAnotherID(t *testing.T) {
	g := begin(t)
	list := events(3)
	g.append("s", client.NoStream{}, list...)
	g.refused(client.ErrorCodeWrongExpectedVersion, "s", client.NoStream{}, list[0], event(7))
	g.refused(client.ErrorCodeWrongExpectedVersion, "s", client.Revision(1), list[2], event(7))
}

func TestCase13AnyWithAKnownAndAnUnknownID(t *testing.T) {
	g := begin(t)
	list := events(2)
	g.append("s", client.Any{}, list...)
	text := g.refused(client.ErrorCodeWrongExpectedVersion, "s", client.Any{}, list[0], event(7))
	if !strings.Contains(text, "expecting 'any' but got '1'") {
		g.Errorf("text %q", text)
	}
}

func TestCase14ConcurrentAppendsAtOneRevision(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, event(0))
	won, lost := 0, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, err := g.go4.AppendToStream(g.ctx, "s", client.AppendToStreamOptions{ExpectedRevision: client.Revision(0)}, event(i))
			var e *client.Error
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.As(err, &e) && e.Code() == client.ErrorCodeWrongExpectedVersion:
				lost++
			default:
				g.Error(err)
			}
		})
	}
	all.Wait()
	if won != 1 || lost != 7 {
		g.Errorf("%d won, %d lost", won, lost)
	}
}

func TestCase19AnAppendOverTheLimit(t *testing.T) {
	g := begin(t)
	big := event(0)
	big.Data = bytes.Repeat([]byte("x"), eventstore.MaxAppendSize/2)
	_, trailers, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}, proposed(big), proposed(event(1)), proposed(big), proposed(event(2)))
	g.hasStatus(err, codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
	if diff := cmp.Diff([]string{"maximum-append-size-exceeded", "1048576"}, append(trailers.Get("exception"), trailers.Get("maximum-append-size")...)); diff != "" {
		g.Error(diff)
	}
	g.isMissing("s")
}

func TestCase20AnEventWithoutContentType(t *testing.T) {
	g := begin(t)
	for _, missing := range []string{"type", "content-type"} {
		m := proposed(event(0))
		delete(m.Metadata, missing)
		_, trailers, err := g.rawAppend(&streams.AppendReq_Options{
			StreamIdentifier:       identifier("s"),
			ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
		}, m)
		g.hasStatus(err, codes.InvalidArgument, "Required Metadata Property '"+missing+"' is missing")
		if diff := cmp.Diff([]string{"missing-required-metadata-property", "type,content-type"}, append(trailers.Get("exception"), trailers.Get("required-metadata-properties")...)); diff != "" {
			g.Error(diff)
		}
	}
	g.isMissing("s")
}

func TestCase21IDsInBothForms(t *testing.T) {
	g := begin(t)
	asText, structured := event(0), event(1)
	if _, _, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}},
	}, proposed(asText)); err != nil {
		g.Fatal(err)
	}
	g.append("s", client.Revision(0), structured)
	want := []uuid.UUID{asText.EventID, structured.EventID}
	got := []uuid.UUID{}
	for _, e := range g.read("s", client.ReadStreamOptions{}, 10) {
		got = append(got, e.Event.EventID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		g.Error(diff)
	}
	list, err := g.frames(streamRequest("s"))
	if err != nil || len(list) != 2 || list[1].GetEvent().GetEvent().GetId().GetString_() != structured.EventID.String() {
		g.Errorf("%v %v", list, err)
	}
}
