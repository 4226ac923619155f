package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/hostfold/hostfold/eventstore"
)

// linkType is the type of an event whose data name another event.
const linkType = "$>"

// parseLink reads "revision@stream".
func parseLink(data []byte) (revision uint64, stream string, ok bool) {
	number, name, found := bytes.Cut(data, []byte("@"))
	if !found {
		return 0, "", false
	}
	revision, err := strconv.ParseUint(string(number), 10, 63)
	return revision, string(name), err == nil
}

// linkTarget finds the event that a link names; nil when it is gone or hidden.
func linkTarget(ctx context.Context, e *Engine, link *eventstore.Recorded) (_ *eventstore.Recorded, isLink bool, err error) {
	revision, stream, ok := parseLink(link.Data)
	if !ok {
		return nil, false, nil
	}
	for event, err := range e.Stream(ctx, stream, Forwards, revision, 1) {
		switch {
		case errors.Is(err, eventstore.ErrStreamDeleted), errors.Is(err, ErrStreamName):
			return nil, true, nil
		case err != nil:
			return nil, true, fmt.Errorf("resolve link %s: %w", link.ID, err)
		case event.Revision == revision:
			return &event, true, nil
		}
	}
	return nil, true, nil
}
