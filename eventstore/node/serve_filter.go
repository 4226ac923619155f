package node

import (
	"bytes"
	"regexp"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// match selects events of the log by stream and type.
type match = func(stream, eventType []byte) bool

// isHidden reports whether events of a stream never show in $all.
func isHidden(stream []byte) bool {
	if len(stream) == 0 || stream[0] != '$' {
		return false
	}
	return string(stream) == "$epoch-information" ||
		bytes.HasPrefix(stream, []byte("$persistentsubscription-$all::")) &&
			(bytes.HasSuffix(stream, []byte("-checkpoint")) || bytes.HasSuffix(stream, []byte("-parked")))
}

// matchOf compiles a request's filter; none selects all but what is hidden.
func matchOf(f *streams.ReadReq_Options_FilterOptions) (match, error) {
	if f == nil {
		return func(stream, _ []byte) bool { return !isHidden(stream) }, nil
	}
	switch x := f.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		is, err := expression(x.StreamIdentifier)
		return func(stream, _ []byte) bool { return !isHidden(stream) && is(stream) }, err
	case *streams.ReadReq_Options_FilterOptions_EventType:
		is, err := expression(x.EventType)
		return func(stream, eventType []byte) bool { return is(eventType) && !isHidden(stream) }, err
	default:
		return nil, invalid("'Filter' is a required argument.")
	}
}

// Bounds of a filter's expression: what is matched against every event must
// be cheap.
const (
	maxExpression = 4096
	maxPrefixes   = 4096
)

// expression compiles a regular expression, which wins, or a list of prefixes.
func expression(x *streams.ReadReq_Options_FilterOptions_Expression) (func([]byte) bool, error) {
	if len(x.GetRegex()) > maxExpression || len(x.GetPrefix()) > maxPrefixes {
		return nil, invalid("A filter has at most %d prefixes, or an expression of %d bytes.", maxPrefixes, maxExpression)
	}
	if x.GetRegex() == "" {
		return prefixes(x.GetPrefix()).any, nil
	}
	re, err := regexp.Compile(x.GetRegex())
	if err != nil {
		return nil, invalid("Invalid regular expression '%.200s'", x.GetRegex())
	}
	if re.String() == `^[^\$].*` || re.String() == `^[^$].*` { // What clients send to leave out system events.
		return func(name []byte) bool { return len(name) > 0 && name[0] != '$' }, nil
	}
	return re.Match, nil
}

// checkpointInterval is after how many considered events a subscription is
// told how far it has come; 0 when it has no filter.
func checkpointInterval(f *streams.ReadReq_Options_FilterOptions) (int, error) {
	if f == nil {
		return 0, nil
	}
	window := 32
	if x, ok := f.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok && x.Max > 0 {
		window = int(min(x.Max, 1<<16))
	}
	if f.GetCheckpointIntervalMultiplier() == 0 {
		return 0, invalid("The checkpoint interval multiplier must be greater than 0.")
	}
	return window * int(min(f.GetCheckpointIntervalMultiplier(), 1<<16)), nil
}
