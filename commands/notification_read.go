package commands

import (
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/notification"
)

// ReadNotification notes that a notification was seen.
type ReadNotification struct {
	NotificationID string `json:"-"`
}

// Target is the notification.
func (c ReadNotification) Target() notification.Target {
	return notification.Decider.At(c.NotificationID)
}

// Permission is the account's: who may read it may have read it.
func (ReadNotification) Permission() domain.Permission { return delegation.NotificationsMark }

// Decide marks it read.
func (ReadNotification) Decide(n notification.Notification, _ Env) ([]notification.Event, error) {
	return n.MarkRead()
}

// ReadAllNotifications notes that the listed notifications of an account were
// seen.
type ReadAllNotifications struct {
	// NotificationIDs are those that the caller was shown as unread.
	NotificationIDs []string `json:"-"`
}

// ReadAllNotifications marks one after the other; a repeat marks what is left.
// One of another account is missing, as if it were alone.
func (d *Dispatcher) ReadAllNotifications(ctx context.Context, call Call, cmd ReadAllNotifications) (Receipt, error) {
	resource := delegation.Resource{Kind: notification.Decider.Category}
	if err := authorise(call, ReadNotification{}.Permission(), resource); err != nil {
		return Receipt{}, err
	}
	all := Receipt{ID: call.Account}
	for _, id := range cmd.NotificationIDs {
		one := call
		one.CommandID, one.IfMatch = StepID(call.CommandID, "read "+id), nil
		receipt, err := Execute(ctx, d, one, ReadNotification{NotificationID: id})
		if err != nil {
			return Receipt{}, err
		}
		if all.Position.Before(receipt.Position) {
			all.Position = receipt.Position
		}
	}
	return all, nil
}
