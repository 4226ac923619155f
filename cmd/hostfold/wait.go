package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/projections"
)

// waitPace is how long the store has to answer at start before requests are
// answered without it, and how often it is then asked: well under the 5 s in
// which all must have recovered.
const waitPace = time.Second

// streamsEnd is how long requests under way go on when the parts that answered
// them while the store was away are replaced; event streams then begin anew.
const streamsEnd = 5 * time.Second

// assemble wires the parts when the store answers, and waits until it does.
// Nothing is written to the log, and no key is used, before log and vault were
// compared; until then commands are refused and the read models are read as
// they are. end frees what answered meanwhile, once the gate leads elsewhere.
func (s *server) assemble(ctx context.Context, public *url.URL) (p *parts, end func(), err error) {
	end = func() {}
	for waiting := false; ; {
		if err = s.back.reach(ctx, waitPace); err == nil {
			p, err = wire(ctx, s.back, s.metrics, s.serveCmd, public)
		}
		if s.back.client == nil || !errors.Is(err, eventstore.ErrUnavailable) {
			if waiting && err == nil {
				s.health.wait("")
				s.say.Say("The event store answers.")
			}
			return p, end, err
		}
		reason := fmt.Sprintf("waits for the event store at %s: %s", s.back.client.Address(), why(err, s.back.client.Ready()))
		if !waiting {
			waiting = true
			if end, err = s.readOnly(ctx, public); err != nil {
				return nil, end, err
			}
			s.say.Say("The server " + reason + "; it goes on by itself when the store answers. Check ESDB_URL and that the store runs.")
		}
		s.health.wait(reason)
		if err := s.rest(ctx, waitPace/4); err != nil {
			return nil, end, err
		}
	}
}

// why is what the store's connection says, or else what was refused over it.
func why(refused, connection error) error {
	if connection != nil {
		return connection
	}
	return refused
}

// rest waits a moment, unless the server is to stop.
func (s *server) rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.front.failed:
	case <-s.run.failed:
	}
	return errors.New("a part of the server failed while it waited for the event store")
}

// readOnly opens the gate to what can be answered without the store: the rows
// of the log that the database was built from, with the rights that were last
// in force. A database that was built from none has nothing to answer.
func (s *server) readOnly(ctx context.Context, public *url.URL) (end func(), err error) {
	end = func() {}
	logID, found, err := feed.KnownLog(ctx, s.back.pool)
	if err != nil || !found {
		return end, err
	}
	b := &backends{log: s.back.log, folder: s.back.folder, pool: s.back.pool, keyFile: s.back.keyFile, store: unproven{s.back.store}}
	p, err := newParts(ctx, b, s.metrics, logID)
	if err != nil {
		return end, err
	}
	p.dispatcher.Mails = mailtext.Writer{Base: public.String()}
	p.feed = projections.NewFeed(p.reader, b.store, p.codec)
	if err := p.runner.Look(ctx); err != nil {
		return end, err
	}
	if rights, err := p.runner.LaneStatus(rightsLane); err != nil || rights.Position == eventstore.Start {
		return end, err // nobody's rights are known
	}
	handler, err := p.handler(s.serveCmd, public, s.hosts(public), s.health.check)
	if err != nil {
		return end, err
	}
	watch, stopWatch := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		p.runner.Watch(watch)
	}()
	requests, endRequests := context.WithCancel(context.Background())
	s.gate.open(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(requests, cancel)()
		handler.ServeHTTP(w, r.WithContext(ctx))
	}))
	return func() {
		time.AfterFunc(streamsEnd, endRequests)
		stopWatch()
		<-watched
	}, nil
}

// unproven is a store that was not compared with the database yet: it tells how
// far its log goes, and neither gives nor takes an event.
type unproven struct{ store eventstore.Store }

// Append refuses.
func (unproven) Append(context.Context, string, eventstore.Expected, ...eventstore.NewEvent) (eventstore.Appended, error) {
	return eventstore.Appended{}, eventstore.ErrUnavailable
}

// ReadStream refuses.
func (unproven) ReadStream(context.Context, string, uint64) iter.Seq2[eventstore.Recorded, error] {
	return refuseEvents
}

// ReadAll refuses.
func (unproven) ReadAll(context.Context, eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return refuseEvents
}

func refuseEvents(yield func(eventstore.Recorded, error) bool) {
	yield(eventstore.Recorded{}, eventstore.ErrUnavailable)
}

// Subscribe refuses.
func (unproven) Subscribe(context.Context, eventstore.Position, eventstore.Filter) (eventstore.Subscription, error) {
	return nil, eventstore.ErrUnavailable
}

// Head is how far the log goes.
func (s unproven) Head(ctx context.Context) (eventstore.Position, error) { return s.store.Head(ctx) }
