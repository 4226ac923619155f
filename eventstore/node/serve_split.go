package node

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"
)

// helloLimit bounds how long a new connection may say nothing.
const helloLimit = 10 * time.Second

// splitter gives each connection of one port to gRPC or to plain HTTP, by its
// first bytes: HTTP/2 begins with "PRI", which is no method. HTTP/2 of clients
// that speak both versions of HTTP is sorted request by request, on the plain
// side.
type splitter struct {
	l            net.Listener
	http1, http2 *branch
}

// branch is a listener for one of the two.
type branch struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func split(l net.Listener) *splitter {
	side := func() *branch {
		return &branch{addr: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	}
	return &splitter{l: l, http1: side(), http2: side()}
}

// accept takes connections until the listener is closed.
func (s *splitter) accept() error {
	var peeking sync.WaitGroup
	defer peeking.Wait()
	for wait := time.Millisecond; ; {
		c, err := s.l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil: // Too many open files, mostly: it passes.
			time.Sleep(wait)
			wait = min(2*wait, time.Second)
			continue
		}
		wait = time.Millisecond
		peeking.Go(func() { s.sort(c) })
	}
}

// sort looks at a connection's first bytes and hands it over.
func (s *splitter) sort(c net.Conn) {
	defer s.hold(c)()
	r := bufio.NewReaderSize(c, 32)
	hello, err := r.Peek(3)
	if err != nil {
		_ = c.Close()
		return
	}
	if string(hello) == "PRI" && !speaksBoth(c) {
		s.http2.give(peeked{Conn: c, r: r})
		return
	}
	s.http1.give(peeked{Conn: c, r: r})
}

// hold closes a connection that says nothing in time, or when the splitter ends.
func (s *splitter) hold(c net.Conn) (release func()) {
	done := make(chan struct{})
	go func() {
		late := time.NewTimer(helloLimit)
		defer late.Stop()
		select {
		case <-done:
		case <-late.C:
			_ = c.Close()
		case <-s.http2.closed:
			_ = c.Close()
		}
	}()
	return func() { close(done) }
}

// close ends both branches.
func (s *splitter) close() {
	_ = s.http1.Close()
	_ = s.http2.Close()
}

func (b *branch) give(c net.Conn) {
	select {
	case b.conns <- c:
	case <-b.closed:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (b *branch) Accept() (net.Conn, error) {
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (b *branch) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// Addr implements net.Listener.
func (b *branch) Addr() net.Addr { return b.addr }

// peeked is a connection whose first bytes were read already.
type peeked struct {
	net.Conn

	r *bufio.Reader
}

// Read implements net.Conn. Once the first bytes are gone, the reader's small
// buffer is passed by: bufio reads what is larger straight into b.
func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
