package eventstore_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

// benchMeta is the envelope of an event as most of them have it.
func benchMeta() eventstore.Metadata {
	id := uuid.MustParse("2543a5c3-2a6b-4852-9620-278aba75e97e")
	return eventstore.Metadata{
		Actor:   domain.Actor{Kind: domain.ActorUser, ID: "usr_0c6e3b9a50a14f3e8b5e5a4b2e1f7c90"},
		Account: "acc_0c6e3b9a50a14f3e8b5e5a4b2e1f7c90", CommandID: id, Command: "RenameService",
		RequestHash:   "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		CorrelationID: "req_0c6e3b9a50a14f3e8b5e5a4b2e1f7c90", CausationID: id.String(),
		Schema: 1, OccurredAt: time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC),
	}
}

func BenchmarkMetadataIsRead(b *testing.B) {
	codec, err := eventstore.NewCodec(eventstore.LogTypes()...)
	if err != nil {
		b.Fatal(err)
	}
	id := uuid.New()
	e, err := codec.Encode(b.Context(), eventstore.LogStream, id, eventstore.LogStarted{LogID: id}, benchMeta())
	if err != nil {
		b.Fatal(err)
	}
	r := eventstore.Recorded{ID: id, Stream: eventstore.LogStream, Type: e.Type, Data: e.Data, Metadata: e.Metadata}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := eventstore.MetaOf(r); err != nil {
			b.Fatal(err)
		}
	}
}
