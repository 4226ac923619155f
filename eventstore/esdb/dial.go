package esdb

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// maxReceive is the official client's limit of a message.
const maxReceive = 17 << 20

// dial makes a connection of our own to the node that the official client
// would choose, with the same security and credentials.
func dial(ctx context.Context, c client.Configuration) (*grpc.ClientConn, error) {
	if !c.DnsDiscover && len(c.GossipSeeds) == 0 {
		return connect(c, c.Address)
	}
	seeds := []string{c.Address}
	if len(c.GossipSeeds) > 0 {
		seeds = nil
		for _, s := range c.GossipSeeds {
			seeds = append(seeds, s.String())
		}
	}
	var errs []error
	for _, seed := range seeds {
		leader, err := leaderBy(ctx, c, seed)
		if err == nil {
			return connect(c, leader)
		}
		errs = append(errs, fmt.Errorf("gossip of %s: %w", seed, err))
	}
	return nil, errors.Join(errs...)
}

// leaderBy asks one node of a cluster for the address of its leader. Appends
// go to the leader, whatever node is preferred for reading.
func leaderBy(ctx context.Context, c client.Configuration, seed string) (string, error) {
	conn, err := connect(c, seed)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.GossipTimeout)*time.Second)
	defer cancel()
	cluster, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
	if err != nil {
		return "", err
	}
	for _, m := range cluster.GetMembers() {
		if m.GetIsAlive() && m.GetState() == gossip.MemberInfo_Leader {
			at := m.GetHttpEndPoint()
			return at.GetAddress() + ":" + strconv.FormatUint(uint64(at.GetPort()), 10), nil
		}
	}
	return "", errors.New("it knows no leader")
}

// connect begins a connection; it is made when it is first used.
func connect(c client.Configuration, address string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceive))}
	if c.KeepAliveInterval >= 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: c.KeepAliveInterval, Timeout: c.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	if c.DisableTLS {
		return grpc.NewClient(address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	}
	settings := &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs,
		InsecureSkipVerify: c.SkipCertificateVerification, //nolint:gosec // The connection string asks for it.
	}
	if c.UserCertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.UserCertFile, c.UserKeyFile)
		if err != nil {
			return nil, fmt.Errorf("user certificate: %w", err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(settings)))
	if c.Username != "" {
		options = append(options, grpc.WithPerRPCCredentials(login{c.Username, c.Password}))
	}
	return grpc.NewClient(address, options...)
}

// login is the user of the connection string. Like the official client it is
// only sent over encrypted connections.
type login struct{ name, password string }

// GetRequestMetadata is the header of a call.
func (l login) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(l.name+":"+l.password))}, nil
}

// RequireTransportSecurity keeps the password off plain connections.
func (login) RequireTransportSecurity() bool { return true }

// features are what a server lists of its bulk appends.
type features struct{ batch, duration bool }

// askFeatures asks a server what it can do; one that cannot be asked is old.
func askFeatures(ctx context.Context, conn *grpc.ClientConn) (f features, err error) {
	methods, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(ctx, &shared.Empty{})
	if isOneOf(grpcCode(err), codes.Unimplemented, codes.NotFound) {
		return f, nil
	}
	for _, m := range methods.GetMethods() {
		if m.GetServiceName() == "event_store.client.streams.streams" && m.GetMethodName() == "batchappend" {
			f = features{batch: true, duration: slices.Contains(m.GetFeatures(), "deadline_duration")}
		}
	}
	return f, err
}
