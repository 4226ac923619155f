package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
)

// LogStream is the stream whose first event names the log.
const LogStream = "log-main"

// LogStarted is the first event of a log: a random id that checkpoints and
// consistency tokens carry, so that a reader never resumes in another log.
type LogStarted struct {
	LogID uuid.UUID `json:"log_id"`
}

// EventType is the name on disk.
func (LogStarted) EventType() string { return "log.started.v1" }

// LogTypes are the store's own events. A codec that is to decode every event
// of a log knows them too.
func LogTypes() []domain.Type { return []domain.Type{domain.TypeOf[LogStarted]()} }

// LogID reads the log's id. A log that has none yet is given the fresh one,
// which the caller draws at random, as of now.
func LogID(ctx context.Context, s Store, fresh uuid.UUID, now time.Time) (uuid.UUID, error) {
	id, found, err := readLogID(ctx, s)
	if err != nil || found {
		return id, err
	}
	if err := startLog(ctx, s, fresh, now); err != nil {
		if _, elsewhere := errors.AsType[*WrongRevisionError](err); !elsewhere {
			return uuid.Nil, fmt.Errorf("start the log: %w", err)
		}
	}
	// Another process may have been first: what the store holds decides.
	id, found, err = readLogID(ctx, s)
	if err == nil && !found {
		err = fmt.Errorf("stream %s is empty after its first append", LogStream)
	}
	return id, err
}

func readLogID(ctx context.Context, s Store) (uuid.UUID, bool, error) {
	for r, err := range s.ReadStream(ctx, LogStream, 0) {
		if err != nil {
			return uuid.Nil, false, fmt.Errorf("read %s: %w", LogStream, err)
		}
		var started LogStarted
		if err := json.Unmarshal(r.Data, &started); err != nil || r.Type != started.EventType() || started.LogID == uuid.Nil {
			return uuid.Nil, false, fmt.Errorf("stream %s does not begin with the log's id", LogStream)
		}
		return started.LogID, true, nil
	}
	return uuid.Nil, false, nil
}

func startLog(ctx context.Context, s Store, id uuid.UUID, now time.Time) error {
	data, err := json.Marshal(LogStarted{LogID: id})
	if err != nil {
		return err
	}
	meta, err := json.Marshal(Metadata{
		Actor:         domain.Actor{Kind: domain.ActorSystem, ID: "log"},
		CommandID:     id,
		Command:       "StartLog",
		CorrelationID: id.String(),
		CausationID:   id.String(),
		Schema:        1,
		OccurredAt:    now.UTC().Truncate(time.Microsecond),
	})
	if err != nil {
		return err
	}
	_, err = s.Append(ctx, LogStream, NoStream(), NewEvent{
		ID: uuid.NewSHA1(id, []byte(LogStream)), Type: LogStarted{}.EventType(), Data: data, Metadata: meta,
	})
	return err
}
