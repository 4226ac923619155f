package feed_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// BenchmarkCatchUp reads a backlog of events of about 400 bytes in 1,000
// streams into rows, exactly once: row 2 of the performance targets.
func BenchmarkCatchUp(b *testing.B) {
	const backlog = 100_000
	w := newWorld(b)
	pad := strings.Repeat("x", 150)
	for i := 0; i < backlog; i += 500 {
		events := make([]eventstore.NewEvent, 500)
		stream := fmt.Sprintf("tally-%d", i/500)
		for j := range events {
			stored, err := w.Codec.Encode(b.Context(), stream, uuid.New(), Added{N: j}, eventstore.Metadata{
				Actor: domain.Actor{Kind: domain.ActorSystem, ID: pad}, CommandID: uuid.New(), Command: "Bench",
			})
			if err != nil {
				b.Fatal(err)
			}
			events[j] = stored
		}
		if _, err := w.Store.Append(b.Context(), stream, eventstore.NoStream(), events...); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		b.StopTimer()
		if _, err := w.DB.Exec(b.Context(), `TRUNCATE read.tally, feed.lane`); err != nil {
			b.Fatal(err)
		}
		runner, err := feed.New(w.config(nil))
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		before, start := cpu(b), time.Now()
		b.StartTimer()
		go func() { done <- runner.Run(ctx) }()
		if err := runner.Wait(ctx, "tally", w.head()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(backlog/time.Since(start).Seconds(), "events/s")
		b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/backlog, "cpu-ns/event")
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	w.equal()
}

// cpu is the processor time of this process, without Postgres's.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
