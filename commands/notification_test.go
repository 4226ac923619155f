package commands_test

import (
	"errors"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/notification"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	told := notification.Notified{Account: "acc_1", Class: notification.Billing, Title: "Facture émise"}
	notify := commands.Notify{NotificationID: "ntf_1", AccountID: "acc_1", Class: notification.Billing, Title: "Facture émise"}
	commandtest.For(t, notification.Decider).When(notify).Then(told)
	commandtest.For(t, notification.Decider).Given(told).When(notify).Refused(notification.ErrExists)
	commandtest.For(t, notification.Decider).Given(told).When(commands.ReadNotification{NotificationID: "ntf_1"}).Then(notification.Read{})
	commandtest.For(t, notification.Decider).When(commands.ReadNotification{NotificationID: "ntf_1"}).Refused(notification.ErrMissing)
}

func TestReadAllNotifications(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	for id, account := range map[string]string{"ntf_1": "acc_1", "ntf_2": "acc_1", "ntf_3": "acc_2"} {
		notify := commands.Notify{NotificationID: id, AccountID: account, Class: notification.Info, Title: "Bonjour"}
		call := commandtest.SystemCall()
		call.Account = account
		if _, err := commands.Execute(t.Context(), d, call, notify); err != nil {
			t.Fatal(err)
		}
	}
	read := func(id string) bool {
		n, err := commands.Load(t.Context(), d.Streams(), notification.Decider.At(id))
		if err != nil {
			t.Fatal(err)
		}
		return n.Read
	}
	mine := commands.ReadAllNotifications{NotificationIDs: []string{"ntf_1", "ntf_2"}}
	first, err := d.ReadAllNotifications(t.Context(), ownerCall("acc_1"), mine)
	if err != nil || !read("ntf_1") || !read("ntf_2") || read("ntf_3") {
		t.Errorf("read %v %v %v, %v", read("ntf_1"), read("ntf_2"), read("ntf_3"), err)
	}
	again, err := d.ReadAllNotifications(t.Context(), ownerCall("acc_1"), mine)
	if err != nil || again.Position != first.Position {
		t.Errorf("a repeat ends at %v, %v, the first at %v", again.Position, err, first.Position)
	}
	theirs := commands.ReadAllNotifications{NotificationIDs: []string{"ntf_3"}}
	if _, err := d.ReadAllNotifications(t.Context(), ownerCall("acc_1"), theirs); !errors.Is(err, notification.ErrMissing) || read("ntf_3") {
		t.Errorf("another account's: %v", err)
	}
	if _, err := d.ReadAllNotifications(t.Context(), ownerCall("acc_1"), commands.ReadAllNotifications{}); err != nil {
		t.Errorf("nothing to read: %v", err)
	}
	if _, err := d.ReadAllNotifications(t.Context(), commands.Call{}, mine); domain.KindOf(err) != domain.KindUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
}
