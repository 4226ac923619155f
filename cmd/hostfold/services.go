package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// services run beside each other until one fails or all are told to stop; they
// are stopped in the reverse order of their start, each before the next.
type services struct {
	log     *slog.Logger
	running []service
	failed  chan struct{} // told of the first failure; stop says what failed
}

type service struct {
	name string
	stop context.CancelFunc
	done chan error
}

func newServices(log *slog.Logger) *services {
	return &services{log: log, failed: make(chan struct{}, 1)}
}

// start runs a service, which ends when its context does.
func (s *services) start(name string, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	sv := service{name: name, stop: stop, done: make(chan error, 1)}
	s.running = append(s.running, sv)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			switch {
			case err == nil:
				err = errors.New("it ended")
			case errors.Is(err, context.Canceled): // not by us, so it is told as a failure
				err = errors.New(err.Error())
			}
			select {
			case s.failed <- struct{}{}:
			default:
			}
		}
		sv.done <- err
	}()
}

// stop ends all, the last started first.
func (s *services) stop() error {
	var errs []error
	for _, sv := range slices.Backward(s.running) {
		s.log.Debug("stopping", "service", sv.name)
		sv.stop()
		if err := <-sv.done; err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s: %w", sv.name, err))
		}
	}
	s.running = nil
	return errors.Join(errs...)
}
