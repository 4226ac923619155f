package node

import (
	"context"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// subscribe sends events as they come, until the client or the server ends
// it. Nothing is kept for a slow client: it is simply read later for it.
func (r *reading) subscribe(stopping context.Context) error {
	ctx, cancel := context.WithCancelCause(r.to.Context())
	defer cancel(nil)
	defer context.AfterFunc(stopping, func() { cancel(errNotReady) })()
	follow := r.followAll
	if r.stream != "" {
		follow = r.followStream
	}
	err := follow(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// confirm is always the first frame; the Go client waits for it.
func (r *reading) confirm() error {
	id, err := uuid.NewRandom() //nolint:forbidigo // It names the subscription to its client only.
	if err != nil {
		return err
	}
	return r.to.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: id.String()},
	}})
}

func (r *reading) caughtUp() error {
	return r.to.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

// followStream follows one stream, which need not exist. Its metadata hide
// what was there before, not what comes; a tombstone ends it.
func (r *reading) followStream(ctx context.Context) error {
	next, err := r.nextRevision()
	if err != nil {
		return err
	}
	span, through, err := r.e.spanNow(ctx, r.stream)
	if err != nil {
		return err
	}
	if err := r.confirm(); err != nil {
		return err
	}
	if next == NoLimit && !span.deleted {
		next = span.last + 1 // NoRevision, the largest number, gives 0.
	}
	history := &streamRead{stream: r.stream, next: next, left: NoLimit, through: through, span: &span}
	if err := r.forward(ctx, history); err != nil {
		return err
	}
	next = max(next, span.last+1)
	if err := r.caughtUp(); err != nil {
		return err
	}
	for {
		head, err := r.e.WaitHead(ctx, at(through))
		if err != nil {
			return err
		}
		through = head.Commit
		live := &streamRead{stream: r.stream, next: next, left: NoLimit, through: through, span: everything()}
		if err := r.forward(ctx, live); err != nil {
			return err
		}
		next = live.next
	}
}

// forward sends all that a read yields.
func (r *reading) forward(ctx context.Context, part *streamRead) error {
	for event, err := range r.e.readStream(ctx, part) {
		if err != nil {
			return err
		}
		if err := r.send(&event); err != nil {
			return err
		}
	}
	return nil
}

// nextRevision is the first revision a subscription gets, NoLimit for the end:
// the one given is what the client has already.
func (r *reading) nextRevision() (uint64, error) {
	switch x := r.o.GetStream().GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Start:
		return 0, nil
	case *streams.ReadReq_Options_StreamOptions_Revision:
		if x.Revision <= math.MaxInt64 {
			return x.Revision + 1, nil
		}
		if x.Revision != math.MaxUint64 {
			return 0, invalid("Invalid stream revision %d", x.Revision)
		}
		return NoLimit, nil
	case *streams.ReadReq_Options_StreamOptions_End:
		return NoLimit, nil
	default:
		return 0, invalid("'RevisionOption' is a required argument.")
	}
}

// followAll follows the log. With a filter it says now and then how far it has
// come over events that did not match.
func (r *reading) followAll(ctx context.Context) error {
	matches, err := matchOf(r.o.GetFilter())
	if err != nil {
		return err
	}
	interval, err := checkpointInterval(r.o.GetFilter())
	if err != nil {
		return err
	}
	through, err := r.afterPosition(ctx)
	if err != nil {
		return err
	}
	if err := r.confirm(); err != nil {
		return err
	}
	told := through // the last checkpoint
	checkpoint := func() error {
		if !told.Before(through) {
			return nil
		}
		told = through
		return r.to.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{
			CommitPosition: through.Commit, PreparePosition: through.Prepare,
		}}})
	}
	considered := 0 // since the last checkpoint that was due
	for live := false; ; {
		scan := Scan{From: at(nextAfter(through)), Match: matches}
		if interval > 0 {
			scan.MaxScanned = min(interval-considered, pageScanned)
		}
		page, err := r.e.ScanAll(ctx, scan)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if err := r.send(&page.Events[i]); err != nil {
				return err
			}
		}
		if through.Before(page.Through) && page.Scanned > 0 {
			through = page.Through
		}
		if considered += page.Scanned; interval > 0 && considered >= interval {
			considered = 0
			if err := checkpoint(); err != nil {
				return err
			}
		}
		if !page.End {
			continue
		}
		if !live {
			live = true
			if interval > 0 {
				if err := checkpoint(); err != nil {
					return err
				}
			}
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
		if _, err := r.e.WaitHead(ctx, through); err != nil {
			return err
		}
	}
}

// afterPosition is what a subscription to the log has behind it.
func (r *reading) afterPosition(ctx context.Context) (eventstore.Position, error) {
	switch x := r.o.GetAll().GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Start:
		return eventstore.Start, nil
	case *streams.ReadReq_Options_AllOptions_Position:
		p := eventstore.Position{Commit: x.Position.GetCommitPosition(), Prepare: x.Position.GetPreparePosition()}
		if p == End {
			return r.e.Head(ctx)
		}
		if p.Commit > math.MaxInt64 || p.Prepare > math.MaxInt64 {
			return p, invalid("Invalid position %s", p)
		}
		return p, nil
	case *streams.ReadReq_Options_AllOptions_End:
		return r.e.Head(ctx)
	default:
		return eventstore.Start, invalid("'AllOption' is a required argument.")
	}
}
