package notification_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/notification"
)

func TestNotification(t *testing.T) {
	t.Parallel()
	told := notification.Notified{Account: "acc_1", Class: notification.Billing, Title: "Facture émise"}
	notify := func(n notification.Notified) func(notification.Notification) ([]notification.Event, error) {
		return func(s notification.Notification) ([]notification.Event, error) { return s.Notify(n) }
	}
	c := domaintest.For(t, notification.Decider)
	unread := c.When(notify(told)).Then(told)
	unread.When(notify(told)).Refused(notification.ErrExists)
	unread.When(notification.Notification.MarkRead).Then(notification.Read{}).When(notification.Notification.MarkRead).ThenNothing()
	c.When(notification.Notification.MarkRead).Refused(notification.ErrMissing)
	c.When(notify(notification.Notified{Class: "gossip"})).RefusedField("title", "account", "class")
}
