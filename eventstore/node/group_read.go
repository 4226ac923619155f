package node

import (
	"context"
	"errors"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/group"
)

// groupPageBytes bounds one read for a group.
const groupPageBytes = 4 << 20

// fill reads a little of what there is room for.
func (r *groupRun) fill(ctx context.Context) {
	if from, n := r.state.WantReplay(); n > 0 {
		r.check(ctx, r.fillReplay(ctx, from, min(n, pageEvents)))
		return
	}
	n := min(r.state.Want(), pageEvents)
	if n == 0 || r.end || r.over {
		return
	}
	// What comes between this look and the read wakes the group again.
	r.head = r.e.durable.position()
	read := r.readStream
	if r.c.isAll() {
		read = r.readAll
	}
	page, err := read(ctx, n)
	if err == nil {
		r.state.Add(page)
		r.end = page.Live
	}
	r.check(ctx, err)
}

// check lets consumers go when the source cannot be read.
func (r *groupRun) check(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		r.log.Error("persistent subscription could not read its events", "error", err)
		r.letGo(refusalOf(err, r.c.Stream))
	}
}

func (r *groupRun) readStream(ctx context.Context, n int) (group.Read, error) {
	page := group.Read{Next: r.state.Next()}
	size := 0
	for event, err := range r.e.Stream(ctx, r.c.Stream, Forwards, page.Next, uint64(n)) { //nolint:gosec // It is positive.
		if errors.Is(err, eventstore.ErrStreamDeleted) {
			r.over = true
			break
		}
		if err != nil {
			return page, err
		}
		m, err := r.message(ctx, event, event.Revision)
		if err != nil {
			return page, err
		}
		page.Messages = append(page.Messages, m)
		page.Next = event.Revision + 1
		if size += len(event.Data) + len(event.Metadata); size > groupPageBytes {
			return page, nil
		}
	}
	page.Live = len(page.Messages) < n
	return page, nil
}

func (r *groupRun) readAll(ctx context.Context, n int) (group.Read, error) {
	page := group.Read{Next: r.state.Next()}
	hidden := 0
	scan, err := r.e.ScanAll(ctx, Scan{From: at(page.Next), MaxEvents: n, Match: func(stream, eventType []byte) bool {
		if isHidden(stream) {
			hidden++
			return false
		}
		return r.match(stream, eventType)
	}})
	if err != nil {
		return page, err
	}
	for i := range scan.Events {
		m, err := r.message(ctx, scan.Events[i], scan.Events[i].Position.Commit)
		if err != nil {
			return page, err
		}
		page.Messages = append(page.Messages, m)
	}
	if scan.Scanned > 0 {
		page.Next = scan.Through.Commit + 1
	}
	page.Passed = scan.Scanned - len(scan.Events) - hidden
	page.Live = scan.End
	return page, nil
}

// message makes a message of an event, with what it links to when the group
// resolves links.
func (r *groupRun) message(ctx context.Context, event eventstore.Recorded, place uint64) (*group.Message, error) {
	m := &group.Message{Event: &event, Place: place}
	if !r.c.ResolveLinks || event.Type != linkType {
		return m, nil
	}
	return m, r.resolve(ctx, m)
}

// resolve puts the event that a link names beside it.
func (r *groupRun) resolve(ctx context.Context, m *group.Message) error {
	target, isLink, err := linkTarget(ctx, r.e, m.Event)
	if isLink {
		m.Link, m.Event = m.Event, target
	}
	return err
}

// fillReplay reads parked events, which are links.
func (r *groupRun) fillReplay(ctx context.Context, from uint64, n int) error {
	var list []*group.Message
	to := from + uint64(n) //nolint:gosec // It is positive.
	next := from
	for event, err := range r.e.Stream(ctx, r.c.parkedStream(), Forwards, from, to-from) {
		if err != nil && !errors.Is(err, eventstore.ErrStreamDeleted) {
			return err
		}
		if err != nil || event.Revision >= to {
			break
		}
		m := &group.Message{Event: &event, Place: event.Revision}
		if err := r.resolve(ctx, m); err != nil {
			return err
		}
		list, next = append(list, m), event.Revision+1
	}
	if len(list) == 0 { // Nothing is left there, as far as was asked for.
		next = to
	}
	r.state.AddReplay(list, next)
	return nil
}
