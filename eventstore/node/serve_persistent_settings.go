package node

import (
	"math"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"

	"github.com/hostfold/hostfold/eventstore/node/group"
)

func milliseconds(n int32) time.Duration { return time.Duration(n) * time.Millisecond }

// groupSettings are the settings in a request to create or to update.
type groupSettings interface {
	GetResolveLinks() bool
	GetRevision() uint64
	GetExtraStatistics() bool
	GetMaxRetryCount() int32
	GetMinCheckpointCount() int32
	GetMaxCheckpointCount() int32
	GetMaxSubscriberCount() int32
	GetLiveBufferSize() int32
	GetReadBatchSize() int32
	GetHistoryBufferSize() int32
	GetMessageTimeoutTicks() int64
	GetMessageTimeoutMs() int32
	GetCheckpointAfterTicks() int64
	GetCheckpointAfterMs() int32
}

// take reads settings. Where the group starts is read elsewhere.
func (c *groupConfig) take(s groupSettings, strategy string) {
	c.ResolveLinks, c.ExtraStatistics = s.GetResolveLinks(), s.GetExtraStatistics()
	c.TimeoutMS = inMilliseconds(s.GetMessageTimeoutMs(), s.GetMessageTimeoutTicks())
	c.CheckpointMS = inMilliseconds(s.GetCheckpointAfterMs(), s.GetCheckpointAfterTicks())
	c.MaxRetries, c.MaxConsumers = s.GetMaxRetryCount(), s.GetMaxSubscriberCount()
	c.MinCheckpoint, c.MaxCheckpoint = s.GetMinCheckpointCount(), s.GetMaxCheckpointCount()
	c.LiveBuffer, c.HistoryBuffer, c.ReadBatch = s.GetLiveBufferSize(), s.GetHistoryBufferSize(), s.GetReadBatchSize()
	c.ConsumerStrategy = group.Strategy(strategy)
}

// inMilliseconds is whichever of two forms of a duration was sent.
func inMilliseconds(ms int32, ticks int64) int32 {
	if ms != 0 {
		return ms
	}
	return int32(min(max(ticks/10_000, math.MinInt32), math.MaxInt32))
}

// startAtRevision reads a revision; the largest number is the end.
func (c *groupConfig) startAtRevision(revision uint64) error {
	if revision != math.MaxUint64 && revision >= maxNumber {
		return invalid("Invalid stream revision %d", revision)
	}
	c.Start = revision // The largest number is fromEnd.
	return nil
}

func (c *groupConfig) startAtPosition(commit, prepare uint64) error {
	if commit == math.MaxUint64 && prepare == math.MaxUint64 {
		c.Start = fromEnd
		return nil
	}
	if commit >= maxNumber || prepare >= maxNumber {
		return groupFailed(c.Stream, c.Group, "Invalid Start From position: C:%d/P:%d", commit, prepare)
	}
	c.Start, c.Prepare = commit, prepare
	return nil
}

// checkNames refuses names that cannot be told to clients or stored.
func (c *groupConfig) checkNames() error {
	if c.Group == "" {
		return invalid("'GroupName' is a required argument.")
	}
	if !utf8.ValidString(c.Stream) {
		return invalid("Invalid stream name '%.100s'", c.Stream)
	}
	names := []string{"$$" + c.checkpointStream(), "$$" + c.parkedStream()}
	if !c.isAll() {
		names = append(names, c.Stream)
	}
	for _, name := range names {
		if err := checkStream(name); err != nil {
			return refusalOf(err, name)
		}
	}
	return nil
}

// sourceOf reads the stream of a request; all is true when it is the log.
func sourceOf(id *shared.StreamIdentifier, all bool) string {
	if all {
		return allStream
	}
	return string(id.GetStreamName())
}

// createdConfig reads a request to create a group.
func createdConfig(o *persistent.CreateReq_Options) (c groupConfig, err error) {
	if o.GetSettings() == nil {
		return c, invalid("'Settings' is a required argument.")
	}
	c.Group = o.GetGroupName()
	strategy := o.GetSettings().GetConsumerStrategy()
	if strategy == "" {
		strategy = o.GetSettings().GetNamedConsumerStrategy().String() //nolint:staticcheck // What clients send.
	}
	c.take(o.GetSettings(), strategy)
	switch x := o.GetStreamOption().(type) {
	case *persistent.CreateReq_Options_Stream:
		if c.Stream = sourceOf(x.Stream.GetStreamIdentifier(), false); c.isAll() {
			return c, refusalOf(ErrStreamName, c.Stream)
		}
		err = c.startAt(x.Stream.GetRevisionOption())
	case *persistent.CreateReq_Options_All:
		c.Stream = allStream
		if err = c.startAt(x.All.GetAllOption()); err == nil {
			c.Filter, err = createdFilter(x.All.GetFilter())
		}
	default: // How clients for Node say it.
		if c.Stream = sourceOf(o.GetStreamIdentifier(), false); c.isAll() { //nolint:staticcheck // See above.
			return c, refusalOf(ErrStreamName, c.Stream)
		}
		err = c.startAtRevision(o.GetSettings().GetRevision()) //nolint:staticcheck // See above.
	}
	return c, err
}

// startAt reads where a group starts, in any of the forms of the requests.
func (c *groupConfig) startAt(option any) error {
	switch x := option.(type) {
	case *persistent.CreateReq_StreamOptions_Start, *persistent.CreateReq_AllOptions_Start,
		*persistent.UpdateReq_StreamOptions_Start, *persistent.UpdateReq_AllOptions_Start:
		c.Start = 0
	case *persistent.CreateReq_StreamOptions_End, *persistent.CreateReq_AllOptions_End,
		*persistent.UpdateReq_StreamOptions_End, *persistent.UpdateReq_AllOptions_End:
		c.Start = fromEnd
	case *persistent.CreateReq_StreamOptions_Revision:
		return c.startAtRevision(x.Revision)
	case *persistent.UpdateReq_StreamOptions_Revision:
		return c.startAtRevision(x.Revision)
	case *persistent.CreateReq_AllOptions_Position:
		return c.startAtPosition(x.Position.GetCommitPosition(), x.Position.GetPreparePosition())
	case *persistent.UpdateReq_AllOptions_Position:
		return c.startAtPosition(x.Position.GetCommitPosition(), x.Position.GetPreparePosition())
	default:
		return invalid("'Start' is a required argument.")
	}
	return nil
}

func createdFilter(f *persistent.CreateReq_AllOptions_FilterOptions) (*groupFilter, error) {
	switch {
	case f == nil:
		return nil, nil //nolint:nilnil // No filter was sent.
	case f.GetStreamIdentifier() != nil:
		return &groupFilter{Streams: true, Regex: f.GetStreamIdentifier().GetRegex(), Prefix: f.GetStreamIdentifier().GetPrefix()}, nil
	case f.GetEventType() != nil:
		return &groupFilter{Regex: f.GetEventType().GetRegex(), Prefix: f.GetEventType().GetPrefix()}, nil
	default:
		return nil, invalid("'Filter' is a required argument.")
	}
}

// updatedConfig reads a request to update a group.
func updatedConfig(o *persistent.UpdateReq_Options) (c groupConfig, err error) {
	if o.GetSettings() == nil {
		return c, invalid("'Settings' is a required argument.")
	}
	c.Group = o.GetGroupName()
	c.take(o.GetSettings(), o.GetSettings().GetNamedConsumerStrategy().String())
	switch x := o.GetStreamOption().(type) {
	case *persistent.UpdateReq_Options_Stream:
		c.Stream = sourceOf(x.Stream.GetStreamIdentifier(), false)
		err = c.startAt(x.Stream.GetRevisionOption())
	case *persistent.UpdateReq_Options_All:
		c.Stream = allStream
		err = c.startAt(x.All.GetAllOption())
	default:
		c.Stream = sourceOf(o.GetStreamIdentifier(), false)    //nolint:staticcheck // How clients for Node say it.
		err = c.startAtRevision(o.GetSettings().GetRevision()) //nolint:staticcheck // See above.
	}
	return c, err
}
