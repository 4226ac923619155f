package feed_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

func TestWhoRunsNoLaneSeesHowFarTheyHaveCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	look := func(logID uuid.UUID) (*feed.Runner, feed.Status) {
		t.Helper()
		cfg := w.config(nil)
		cfg.LogID = logID
		r, err := feed.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := r.LaneStatus("tally")
		if err != nil {
			t.Fatal(err)
		}
		return r, s
	}
	if _, s := look(w.LogID); s.State != feed.Starting || s.Position != eventstore.Start {
		t.Errorf("a lane that never ran is %+v", s)
	}
	w.add("a", 1, 2)
	r, _ := w.run(w.config(nil))
	w.settle(r)
	watcher, s := look(w.LogID)
	if s.State != feed.Standby || s.Position != w.head() || s.Error != "" {
		t.Errorf("a lane that others run is %+v", s)
	}
	if _, s := look(uuid.New()); s.Error == "" {
		t.Errorf("a lane of another log is %+v", s)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	watched := make(chan struct{})
	go func() { defer close(watched); watcher.Watch(ctx) }()
	w.add("b", 3)
	if err := watcher.Wait(ctx, "tally", w.head()); err != nil {
		t.Error(err)
	}
	cancel()
	<-watched
	w.equal()
}
