package node_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
)

// rawBytes sends and takes messages as they are on the wire.
type rawBytes struct{}

func (rawBytes) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawBytes) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (rawBytes) Name() string { return "proto" }

// operation calls the operations service with a message as clients write it,
// and answers the scavenge's id and the result's number.
func (g *given) operation(ctx context.Context, method string, request []byte) (id string, result uint64, trailers metadata.MD, err error) {
	g.Helper()
	var answer []byte
	err = g.conn.Invoke(ctx, "/event_store.client.operations.Operations/"+method, &request, &answer, grpc.ForceCodec(rawBytes{}), grpc.Trailer(&trailers))
	for len(answer) > 0 {
		number, kind, n := protowire.ConsumeTag(answer)
		answer = answer[max(n, 0):]
		switch {
		case number == 1 && kind == protowire.BytesType:
			id, n = protowire.ConsumeString(answer)
		case number == 2 && kind == protowire.VarintType:
			result, n = protowire.ConsumeVarint(answer)
		default:
			g.Fatalf("field %d of type %d", number, kind)
		}
		answer = answer[max(n, 0):]
	}
	return id, result, trailers, err
}

// options is a message whose field 1 holds another one.
func options(inner []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
}

func startOptions(threads, chunk int64) []byte {
	inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(threads))
	return options(protowire.AppendVarint(protowire.AppendTag(inner, 2, protowire.VarintType), uint64(chunk)))
}

func stopOptions(id string) []byte {
	return options(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), id))
}

// scavenged waits until no scavenge is under way.
func (g *given) scavenged() {
	g.Helper()
	for g.node.Engine.Stats().Scavenging {
		if g.ctx.Err() != nil {
			g.Fatal("the scavenge does not end")
		}
		runtime.Gosched()
	}
}

// ask asks over HTTP.
func (g *given) ask(method, path string) (int, string) {
	g.Helper()
	r, err := http.NewRequestWithContext(g.ctx, method, "http://"+g.node.Address+path, nil)
	if err != nil {
		g.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestClientsScavenge(t *testing.T) {
	t.Parallel()
	conformance(t, map[string]func(*given){
		"what is deleted is gone from all, links to it are unresolved": scavengedReads,
		"over HTTP":                                       scavengeOverHTTP,
		"one at a time, and it can be stopped":            oneScavenge,
		"a filtered subscription is told how far it came": scavengedCheckpoints,
	})
}

func scavengedReads(g *given) {
	g.append("s", client.NoStream{}, events(4)...)
	links := typed("$>", event(0), event(1))
	links[0].Data, links[1].Data = []byte("1@s"), []byte("3@s")
	g.append("links", client.NoStream{}, links...)
	group := client.PersistentStreamSubscriptionOptions{StartFrom: client.Start{}, Settings: new(client.SubscriptionSettingsDefault())}
	group.Settings.ResolveLinkTos = true
	if err := g.go4.CreatePersistentSubscription(g.ctx, "links", "g", group); err != nil {
		g.Fatal(err)
	}
	if _, err := g.go4.SetStreamMetadata(g.ctx, "s", client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, truncatedBefore(2)); err != nil {
		g.Fatal(err)
	}
	g.append("last", client.NoStream{}, event(0))
	id, result, _, err := g.operation(g.ctx, "StartScavenge", startOptions(2, 1))
	if _, bad := uuid.Parse(id); err != nil || bad != nil || result != 0 {
		g.Fatalf("the start answered %q, %d, %v", id, result, err)
	}
	g.scavenged()
	var all []string
	for _, r := range g.readAll(client.ReadAllOptions{From: client.Start{}, Direction: client.Forwards}, 100) {
		if e := r.OriginalEvent(); e.StreamID == "s" {
			all = append(all, strconv.FormatUint(e.EventNumber, 10))
		}
	}
	if diff := cmp.Diff([]string{"2", "3"}, all); diff != "" {
		g.Errorf("events of s in all: %s", diff)
	}
	if got := numbers(g.read("s", client.ReadStreamOptions{From: client.Start{}, Direction: client.Forwards}, 10)); !cmp.Equal(got, []uint64{2, 3}) {
		g.Errorf("s reads %v", got)
	}
	read := g.read("links", client.ReadStreamOptions{From: client.Start{}, ResolveLinkTos: true}, 10)
	if len(read) != 2 || read[0].Event != nil || read[0].Link == nil || read[1].Event == nil {
		g.Errorf("the links read %+v", read)
	}
	sub, err := g.go4.SubscribeToPersistentSubscription(g.ctx, "links", "g", client.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		g.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	for i := range 2 {
		got := sub.Recv().EventAppeared
		if got == nil || (got.Event.Event == nil) != (i == 0) || got.Event.Link == nil {
			g.Fatalf("the group's event %d is %+v", i, got)
		}
		if err := sub.Ack(got.Event); err != nil {
			g.Error(err)
		}
	}
}

func truncatedBefore(revision uint64) client.StreamMetadata {
	var m client.StreamMetadata
	m.SetTruncateBefore(revision)
	return m
}

func scavengeOverHTTP(g *given) {
	g.append("s", client.NoStream{}, events(3)...)
	if _, err := g.go4.DeleteStream(g.ctx, "s", client.DeleteStreamOptions{ExpectedRevision: client.Any{}}); err != nil {
		g.Fatal(err)
	}
	g.append("last", client.NoStream{}, event(0))
	if code, body := g.ask(http.MethodGet, "/admin/scavenge/last"); code != http.StatusOK || !strings.Contains(body, `"Unknown"`) {
		g.Errorf("the last scavenge of none: %d %s", code, body)
	}
	code, body := g.ask(http.MethodPost, "/admin/scavenge?startFromChunk=0&threads=1&throttlePercent=100")
	var begun struct{ ScavengeID string }
	if err := json.Unmarshal([]byte(body), &begun); err != nil || code != http.StatusOK || begun.ScavengeID == "" {
		g.Fatalf("the start answered %d %s", code, body)
	}
	g.scavenged()
	if code, body := g.ask(http.MethodGet, "/admin/scavenge/last"); code != http.StatusOK || !strings.Contains(body, begun.ScavengeID) || !strings.Contains(body, `"Success"`) {
		g.Errorf("the last scavenge: %d %s", code, body)
	}
	if code, body := g.ask(http.MethodGet, "/admin/scavenge/current"); code != http.StatusOK || !strings.Contains(body, `"scavengeId":""`) {
		g.Errorf("the present scavenge: %d %s", code, body)
	}
	if code, _ := g.ask(http.MethodDelete, "/admin/scavenge/"+begun.ScavengeID); code != http.StatusNotFound {
		g.Errorf("stopping one that is over answers %d", code)
	}
	for _, query := range []string{"threads=0", "threads=x", "startFromChunk=-1"} {
		if code, _ := g.ask(http.MethodPost, "/admin/scavenge?"+query); code != http.StatusBadRequest {
			g.Errorf("%s answers %d", query, code)
		}
	}
	if n := g.node.Engine.Stats().ScavengedEvents; n != 2 {
		g.Errorf("%d events were removed, want 2", n)
	}
}

func oneScavenge(g *given) {
	g.append("s", client.NoStream{}, events(3)...)
	if _, err := g.go4.TombstoneStream(g.ctx, "s", client.TombstoneStreamOptions{ExpectedRevision: client.Any{}}); err != nil {
		g.Fatal(err)
	}
	held, inside, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		first := true
		_, err := g.node.Engine.Scavenge(g.ctx, func(uint64) {
			if first {
				first = false
				close(inside)
				<-held
			}
		})
		done <- err
	}()
	<-inside
	id, result, _, err := g.operation(g.ctx, "StartScavenge", nil)
	if err != nil || result != 1 || id == "" {
		g.Errorf("a second start answered %q, %d, %v", id, result, err)
	}
	if code, body := g.ask(http.MethodPost, "/admin/scavenge"); code != http.StatusBadRequest || !strings.Contains(body, "already running") {
		g.Errorf("a second start over HTTP: %d %s", code, body)
	}
	if code, body := g.ask(http.MethodGet, "/admin/scavenge/current"); code != http.StatusOK || !strings.Contains(body, id) {
		g.Errorf("the present scavenge: %d %s", code, body)
	}
	for _, other := range []string{uuid.NewString(), "none", ""} {
		_, _, trailers, err := g.operation(g.ctx, "StopScavenge", stopOptions(other))
		g.hasStatus(err, codes.NotFound, "Scavenge id was invalid.")
		if got := trailers.Get("exception"); len(got) != 1 || got[0] != "scavenge-not-found" {
			g.Errorf("trailers %v", trailers)
		}
	}
	if again, result, _, err := g.operation(g.ctx, "StopScavenge", stopOptions(id)); err != nil || again != id || result != 2 {
		g.Errorf("the stop answered %q, %d, %v", again, result, err)
	}
	close(held)
	if err := <-done; !errors.Is(err, context.Canceled) {
		g.Errorf("the stopped scavenge answered %v", err)
	}
	_, _, _, err = g.operation(g.ctx, "StartScavenge", startOptions(-1, 0))
	g.hasStatus(err, codes.InvalidArgument, "'thread_count' must not be negative, it is -1.")
}

// scavengedCheckpoints has a filter that matches nothing, on a log most of which is gone.
func scavengedCheckpoints(g *given) {
	for range 5 {
		g.append("s", client.Any{}, events(20)...)
	}
	if _, err := g.go4.TombstoneStream(g.ctx, "s", client.TombstoneStreamOptions{ExpectedRevision: client.Any{}}); err != nil {
		g.Fatal(err)
	}
	for range 40 {
		g.append("kept", client.Any{}, event(0))
	}
	if _, err := g.node.Engine.Scavenge(g.ctx, nil); err != nil {
		g.Fatal(err)
	}
	end := g.append("hit", client.NoStream{}, event(0))
	o := streamRequest("")
	o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{},
	}}
	o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	o.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"hit"}},
		},
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 10},
		CheckpointIntervalMultiplier: 1,
	}}
	call := g.follow(o)
	last, checkpoints := uint64(0), 0
	for {
		f := g.frame(call)
		if c := f.GetCheckpoint(); c != nil {
			checkpoints++
			if c.GetCommitPosition() <= last || c.GetCommitPosition() > end.CommitPosition {
				g.Fatalf("checkpoint %d follows %d", c.GetCommitPosition(), last)
			}
			last = c.GetCommitPosition()
		}
		if e := f.GetEvent(); e != nil {
			if e.GetCommitPosition() != end.CommitPosition {
				g.Errorf("the event is at %d, want %d", e.GetCommitPosition(), end.CommitPosition)
			}
			break
		}
	}
	if checkpoints < 3 {
		g.Errorf("%d checkpoints came before the event", checkpoints)
	}
}

func TestOnlyOperatorsScavenge(t *testing.T) {
	t.Parallel()
	s := secure(t)
	s.user("jo", "sales")
	as := func(login string) context.Context {
		return metadata.AppendToOutgoingContext(s.ctx, "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(login+":"+firstPassword)))
	}
	_, _, _, err := s.operation(as("jo"), "StartScavenge", nil)
	s.hasStatus(err, codes.PermissionDenied, "Access Denied")
	_, _, _, err = s.operation(as("jo"), "StopScavenge", stopOptions(uuid.NewString()))
	s.hasStatus(err, codes.PermissionDenied, "Access Denied")
	_, _, _, err = s.operation(s.ctx, "StartScavenge", nil)
	s.hasStatus(err, codes.PermissionDenied, "Access Denied")
	for _, login := range []string{"admin", "ops"} {
		if _, result, _, err := s.operation(as(login), "StartScavenge", nil); err != nil || result != 0 {
			t.Errorf("%s: %d, %v", login, result, err)
		}
		s.scavenged()
	}
	https := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}}
	for login, want := range map[string]int{"": http.StatusUnauthorized, "nobody": http.StatusUnauthorized, "jo": http.StatusForbidden, "ops": http.StatusOK} {
		r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "https://"+s.node.Address+"/admin/scavenge", nil)
		if err != nil {
			t.Fatal(err)
		}
		if login != "" {
			r.SetBasicAuth(login, firstPassword)
		}
		resp, err := https.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%q got %d, want %d", login, resp.StatusCode, want)
		}
		_ = resp.Body.Close()
	}
	https.CloseIdleConnections()
}
