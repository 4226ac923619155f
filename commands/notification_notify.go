package commands

import (
	"cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/notification"
)

// Notify tells an account something under the bell. Only parts of the system
// and the demo do.
type Notify struct {
	// NotificationID derives from the cause; "" draws one from the command.
	NotificationID string                `json:"-"`
	AccountID      string                `json:"-"`
	Class          notification.Class    `json:"class"`
	Title          string                `json:"title"`
	Body           string                `json:"body,omitempty"`
	Related        *notification.Related `json:"related,omitempty"`
}

// Target is the notification to be.
func (c Notify) Target() notification.Target { return notification.Decider.At(c.NotificationID) }

// Permission is the system's.
func (Notify) Permission() domain.Permission { return delegation.System }

// Identify gives the notification an id where the cause gave none.
func (c Notify) Identify(newID func(string) string) Notify {
	c.NotificationID = cmp.Or(c.NotificationID, newID("ntf"))
	return c
}

// Decide notifies.
func (c Notify) Decide(n notification.Notification, _ Env) ([]notification.Event, error) {
	return n.Notify(notification.Notified{Account: c.AccountID, Class: c.Class, Title: c.Title, Body: c.Body, Related: c.Related})
}
