package http_test

import (
	"bytes"
	"context"
	netmail "net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/hostfold/hostfold/commands/effects"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/process"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// post is where the mails of a world go.
type post struct{ mails chan string }

// Send takes a mail.
func (p *post) Send(ctx context.Context, m *gomail.Msg) error {
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		return err
	}
	select {
	case p.mails <- strings.ReplaceAll(b.String(), "=\r\n", ""):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post runs the process managers and their jobs beside a world.
func (w *world) post(t *testing.T) *post {
	t.Helper()
	p := &post{mails: make(chan string, 100)}
	w.dispatcher.Mails = mailtext.Writer{Base: "http://portal.test"}
	jobs, err := effects.New(effects.Config{Pool: w.DB, Dispatcher: w.dispatcher, Mails: p, From: netmail.Address{Address: "portal@example.com"}, Owner: "test"})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := feed.New(feed.Config{
		Store: w.Store, Codec: w.Codec, DB: w.DB, LogID: w.LogID, Owner: "test", Clock: time.Now, Lanes: process.Lanes(jobs.Client(), -time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	for _, part := range []func(context.Context) error{jobs.Run, runner.Run} {
		wg.Go(func() {
			if err := part(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

// next is the next mail that goes to an address; those to others are passed over.
func (p *post) next(t *testing.T, to string) string {
	t.Helper()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	for {
		select {
		case m := <-p.mails:
			if strings.Contains(m, "To: <"+to+">") {
				return m
			}
		case <-patience.C:
			t.Fatalf("no mail to %s", to)
		}
	}
}

// says waits for a mail to an address that says so.
func (p *post) says(t *testing.T, to, text string) {
	t.Helper()
	for !strings.Contains(p.next(t, to), text) {
		continue
	}
}

var inLink = regexp.MustCompile(`http://portal\.test/portal/(verify-email|reset-password)#([A-Za-z0-9_-]+)`)

// secret is that of the next mail with a link to an address.
func (p *post) secret(t *testing.T, to string) string {
	t.Helper()
	for {
		if found := inLink.FindStringSubmatch(p.next(t, to)); found != nil {
			return found[2]
		}
	}
}
