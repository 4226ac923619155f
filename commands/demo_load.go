package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/demo"
)

// StartDemo notes that this store is for the demo.
type StartDemo struct{}

// Target is the one demo.
func (StartDemo) Target() demo.Target { return demo.Decider.At(demo.ID) }

// Permission is that of the command line.
func (StartDemo) Permission() domain.Permission { return delegation.System }

// Decide starts the demo.
func (StartDemo) Decide(d demo.Demo, _ Env) ([]demo.Event, error) { return d.Start() }

// FinishDemo notes that all of the demo's data is there.
type FinishDemo struct{}

// Target is the one demo.
func (FinishDemo) Target() demo.Target { return demo.Decider.At(demo.ID) }

// Permission is that of the command line.
func (FinishDemo) Permission() domain.Permission { return delegation.System }

// Decide finishes the demo.
func (FinishDemo) Decide(d demo.Demo, _ Env) ([]demo.Event, error) { return d.Load() }
