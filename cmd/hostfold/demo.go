package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/demo"
	"github.com/hostfold/hostfold/eventstore"
)

// demoSpace is where the ids of the demo's commands come from, so that a
// broken load resumes with the very same commands.
var demoSpace = uuid.MustParse("5f1d7a52-3c0e-4c3b-9f0a-6d1c2e7b8a90")

// demoLoader makes the demo account by sending commands at given times.
type demoLoader struct {
	*commands.Dispatcher
	password string
	now      time.Time
	// What one step made and later ones need.
	staff, owner, account, product, ticket, delegate, delegation string
	// shared is the service that the delegate may act on.
	shared string
	// none takes the ids that nobody needs.
	none string
}

// demoStep is one command; its name is its identity.
type demoStep struct {
	name   string
	at     time.Time
	number string
	// own is true for commands under the account's path.
	own bool
	do  func(ctx context.Context, call commands.Call) error
}

// loadDemo loads the demo, or resumes it, or finds it loaded. It keeps away
// from a store that holds other data.
func (p *parts) loadDemo(ctx context.Context, password string, t terms) error {
	state, err := commands.Load(ctx, p.dispatcher.Streams(), demo.Decider.At(demo.ID))
	if err != nil {
		return fmt.Errorf("look for the demo: %w", err)
	}
	if !state.IsStarted {
		if err := p.onlyForTheDemo(ctx); err != nil {
			return err
		}
	}
	if password, err = p.folder.demoPassword(password, state.IsStarted, t); err != nil {
		return err
	}
	if !state.IsLoaded {
		l := &demoLoader{Dispatcher: p.dispatcher, password: password, now: time.Now().UTC().Truncate(time.Minute)}
		if err := l.load(ctx, t); err != nil {
			return fmt.Errorf("load the demo: %w; the next start goes on where this one stopped", err)
		}
	}
	if err := p.caughtUp(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t, "demo log-ins, password %s\n  demo@example.com      customer\n  delegate@example.com  acts for the customer, on one service and the tickets\n  staff@example.com     staff, role admin\n  auditor@example.com   staff, role auditor\n", password)
	return err
}

// onlyForTheDemo refuses a store with anything in it.
func (p *parts) onlyForTheDemo(ctx context.Context) error {
	for r, err := range p.store.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return fmt.Errorf("look into the store: %w", err)
		}
		if r.Stream != eventstore.LogStream && !strings.HasPrefix(r.Stream, "$") && !strings.HasPrefix(r.Type, "$") {
			return fmt.Errorf("the event store holds other data (stream %s), so the demo was not loaded and nothing was changed: start without --demo, or set HOSTFOLD_DATA to an empty folder", r.Stream)
		}
	}
	return nil
}

// demoPassword is the password that the demo was made with, kept so that it
// can be told again.
func (f *folder) demoPassword(given string, made bool, t terms) (string, error) {
	kept, err := os.ReadFile(f.path("demo-password"))
	switch {
	case err == nil && made:
		password := strings.TrimSuffix(string(kept), "\n")
		if given != "" && given != password {
			t.Say("The demo was made with another password than HOSTFOLD_DEMO_PASSWORD; that one stays.")
		}
		return password, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the demo's password: %w", err)
	case made:
		return "(the one it was made with)", nil
	case given == "":
		given = readable()
	}
	return given, f.writeFile("demo-password", []byte(given+"\n"))
}

// readable is a random password that is easy to type.
func readable() string {
	text := strings.ReplaceAll(uuid.NewString(), "-", "")
	return text[:5] + "-" + text[5:10] + "-" + text[16:21]
}

func (l *demoLoader) load(ctx context.Context, t terms) error {
	steps := l.steps()
	for i, s := range steps {
		call := commands.Call{
			CommandID: uuid.NewSHA1(demoSpace, []byte(s.name)), CorrelationID: demoSpace.String(),
			Actor: domain.Actor{Kind: domain.ActorDemo, ID: "demo"}, Grants: delegation.Grants{System: true},
			At: s.at, Number: s.number,
		}
		if s.own {
			call.Account = l.account
		}
		if err := s.do(ctx, call); err != nil {
			return fmt.Errorf("%s: %w", s.name, refusal(err))
		}
		t.Step("loading the demo", uint64(i+1), uint64(len(steps)))
	}
	return nil
}

// caughtUp waits until every read model shows what is in the log.
func (p *parts) caughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	head, err := p.store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the end of the log: %w", err)
	}
	for _, s := range p.runner.Status() {
		if err := p.runner.Wait(ctx, s.Lane, head); err != nil {
			return fmt.Errorf("wait for %s: %w", s.Lane, err)
		}
	}
	return nil
}
