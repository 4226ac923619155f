package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

const notificationPath = "/v1/accounts/{account}/notifications"

func (a *api) notifications() {
	list(a, operation{
		method: http.MethodGet, path: notificationPath, summary: "List notifications", model: "notifications",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[projections.NotificationRow], error) {
		return a.Reader.Notifications(ctx, r.caller.Grants, r.account, in.page())
	})
	command(a, operation{method: http.MethodPost, path: notificationPath + "/{id}/read", summary: "Mark a notification as read"},
		func(r *request, c *commands.ReadNotification) { c.NotificationID = r.path("id") })
	write(a, operation{method: http.MethodPost, path: notificationPath + "/read-all", summary: "Mark all notifications as read"},
		nil, func(ctx context.Context, call commands.Call, c commands.ReadAllNotifications) (commands.Receipt, Ref, error) {
			var err error
			if c.NotificationIDs, err = a.Reader.UnreadNotifications(ctx, call.Grants, call.Account); err != nil {
				return commands.Receipt{}, Ref{}, err
			}
			return ref(a.Dispatcher.ReadAllNotifications(ctx, call, c))
		})
}
