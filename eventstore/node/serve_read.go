package node

import (
	"cmp"
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/hostfold/hostfold/eventstore"
)

// reading is one Read call: its request in our terms, and where frames go.
type reading struct {
	e       *Engine
	auth    *authority
	to      streams.Streams_ReadServer
	o       *streams.ReadReq_Options
	stream  string // "" for all
	textIDs bool
	links   bool
}

// Read answers count reads and subscriptions.
func (s *streamsService) Read(in *streams.ReadReq, to streams.Streams_ReadServer) error {
	if _, subscribe := in.GetOptions().GetCountOption().(*streams.ReadReq_Options_Subscription); subscribe {
		followed, leave := s.e.follow(to)
		defer leave()
		to = followed
	}
	r := &reading{e: s.e, auth: s.auth, to: to, o: in.GetOptions()}
	err := r.check()
	if err == nil {
		err = s.auth.may(to.Context(), rightRead, cmp.Or(r.stream, "$all"))
	}
	if err != nil {
		return end(to, err)
	}
	_, subscribe := r.o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	switch {
	case subscribe:
		err = r.subscribe(s.stopping)
	case r.stream != "":
		err = r.countStream()
	default:
		err = r.countAll()
	}
	if err != nil {
		return end(to, refusalOf(err, r.stream))
	}
	return nil
}

// check refuses what cannot be asked.
func (r *reading) check() error {
	switch r.o.GetUuidOption().GetContent().(type) {
	case *streams.ReadReq_Options_UUIDOption_String_:
		r.textIDs = true
	case *streams.ReadReq_Options_UUIDOption_Structured:
	default:
		return invalid("'UuidOption' is a required argument.")
	}
	r.links = r.o.GetResolveLinks()
	_, subscribe := r.o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	_, filtered := r.o.GetFilterOption().(*streams.ReadReq_Options_Filter)
	backwards := r.o.GetReadDirection() == streams.ReadReq_Options_Backwards
	switch x := r.o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		r.stream = string(x.Stream.GetStreamIdentifier().GetStreamName())
		if err := checkStream(r.stream); err != nil {
			return refusalOf(err, r.stream)
		}
	case *streams.ReadReq_Options_All:
	default:
		return invalid("'StreamOption' is a required argument.")
	}
	if r.o.GetCountOption() == nil {
		return invalid("'CountOption' is a required argument.")
	}
	if r.stream != "" && filtered || subscribe && backwards {
		return invalid("The combination of (%T, %T, %s, %T) is invalid.",
			r.o.GetStreamOption(), r.o.GetCountOption(), r.o.GetReadDirection(), r.o.GetFilterOption())
	}
	return nil
}

func (r *reading) direction() Direction {
	return Direction(r.o.GetReadDirection() == streams.ReadReq_Options_Backwards)
}

// firstPage is how many revisions the store looks at first; clients are told
// where a stream begins when there is nothing among them.
const firstPage = 50

// countStream sends a part of one stream.
func (r *reading) countStream() error {
	from, none, err := r.fromRevision()
	if err != nil {
		return err
	}
	span, through, err := r.e.spanNow(r.to.Context(), r.stream)
	switch {
	case err != nil:
		return err
	case span.deleted:
		return eventstore.ErrStreamDeleted
	case !span.found():
		return r.to.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.stream)},
		}}})
	}
	if err := r.sendFirst(span, from); err != nil {
		return err
	}
	if !none {
		part := &streamRead{stream: r.stream, direction: r.direction(), next: from, left: r.o.GetCount(), through: through, span: &span}
		for event, err := range r.e.readStream(r.to.Context(), part) {
			if err != nil {
				return err
			}
			if err := r.send(&event); err != nil {
				return err
			}
		}
	}
	if !r.sendsEnds() {
		return nil
	}
	return r.to.Send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: span.last}})
}

// sendsEnds reports whether the client knows the frames that tell where a
// stream begins and ends. Older ones panic on them.
func (r *reading) sendsEnds() bool { return r.o.GetControlOption().GetCompatibility() > 0 }

// sendFirst tells where there is something to read, when there is nothing
// where the client begins.
func (r *reading) sendFirst(s span, from uint64) error {
	next := s.next(from)
	page := min(r.o.GetCount(), firstPage)
	if !r.sendsEnds() || r.direction() == Backwards || next == from || next <= s.last && next-from < page {
		return nil
	}
	return r.to.Send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: next}})
}

// fromRevision is where a count read begins; none says that nothing is there.
func (r *reading) fromRevision() (from uint64, none bool, err error) {
	switch x := r.o.GetStream().GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Start:
		return 0, false, nil
	case *streams.ReadReq_Options_StreamOptions_End:
		return math.MaxUint64, r.direction() == Forwards, nil
	case *streams.ReadReq_Options_StreamOptions_Revision:
		if x.Revision == math.MaxUint64 {
			return math.MaxUint64, r.direction() == Forwards, nil
		}
		if x.Revision > math.MaxInt64 {
			return 0, false, invalid("Invalid stream revision %d", x.Revision)
		}
		return x.Revision, false, nil
	default:
		return 0, false, invalid("'RevisionOption' is a required argument.")
	}
}

// countAll sends a part of the log, as it is now.
func (r *reading) countAll() error {
	ctx := r.to.Context()
	matches, err := matchOf(r.o.GetFilter())
	if err != nil {
		return err
	}
	from, none, err := r.fromPosition()
	if err != nil || none {
		return err
	}
	head, err := r.e.Head(ctx)
	if err != nil {
		return err
	}
	scan := Scan{From: from, Direction: r.direction(), Match: matches}
	for left := r.o.GetCount(); left > 0; {
		scan.MaxEvents = int(min(left, pageEvents))
		page, err := r.e.ScanAll(ctx, scan)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if head.Before(page.Events[i].Position) {
				if scan.Direction == Forwards {
					return nil
				}
				continue
			}
			if err := r.send(&page.Events[i]); err != nil {
				return err
			}
			left--
		}
		if page.End || scan.Direction == Forwards && !page.Through.Before(head) {
			return nil
		}
		scan.From = page.Through
		if scan.Direction == Forwards {
			scan.From = at(nextAfter(page.Through))
		}
	}
	return nil
}

// fromPosition is where a count read of the log begins.
func (r *reading) fromPosition() (from eventstore.Position, none bool, err error) {
	backwards := r.direction() == Backwards
	switch x := r.o.GetAll().GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Start:
		return eventstore.Start, backwards, nil
	case *streams.ReadReq_Options_AllOptions_End:
		return End, !backwards, nil
	case *streams.ReadReq_Options_AllOptions_Position:
		p := eventstore.Position{Commit: x.Position.GetCommitPosition(), Prepare: x.Position.GetPreparePosition()}
		if p == End {
			return End, !backwards, nil
		}
		if p.Commit > math.MaxInt64 || p.Prepare > math.MaxInt64 {
			return p, false, invalid("Invalid position %s", p)
		}
		return p, false, nil
	default:
		return from, false, invalid("'AllOption' is a required argument.")
	}
}

// send sends one event, with what it links to when the client asked for that.
func (r *reading) send(event *eventstore.Recorded) error {
	frame := &streams.ReadResp_ReadEvent{
		Event:    wireEvent(event, r.textIDs),
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: event.Position.Commit},
	}
	if r.links && event.Type == linkType {
		target, isLink, err := r.target(event)
		if err != nil {
			return err
		}
		if isLink {
			frame.Link, frame.Event = frame.Event, nil
		}
		if target != nil {
			frame.Event = wireEvent(target, r.textIDs)
		}
	}
	return r.to.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: frame}})
}

// target finds the event that a link names; nil when it is gone or hidden, or
// when it is none of the caller's business.
func (r *reading) target(link *eventstore.Recorded) (_ *eventstore.Recorded, isLink bool, err error) {
	_, stream, ok := parseLink(link.Data)
	if !ok {
		return nil, false, nil
	}
	if err := r.auth.may(r.to.Context(), rightRead, stream); err != nil {
		if errors.Is(err, errAccessDenied) {
			return nil, true, nil
		}
		return nil, true, err
	}
	return linkTarget(r.to.Context(), r.e, link)
}
