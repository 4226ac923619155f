package node

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// ServerVersion is the store's version whose protocol is spoken. Clients
// decide by it what they may ask for.
const ServerVersion = "24.10.0"

// featuresService says what is served.
type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

// GetSupportedMethods lists what is implemented, in lower case as clients expect it.
func (featuresService) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	const s = "event_store.client.streams.streams"
	methods := persistentMethods()
	return &serverfeatures.SupportedMethods{
		EventStoreServerVersion: ServerVersion,
		Methods: append(methods, []*serverfeatures.SupportedMethod{
			{ServiceName: s, MethodName: "append"},
			{ServiceName: s, MethodName: "batchappend", Features: []string{"deadline_duration"}},
			{ServiceName: s, MethodName: "delete"},
			{ServiceName: s, MethodName: "read", Features: []string{"position", "events"}},
			{ServiceName: s, MethodName: "tombstone"},
			{ServiceName: "event_store.client.gossip.gossip", MethodName: "read"},
			{ServiceName: "event_store.client.operations.operations", MethodName: "startscavenge"},
			{ServiceName: "event_store.client.operations.operations", MethodName: "stopscavenge"},
			{ServiceName: "event_store.client.server_features.serverfeatures", MethodName: "getsupportedmethods"},
		}...),
	}, nil
}

// persistentMethods are those of persistent subscriptions, on streams and on all.
func persistentMethods() []*serverfeatures.SupportedMethod {
	var list []*serverfeatures.SupportedMethod
	for _, name := range []string{"create", "update", "delete", "read", "getinfo", "replayparked", "list", "restartsubsystem"} {
		list = append(list, &serverfeatures.SupportedMethod{
			ServiceName: "event_store.client.persistent_subscriptions.persistentsubscriptions",
			MethodName:  name, Features: []string{"stream", "all"},
		})
	}
	return list
}

// gossipService presents a cluster of one, for connection strings that name
// several hosts or ask for discovery.
type gossipService struct {
	gossip.UnimplementedGossipServer

	e         *Engine
	advertise string // host and port, checked; may be empty
}

// Read answers the one member, at the advertised address, else at the one that
// the client has named, else at the one it has come to.
func (s gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	at, err := s.endPoint(ctx)
	if err != nil {
		return nil, err
	}
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId:   wireID(s.e.LogID(), false),
		TimeStamp:    ticksOf(s.e.o.Clock()),
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: at,
	}}}, nil
}

// endPoint is where a client is told to connect. A name it has come by works
// for it again, also through a translated address, and its certificate check
// has passed for it.
func (s gossipService) endPoint(ctx context.Context) (*gossip.EndPoint, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, named := range append([]string{s.advertise}, md.Get(":authority")...) {
		host, port, err := net.SplitHostPort(named)
		if number, errPort := strconv.ParseUint(port, 10, 16); err == nil && errPort == nil && host != "" && number > 0 {
			return endPoint(host, uint32(number)), nil
		}
	}
	p, ok := peer.FromContext(ctx)
	if !ok || p.LocalAddr == nil {
		return nil, status.Error(errNotReady.code, errNotReady.text)
	}
	here, err := netip.ParseAddrPort(p.LocalAddr.String())
	if err != nil {
		return nil, status.Error(errNotReady.code, errNotReady.text)
	}
	return endPoint(here.Addr().Unmap().String(), uint32(here.Port())), nil
}

// endPoint puts brackets around an address of IPv6: clients add the port with
// a colon.
func endPoint(host string, port uint32) *gossip.EndPoint {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return &gossip.EndPoint{Address: host, Port: port}
}
