package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/hostfold/hostfold/eventstore"
)

// maxMessage bounds one message from a client. It lies far above the bound of
// an append, so that one that is too large is refused in the store's words.
const maxMessage = 32 << 20

// stopLimit bounds how long a stopping server waits for calls to end.
const stopLimit = 5 * time.Second

// ErrNotLoopback refuses to serve where strangers could connect.
var ErrNotLoopback = errors.New("the event store's port is neither encrypted nor authenticated: it listens on loopback only, unless forced")

// ErrAdvertise refuses an address to advertise that is not host and port.
var ErrAdvertise = errors.New("the advertised address is not HOST:PORT")

// ServeOptions configure the protocol server. The zero value serves reads and
// writes to everybody on this machine.
type ServeOptions struct {
	// TLS makes the server secure: connections are encrypted with it, every
	// call is authenticated and what it may do is looked up in the lists of
	// rights, and any address may be listened on. HTTP/1.1 and HTTP/2 are
	// negotiated whatever it says.
	TLS *tls.Config
	// FirstPassword is asked, by a secure server, for the password of a default
	// account (admin, ops) that has none yet. Nobody can log in with an account
	// that has no password.
	FirstPassword func(login string) (string, error)
	// Seed writes the default accounts into a store that has none, as the
	// store's own server does. A secure server always does.
	Seed bool
	// Advertise is the host and port under which clients that ask for the
	// cluster's members are told to connect; by default the address that the
	// client itself has named.
	Advertise string
	// MayWrite is asked before outside clients append to a stream, delete it or
	// set its metadata; an error refuses that. All is allowed when it is nil.
	MayWrite func(stream string) error
	// AnyAddress allows an insecure server a listener that is not on loopback.
	// Nobody is asked for a password, and nothing is encrypted.
	AnyAddress bool
	// Hosts are host names, beside those of loopback, under which HTTP/1.1
	// requests may come.
	Hosts []string
	// Logger gets what goes wrong inside; nothing by default.
	Logger *slog.Logger
	// Every makes the ticks by which persistent subscriptions see what is
	// late; the machine's clock does by default. stop frees them.
	Every func(time.Duration) (ticks <-chan time.Time, stop func())
}

// Server serves an engine to the store's official clients: with encryption,
// passwords and lists of rights, or without any of them. On the same port it
// answers a few HTTP requests.
type Server struct {
	e    *Engine
	grpc *grpc.Server
	// shared serves clients that may want either gRPC or plain HTTP, one
	// request at a time; nil without encryption.
	shared *grpc.Server
	http   *http.Server
	auth   *authority // nil for an insecure server
	o      ServeOptions
	// groups are the persistent subscriptions.
	groups *groups
	// scavenging are the scavenges that clients have started.
	scavenging sync.WaitGroup
	// stopping ends subscriptions, which would otherwise never end.
	stopping context.Context
	stop     context.CancelFunc
}

// NewServer makes a server on an engine, which stays the caller's to close,
// after the server has stopped.
func NewServer(e *Engine, o ServeOptions) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MayWrite == nil {
		o.MayWrite = func(string) error { return nil }
	}
	if o.Every == nil {
		o.Every = realTicks
	}
	s := &Server{e: e, o: o, groups: newGroups(e, o)}
	s.stopping, s.stop = context.WithCancel(context.Background())
	if o.TLS != nil {
		s.auth = newAuthority(e)
		s.shared = s.newGRPC()
		s.register(s.shared)
	}
	s.grpc = s.newGRPC()
	s.register(s.grpc)
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10, Protocols: new(http.Protocols)}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetUnencryptedHTTP2(s.shared != nil) // The encryption is taken off before.
	return s
}

// newGRPC makes a server without services.
func (s *Server) newGRPC() *grpc.Server {
	unary, stream := []grpc.UnaryServerInterceptor{s.guardUnary}, []grpc.StreamServerInterceptor{s.guardStream}
	if s.auth != nil {
		unary, stream = append(unary, s.auth.loginUnary), append(stream, s.auth.loginStream)
	}
	return grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		// Clients ping every 10 s, also when idle; by default that gets them cut off.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 10 * time.Second}),
		grpc.ChainStreamInterceptor(stream...),
		grpc.ChainUnaryInterceptor(unary...),
	)
}

// register adds every service to a server.
func (s *Server) register(to *grpc.Server) {
	streams.RegisterStreamsServer(to, &streamsService{e: s.e, mayWrite: s.o.MayWrite, auth: s.auth, stopping: s.stopping})
	persistent.RegisterPersistentSubscriptionsServer(to, &persistentService{g: s.groups, auth: s.auth, stopping: s.stopping})
	serverfeatures.RegisterServerFeaturesServer(to, featuresService{})
	gossip.RegisterGossipServer(to, gossipService{e: s.e, advertise: s.o.Advertise})
	s.registerOperations(to)
}

// Prepare checks the options and writes what a store must hold before it is
// served. Serve does the same; call it first to know that nothing is missing.
func (s *Server) Prepare(ctx context.Context) error {
	if a := s.o.Advertise; a != "" {
		host, port, err := net.SplitHostPort(a)
		if _, errPort := strconv.ParseUint(port, 10, 16); err != nil || errPort != nil || host == "" {
			return fmt.Errorf("%w: %q", ErrAdvertise, a)
		}
	}
	users := NewUsers(s.e)
	if s.o.Seed || s.auth != nil {
		if err := users.seed(ctx); err != nil {
			if s.auth != nil || !errors.Is(err, eventstore.ErrNoSpace) {
				return fmt.Errorf("make the default accounts: %w", err)
			}
			s.o.Logger.Warn("event store serves without its default accounts", "error", err)
		}
	}
	if s.auth == nil || s.o.FirstPassword == nil {
		return nil
	}
	return users.givePasswords(ctx, s.o.FirstPassword)
}

// Serve serves connections until ctx ends, then stops gracefully: calls under
// way may end, subscriptions are told that the server is not ready. It closes
// the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.auth == nil && !s.o.AnyAddress && !isLoopback(l.Addr()) {
		return errors.Join(fmt.Errorf("%w (%s)", ErrNotLoopback, l.Addr()), l.Close())
	}
	if err := s.Prepare(ctx); err != nil {
		if ctx.Err() != nil {
			err = nil // told to stop while starting; the next start goes on
		}
		return errors.Join(err, l.Close())
	}
	if err := s.groups.start(s.stopping); err != nil {
		return errors.Join(err, l.Close())
	}
	if s.o.TLS != nil {
		l = encrypted(l, s.o.TLS)
	}
	in := split(l)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(in.accept)
	group.Go(func() error { return unless(grpc.ErrServerStopped, s.grpc.Serve(in.http2)) })
	group.Go(func() error { return unless(http.ErrServerClosed, s.http.Serve(in.http1)) })
	group.Go(func() error {
		<-ctx.Done()
		refused := l.Close()
		s.shutdown()
		s.groups.wait()
		s.scavenging.Wait()
		in.close()
		return refused
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("serve the event store: %w", err)
	}
	return nil
}

func unless(expected, err error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// Serve serves an engine on a listener until ctx ends.
func Serve(ctx context.Context, e *Engine, l net.Listener, o ServeOptions) error {
	return NewServer(e, o).Serve(ctx, l)
}

// shutdown ends subscriptions, waits for other calls a while, then cuts them off.
func (s *Server) shutdown() {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.grpc.GracefulStop()
	}()
	if err := s.http.Shutdown(ctx); err != nil {
		s.o.Logger.Warn("event store cut off HTTP requests", "error", err)
	}
	if s.shared != nil {
		s.shared.Stop() // What it served ended with the requests.
	}
	select {
	case <-ended:
	case <-ctx.Done():
		s.o.Logger.Warn("event store cut off calls that did not end")
		s.grpc.Stop()
		<-ended
	}
}

// guardStream keeps a defect in one call from ending the process.
func (s *Server) guardStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	return handler(srv, stream)
}

func (s *Server) guardUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (_ any, err error) {
	defer s.recovered(info.FullMethod, &err)
	return handler(ctx, req)
}

func (s *Server) recovered(method string, err *error) {
	if r := recover(); r != nil {
		s.o.Logger.Error("event store call panicked", "method", method, "panic", r, "stack", string(debug.Stack()))
		*err = status.Error(codes.Unknown, "Unexpected error")
	}
}

func isLoopback(a net.Addr) bool {
	p, err := netip.ParseAddrPort(a.String())
	return err == nil && p.Addr().Unmap().IsLoopback()
}
