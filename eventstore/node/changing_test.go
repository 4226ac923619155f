package node_test

import (
	"sync"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A client that hears UNAVAILABLE drops its connection and every call on it.
func TestGroupsUnderChangeAreNeverUnavailable(t *testing.T) {
	t.Parallel()
	c := startCompeting(t)
	c.group("s", "stays", client.Start{}, nil)
	c.group("s", "goes", client.Start{}, nil)
	never := func(err error, allowed ...codes.Code) {
		for _, code := range append(allowed, codes.OK) {
			if status.Code(err) == code {
				return
			}
		}
		t.Errorf("it answered %v", err)
	}
	changed := make(chan struct{})
	var asking sync.WaitGroup
	ask := func(f func()) {
		asking.Go(func() {
			for {
				select {
				case <-changed:
					return
				default:
					f()
				}
			}
		})
	}
	for _, name := range []string{"stays", "goes"} {
		ask(func() {
			_, err := c.raw.GetInfo(c.ctx, &persistent.GetInfoReq{Options: &persistent.GetInfoReq_Options{
				StreamOption: &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: identifier("s")}, GroupName: name,
			}})
			never(err, codes.NotFound)
		})
		ask(func() {
			call, err := c.raw.Read(c.ctx)
			never(err)
			never(call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
				StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: identifier("s")},
				GroupName:    name, BufferSize: 10,
				UuidOption: &persistent.ReadReq_Options_UUIDOption{Content: &persistent.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
			}}}))
			_, err = call.Recv()
			never(err, codes.NotFound, codes.Canceled)
			never(call.CloseSend())
			for err == nil {
				_, err = call.Recv()
			}
		})
	}
	ask(func() {
		list, err := c.raw.List(c.ctx, &persistent.ListReq{Options: &persistent.ListReq_Options{
			ListOption: &persistent.ListReq_Options_ListAllSubscriptions{ListAllSubscriptions: &shared.Empty{}},
		}})
		never(err)
		if len(list.GetSubscriptions()) == 0 {
			t.Error("the list is empty")
		}
	})
	for range 20 {
		err := c.go4.UpdatePersistentSubscription(c.ctx, "s", "stays", client.PersistentStreamSubscriptionOptions{StartFrom: client.Start{}, Settings: settings(nil)})
		if err != nil {
			t.Error(err)
		}
		if err := c.go4.DeletePersistentSubscription(c.ctx, "s", "goes", client.DeletePersistentSubscriptionOptions{}); err != nil {
			t.Error(err)
		}
		c.group("s", "goes", client.Start{}, nil)
	}
	close(changed)
	asking.Wait()
}
