package esdb_test

import (
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/hostfold/hostfold/eventstore"
)

// endless is a server whose log grows as fast as it is read.
type endless struct {
	streams.UnimplementedStreamsServer
	serverfeatures.UnimplementedServerFeaturesServer
}

func (endless) Read(in *streams.ReadReq, out streams.Streams_ReadServer) error {
	const end = 1000
	at, last := uint64(1), ^uint64(0)
	if in.GetOptions().GetReadDirection() == streams.ReadReq_Options_Backwards {
		at, last = end, end
	}
	for ; at <= last; at++ {
		err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
			Event: &streams.ReadResp_ReadEvent_RecordedEvent{
				Id:               &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}},
				StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("s")}, StreamRevision: at,
				CommitPosition: at, PreparePosition: at,
				Metadata: map[string]string{"type": "x", "content-type": "application/json", "created": "0"},
			},
		}}})
		if err != nil {
			return err
		}
	}
	return nil
}

func TestReadAllEndsWhereTheLogEnded(t *testing.T) {
	t.Parallel()
	s := open(t, "esdb://"+serve(t, func(server *grpc.Server) {
		streams.RegisterStreamsServer(server, endless{})
		serverfeatures.RegisterServerFeaturesServer(server, endless{})
	})+"?tls=false")
	count := 0
	for _, err := range s.ReadAll(within(t, 20*time.Second), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != 1000 {
		t.Errorf("%d events were read, want 1000", count)
	}
}
