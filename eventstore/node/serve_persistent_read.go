package node

import (
	"context"
	"errors"
	"io"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/group"
)

// maxConsumerBuffer bounds the unfinished events of one consumer.
const maxConsumerBuffer = 1 << 20

// consumer is one Read call.
type consumer struct {
	in      persistent.PersistentSubscriptions_ReadServer
	r       *groupRun
	o       *outlet
	textIDs bool
}

// Read connects a consumer to a group, until one of the two has enough.
func (s *persistentService) Read(in persistent.PersistentSubscriptions_ReadServer) error {
	first, err := in.Recv()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return end(in, invalid("'Options' is a required argument."))
		}
		return err
	}
	o := first.GetOptions()
	stream := sourceOf(o.GetStreamIdentifier(), o.GetAll() != nil)
	if err := s.consume(in, o, stream); err != nil {
		return end(in, refusalOf(err, stream))
	}
	return nil
}

func (s *persistentService) consume(in persistent.PersistentSubscriptions_ReadServer, o *persistent.ReadReq_Options, stream string) error {
	if o == nil {
		return invalid("'Options' is a required argument.")
	}
	if err := s.mayConsume(in.Context(), stream); err != nil {
		return err
	}
	if s.g.find(stream, o.GetGroupName()) == nil {
		return noGroup(stream, o.GetGroupName())
	}
	if o.GetBufferSize() <= 0 || o.GetBufferSize() > maxConsumerBuffer {
		return invalid("The buffer size must be between 1 and %d, it is %d.", maxConsumerBuffer, o.GetBufferSize())
	}
	_, text := o.GetUuidOption().GetContent().(*persistent.ReadReq_Options_UUIDOption_String_)
	c := &consumer{in: in, textIDs: text}
	c.o = newOutlet(int(o.GetBufferSize()), fromOf(in.Context()), userOf(in.Context()), connectionName(in.Context()))
	// From here on the group may fill the outlet; it is emptied only after the
	// confirmation, which clients wait for.
	err := s.g.with(in.Context(), stream, o.GetGroupName(), func(r *groupRun) error {
		c.r = r
		var full error
		err := r.do(in.Context(), func() { full = r.join(c.o) })
		return errorOr(err, full)
	})
	if err != nil {
		return err
	}
	return c.run(s.stopping)
}

// run sends what the group gives out, until one of the two leaves.
func (c *consumer) run(stopping context.Context) error {
	ctx, cancel := context.WithCancelCause(c.in.Context())
	defer cancel(nil)
	defer context.AfterFunc(stopping, func() { cancel(errNotReady) })()
	defer func() { _ = c.r.do(context.WithoutCancel(ctx), func() { c.r.leave(c.o) }) }()
	err := c.in.Send(&persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: c.r.c.key()},
	}})
	if err != nil {
		return err
	}
	received := make(chan error, 1)
	go func() { received <- c.receive(ctx) }() // It ends with the call.
	for {
		select {
		case <-c.o.filled:
			for _, d := range c.o.take() {
				if err := c.in.Send(c.frame(d)); err != nil {
					return err
				}
			}
		case <-c.o.ended:
			return c.o.err
		case err := <-received:
			select {
			case <-c.o.ended:
				return c.o.err
			default:
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// receive takes the consumer's answers until it half-closes.
func (c *consumer) receive(ctx context.Context) error {
	for {
		m, err := c.in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var f func()
		now := c.r.e.o.Clock()
		switch x := m.GetContent().(type) {
		case *persistent.ReadReq_Ack_:
			ids := idsOf(x.Ack.GetIds())
			f = func() { c.r.state.Ack(&c.o.Consumer, now, ids...) }
		case *persistent.ReadReq_Nack_:
			ids, action, reason := idsOf(x.Nack.GetIds()), actionOf(x.Nack.GetAction()), x.Nack.GetReason()
			f = func() { c.r.state.Nack(&c.o.Consumer, now, action, reason, ids...) }
		default:
			return invalid("'Ack' or 'Nack' is a required argument.")
		}
		if err := c.r.post(ctx, f); err != nil {
			return err
		}
	}
}

func idsOf(list []*shared.UUID) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(list))
	for _, u := range list {
		if id, ok := idOf(u); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func actionOf(a persistent.ReadReq_Nack_Action) group.Action {
	switch a {
	case persistent.ReadReq_Nack_Park:
		return group.Park
	case persistent.ReadReq_Nack_Skip:
		return group.Skip
	case persistent.ReadReq_Nack_Stop:
		return group.Stop
	case persistent.ReadReq_Nack_Unknown, persistent.ReadReq_Nack_Retry:
	}
	return group.Retry
}

// frame is an event in the protocol's form.
func (c *consumer) frame(d group.Delivery) *persistent.ReadResp {
	return &persistent.ReadResp{Content: &persistent.ReadResp_Event{Event: &persistent.ReadResp_ReadEvent{
		Event:    c.event(d.Message.Event),
		Link:     c.event(d.Message.Link),
		Position: &persistent.ReadResp_ReadEvent_CommitPosition{CommitPosition: d.Message.Original().Position.Commit},
		Count:    &persistent.ReadResp_ReadEvent_RetryCount{RetryCount: count(d.Retries)},
	}}}
}

func (c *consumer) event(r *eventstore.Recorded) *persistent.ReadResp_ReadEvent_RecordedEvent {
	if r == nil {
		return nil
	}
	e := wireEvent(r, c.textIDs)
	return &persistent.ReadResp_ReadEvent_RecordedEvent{
		Id: e.GetId(), StreamIdentifier: e.GetStreamIdentifier(), StreamRevision: e.GetStreamRevision(),
		CommitPosition: e.GetCommitPosition(), PreparePosition: e.GetPreparePosition(),
		Metadata: e.GetMetadata(), CustomMetadata: e.GetCustomMetadata(), Data: e.GetData(),
	}
}

func fromOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

// connectionName is what a client calls itself.
func connectionName(ctx context.Context) string {
	if names := metadata.ValueFromIncomingContext(ctx, "connection-name"); len(names) > 0 && names[0] != "" {
		return names[0]
	}
	return "<unknown>"
}
