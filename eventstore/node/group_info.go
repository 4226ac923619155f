package node

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
)

// info describes the group.
func (r *groupRun) info(ctx context.Context) (info *persistent.SubscriptionInfo, err error) {
	var known uint64 // one after the last place
	if r.c.isAll() {
		known = r.e.durable.position() + 1
	} else if known, err = nextRevision(ctx, r.e, r.c.Stream); err != nil {
		return nil, err
	}
	err = r.do(ctx, func() { info = r.describe(known) })
	return info, err
}

func (r *groupRun) describe(known uint64) *persistent.SubscriptionInfo {
	n := r.state.Counts()
	c := &r.c
	info := &persistent.SubscriptionInfo{
		EventSource: c.Stream, GroupName: c.Group, StartFrom: c.startText(),
		ResolveLinkTos: c.ResolveLinks, ExtraStatistics: c.ExtraStatistics,
		MessageTimeoutMilliseconds: c.TimeoutMS, MaxRetryCount: c.MaxRetries,
		LiveBufferSize: c.LiveBuffer, BufferSize: c.HistoryBuffer, ReadBatchSize: c.ReadBatch,
		CheckPointAfterMilliseconds: c.CheckpointMS, MinCheckPointCount: c.MinCheckpoint, MaxCheckPointCount: c.MaxCheckpoint,
		MaxSubscriberCount: c.MaxConsumers, NamedConsumerStrategy: string(c.ConsumerStrategy),
		RetryBufferCount: count(n.Retrying), OutstandingMessagesCount: count(n.Held), TotalInFlightMessages: count(n.Held),
		ParkedMessageCount: int64(min(n.Parked, math.MaxInt64)),
	}
	if place, ok := r.state.Last(); ok {
		info.LastCheckpointedEventPosition = c.placeText(place)
	}
	if known > 0 {
		info.LastKnownEventPosition = c.placeText(known - 1)
	}
	live := n.Live || r.state.Next() >= known
	var flags []string
	if live {
		info.LiveBufferCount = int64(n.Buffered)
	} else {
		flags = append(flags, "Behind")
		info.ReadBufferCount = count(n.Buffered)
	}
	if n.Replaying {
		flags = append(flags, "ReplayingParkedMessages")
	}
	if live {
		flags = append(flags, "Live")
	}
	info.Status = strings.Join(flags, ", ")
	for _, o := range r.outlets {
		connection := o.describe(r.e.o.Clock())
		info.Connections = append(info.Connections, connection)
		info.TotalItems += connection.GetTotalItems()
		info.AveragePerSecond += connection.GetAverageItemsPerSecond()
		info.CountSinceLastMeasurement += connection.GetCountSinceLastMeasurement()
	}
	slices.SortFunc(info.Connections, func(a, b *persistent.SubscriptionInfo_ConnectionInfo) int {
		return strings.Compare(a.GetFrom(), b.GetFrom())
	})
	return info
}

// describe describes a consumer, and begins a new measurement.
func (o *outlet) describe(now time.Time) *persistent.SubscriptionInfo_ConnectionInfo {
	c := &persistent.SubscriptionInfo_ConnectionInfo{
		From: o.from, Username: o.user, ConnectionName: o.name,
		TotalItems: int64(o.Total), CountSinceLastMeasurement: int64(o.Total - o.measured),
		AvailableSlots: count(o.Size - o.InFlight), InFlightMessages: count(o.InFlight),
	}
	if d := now.Sub(o.measuredAt); d > 0 {
		c.AverageItemsPerSecond = count(int(float64(c.GetCountSinceLastMeasurement()) / d.Seconds()))
	}
	o.measured, o.measuredAt = o.Total, now
	for _, m := range o.took.measurements() {
		c.ObservedMeasurements = append(c.ObservedMeasurements, &persistent.SubscriptionInfo_Measurement{Key: m.key, Value: m.ms})
	}
	return c
}

func count(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }
