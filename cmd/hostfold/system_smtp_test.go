package main_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/textproto"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// mailServer is a stand-in SMTP server that counts accepted DATA commands by
// Message-ID.
type mailServer struct {
	addr string

	mu       sync.Mutex
	accepted map[string]int
	arrived  chan struct{} // closed and replaced at each mail
}

func startSMTP(t *testing.T) *mailServer {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailServer{addr: l.Addr().String(), accepted: map[string]int{}, arrived: make(chan struct{})}
	s := smtp.NewServer(m)
	s.Domain = "localhost"
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("smtp stand-in: %v", err)
		}
	})
	return m
}

// URL is what SMTP_URL is set to.
func (m *mailServer) URL() string { return "smtp://" + m.addr }

// Accepted counts DATA commands that were answered 250.
func (m *mailServer) Accepted() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, times := range m.accepted {
		n += times
	}
	return n
}

// Doubled counts the DATA commands beyond the first of each message.
func (m *mailServer) Doubled() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, times := range m.accepted {
		n += times - 1
	}
	return n
}

// Most is how often the message that was accepted most often was.
func (m *mailServer) Most() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, times := range m.accepted {
		n = max(n, times)
	}
	return n
}

// WaitFor waits until n different messages were accepted.
func (m *mailServer) WaitFor(t *testing.T, n int) {
	t.Helper()
	for timeout := time.After(2 * time.Minute); ; {
		m.mu.Lock()
		got, arrived := len(m.accepted), m.arrived
		m.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-arrived:
		case <-timeout:
			t.Fatalf("%d of %d mails arrived in 2 minutes", got, n)
		}
	}
}

// Arrived is closed at the next mail.
func (m *mailServer) Arrived() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.arrived
}

// NewSession makes mailServer an smtp.Backend.
func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return mailSession{m}, nil }

type mailSession struct{ server *mailServer }

func (mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }

func (s mailSession) Data(r io.Reader) error {
	body := bufio.NewReader(r)
	header, err := textproto.NewReader(body).ReadMIMEHeader()
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.accepted[header.Get("Message-Id")]++
	close(s.server.arrived)
	s.server.arrived = make(chan struct{})
	return nil
}
