package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hostfold/hostfold/domain/subjectkey"
)

// Mismatches says where vault and log do not match, and changes nothing.
// Compare puts right what can be put right, at start.
func (v *Vault) Mismatches(ctx context.Context) ([]string, error) {
	logged, err := v.loggedKeys(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := keyRows(ctx, v.pool)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, row := range kept {
		l := logged[row.ID]
		delete(logged, row.ID)
		if wrong := v.mismatch(ctx, row, l); wrong != "" {
			found = append(found, fmt.Sprintf("key %s: %s", row.ID, wrong))
		}
	}
	for id, l := range logged {
		if l.key.Status == subjectkey.StatusAbsent {
			continue // a deleted stream of which neither knows anything
		}
		found = append(found, fmt.Sprintf("key %s: %s in the log, absent from the vault", id, l.key.Status))
	}
	slices.Sort(found)
	err = lost(ctx, v.pool, v.store)
	if gone, older := errors.AsType[*LostLoginsError](err); older {
		return append(found, gone.Error()), nil
	}
	return found, err
}

func (v *Vault) mismatch(ctx context.Context, row keyRow, l loggedKey) string {
	switch {
	case l.tombstoned:
		return "its stream was deleted in the event store"
	case l.key.Status == subjectkey.StatusAbsent && row.Announced:
		return "in the vault, unknown to the log"
	case l.key.Status == subjectkey.StatusLive && row.DestroyedAt != nil:
		return "live in the log, destroyed in the vault"
	case l.key.Status == subjectkey.StatusDestroyed && row.DestroyedAt == nil:
		return "destroyed in the log, its material is still in the vault"
	case row.DestroyedAt == nil:
		if _, err := v.wrapper.Unwrap(ctx, row.ID, row.Wrapped); err != nil {
			return err.Error()
		}
	}
	return ""
}
