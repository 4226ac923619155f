package node_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/hostfold/hostfold/eventstore/node"
)

// delete and tombstone must succeed with the Go client.
func (g *given) delete(stream string, expected client.ExpectedRevision) {
	g.Helper()
	out, err := g.go4.DeleteStream(g.ctx, stream, client.DeleteStreamOptions{ExpectedRevision: expected})
	if err != nil || out.Position.Commit == 0 || out.Position.Commit != out.Position.Prepare {
		g.Fatalf("delete %s: %+v, %v", stream, out, err)
	}
}

func (g *given) tombstone(stream string, expected client.ExpectedRevision) {
	g.Helper()
	out, err := g.go4.TombstoneStream(g.ctx, stream, client.TombstoneStreamOptions{ExpectedRevision: expected})
	if err != nil || out.Position.Commit == 0 || out.Position.Commit != out.Position.Prepare {
		g.Fatalf("tombstone %s: %+v, %v", stream, out, err)
	}
}

// setMetadata appends to a stream's metastream.
func (g *given) setMetadata(stream, text string) {
	g.Helper()
	e := event(0)
	e.EventType, e.Data = "$metadata", []byte(text)
	g.append("$$"+stream, client.Any{}, e)
}

// metadataIs compares a stream's metadata.
func (g *given) metadataIs(stream, text string) {
	g.Helper()
	list := g.read("$$"+stream, client.ReadStreamOptions{}, 10)
	if len(list) != 1 {
		g.Fatalf("the metastream of %s reads %d events", stream, len(list))
	}
	var got, want any
	if err := errors.Join(json.Unmarshal(list[0].Event.Data, &got), json.Unmarshal([]byte(text), &want)); err != nil {
		g.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		g.Errorf("metadata of %s:\n%s", stream, diff)
	}
}

// isDeleted checks the Go client's error, which names the stream.
func (g *given) isDeleted(what string, err error) {
	g.Helper()
	var e *client.Error
	if !errors.As(err, &e) || e.Code() != client.ErrorCodeStreamDeleted {
		g.Errorf("%s answered %v, want stream deleted", what, err)
	}
}

// hasTrailers checks a refusal's trailers.
func (g *given) hasTrailers(got metadata.MD, want map[string]string) {
	g.Helper()
	for name, value := range want {
		if diff := cmp.Diff([]string{value}, got.Get(name)); diff != "" {
			g.Errorf("trailer %s:\n%s", name, diff)
		}
	}
}

func TestCase36SoftDeleteHidesTheStream(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(5)...)
	g.delete("s", client.Revision(4))
	g.isMissing("s")
	list, err := g.frames(withPositions(streamRequest("s")))
	if err != nil || len(list) != 1 || list[0].GetStreamNotFound() == nil {
		g.Errorf("%v %v", list, err)
	}
	raw := g.read("$$s", client.ReadStreamOptions{}, 1)
	if got := string(raw[0].Event.Data); got != `{"$tb":9223372036854775807}` || raw[0].Event.EventType != "$metadata" {
		g.Errorf("metadata %s of type %s", got, raw[0].Event.EventType)
	}
	g.delete("s", client.Any{})
}

func TestCase37AnyUndeletesAndKeepsOtherMetadata(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(5)...)
	g.setMetadata("s", `{"$tb":9223372036854775807,"$cacheControl":3,"mine":{"a":[1]}}`)
	g.isMissing("s")
	if w := g.append("s", client.Any{}, event(5)); w.NextExpectedVersion != 5 {
		g.Errorf("appended at %d", w.NextExpectedVersion)
	}
	if diff := cmp.Diff([]uint64{5}, numbers(g.read("s", client.ReadStreamOptions{}, 10))); diff != "" {
		g.Error(diff)
	}
	g.metadataIs("s", `{"$tb":5,"$cacheControl":3,"mine":{"a":[1]}}`)
}

func TestCase37NothingAndMetadataUndelete(t *testing.T) {
	g := begin(t)
	for _, stream := range []string{"nothing", "metadata"} {
		g.append(stream, client.NoStream{}, events(3)...)
		g.delete(stream, client.Revision(2))
	}
	resp, _, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("nothing"),
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	})
	if err != nil || resp.GetSuccess().GetCurrentRevision() != 2 {
		g.Errorf("answered %v, %v", resp, err)
	}
	g.setMetadata("metadata", `{"$maxCount":9}`)
	g.metadataIs("nothing", `{"$tb":3}`)
	g.metadataIs("metadata", `{"$tb":3,"$maxCount":9}`)
	for _, stream := range []string{"nothing", "metadata"} {
		if got := g.read(stream, client.ReadStreamOptions{}, 10); len(got) != 0 {
			g.Errorf("%s reads %d events", stream, len(got))
		}
		g.append(stream, client.StreamExists{}, event(3))
		if diff := cmp.Diff([]uint64{3}, numbers(g.read(stream, client.ReadStreamOptions{}, 10))); diff != "" {
			g.Error(diff)
		}
	}
}

func TestCase38NoStreamRecreates(t *testing.T) {
	g := begin(t)
	old := events(2)
	g.append("s", client.NoStream{}, old...)
	g.delete("s", client.Revision(1))
	if w := g.append("s", client.NoStream{}, events(3)...); w.NextExpectedVersion != 4 {
		g.Errorf("appended at %d", w.NextExpectedVersion)
	}
	g.delete("s", client.Revision(4))
	g.refused(client.ErrorCodeWrongExpectedVersion, "s", client.NoStream{}, old[0], event(0))
	if w := g.append("s", client.Revision(4), event(0)); w.NextExpectedVersion != 5 {
		g.Errorf("appended at %d", w.NextExpectedVersion)
	}
}

func TestCase39StreamExistsRefusesASoftDeletedStream(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(2)...)
	g.delete("s", client.StreamExists{})
	g.refused(client.ErrorCodeStreamDeleted, "s", client.StreamExists{}, event(0))
	_, trailers, err := g.rawAppend(&streams.AppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}},
	}, proposed(event(0)))
	g.hasStatus(err, codes.FailedPrecondition, "Event stream 's' is deleted.")
	g.hasTrailers(trailers, map[string]string{"exception": "stream-deleted", "stream-name": "s"})
	g.append("other", client.NoStream{}, event(0))
	g.setMetadata("only-metadata", `{}`)
	g.append("only-metadata", client.StreamExists{}, event(0))
}

func TestCase40DeleteAtAWrongRevision(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(3)...)
	for want, o := range map[string]*streams.DeleteReq_Options{
		"7":  {ExpectedStreamRevision: &streams.DeleteReq_Options_Revision{Revision: 7}},
		"-1": {ExpectedStreamRevision: &streams.DeleteReq_Options_NoStream{NoStream: &shared.Empty{}}},
	} {
		o.StreamIdentifier = identifier("s")
		var trailers metadata.MD
		_, err := g.raw.Delete(g.ctx, &streams.DeleteReq{Options: o}, grpc.Trailer(&trailers))
		g.hasStatus(err, codes.FailedPrecondition,
			"Delete failed due to WrongExpectedVersion. Stream: s, Expected version: "+want+", Actual version: 2")
		g.hasTrailers(trailers, map[string]string{
			"exception": "wrong-expected-version", "stream-name": "s", "expected-version": want, "actual-version": "2",
		})
	}
	var trailers metadata.MD
	_, err := g.raw.Tombstone(g.ctx, &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
		StreamIdentifier: identifier("s"), ExpectedStreamRevision: &streams.TombstoneReq_Options_Revision{Revision: 1},
	}}, grpc.Trailer(&trailers))
	g.hasStatus(err, codes.FailedPrecondition, "Delete failed due to WrongExpectedVersion. Stream: s, Expected version: 1, Actual version: 2")
	g.hasTrailers(trailers, map[string]string{"exception": "wrong-expected-version", "expected-version": "1", "actual-version": "2"})
	if got := g.read("s", client.ReadStreamOptions{}, 10); len(got) != 3 {
		g.Errorf("%d events are left", len(got))
	}
}

func TestCase41DeleteAStreamThatNeverWas(t *testing.T) {
	g := begin(t)
	for want, o := range map[string]*streams.DeleteReq_Options{
		"-2": {ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}}},
		"-4": {ExpectedStreamRevision: &streams.DeleteReq_Options_StreamExists{StreamExists: &shared.Empty{}}},
		"-1": {ExpectedStreamRevision: &streams.DeleteReq_Options_Revision{Revision: math.MaxUint64}},
		"3":  {ExpectedStreamRevision: &streams.DeleteReq_Options_Revision{Revision: 3}},
	} {
		o.StreamIdentifier = identifier("s")
		var trailers metadata.MD
		_, err := g.raw.Delete(g.ctx, &streams.DeleteReq{Options: o}, grpc.Trailer(&trailers))
		g.hasStatus(err, codes.FailedPrecondition, "")
		g.hasTrailers(trailers, map[string]string{"expected-version": want, "actual-version": "-1", "stream-name": "s"})
	}
	g.tombstone("never", client.NoStream{})
	g.setMetadata("only-metadata", `{}`)
	g.delete("only-metadata", client.Any{})
}

func TestCase42ATombstoneIsForEver(t *testing.T) {
	g := begin(t)
	list := events(3)
	g.append("s", client.NoStream{}, list...)
	g.setMetadata("s", `{"$maxCount":2}`)
	g.tombstone("s", client.Revision(2))
	for _, stream := range []string{"s", "$$s"} {
		for _, back := range []client.Direction{client.Forwards, client.Backwards} {
			r, err := g.go4.ReadStream(g.ctx, stream, client.ReadStreamOptions{Direction: back}, 1)
			if err == nil {
				_, err = r.Recv()
				r.Close()
			}
			g.isDeleted("read", err)
		}
		for _, x := range []client.ExpectedRevision{client.Any{}, client.NoStream{}, client.Revision(2), client.StreamExists{}} {
			g.refused(client.ErrorCodeStreamDeleted, stream, x, list...)
		}
	}
	_, err := g.go4.DeleteStream(g.ctx, "s", client.DeleteStreamOptions{ExpectedRevision: client.Any{}})
	g.isDeleted("delete", err)
	_, err = g.go4.TombstoneStream(g.ctx, "s", client.TombstoneStreamOptions{ExpectedRevision: client.Any{}})
	g.isDeleted("tombstone", err)
	call, err := g.raw.Read(g.ctx, &streams.ReadReq{Options: withPositions(streamRequest("s"))})
	if err != nil {
		g.Fatal(err)
	}
	_, err = call.Recv()
	g.hasStatus(err, codes.FailedPrecondition, "Event stream 's' is deleted.")
	g.hasTrailers(call.Trailer(), map[string]string{"exception": "stream-deleted", "stream-name": "s"})
	all := g.readAll(client.ReadAllOptions{}, 100)
	if last := all[len(all)-1].Event; len(all) != 5 || last.EventType != "$streamDeleted" || last.EventNumber != math.MaxInt64 {
		g.Errorf("all ends with %+v", last)
	}
}

func TestCase43ATombstoneEndsSubscriptions(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(2)...)
	s, absent := g.toStream("s", client.Start{}), g.toStream("none", client.End{})
	g.tells(s, "0", "1", "live")
	g.tells(absent, "live")
	g.append("s", client.Revision(1), event(2))
	g.tombstone("s", client.Revision(2))
	g.tombstone("none", client.Any{})
	g.tells(s, "2")
	for _, late := range []*client.Subscription{s, absent, g.toStream("s", client.Start{}), g.toStream("s", client.End{})} {
		m := late.Recv()
		if m.SubscriptionDropped == nil {
			g.Fatalf("told %+v", m)
		}
		g.hasStatus(m.SubscriptionDropped.Error, codes.FailedPrecondition, "")
	}
	call := g.follow(streamRequest("s"))
	if g.frame(call).GetConfirmation() == nil {
		g.Error("a subscription to a tombstoned stream is not confirmed first")
	}
	_, err := call.Recv()
	g.hasStatus(err, codes.FailedPrecondition, "Event stream 's' is deleted.")
	g.hasTrailers(call.Trailer(), map[string]string{"exception": "stream-deleted", "stream-name": "s"})
}

func TestServeDeletionsOfOutsiders(t *testing.T) {
	t.Parallel()
	g := start(t, node.ServeOptions{MayWrite: func(stream string) error {
		if strings.HasPrefix(stream, "invoice-") {
			return errors.New("ours")
		}
		return nil
	}})
	if _, err := g.node.Engine.AppendExpecting(g.ctx, "invoice-1", node.NoStream(), newEvents(2)); err != nil {
		g.Fatal(err)
	}
	g.refused(client.ErrorCodeAccessDenied, "$$invoice-1", client.Any{}, event(0))
	for _, stream := range []string{"invoice-1", "$$theirs", "$$invoice-1", "$all"} {
		_, err := g.go4.DeleteStream(g.ctx, stream, client.DeleteStreamOptions{ExpectedRevision: client.Any{}})
		g.isDenied(stream, err)
		_, err = g.go4.TombstoneStream(g.ctx, stream, client.TombstoneStreamOptions{ExpectedRevision: client.Any{}})
		g.isDenied(stream, err)
	}
	for _, o := range []*streams.DeleteReq_Options{nil, {StreamIdentifier: identifier("s")}, {
		ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}},
	}, {
		StreamIdentifier: identifier("s"), ExpectedStreamRevision: &streams.DeleteReq_Options_Revision{Revision: math.MaxUint64 - 1},
	}} {
		_, err := g.raw.Delete(g.ctx, &streams.DeleteReq{Options: o})
		g.hasStatus(err, codes.InvalidArgument, "")
	}
	if got := g.read("invoice-1", client.ReadStreamOptions{}, 10); len(got) != 2 {
		g.Errorf("%d events are left", len(got))
	}
}

func (g *given) isDenied(what string, err error) {
	g.Helper()
	var e *client.Error
	if !errors.As(err, &e) {
		g.Errorf("deleting %s answered %v", what, err)
		return
	}
	g.hasStatus(e.Unwrap(), codes.PermissionDenied, "Access Denied")
}
