package effects_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// postOffice is an SMTP server that misbehaves on request.
type postOffice struct {
	url string

	mu      sync.Mutex
	refuse  []*smtp.SMTPError
	mails   []string
	arrived chan string
}

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	p := &postOffice{arrived: make(chan string, 100)}
	server := smtp.NewServer(p)
	server.Domain = "localhost"
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		// Serve ends with an error that says no more than that it was closed.
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("smtp stand-in: %v", err)
		}
	})
	p.url = "smtp://" + l.Addr().String()
	return p
}

// refuseNext answers the next mails with these errors, one each.
func (p *postOffice) refuseNext(errs ...*smtp.SMTPError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = append(p.refuse, errs...)
}

// received are the mails that were accepted.
func (p *postOffice) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.mails...)
}

// NewSession is one connection.
func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return visitor{p}, nil }

type visitor struct{ *postOffice }

func (visitor) Reset()                               {}
func (visitor) Logout() error                        { return nil }
func (visitor) Mail(string, *smtp.MailOptions) error { return nil }
func (visitor) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (v visitor) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.refuse) > 0 {
		refused := v.refuse[0]
		v.refuse = v.refuse[1:]
		return refused
	}
	v.mails = append(v.mails, string(body))
	v.arrived <- string(body)
	return nil
}

// header is the value of a header of a mail.
func header(mail, name string) string {
	for l := range strings.SplitSeq(mail, "\r\n") {
		if value, ok := strings.CutPrefix(l, name+": "); ok {
			return value
		}
	}
	return ""
}
