package node_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hostfold/hostfold/eventstore"
)

func TestCase15AThousandBatchesSentAhead(t *testing.T) {
	g := begin(t)
	const n = 1000
	b := g.batches()
	sent := map[string]bool{}
	go func() {
		for i := range n {
			b.send(fmt.Sprintf("%036d", i), toAny(fmt.Sprint("s-", i%10)), true, event(i))
		}
	}()
	for range n {
		resp := b.answer()
		if resp.GetSuccess().GetPosition().GetCommitPosition() == 0 {
			g.Fatalf("answered %v", resp)
		}
		sent[resp.GetCorrelationId().GetString_()] = true
	}
	if len(sent) != n {
		g.Errorf("%d batches answered, want %d", len(sent), n)
	}
	if got := g.read("s-3", client.ReadStreamOptions{}, 1000); len(got) != n/10 {
		g.Errorf("%d events in a stream, want %d", len(got), n/10)
	}
}

func TestCase16ABatchAtAWrongVersion(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(3)...)
	b := g.batches()
	b.send(uuid.NewString(), toNoStream("s"), true, event(0))
	var wrong shared.WrongExpectedVersion
	b.failed(b.answer(), codes.AlreadyExists, "WrongExpectedVersion", &wrong)
	if wrong.GetCurrentStreamRevision() != 2 || wrong.GetExpectedNoStream() == nil {
		g.Errorf("detail %v", &wrong)
	}
	b.send(uuid.NewString(), &streams.BatchAppendReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: 7},
	}, true, event(0))
	b.failed(b.answer(), codes.AlreadyExists, "WrongExpectedVersion", &wrong)
	if wrong.GetExpectedStreamPosition() != 7 {
		g.Errorf("detail %v", &wrong)
	}
}

func TestCase17ABatchInChunks(t *testing.T) {
	g := begin(t)
	b := g.batches()
	list, id := events(6), uuid.NewString()
	b.send(id, toNoStream("s"), false, list[:2]...)
	b.send(id, nil, false, list[2:5]...)
	g.isMissing("s")
	b.send(id, nil, true, list[5:]...)
	if r := b.answer(); r.GetSuccess().GetCurrentRevision() != 5 || r.GetCorrelationId().GetString_() != id || r.GetNoStream() == nil {
		g.Fatalf("answered %v", r)
	}
	if diff := cmp.Diff([]uint64{0, 1, 2, 3, 4, 5}, numbers(g.read("s", client.ReadStreamOptions{}, 10))); diff != "" {
		g.Error(diff)
	}
}

func TestCase18ABatchWhoseDeadlineHasPassed(t *testing.T) {
	g := begin(t)
	b := g.batches()
	o := toAny("s")
	o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: timestamppb.New(time.Now().Add(-time.Second))}
	big := event(0)
	big.Data = make([]byte, 2<<20) // The deadline comes before the size.
	b.send(uuid.NewString(), o, true, big)
	b.failed(b.answer(), codes.DeadlineExceeded, "Timeout", &shared.Timeout{})
	o = toAny("s")
	o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(0)}
	b.send(uuid.NewString(), o, true, event(0))
	b.failed(b.answer(), codes.DeadlineExceeded, "Timeout", &shared.Timeout{})
	g.isMissing("s")
}

func TestCase19ABatchOverTheLimit(t *testing.T) {
	g := begin(t)
	b := g.batches()
	big := event(0)
	big.Data = bytes.Repeat([]byte("x"), 600_000)
	id := uuid.NewString()
	b.send(id, toAny("s"), false, big)
	b.send(id, nil, false, event(1), big)
	b.send(id, nil, true, event(2))
	var detail shared.MaximumAppendSizeExceeded
	b.failed(b.answer(), codes.InvalidArgument, "MaximumAppendSizeExceeded", &detail)
	if detail.GetMaxAppendSize() != eventstore.MaxAppendSize {
		g.Errorf("detail %v", &detail)
	}
	b.send(uuid.NewString(), toNoStream("other"), true, event(0))
	if r := b.answer(); r.GetSuccess() == nil {
		g.Fatalf("the call did not go on: %v", r)
	}
	g.isMissing("s")
}

func TestCase20ABatchedEventWithoutType(t *testing.T) {
	g := begin(t)
	b := g.batches()
	m := &streams.BatchAppendReq{
		CorrelationId: &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}}, Options: toAny("s"), IsFinal: true,
		ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{{Id: proposed(event(0)).GetId()}},
	}
	if err := b.call.Send(m); err != nil {
		g.Fatal(err)
	}
	b.failed(b.answer(), codes.InvalidArgument, "BadRequest", &shared.BadRequest{})
}
