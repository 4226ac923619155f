package demo_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/demo"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestTheDemoIsStartedFirstAndLoadedLast(t *testing.T) {
	t.Parallel()
	c := domaintest.For(t, demo.Decider)
	c.When(demo.Demo.Load).Refused(demo.ErrNotStarted)
	started := c.When(demo.Demo.Start).Then(demo.Started{})
	started.When(demo.Demo.Start).ThenNothing()
	started.When(demo.Demo.Load).Then(demo.Loaded{}).When(demo.Demo.Load).ThenNothing()
}
