package projections_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/notification"
)

func TestAFollowerIsWokenByWhatComesNext(t *testing.T) {
	t.Parallel()
	side := portal(t)
	after, err := side.Reader.Passed("dashboard")
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := side.Reader.Follow(short, "dashboard", after); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing came, but the follower was woken: %v", err)
	}

	side.Given("acc_1", "notification-ntf_3", notification.Notified{Account: "acc_1", Class: notification.Info, Title: "News"})

	if err := side.Reader.Follow(t.Context(), "dashboard", after); err != nil {
		t.Error(err)
	}
}
