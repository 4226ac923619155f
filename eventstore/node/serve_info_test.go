package node_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func TestServeInfo(t *testing.T) {
	t.Parallel()
	conformance(t, map[string]func(*given){
		"case 68: supported methods":               supportedMethods,
		"case 69: gossip of one leader":            gossipOfOne,
		"case 71: pings on an idle connection":     idlePings,
		"case 76: unknown services and methods":    unknownMethods,
		"case 78: HTTP/1.1 on the same port":       overHTTP,
		"HTTP/1.1 of a foreign origin or host":     foreignHTTP,
		"connections that say nothing do not stop": silentConnection,
	})
}

func supportedMethods(g *given) {
	got, err := serverfeatures.NewServerFeaturesClient(g.conn).GetSupportedMethods(g.ctx, &shared.Empty{})
	if err != nil {
		g.Fatal(err)
	}
	if got.GetEventStoreServerVersion() != "24.10.0" {
		g.Errorf("version %s", got.GetEventStoreServerVersion())
	}
	features := map[string][]string{}
	for _, m := range got.GetMethods() {
		features[m.GetServiceName()+"/"+m.GetMethodName()] = m.GetFeatures()
	}
	want := map[string][]string{
		"event_store.client.streams.streams/append":                             nil,
		"event_store.client.streams.streams/batchappend":                        {"deadline_duration"},
		"event_store.client.streams.streams/delete":                             nil,
		"event_store.client.streams.streams/read":                               {"position", "events"},
		"event_store.client.streams.streams/tombstone":                          nil,
		"event_store.client.gossip.gossip/read":                                 nil,
		"event_store.client.operations.operations/startscavenge":                nil,
		"event_store.client.operations.operations/stopscavenge":                 nil,
		"event_store.client.server_features.serverfeatures/getsupportedmethods": nil,
	}
	for _, name := range []string{"create", "update", "delete", "read", "getinfo", "replayparked", "list", "restartsubsystem"} {
		want["event_store.client.persistent_subscriptions.persistentsubscriptions/"+name] = []string{"stream", "all"}
	}
	if diff := cmp.Diff(want, features); diff != "" {
		g.Error(diff)
	}
}

func gossipOfOne(g *given) {
	got, err := gossip.NewGossipClient(g.conn).Read(g.ctx, &shared.Empty{})
	if err != nil {
		g.Fatal(err)
	}
	if len(got.GetMembers()) != 1 {
		g.Fatalf("members %v", got)
	}
	m := got.GetMembers()[0]
	if m.GetState() != gossip.MemberInfo_Leader || !m.GetIsAlive() || m.GetInstanceId().GetStructured() == nil || m.GetTimeStamp() == 0 {
		g.Errorf("member %v", m)
	}
	_, port, _ := net.SplitHostPort(g.node.Address)
	for _, url := range []string{
		"esdb://" + g.node.Address + ",127.0.0.1:" + port + "?tls=false",
		"esdb+discover://" + g.node.Address + "?tls=false",
	} {
		c := g.connect(url)
		if _, err := c.AppendToStream(g.ctx, "s", client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, event(0)); err != nil {
			g.Errorf("%s: %v", url, err)
		}
	}
}

// idlePings pings more often than every client does, which a server with the
// library's defaults answers by cutting the connection.
func idlePings(g *given) {
	c, err := (&net.Dialer{}).DialContext(g.ctx, "tcp", g.node.Address)
	if err != nil {
		g.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		g.Fatal(err)
	}
	f := http2.NewFramer(c, c)
	if err := f.WriteSettings(); err != nil {
		g.Fatal(err)
	}
	tick := time.NewTicker(1100 * time.Millisecond)
	defer tick.Stop()
	for n := range byte(5) {
		<-tick.C
		if err := f.WritePing(false, [8]byte{n}); err != nil {
			g.Fatal(err)
		}
		for answered := false; !answered; {
			frame, err := f.ReadFrame()
			if err != nil {
				g.Fatalf("after %d pings: %v", n, err)
			}
			switch frame := frame.(type) {
			case *http2.GoAwayFrame:
				g.Fatalf("told to go away after %d pings: %s", n, frame.DebugData())
			case *http2.PingFrame:
				answered = frame.IsAck() && frame.Data[0] == n
			}
		}
	}
}

func unknownMethods(g *given) {
	g.hasStatus(g.conn.Invoke(g.ctx, "/event_store.client.users.Users/Create", &shared.Empty{}, &shared.Empty{}), codes.Unimplemented, "")
	g.hasStatus(g.conn.Invoke(g.ctx, "/event_store.client.streams.Streams/Frobnicate", &shared.Empty{}, &shared.Empty{}), codes.Unimplemented, "")
}

// get asks over HTTP/1.1.
func (g *given) get(path string, with func(*http.Request)) (int, string) {
	g.Helper()
	r, err := http.NewRequestWithContext(g.ctx, http.MethodGet, "http://"+g.node.Address+path, nil)
	if err != nil {
		g.Fatal(err)
	}
	if with != nil {
		with(r)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
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

func overHTTP(g *given) {
	if code, _ := g.get("/health/live", nil); code != http.StatusNoContent {
		g.Errorf("health answers %d", code)
	}
	if code, body := g.get("/ping", nil); code != http.StatusOK || !strings.Contains(body, `"text":"Ping request successfully handled"`) {
		g.Errorf("ping answers %d %s", code, body)
	}
	if code, _ := g.get("/streams/s", nil); code != http.StatusNotFound {
		g.Errorf("streams answer %d", code)
	}
}

func foreignHTTP(g *given) {
	for name, c := range map[string]struct {
		host, origin string
		want         int
	}{
		"a rebound name":           {host: "evil.example", want: http.StatusForbidden},
		"a page elsewhere":         {origin: "https://evil.example", want: http.StatusForbidden},
		"another port of ours":     {origin: "http://127.0.0.1:1", want: http.StatusForbidden},
		"an opaque origin":         {origin: "null", want: http.StatusForbidden},
		"localhost":                {host: "localhost:2113", want: http.StatusNoContent},
		"a page of this very port": {origin: "http://" + g.node.Address, want: http.StatusNoContent},
	} {
		code, _ := g.get("/health/live", func(r *http.Request) {
			if c.host != "" {
				r.Host = c.host
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
		})
		if code != c.want {
			g.Errorf("%s: %d, want %d", name, code, c.want)
		}
	}
}

func silentConnection(g *given) {
	c, err := (&net.Dialer{}).DialContext(g.ctx, "tcp", g.node.Address)
	if err != nil {
		g.Fatal(err)
	}
	defer c.Close()
	g.append("s", client.NoStream{}, event(0))
	begun := time.Now()
	g.node.Stop()
	if took := time.Since(begun); took > 3*time.Second {
		g.Errorf("stopping took %s", took)
	}
}

func TestServeOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Serve(t.Context(), n.Engine, l, node.ServeOptions{}); !errors.Is(err, node.ErrNotLoopback) {
		t.Errorf("serving on every address answered %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is left open")
	}
}
