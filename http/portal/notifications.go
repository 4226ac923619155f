package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
)

func (p *pages) notifications(v *visit) error { return p.showNotifications(v, http.StatusOK) }

func (p *pages) showNotifications(v *visit, status int) error {
	list, err := p.Reader.Notifications(v.r.Context(), v.caller.Grants, v.account, v.from())
	if err != nil {
		return err
	}
	return p.show(v, status, "notifications", "notifications", v.title("notifications.title"), listed(v, list))
}

func (p *pages) readNotification(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.ReadNotification{NotificationID: v.id()})
	return p.notificationsWritten(v, in, receipt, err, "notification_read")
}

func (p *pages) readAllNotifications(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	unread, err := p.Reader.UnreadNotifications(v.r.Context(), v.caller.Grants, v.account)
	if err != nil {
		return err
	}
	all := commands.ReadAllNotifications{NotificationIDs: unread}
	call, err := p.call(v, in, all)
	if err != nil {
		return err
	}
	receipt, err := p.Dispatcher.ReadAllNotifications(v.r.Context(), call, all)
	return p.notificationsWritten(v, in, receipt, err, "notifications_read")
}

func (p *pages) notificationsWritten(v *visit, in input, receipt commands.Receipt, err error, done string) error {
	if err != nil {
		status, err := p.refused(v, in, err)
		if err != nil {
			return err
		}
		return p.showNotifications(v, status)
	}
	return p.written(v, receipt.Position, v.path("notifications"), done, "notifications", "dashboard")
}
