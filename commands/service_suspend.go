package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
)

// SuspendService stops a service for a reason.
type SuspendService struct {
	ServiceID string         `json:"-"`
	Reason    hosting.Reason `json:"reason"`
}

// Target is the service.
func (c SuspendService) Target() hosting.Target { return hosting.Decider.At(c.ServiceID) }

// Permission is staff's.
func (SuspendService) Permission() domain.Permission { return delegation.StaffServices }

// Decide adds the reason.
func (c SuspendService) Decide(h hosting.Hosting, _ Env) ([]hosting.Event, error) {
	return h.Suspend(c.Reason)
}

// LiftService takes one reason of a suspension away.
type LiftService struct {
	ServiceID string         `json:"-"`
	Reason    hosting.Reason `json:"reason"`
}

// Target is the service.
func (c LiftService) Target() hosting.Target { return hosting.Decider.At(c.ServiceID) }

// Permission is staff's.
func (LiftService) Permission() domain.Permission { return delegation.StaffServices }

// Decide takes the reason away.
func (c LiftService) Decide(h hosting.Hosting, _ Env) ([]hosting.Event, error) {
	return h.Lift(c.Reason)
}
