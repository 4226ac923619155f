package esdb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
)

// scripted is a server that answers each bulk append as a function says.
type scripted struct {
	streams.UnimplementedStreamsServer
	serverfeatures.UnimplementedServerFeaturesServer

	answer func(m *streams.BatchAppendReq) *streams.BatchAppendResp
	// password is asked for when set.
	password string
}

func (s *scripted) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: "24.10.0", Methods: []*serverfeatures.SupportedMethod{
		{ServiceName: "event_store.client.streams.streams", MethodName: "batchappend", Features: []string{"deadline_duration"}},
	}}, nil
}

func (s *scripted) BatchAppend(in streams.Streams_BatchAppendServer) error {
	md, _ := metadata.FromIncomingContext(in.Context())
	if auth := md.Get("authorization"); s.password != "" && !slices.Equal(auth, []string{s.password}) {
		return status.Error(codes.Unauthenticated, "Unauthenticated")
	}
	for {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !m.GetIsFinal() {
			continue
		}
		if err := in.Send(s.answer(m)); err != nil {
			return err
		}
	}
}

// gossiping tells of a cluster's members.
type gossiping struct {
	gossip.UnimplementedGossipServer

	members []*gossip.MemberInfo
}

func (g *gossiping) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	return &gossip.ClusterInfo{Members: g.members}, nil
}

// serve serves what register registers, and answers its address.
func serve(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	register(server)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

func (s *scripted) register(server *grpc.Server) {
	streams.RegisterStreamsServer(server, s)
	serverfeatures.RegisterServerFeaturesServer(server, s)
}

// success says that an append ended at its own number of events.
func success(m *streams.BatchAppendReq) *streams.BatchAppendResp {
	return &streams.BatchAppendResp{
		CorrelationId: m.GetCorrelationId(),
		Result: &streams.BatchAppendResp_Success_{Success: &streams.BatchAppendResp_Success{
			CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(len(m.GetProposedMessages()))},
		}},
	}
}

func refusal(m *streams.BatchAppendReq, code codes.Code, detail proto.Message) *streams.BatchAppendResp {
	st := &rpc.Status{Code: int32(code), Message: "no"}
	if detail != nil {
		if a, err := anypb.New(detail); err == nil {
			st.Details = []*anypb.Any{a}
		}
	}
	return &streams.BatchAppendResp{CorrelationId: m.GetCorrelationId(), Result: &streams.BatchAppendResp_Error{Error: st}}
}

// TestBulkAnswersOfOtherStores are refusals that the node does not give at will.
func TestBulkAnswersOfOtherStores(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code   codes.Code
		detail proto.Message
		want   error
		says   string
	}{
		"deleted":    {codes.NotFound, &shared.StreamDeleted{}, eventstore.ErrStreamDeleted, "deleted"},
		"too large":  {codes.InvalidArgument, &shared.MaximumAppendSizeExceeded{}, eventstore.ErrTooLarge, ""},
		"no space":   {codes.ResourceExhausted, &shared.Unknown{}, eventstore.ErrNoSpace, ""},
		"no right":   {codes.PermissionDenied, &shared.AccessDenied{}, nil, `answered "no"`},
		"bad":        {codes.InvalidArgument, &shared.BadRequest{Message: "bad"}, nil, `answered "no"`},
		"no details": {codes.InvalidArgument, nil, nil, `answered "no"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &scripted{answer: func(m *streams.BatchAppendReq) *streams.BatchAppendResp {
				if string(m.GetOptions().GetStreamIdentifier().GetStreamName()) == "bulk-1" {
					return refusal(m, c.code, c.detail)
				}
				return success(m)
			}}
			s := open(t, "esdb://"+serve(t, server.register)+"?tls=false")
			outcomes, err := appendAll(within(t, 10*time.Second), s, slices.Values(mixed(3, 3)))
			if err != nil || len(outcomes) != 3 || outcomes[0].Err != nil || outcomes[2].Err != nil {
				t.Fatalf("%+v, %v", outcomes, err)
			}
			got := outcomes[1].Err
			if c.want != nil && !errors.Is(got, c.want) || got == nil || !strings.Contains(got.Error(), c.says) || errors.Is(got, eventstore.ErrUncertain) {
				t.Errorf("the outcome is %v", got)
			}
		})
	}
}

// TestBulkPassedOver: when the store gives up on an append, that one and what
// was sent after it are sent again, in order.
func TestBulkPassedOver(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := &scripted{answer: func(m *streams.BatchAppendReq) *streams.BatchAppendResp {
		if asked.Add(1)%100 == 0 {
			return refusal(m, codes.DeadlineExceeded, &shared.Timeout{})
		}
		out := success(m)
		// The other form of the same id.
		var id uuid.UUID
		binary.BigEndian.PutUint64(id[8:], uint64(m.GetCorrelationId().GetStructured().GetLeastSignificantBits()))
		out.CorrelationId = &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
		return out
	}}
	s := open(t, "esdb://"+serve(t, server.register)+"?tls=false")
	list := mixed(350, 3)
	outcomes, err := appendAll(within(t, 20*time.Second), s, slices.Values(list))
	if err != nil || len(outcomes) != len(list) || asked.Load() < 353 {
		t.Fatalf("%d outcomes of %d asked, %v", len(outcomes), asked.Load(), err)
	}
	for i, o := range outcomes {
		if o.Err != nil || o.Stream != list[i].Stream || o.Revision != uint64(len(list[i].Events)) {
			t.Fatalf("outcome %d is %+v, %v", i, o.Appended, o.Err)
		}
	}
}

// TestBulkOneByOne has a server that knows no bulk appends.
func TestBulkOneByOne(t *testing.T) {
	t.Parallel()
	f := &forgetful{}
	s := open(t, "esdb://"+serve(t, func(server *grpc.Server) {
		streams.RegisterStreamsServer(server, f)
		serverfeatures.RegisterServerFeaturesServer(server, f)
	})+"?tls=false")
	outcomes, err := appendAll(within(t, 10*time.Second), s, slices.Values(mixed(5, 2)))
	if err != nil || len(outcomes) != 5 {
		t.Fatalf("%d outcomes, %v", len(outcomes), err)
	}
	for _, o := range outcomes {
		var wrong *eventstore.WrongRevisionError
		if !errors.As(o.Err, &wrong) || wrong.Actual != 9 {
			t.Errorf("the outcome is %v", o.Err)
		}
	}
}

// TestBulkFindsTheLeader has one node that only gossips.
func TestBulkFindsTheLeader(t *testing.T) {
	t.Parallel()
	leader := serve(t, (&scripted{answer: success}).register)
	host, port, _ := strings.Cut(leader, ":")
	number := 0
	_, _ = fmt.Sscan(port, &number)
	seed := serve(t, func(server *grpc.Server) {
		gossip.RegisterGossipServer(server, &gossiping{members: []*gossip.MemberInfo{
			{State: gossip.MemberInfo_Follower, IsAlive: true, HttpEndPoint: &gossip.EndPoint{Address: "127.0.0.1", Port: 1}},
			{State: gossip.MemberInfo_Leader, IsAlive: false, HttpEndPoint: &gossip.EndPoint{Address: "127.0.0.1", Port: 2}},
			{State: gossip.MemberInfo_Leader, IsAlive: true, HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(number)}},
		}})
	})
	for _, url := range []string{"esdb+discover://" + seed + "?tls=false", "esdb://127.0.0.1:1," + seed + "?tls=false"} {
		outcomes, err := appendAll(within(t, 10*time.Second), open(t, url), slices.Values(mixed(3, 3)))
		if err != nil || len(outcomes) != 3 || outcomes[0].Err != nil {
			t.Errorf("%s: %+v, %v", url, outcomes, err)
		}
	}
}

// TestBulkOverTLS gives the connection string's user, and checks the server.
func TestBulkOverTLS(t *testing.T) {
	t.Parallel()
	pair, file := certificate(t)
	server := &scripted{answer: success, password: "Basic YWRtaW46Y2hhbmdlaXQ="} // admin:changeit
	addr := serve(t, server.register, grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
	for url, want := range map[string]string{
		"esdb://admin:changeit@" + addr + "?tlsCAFile=" + file:                          "",
		"esdb://admin:changeit@" + addr + "?tlsVerifyCert=false":                        "",
		"esdb://admin:wrong@" + addr + "?tlsCAFile=" + file:                             "Unauthenticated",
		"esdb://admin:changeit@" + addr + "?defaultDeadline=1000":                       "certificate",
		"esdb://admin:changeit@" + addr + "?tls=false":                                  "unavailable",
		"esdb://admin:changeit@" + addr + "?userCertFile=" + file + "&userKeyFile=none": "user certificate",
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			s, err := esdb.Open(esdb.Config{URL: url, Deadline: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			outcomes, err := appendAll(within(t, 10*time.Second), s, slices.Values(mixed(3, 3)))
			if want == "" && (err != nil || len(outcomes) != 3) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%d outcomes, %v", len(outcomes), err)
			}
		})
	}
}

// certificate is one for 127.0.0.1 that signs itself, and its file.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
