package node_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// firstPassword is that of both default accounts in these tests.
const firstPassword = "correct-horse"

// secured is a node that serves with encryption, users and lists of rights.
type secured struct {
	*given
	ca    string // file of the authority's certificate
	roots *x509.CertPool
}

// secure starts a secure node whose certificate is for localhost and 127.0.0.1.
func secure(t *testing.T, change ...func(*node.ServeOptions)) *secured {
	t.Helper()
	pair, roots, ca := certificate(t)
	o := node.ServeOptions{
		TLS:           &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		FirstPassword: func(string) (string, error) { return firstPassword, nil },
	}
	for _, c := range change {
		c(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	s := &secured{given: &given{T: t, ctx: ctx, node: nodetest.StartWith(t, o)}, ca: ca, roots: roots}
	s.go4 = s.as("admin", firstPassword)
	conn, err := grpc.NewClient(s.node.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s.conn, s.raw = conn, streams.NewStreamsClient(conn)
	return s
}

// as connects the Go client with a user's credentials; with none for "".
func (s *secured) as(login, password string) *client.Client {
	s.Helper()
	user := ""
	if login != "" {
		user = login + ":" + password + "@"
	}
	return s.connect("esdb://" + user + s.node.Address + "?tlsCAFile=" + s.ca)
}

// certificate makes an authority and a certificate of it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "eventstoredb-node"}, NotBefore: parent.NotBefore, NotAfter: parent.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	root, err := x509.CreateCertificate(rand.Reader, parent, parent, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, file
}

// code is the Go client's code of an error, 0 for none.
func code(err error) client.ErrorCode {
	var e *client.Error
	if !errors.As(err, &e) {
		return client.ErrorCodeUnknown
	}
	return e.Code()
}

// appends and reads answer what the client says of one append and one read.
func (s *secured) appends(c *client.Client, stream string) error {
	_, err := c.AppendToStream(s.ctx, stream, client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, event(0))
	return err
}

func (s *secured) reads(c *client.Client, stream string) error {
	r, err := c.ReadStream(s.ctx, stream, client.ReadStreamOptions{}, 1)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err = r.Recv(); errors.Is(err, io.EOF) || code(err) == client.ErrorCodeResourceNotFound {
		return nil
	}
	return err
}

// denied checks that an error is the client's refusal.
func (s *secured) denied(what string, err error) {
	s.Helper()
	if err == nil || code(err) != client.ErrorCodeAccessDenied {
		s.Errorf("%s answered %v, want access denied", what, err)
	}
}

func (s *secured) allowed(what string, err error) {
	s.Helper()
	if err != nil {
		s.Errorf("%s answered %v", what, err)
	}
}

func TestCase68SupportedMethodsAreListedInLowerCase(t *testing.T) {
	t.Parallel()
	s := secure(t)
	got, err := serverfeatures.NewServerFeaturesClient(s.conn).GetSupportedMethods(s.ctx, &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	var major, minor, patch int
	if n, err := fmt.Sscanf(got.GetEventStoreServerVersion(), "%d.%d.%d", &major, &minor, &patch); n != 3 || err != nil {
		t.Errorf("version %q", got.GetEventStoreServerVersion())
	}
	features := map[string][]string{}
	for _, m := range got.GetMethods() {
		name := m.GetServiceName() + "/" + m.GetMethodName()
		if name != strings.ToLower(name) {
			t.Errorf("%s is not in lower case", name)
		}
		features[name] = m.GetFeatures()
	}
	for name, want := range map[string][]string{
		"event_store.client.streams.streams/append":      nil,
		"event_store.client.streams.streams/batchappend": {"deadline_duration"},
		"event_store.client.streams.streams/read":        {"position", "events"},
	} {
		has, listed := features[name]
		if !listed {
			t.Errorf("%s is not listed", name)
		}
		for _, f := range want {
			if !slices.Contains(has, f) {
				t.Errorf("%s lacks %s", name, f)
			}
		}
	}
	v, err := s.go4.GetServerVersion()
	if err != nil || v.Major != major || v.Minor != minor || v.Patch != patch {
		t.Errorf("the client reads version %v (%v)", v, err)
	}
}

func TestCase69GossipNamesOneLeaderThatCanBeDialled(t *testing.T) {
	t.Parallel()
	t.Run("the address that the client has named", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		_, port, _ := net.SplitHostPort(s.node.Address)
		for _, hosts := range []string{"esdb://%[1]slocalhost:%[2]s,127.0.0.1:%[2]s", "esdb+discover://%[1]slocalhost:%[2]s"} {
			c := s.connect(fmt.Sprintf(hosts, "admin:"+firstPassword+"@", port) + "?tlsCAFile=" + s.ca)
			s.allowed(hosts, s.appends(c, "s"))
		}
		got, err := gossip.NewGossipClient(s.conn).Read(s.ctx, &shared.Empty{})
		if err != nil || len(got.GetMembers()) != 1 {
			t.Fatalf("gossip %v (%v)", got, err)
		}
		m := got.GetMembers()[0]
		if m.GetState() != gossip.MemberInfo_Leader || !m.GetIsAlive() || m.GetHttpEndPoint().GetAddress() != "127.0.0.1" || m.GetInstanceId().GetStructured() == nil {
			t.Errorf("member %v", m)
		}
	})
	t.Run("the address that is advertised", func(t *testing.T) {
		t.Parallel()
		s := secure(t, func(o *node.ServeOptions) { o.Advertise = "node.example:4433" })
		got, err := gossip.NewGossipClient(s.conn).Read(s.ctx, &shared.Empty{})
		if err != nil {
			t.Fatal(err)
		}
		if at := got.GetMembers()[0].GetHttpEndPoint(); at.GetAddress() != "node.example" || at.GetPort() != 4433 {
			t.Errorf("advertised %v", at)
		}
	})
	t.Run("an address that cannot be advertised is refused", func(t *testing.T) {
		t.Parallel()
		e := newDisk(t).open(t)
		for _, a := range []string{"node.example", ":2113", "node.example:none", "node.example:70000"} {
			if err := node.NewServer(e, node.ServeOptions{Advertise: a}).Prepare(t.Context()); !errors.Is(err, node.ErrAdvertise) {
				t.Errorf("%q answered %v", a, err)
			}
		}
	})
}

func TestCase70CredentialsAreCheckedBeforeTheHandler(t *testing.T) {
	t.Parallel()
	t.Run("a secure node refuses wrong ones, whatever is asked", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		for name, c := range map[string]*client.Client{"password": s.as("admin", "wrong-horse"), "user": s.as("nobody", firstPassword)} {
			for what, err := range map[string]error{"append": s.appends(c, "s"), "read": s.reads(c, "s")} {
				if err == nil || code(err) != client.ErrorCodeUnauthenticated {
					t.Errorf("%s with a wrong %s answered %v", what, name, err)
				}
			}
		}
		for _, header := range []string{"Basic", "Basic !", "Bearer x", "", "Basic " + "YWRtaW4="} {
			var trailers metadata.MD
			_, err := gossip.NewGossipClient(s.conn).Read(metadata.AppendToOutgoingContext(s.ctx, "authorization", header), &shared.Empty{}, grpc.Trailer(&trailers))
			s.hasStatus(err, codes.Unauthenticated, "Unauthenticated")
			if len(trailers.Get("exception")) != 0 {
				t.Errorf("trailers %v", trailers)
			}
		}
	})
	t.Run("a large append that is refused is read to its end", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		big := event(0)
		big.Data = []byte(`"` + strings.Repeat("x", 900_000) + `"`)
		_, err := s.as("admin", "wrong-horse").AppendToStream(s.ctx, "s", client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, big, big, big, big, big)
		if code(err) != client.ErrorCodeUnauthenticated {
			t.Errorf("answered %v", err)
		}
	})
	t.Run("nobody gets at streams without credentials", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		c := s.as("", "")
		s.denied("append", s.appends(c, "s"))
		s.denied("read", s.reads(c, "s"))
		_, trailers, err := s.rawAppend(&streams.AppendReq_Options{StreamIdentifier: identifier("s")}, proposed(event(0)))
		s.hasStatus(err, codes.PermissionDenied, "Access Denied")
		if got := trailers.Get("exception"); len(got) != 1 || got[0] != "access-denied" {
			t.Errorf("trailers %v", trailers)
		}
	})
	t.Run("an insecure node ignores any", func(t *testing.T) {
		t.Parallel()
		g := start(t, node.ServeOptions{})
		ctx := metadata.AppendToOutgoingContext(g.ctx, "authorization", "Basic bm9ib2R5Ondyb25n")
		call, err := g.raw.Append(ctx)
		if err != nil {
			t.Fatal(err)
		}
		o := &streams.AppendReq_Options{StreamIdentifier: identifier("s"), ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}}
		if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: o}}); err != nil {
			t.Fatal(err)
		}
		if _, err := call.CloseAndRecv(); err != nil {
			t.Errorf("answered %v", err)
		}
	})
}

func TestCase71PingsDoNotCutAnIdleConnection(t *testing.T) {
	t.Parallel()
	s := secure(t)
	c, err := (&tls.Dialer{Config: &tls.Config{RootCAs: s.roots, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}}).DialContext(s.ctx, "tcp", s.node.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	every, times := 1100*time.Millisecond, 5
	if os.Getenv("HOSTFOLD_SOAK") != "" {
		every, times = 10*time.Second, 31
	}
	pinged(t, c, every, times)
}

// pinged pings an idle connection and fails when it is told to go away.
func pinged(t *testing.T, c net.Conn, every time.Duration, times int) {
	t.Helper()
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(c, c)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := range times {
		for answered := n == 0; !answered; {
			frame, err := f.ReadFrame()
			if err != nil {
				t.Fatalf("after %d pings: %v", n, err)
			}
			switch frame := frame.(type) {
			case *http2.GoAwayFrame:
				t.Fatalf("told to go away after %d pings: %s", n, frame.DebugData())
			case *http2.PingFrame:
				if answered = frame.IsAck() && int(frame.Data[0]) == n; !frame.IsAck() { // The server pings, too.
					if err := f.WritePing(true, frame.Data); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		<-tick.C
		if err := f.WritePing(false, [8]byte{byte(n + 1)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCase73NamesBeyondASCIIMakeTheRoundTrip(t *testing.T) {
	t.Parallel()
	s := secure(t)
	stream, kind := "/x/Übergröße-日本語-🏠", "тип.события.v1"
	e := event(7)
	e.EventType = kind
	s.append(stream, client.NoStream{}, e)
	got := s.read(stream, client.ReadStreamOptions{}, 10)
	if len(got) != 1 || got[0].Event.StreamID != stream || got[0].Event.EventType != kind {
		t.Errorf("read %v", got)
	}
	s.tells(s.toStream(stream, client.Start{}), "0", "live")
}

func TestCase75SubscriptionsLearnOfAShutdownAndClientsComeBack(t *testing.T) {
	t.Parallel()
	s := secure(t)
	s.append("s", client.NoStream{}, event(0))
	one, all := s.toStream("s", client.Start{}), s.toAll(client.SubscribeToAllOptions{From: client.End{}})
	s.tells(one, "0", "live")
	s.tells(all, "live")
	s.node.Stop()
	for _, sub := range []*client.Subscription{one, all} {
		m := sub.Recv()
		if m.SubscriptionDropped == nil || status.Code(m.SubscriptionDropped.Error) != codes.Unavailable {
			t.Fatalf("the stop was told as %+v", m)
		}
	}
	s.node.Serve(t)
	s.append("s", client.Revision(0), event(1))
	s.tells(s.toStream("s", client.Revision(0)), "1", "live")
}

func TestCase76UnknownServicesAndMethodsAreUnimplemented(t *testing.T) {
	t.Parallel()
	s := secure(t)
	for _, method := range []string{"/event_store.client.users.Users/Create", "/event_store.client.streams.Streams/Frobnicate", "/no.such.Service/Call"} {
		s.hasStatus(s.conn.Invoke(s.ctx, method, &shared.Empty{}, &shared.Empty{}), codes.Unimplemented, "")
	}
}

func TestCase78HTTPIsAnsweredOnTheSamePort(t *testing.T) {
	t.Parallel()
	s := secure(t)
	for name, version2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2, as tools that speak both negotiate": true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: version2}
		t.Cleanup(transport.CloseIdleConnections)
		get := func(path, origin string) (int, string) {
			r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, "https://"+s.node.Address+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			defer resp.Body.Close()
			if (resp.ProtoMajor == 2) != version2 {
				t.Errorf("%s: answered over %s", name, resp.Proto)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, string(body)
		}
		if code, _ := get("/health/live", ""); code != http.StatusNoContent {
			t.Errorf("%s: health answers %d", name, code)
		}
		if code, body := get("/ping", ""); code != http.StatusOK || !strings.Contains(body, "Ping request successfully handled") {
			t.Errorf("%s: ping answers %d %s", name, code, body)
		}
		if code, _ := get("/streams/s", ""); code != http.StatusNotFound {
			t.Errorf("%s: streams answer %d", name, code)
		}
		if code, _ := get("/health/live", "https://evil.example"); code != http.StatusForbidden {
			t.Errorf("%s: a foreign page is answered %d", name, code)
		}
	}
	t.Run("and gRPC to clients that offer both versions", func(t *testing.T) {
		both := &tls.Config{RootCAs: s.roots, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
		conn, err := grpc.NewClient(s.node.Address, grpc.WithTransportCredentials(credentials.NewTLS(both)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := gossip.NewGossipClient(conn).Read(s.ctx, &shared.Empty{}); err != nil {
			t.Error(err)
		}
	})
}
