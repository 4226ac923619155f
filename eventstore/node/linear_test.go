package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// attempt is one operation on one stream: an append of one event, or a read of
// the whole stream when the id is nil.
type attempt struct {
	stream   string
	expected int64 // the last revision, -1 for no stream, -2 for any
	id       uuid.UUID
}

// outcome is what an attempt was answered. A read answers ids; an append the
// event's revision, or the stream's last one when it was refused.
type outcome struct {
	refused  bool
	revision int64
	ids      []uuid.UUID
}

// register is a stream as one thing that takes one operation at a time.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, o := range history {
			name := o.Input.(attempt).stream
			by[name] = append(by[name], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return []uuid.UUID(nil) },
	Step: func(state, input, output any) (bool, any) {
		held, in, out := state.([]uuid.UUID), input.(attempt), output.(outcome)
		last := int64(len(held)) - 1
		if in.id == uuid.Nil {
			return slices.Equal(held, out.ids), state
		}
		known := int64(slices.Index(held, in.id))
		switch {
		case in.expected == -2 && known >= 0, in.expected >= -1 && in.expected < last && held[in.expected+1] == in.id:
			return !out.refused && out.revision == known, state
		case in.expected == -2 || in.expected == last:
			return !out.refused && out.revision == last+1, append(slices.Clip(held), in.id)
		default:
			return out.refused && out.revision == last, state
		}
	},
	Equal: func(a, b any) bool { return slices.Equal(a.([]uuid.UUID), b.([]uuid.UUID)) },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v: %+v", input, output)
	},
}

// performer carries attempts out.
type performer func(context.Context, attempt) (outcome, error)

func TestAStreamIsLinearizable(t *testing.T) {
	t.Parallel()
	t.Run("called in process", func(t *testing.T) {
		t.Parallel()
		e := open(t, t.TempDir(), node.Options{})
		linearizable(t, func(ctx context.Context, a attempt) (outcome, error) { return inProcess(ctx, e, a) })
	})
	t.Run("through the official client", func(t *testing.T) {
		t.Parallel()
		c := start(t, node.ServeOptions{}).go4
		linearizable(t, func(ctx context.Context, a attempt) (outcome, error) { return throughClient(ctx, c, a) })
	})
}

// linearizable lets clients append to and read the same few streams at once,
// repeats included, and checks that all answers fit one order.
func linearizable(t *testing.T, perform performer) {
	t.Helper()
	const clients, operations, names = 8, 120, 3
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var clock atomic.Int64
	var mu sync.Mutex
	var history []porcupine.Operation
	var work sync.WaitGroup
	for c := range clients {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			last := map[string]int64{}
			var done []attempt
			for range operations {
				a := attempt{stream: fmt.Sprintf("linear-%d", rng.IntN(names))}
				guess, known := last[a.stream]
				switch kind := rng.IntN(8); {
				case kind < 2: // a read
				case kind == 2 && len(done) > 0:
					a = done[rng.IntN(len(done))] // a repeat
				case kind == 3:
					a.id, a.expected = drawID(rng), -2
				case known:
					a.id, a.expected = drawID(rng), guess
				default:
					a.id, a.expected = drawID(rng), -1
				}
				call := clock.Add(1)
				out, err := perform(t.Context(), a)
				if err != nil {
					t.Errorf("%+v: %v", a, err)
					return
				}
				returned := clock.Add(1)
				last[a.stream] = out.revision
				if a.id == uuid.Nil {
					last[a.stream] = int64(len(out.ids)) - 1
				} else if !out.refused {
					done = append(done, a)
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: c, Input: a, Call: call, Output: out, Return: returned})
				mu.Unlock()
			}
		})
	}
	work.Wait()
	if verdict, _ := porcupine.CheckOperationsVerbose(register, history, time.Minute); verdict != porcupine.Ok {
		t.Errorf("%d operations have no order: %s", len(history), verdict)
	}
}

func drawID(rng *rand.Rand) (id uuid.UUID) {
	for i := range id {
		id[i] = byte(rng.Uint32())
	}
	return id
}

func inProcess(ctx context.Context, e *node.Engine, a attempt) (outcome, error) {
	var out outcome
	if a.id == uuid.Nil {
		for r, err := range e.ReadStream(ctx, a.stream, 0) {
			if err != nil {
				return out, err
			}
			out.ids = append(out.ids, r.ID)
		}
		return out, nil
	}
	expected := node.Any()
	switch {
	case a.expected == -1:
		expected = node.NoStream()
	case a.expected >= 0:
		expected = node.Revision(uint64(a.expected))
	}
	done, err := e.AppendExpecting(ctx, a.stream, expected, []eventstore.NewEvent{{ID: a.id, Type: "t", Data: []byte(`{}`)}})
	if wrong, ok := errors.AsType[*eventstore.WrongRevisionError](err); ok {
		return outcome{refused: true, revision: int64(wrong.Actual)}, nil // -1 is NoRevision
	}
	return outcome{revision: int64(done.Revision)}, err
}

func throughClient(ctx context.Context, c *client.Client, a attempt) (outcome, error) {
	var out outcome
	if a.id == uuid.Nil {
		r, err := c.ReadStream(ctx, a.stream, client.ReadStreamOptions{From: client.Start{}}, 1<<20)
		if err != nil {
			return out, err
		}
		defer r.Close()
		for {
			e, err := r.Recv()
			if failure, ok := errors.AsType[*client.Error](err); errors.Is(err, io.EOF) || ok && failure.Code() == client.ErrorCodeResourceNotFound {
				return out, nil
			}
			if err != nil {
				return out, err
			}
			out.ids = append(out.ids, e.Event.EventID)
		}
	}
	var options client.AppendToStreamOptions
	switch {
	case a.expected == -1:
		options.ExpectedRevision = client.NoStream{}
	case a.expected >= 0:
		options.ExpectedRevision = client.Revision(uint64(a.expected))
	default:
		options.ExpectedRevision = client.Any{}
	}
	done, err := c.AppendToStream(ctx, a.stream, options, client.EventData{EventID: a.id, EventType: "t", ContentType: client.ContentTypeJson, Data: []byte(`{}`)})
	if failure, ok := errors.AsType[*client.Error](err); ok && failure.Code() == client.ErrorCodeWrongExpectedVersion {
		return outcome{refused: true, revision: lastIn(failure.Error())}, nil
	}
	if err != nil {
		return out, err
	}
	return outcome{revision: int64(done.NextExpectedVersion)}, nil
}

// lastIn finds the stream's last revision in a refusal's text, where alone the
// client tells it; -1 for no stream.
func lastIn(text string) int64 {
	_, last, _ := strings.Cut(text, "but got '")
	last, _, _ = strings.Cut(last, "'")
	if r, err := strconv.ParseInt(last, 10, 64); err == nil {
		return r
	}
	return -1
}
