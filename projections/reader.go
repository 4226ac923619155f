package projections

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// Progress is what the Reader asks how far a lane is: a *feed.Runner.
type Progress interface {
	Wait(ctx context.Context, lane string, p eventstore.Position) error
	LaneStatus(lane string) (feed.Status, error)
}

// Reader answers queries from the read models. Its methods stand in the read
// models' files; each takes the viewer's grants and asks delegation.Can.
type Reader struct {
	db      *pgxpool.Pool
	lanes   Progress
	logID   uuid.UUID
	archive archive
	// witness records what staff are shown; without one they are shown nothing.
	witness Witness
}

// NewReader makes a Reader of the log with the given id.
func NewReader(db *pgxpool.Pool, lanes Progress, logID uuid.UUID) *Reader {
	return &Reader{db: db, lanes: lanes, logID: logID}
}

// Connect opens a pool that reads times as UTC. The first connection is tried
// at once.
func Connect(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "hostfold"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	if !strings.Contains(url, "pool_max_conns") {
		// pgx would take four on a small machine, fewer than there are lanes.
		cfg.MaxConns = 32
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	db, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	if err := db.Ping(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return db, nil
}

// Wait waits until the model has passed the token. It answers false when that
// did not come before ctx's end: what is read then may be stale. A token of
// another log is refused.
func (r *Reader) Wait(ctx context.Context, model string, t Token) (fresh bool, err error) {
	if t == (Token{}) {
		return true, nil
	}
	if t.LogID != r.logID {
		return false, errToken
	}
	err = r.lanes.Wait(ctx, model, t.Position)
	if err == nil {
		return true, nil
	}
	if errors.Is(err, feed.ErrHalted) || ctx.Err() != nil {
		return false, nil //nolint:nilerr // that it may be stale is an answer
	}
	return false, err
}

// Token is the consistency token of a position in the log.
func (r *Reader) Token(p eventstore.Position) Token { return Token{LogID: r.logID, Position: p} }
