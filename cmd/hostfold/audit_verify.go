package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/series"
	"github.com/hostfold/hostfold/eventstore"
)

// auditVerifyCmd checks that history is whole.
type auditVerifyCmd struct {
	Backends `json:"-"`
}

// Run verifies here or in the running server.
func (a *auditVerifyCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, a.Backends, c, "audit-verify", a)
}

// maxFindings bounds what is printed; all are counted.
const maxFindings = 100

// verifier collects what is wrong.
type verifier struct {
	codec *eventstore.Codec
	own   map[string]bool

	last    eventstore.Position
	next    map[string]uint64 // stream to the revision that comes next
	ids     map[uuid.UUID]bool
	series  map[string]series.Series
	numbers map[string]string // printed number to document
	issued  map[string]string // document to the number it carries
	events  uint64
	found   uint64
	say     func(string)
}

func newVerifier(codec *eventstore.Codec, say func(string)) *verifier {
	return &verifier{
		codec: codec, own: ownCategories(), next: map[string]uint64{}, ids: map[uuid.UUID]bool{},
		series: map[string]series.Series{}, numbers: map[string]string{}, issued: map[string]string{},
		say: say,
	}
}

func (a *auditVerifyCmd) work(ctx context.Context, p *parts, t terms) error {
	head, err := p.store.Head(ctx)
	if err != nil {
		return err
	}
	v := newVerifier(p.codec, func(text string) { fmt.Fprintln(t, text) })
	for r, err := range p.store.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		if head.Before(r.Position) {
			break
		}
		v.event(ctx, r)
		if v.events%5000 == 0 {
			t.Step("events verified", v.events, 0)
		}
	}
	v.documents()
	mismatches, err := p.vault.Mismatches(ctx)
	if err != nil {
		return err
	}
	for _, m := range mismatches {
		v.finding("vault: %s", m)
	}
	if known, end, err := p.lost(ctx); err != nil {
		return err
	} else if known != end {
		v.finding("log: it ends at %s, the read models know events up to %s", end, known)
	}
	if v.found > 0 {
		return fmt.Errorf("%d events in %d streams: %d findings; restore the store from a backup, or ask for help with this list", v.events, len(v.next), v.found)
	}
	_, err = fmt.Fprintf(t, "history is whole: log %s, %d events in %d streams, %d legal numbers, through %s\n", p.logID, v.events, len(v.next), len(v.numbers), head)
	return err
}

func (v *verifier) finding(format string, args ...any) {
	if v.found++; v.found <= maxFindings {
		v.say(fmt.Sprintf(format, args...))
	}
}

// event checks one event: its place, its metadata, its content.
func (v *verifier) event(ctx context.Context, r eventstore.Recorded) {
	v.events++
	if v.events > 1 && !v.last.Before(r.Position) {
		v.finding("event %s at %s does not come after %s", r.ID, r.Position, v.last)
	}
	v.last = r.Position
	category, _, _ := strings.Cut(r.Stream, "-")
	if r.Type == "$streamDeleted" && v.own[category] {
		v.finding("stream %s was deleted for ever at %s, its events can be read in the log only", r.Stream, r.Position)
	}
	if strings.HasPrefix(r.Type, "$") || !v.own[category] {
		return // the store's own, or an outside client's
	}
	if v.ids[r.ID] {
		v.finding("event id %s is used twice, again at %s", r.ID, r.Position)
	}
	v.ids[r.ID] = true
	if r.Revision != v.next[r.Stream] {
		v.finding("stream %s goes from revision %d to %d (history_truncated)", r.Stream, int64(v.next[r.Stream])-1, r.Revision)
	}
	v.next[r.Stream] = r.Revision + 1
	e, m, err := v.codec.Decode(ctx, r)
	if err != nil {
		v.finding("event %s at %s does not decode: %v", r.ID, r.Position, err)
		return
	}
	if err := whole(m); err != nil {
		v.finding("event %s (%s, %s revision %d): %v", r.ID, r.Type, r.Stream, r.Revision, err)
	}
	v.content(e, m)
}

// whole checks that metadata say who, what and when.
func whole(m eventstore.Meta) error {
	switch {
	case m.Schema != 1:
		return fmt.Errorf("its metadata have schema %d", m.Schema)
	case m.Actor.Kind == "":
		return errors.New("its metadata name no actor")
	case m.CommandID == uuid.Nil || m.Command == "":
		return errors.New("its metadata name no command")
	case m.CorrelationID == "" || m.CausationID == "":
		return errors.New("its metadata do not say what caused it")
	case m.OccurredAt.IsZero():
		return errors.New("its metadata have no time")
	case m.GivenTime && !m.Actor.MaySetFacts():
		return fmt.Errorf("its time was given by a %s, who may not", m.Actor.Kind)
	}
	return nil
}

// content checks numbers: each follows the last, on no earlier date.
func (v *verifier) content(e domain.Event, m eventstore.Meta) {
	switch e := e.(type) {
	case series.Event:
		s := v.series[m.Stream]
		if n, ok := e.(series.NumberAllocated); ok {
			v.allocated(s, n, m)
		}
		v.series[m.Stream] = series.Decider.Evolve(s, e)
	case invoice.Issued:
		v.issued[m.AggregateID] = e.Number
	case creditnote.Issued:
		v.issued[m.AggregateID] = e.Number
	}
}

func (v *verifier) allocated(s series.Series, n series.NumberAllocated, m eventstore.Meta) {
	if n.Sequence != s.Last+1 {
		v.finding("%s: number %d comes after %d", m.Stream, n.Sequence, s.Last)
	}
	if n.IssueDate.Before(s.LastDate) {
		v.finding("%s: number %s is dated %s, before %s", m.Stream, n.Number, n.IssueDate, s.LastDate)
	}
	if _, has := s.Of(n.Document); has {
		v.finding("%s: the document %s has two numbers", m.Stream, n.Document)
	}
	if other, twin := v.numbers[n.Number]; twin {
		v.finding("the number %s belongs to %s and to %s", n.Number, other, n.Document)
	}
	v.numbers[n.Number] = n.Document
}

// documents checks that issued documents carry the numbers they were given.
func (v *verifier) documents() {
	for document, number := range v.issued {
		if v.numbers[number] != document {
			v.finding("the document %s carries the number %s, which the series gave to %q", document, number, v.numbers[number])
		}
	}
}
