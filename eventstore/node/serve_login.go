package node

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	// anonymous is who calls without credentials, or an insecure server.
	anonymous = "anonymous"
	// knownLogins bounds the credentials that need not be hashed again.
	knownLogins = 1024
	// strangerBytes and strangerLimit bound what is read from a caller who is
	// refused, so that the client gets to see why.
	strangerBytes = 16 << 20
	strangerLimit = 10 * time.Second
)

// errUnauthenticated has no exception: clients know it by its code.
var errUnauthenticated = &refusal{code: codes.Unauthenticated, text: "Unauthenticated"}

// principal is an authenticated user.
type principal struct {
	login  string
	groups []string
}

type principalKey struct{}

// principalOf is the caller; nil when nobody was authenticated.
func principalOf(ctx context.Context) *principal {
	p, _ := ctx.Value(principalKey{}).(*principal)
	return p
}

// userOf is the name of who calls, "anonymous" when nobody was authenticated.
func userOf(ctx context.Context) string {
	if p := principalOf(ctx); p != nil {
		return p.login
	}
	return anonymous
}

// authority knows who calls and what they may. A nil one, that of an insecure
// server, asks nobody and allows everything.
type authority struct {
	e     *Engine
	users *Users
	key   []byte // of the digests under which credentials are remembered

	mu       sync.Mutex
	known    cache[string, struct{}]
	checking singleflight.Group
}

func newAuthority(e *Engine) *authority {
	a := &authority{e: e, users: NewUsers(e), key: make([]byte, 32), known: newCache[string, struct{}](knownLogins)}
	_, _ = rand.Read(a.key) // It never fails.
	return a
}

// authenticate answers the call's context with its caller. Anonymous callers
// get no further than what clients ask before they log in.
func (a *authority) authenticate(ctx context.Context, method string) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	given := md.Get("authorization")
	if len(given) == 0 {
		if strings.HasPrefix(method, "/event_store.client.gossip.Gossip/") ||
			strings.HasPrefix(method, "/event_store.client.server_features.ServerFeatures/") {
			return ctx, nil
		}
		return nil, errAccessDenied
	}
	login, password, ok := basic(given[0])
	if !ok || len(given) > 1 {
		return nil, errUnauthenticated
	}
	p, err := a.logIn(ctx, login, password)
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, principalKey{}, p), nil
}

// basic reads the header of Basic authentication.
func basic(header string) (login, password string, ok bool) {
	scheme, text, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	clear, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(clear), ":")
}

// logIn checks credentials. The user is read anew each time, so that a change
// holds at once; only the hash of a password that was right is not repeated.
func (a *authority) logIn(ctx context.Context, login, password string) (*principal, error) {
	user, err := a.users.find(ctx, login)
	if err != nil {
		return nil, refusalOf(err, userPrefix+login)
	}
	digest := a.digest(user, login, password)
	a.mu.Lock()
	_, known := a.known.get(digest)
	a.mu.Unlock()
	if !known {
		if err := a.checkOnce(ctx, digest, user, password); err != nil {
			return nil, err
		}
	}
	return &principal{login: login, groups: user.Groups}, nil
}

// digest identifies a password together with the stored hash it is for.
func (a *authority) digest(user *account, login, password string) string {
	if user == nil {
		user = &account{}
	}
	mac := hmac.New(sha256.New, a.key)
	state := "on"
	if user.Disabled {
		state = "off"
	}
	for _, part := range []string{login, state, user.Salt, user.Hash, password} {
		_, _ = mac.Write(binary.AppendUvarint(nil, uint64(len(part))))
		_, _ = io.WriteString(mac, part)
	}
	return string(mac.Sum(nil))
}

// checkOnce hashes a password. Calls that come with the same one meanwhile
// wait for the same answer.
func (a *authority) checkOnce(ctx context.Context, digest string, user *account, password string) error {
	answer := a.checking.DoChan(digest, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), strangerLimit)
		defer cancel()
		right, err := a.users.h.check(ctx, user, password)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, errTooBusy
		}
		if err != nil {
			return nil, err
		}
		if !right {
			return nil, errUnauthenticated
		}
		a.mu.Lock()
		a.known.put(digest, struct{}{})
		a.mu.Unlock()
		return nil, nil
	})
	select {
	case r := <-answer:
		return r.Err
	case <-ctx.Done():
		return refusalOf(ctx.Err(), "")
	}
}

// is reports whether a user belongs to a group.
func (p *principal) is(group string) bool { return slices.Contains(p.groups, group) }

// loginUnary authenticates a call of one message.
func (a *authority) loginUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	with, err := a.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, end(unaryCall{ctx}, err)
	}
	return handler(with, req)
}

// loginStream authenticates a call of many messages. A client that only sends
// is read to its end before it is refused: interrupted, it would report
// another error.
func (a *authority) loginStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	with, err := a.authenticate(stream.Context(), info.FullMethod)
	if err != nil {
		if info.IsClientStream && !info.IsServerStream {
			drainStranger(stream)
		}
		return end(stream, err)
	}
	return handler(srv, &loggedIn{ServerStream: stream, ctx: with})
}

// drainStranger reads what a refused client sends, within bounds.
func drainStranger(stream grpc.ServerStream) {
	ended := make(chan struct{})
	go func() { // It ends with the call.
		defer close(ended)
		for size := 0; size < strangerBytes; {
			var any emptypb.Empty
			if stream.RecvMsg(&any) != nil {
				return
			}
			size += 1 + proto.Size(&any)
		}
	}()
	late := time.NewTimer(strangerLimit)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	case <-stream.Context().Done():
	}
}

// loggedIn is a call that knows its caller.
type loggedIn struct {
	grpc.ServerStream

	ctx context.Context
}

// Context answers the call's context with its caller.
func (l *loggedIn) Context() context.Context { return l.ctx }
