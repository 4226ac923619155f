package feed

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

// Errors that a lane's state shows.
var (
	// ErrRebuild says that a checkpoint does not belong to this log.
	ErrRebuild = errors.New("the checkpoint does not belong to this event log")
	// ErrHalted says that a lane stopped at an event it cannot handle.
	ErrHalted = errors.New("lane halted")
	// ErrUnknownLane says that no lane has the name.
	ErrUnknownLane = errors.New("no such lane")

	// errLost says that another owner has the lane.
	errLost = errors.New("lane lost to another owner")
)

// fenceCode is the SQLSTATE that feed.advance raises.
const fenceCode = "HF001"

// classify tells what a lane does about an error: nil means try again at once
// soon, errAway try again for ever at a short pace, errLost claim again, and
// anything else is permanent.
func transient(err error) bool {
	return away(err) || pgClass(err, "40001", "40P01", "53", "55P03", "57014", "58")
}

// away reports whether the store or the database is out of reach.
func away(err error) bool {
	if errors.Is(err, eventstore.ErrUnavailable) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if kind := domain.KindOf(err); kind == domain.KindUnavailable {
		return true
	}
	return pgconn.SafeToRetry(err) || pgClass(err, "08", "57P", "25006")
}

func lost(err error) bool { return errors.Is(err, errLost) || pgClass(err, fenceCode) }

// pgClass reports whether err is Postgres's and its code begins with a prefix.
func pgClass(err error, prefixes ...string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	for _, p := range prefixes {
		if strings.HasPrefix(pg.Code, p) {
			return true
		}
	}
	return false
}
