package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

// Refusals that any command can meet.
var (
	// ErrKeyReused says that a command id came again with another request.
	ErrKeyReused = &domain.Error{
		Kind: domain.KindInvalid, Code: "idempotency_key_reused",
		Detail: "This Idempotency-Key was used for another request; choose a new one.",
	}
	// ErrGivenFact says that somebody gave a time or a number that the system draws.
	ErrGivenFact = &domain.Error{
		Kind: domain.KindDenied, Code: "given_fact_refused",
		Detail: "Times and numbers are given by the system, except in the demo and in imports.",
	}
	// ErrTooLarge says that what was sent does not fit in one event.
	ErrTooLarge = &domain.Error{Kind: domain.KindInvalid, Code: "too_large", Detail: "This is too large to keep; shorten it."}
)

// ErrNoSpace says that the store keeps its last disk space free: reading goes
// on, and changes are taken again when there is room.
var ErrNoSpace = &domain.Error{
	Kind: domain.KindUnavailable, Code: "storage_full",
	Detail: "The system is short of disk space and takes no changes for the moment; nothing was changed. Try again later.",
}

// ErrHistoryTruncated says that a stream does not begin at its first event, or
// has holes: no rule can be kept on half a history, so nothing is decided.
var ErrHistoryTruncated = &domain.Error{
	Kind: domain.KindInternal, Code: "history_truncated",
	Detail: "The history of this resource is incomplete, so nothing can be decided about it; an operator has to restore it.",
}

// storeError puts the refusal that people understand beside a store's error,
// and says what was attempted.
func storeError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, eventstore.ErrNoSpace):
		return fmt.Errorf("%s: %w (%w)", doing, ErrNoSpace, err)
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w (%w)", doing, domain.ErrUnavailable, err)
	case errors.Is(err, eventstore.ErrTooLarge):
		return fmt.Errorf("%s: %w (%w)", doing, ErrTooLarge, err)
	case errors.Is(err, eventstore.ErrStreamDeleted):
		return fmt.Errorf("%s: %w (%w)", doing, domain.Missing("resource"), err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
