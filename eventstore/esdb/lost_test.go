package esdb_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// wire is a connection between client and server that can lose answers.
type wire struct {
	l      net.Listener
	target string
	all    sync.WaitGroup

	mu    sync.Mutex
	mute  bool // what the server says is lost
	conns []net.Conn
	dead  map[net.Conn]bool // what is written to them is lost
	// up and down are what was sent since listen.
	up, down []byte
	// lost is closed, once, when something is swallowed.
	lost chan struct{}
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{l: l, target: target}
	w.all.Go(w.accept)
	t.Cleanup(func() {
		_ = l.Close()
		w.cut()
		w.all.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		in, err := w.l.Accept()
		if err != nil {
			return
		}
		out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", w.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, in, out)
		w.mu.Unlock()
		w.all.Go(func() {
			_, _ = io.Copy(upward{w, out}, in)
			_ = out.Close()
		})
		w.all.Go(func() {
			_, _ = io.Copy(unmuted{w, in}, out)
			_ = in.Close()
		})
	}
}

// unmuted is the way back to the client.
type unmuted struct {
	w  *wire
	to net.Conn
}

func (u unmuted) Write(b []byte) (int, error) {
	u.w.mu.Lock()
	mute := u.w.mute || u.w.dead[u.to]
	if u.w.mute && u.w.lost != nil {
		close(u.w.lost)
		u.w.lost = nil
	}
	u.w.down = append(u.w.down, b...)
	u.w.mu.Unlock()
	if mute {
		return len(b), nil
	}
	return u.to.Write(b)
}

// upward is the way to the server.
type upward struct {
	w  *wire
	to net.Conn
}

func (u upward) Write(b []byte) (int, error) {
	u.w.mu.Lock()
	dead := u.w.dead[u.to]
	u.w.up = append(u.w.up, b...)
	u.w.mu.Unlock()
	if dead {
		return len(b), nil
	}
	return u.to.Write(b)
}

// numb makes every connection swallow what is sent over it; later ones work.
func (w *wire) numb() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = map[net.Conn]bool{}
	for _, c := range w.conns {
		w.dead[c] = true
	}
}

// muteFor loses all that comes back from now on, until setMute; lost is closed
// when something was.
func (w *wire) muteFor() (lost <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{})
	w.mute, w.lost = true, c
	return c
}

func (w *wire) setMute(mute bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mute = mute
}

// listen runs f and answers what was sent meanwhile, both ways.
func (w *wire) listen(f func()) (up, down []byte) {
	take := func() (up, down []byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		up, down, w.up, w.down = w.up, w.down, nil, nil
		return up, down
	}
	take()
	f()
	return take()
}

// cut closes every connection.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

func TestAnswerLost(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	w := newWire(t, n.Address)
	s := open(t, "esdb://"+w.l.Addr().String()+"?tls=false")
	appendAt(t, s, "s", 0, events(1, "x.happened.v1")...)
	for round := range uint64(10) {
		before, err := n.Engine.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.setMute(true)
		written := make(chan struct{})
		go func() {
			defer close(written)
			_, _ = n.Engine.WaitHead(t.Context(), before)
			w.setMute(false)
			w.cut()
		}()
		a := appendAt(t, s, "s", 1+round*2, events(2, "x.happened.v1")...)
		<-written
		if want := 2 + round*2; a.Revision != want {
			t.Fatalf("round %d: revision %d, want %d", round, a.Revision, want)
		}
	}
	if head, err := n.Engine.LastRevision(t.Context(), "s"); err != nil || head != 20 {
		t.Errorf("the stream ends at %d (%v), want 20", head, err)
	}
}

func TestAnswerNeverComes(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	w := newWire(t, n.Address)
	s := open(t, "esdb://"+w.l.Addr().String()+"?tls=false")
	appendAt(t, s, "s", 0, events(1, "x.happened.v1")...)
	w.setMute(true)
	list := events(2, "x.happened.v1")
	_, err := s.Append(within(t, 300*time.Millisecond), "s", eventstore.Revision(0), list...)
	if !errors.Is(err, eventstore.ErrUncertain) {
		t.Fatalf("append answered %v", err)
	}
	w.setMute(false)
	w.cut()
	if a := appendAt(t, s, "s", 1, list...); a.Revision != 2 {
		t.Errorf("the repeat answered %+v", a)
	}
	if head, err := n.Engine.LastRevision(t.Context(), "s"); err != nil || head != 2 {
		t.Errorf("the stream ends at %d (%v), want 2", head, err)
	}
}

// TestReadGoesOn cuts the connection under a long read.
func TestReadGoesOn(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	w := newWire(t, n.Address)
	s := open(t, "esdb://"+w.l.Addr().String()+"?tls=false")
	const size, chunk = 6000, 500
	for i := uint64(0); i < size; i += chunk {
		appendAt(t, s, "s", i, events(chunk, "x.happened.v1")...)
	}
	next := uint64(0)
	for r, err := range s.ReadStream(within(t, 20*time.Second), "s", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Revision != next {
			t.Fatalf("revision %d where %d should be", r.Revision, next)
		}
		if next++; next%2000 == 100 {
			w.cut()
		}
	}
	if next != size {
		t.Fatalf("%d events read, want %d", next, size)
	}
	last := eventstore.Start
	count := 0
	for r, err := range s.ReadAll(within(t, 20*time.Second), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if !last.Before(r.Position) {
			t.Fatalf("%s follows %s", r.Position, last)
		}
		last = r.Position
		if count++; count%2000 == 100 {
			w.cut()
		}
	}
	if count != size {
		t.Errorf("%d events read, want %d", count, size)
	}
}

// forgetful is a server that forgets what it has written: it refuses every
// append, and its streams hold what the test says.
type forgetful struct {
	streams.UnimplementedStreamsServer
	serverfeatures.UnimplementedServerFeaturesServer

	stored []uuid.UUID
}

func (f *forgetful) Append(in streams.Streams_AppendServer) error {
	for {
		if _, err := in.Recv(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	return in.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: &streams.AppendResp_WrongExpectedVersion{
		ExpectedRevisionOption: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: 4},
		CurrentRevisionOption:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: 9},
	}}})
}

func (f *forgetful) Read(in *streams.ReadReq, out streams.Streams_ReadServer) error {
	from := in.GetOptions().GetStream().GetRevision()
	if in.GetOptions().GetStream() == nil || from != 5 {
		return nil
	}
	for i, id := range f.stored {
		revision := from + uint64(i)
		if err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
			Event: &streams.ReadResp_ReadEvent_RecordedEvent{
				Id:               &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}},
				StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("s")}, StreamRevision: revision,
				CommitPosition: 100 + revision, PreparePosition: 100 + revision,
				Metadata: map[string]string{"type": "x", "content-type": "application/json", "created": "0"},
			},
		}}}); err != nil {
			return err
		}
	}
	return nil
}

// TestWrongRevisionOfOurOwn: a refusal is a success when what stands at the
// target are the very events.
func TestWrongRevisionOfOurOwn(t *testing.T) {
	t.Parallel()
	list := events(2, "x.happened.v1")
	for name, c := range map[string]struct {
		stored []uuid.UUID
		ours   bool
	}{
		"both are there":           {[]uuid.UUID{list[0].ID, list[1].ID}, true},
		"and another after them":   {[]uuid.UUID{list[0].ID, list[1].ID, uuid.New()}, true},
		"the second is another":    {[]uuid.UUID{list[0].ID, uuid.New()}, false},
		"only the first is there":  {[]uuid.UUID{list[0].ID}, false},
		"they are somebody else's": {[]uuid.UUID{uuid.New(), uuid.New()}, false},
		"nothing is there":         {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server, f := grpc.NewServer(), &forgetful{stored: c.stored}
			streams.RegisterStreamsServer(server, f)
			serverfeatures.RegisterServerFeaturesServer(server, f)
			go func() { _ = server.Serve(l) }()
			t.Cleanup(server.Stop)
			s := open(t, "esdb://"+l.Addr().String()+"?tls=false")
			a, err := s.Append(within(t, 5*time.Second), "s", eventstore.Revision(4), list...)
			var wrong *eventstore.WrongRevisionError
			switch {
			case c.ours && (err != nil || a.Revision != 6 || a.Position.Commit != 106):
				t.Errorf("answered %+v, %v", a, err)
			case !c.ours && (!errors.As(err, &wrong) || wrong.Actual != 9):
				t.Errorf("answered %+v, %v", a, err)
			}
		})
	}
}
