package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/group"
)

const (
	// configStream holds the settings of all groups, as a whole each time.
	configStream = "$persistentSubscriptionConfig"
	configType   = "$PersistentConfig"
	// twoEvents is the metadata of a stream of which only the end matters.
	twoEvents = `{"$maxCount":2}`
)

// fromEnd is the start of a group that begins with what comes after it is made.
const fromEnd = math.MaxUint64

// groupConfig is what was asked for when a group was made, and where "now" was then.
type groupConfig struct {
	Stream string `json:"stream"`
	Group  string `json:"group"`
	// Start is the first revision or position wanted, or fromEnd; Prepare
	// is the second number of a position.
	Start   uint64 `json:"start"`
	Prepare uint64 `json:"prepare,omitempty"`
	// From is the first place that is read while there is no checkpoint.
	From             uint64         `json:"from"`
	ResolveLinks     bool           `json:"resolve_links,omitempty"`
	ExtraStatistics  bool           `json:"extra_statistics,omitempty"`
	TimeoutMS        int32          `json:"timeout_ms"`
	MaxRetries       int32          `json:"max_retries"`
	LiveBuffer       int32          `json:"live_buffer"`
	HistoryBuffer    int32          `json:"history_buffer"`
	ReadBatch        int32          `json:"read_batch"`
	CheckpointMS     int32          `json:"checkpoint_ms"`
	MinCheckpoint    int32          `json:"min_checkpoint"`
	MaxCheckpoint    int32          `json:"max_checkpoint"`
	MaxConsumers     int32          `json:"max_consumers"`
	ConsumerStrategy group.Strategy `json:"strategy"`
	Filter           *groupFilter   `json:"filter,omitempty"`
}

// groupFilter selects events of the log: one expression on types or streams.
type groupFilter struct {
	Streams bool     `json:"streams,omitempty"`
	Regex   string   `json:"regex,omitempty"`
	Prefix  []string `json:"prefix,omitempty"`
}

// key is the subscription id that clients see.
func (c *groupConfig) key() string { return groupKey(c.Stream, c.Group) }

func groupKey(stream, name string) string { return stream + "::" + name }

func (c *groupConfig) isAll() bool { return c.Stream == allStream }

func (c *groupConfig) checkpointStream() string {
	return "$persistentsubscription-" + c.key() + "-checkpoint"
}

func (c *groupConfig) parkedStream() string { return "$persistentsubscription-" + c.key() + "-parked" }

func (c *groupConfig) settings() group.Settings {
	return group.Settings{
		Strategy: c.ConsumerStrategy, MaxRetries: int(c.MaxRetries), Timeout: milliseconds(c.TimeoutMS),
		CheckpointAfter: milliseconds(c.CheckpointMS), MinCheckpoint: int(c.MinCheckpoint), MaxCheckpoint: int(c.MaxCheckpoint),
		MaxConsumers: int(c.MaxConsumers),
		LiveBuffer:   int(c.LiveBuffer), HistoryBuffer: int(c.HistoryBuffer), ReadBatch: int(c.ReadBatch),
	}
}

// startText is how the store writes where a group starts.
func (c *groupConfig) startText() string {
	switch {
	case c.isAll() && c.Start == fromEnd:
		return "C:-1/P:-1"
	case c.isAll():
		return eventstore.Position{Commit: c.Start, Prepare: c.Prepare}.String()
	case c.Start == fromEnd:
		return "-1"
	default:
		return strconv.FormatUint(c.Start, 10)
	}
}

// placeText is how the store writes a place of the group's source.
func (c *groupConfig) placeText(place uint64) string {
	if c.isAll() {
		return at(place).String()
	}
	return strconv.FormatUint(place, 10)
}

// match selects what a group on the log delivers.
func (c *groupConfig) match() (match, error) {
	if c.Filter == nil {
		return matchOf(nil)
	}
	x := &streams.ReadReq_Options_FilterOptions_Expression{Regex: c.Filter.Regex, Prefix: c.Filter.Prefix}
	f := &streams.ReadReq_Options_FilterOptions{Filter: &streams.ReadReq_Options_FilterOptions_EventType{EventType: x}}
	if c.Filter.Streams {
		f.Filter = &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: x}
	}
	return matchOf(f)
}

// configFile is the data of an event that holds all settings.
type configFile struct {
	Version int           `json:"version"`
	Groups  []groupConfig `json:"groups"`
}

// readConfig finds the newest settings. Events that others wrote there are
// passed over.
func readConfig(ctx context.Context, e *Engine) ([]groupConfig, error) {
	for event, err := range e.Stream(ctx, configStream, Backwards, NoLimit, NoLimit) {
		if errors.Is(err, eventstore.ErrStreamDeleted) {
			return nil, nil // Somebody has deleted it for ever; no group can be made any more.
		}
		if err != nil {
			return nil, fmt.Errorf("read the settings of persistent subscriptions: %w", err)
		}
		var file configFile
		if event.Type == configType && json.Unmarshal(event.Data, &file) == nil && file.Version == 1 {
			return file.Groups, nil
		}
	}
	return nil, nil
}

// writeConfig makes settings durable.
func writeConfig(ctx context.Context, e *Engine, groups []groupConfig) error {
	data, err := json.Marshal(configFile{Version: 1, Groups: groups})
	if err != nil {
		return err
	}
	done, err := e.AppendExpecting(ctx, configStream, Any(), []eventstore.NewEvent{{ID: e.o.NewID(), Type: configType, Data: data}})
	if err == nil && done.Revision == 0 {
		err = writeMetadata(ctx, e, configStream, twoEvents)
	}
	if err != nil {
		return fmt.Errorf("write the settings of persistent subscriptions: %w", err)
	}
	return nil
}

// writeMetadata replaces a stream's metadata.
func writeMetadata(ctx context.Context, e *Engine, stream, text string) error {
	_, err := e.AppendExpecting(ctx, metaPrefix+stream, Any(), []eventstore.NewEvent{{ID: e.o.NewID(), Type: metadataType, Data: []byte(text)}})
	return err
}
