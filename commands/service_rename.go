package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
)

// RenameService changes what the account calls a service.
type RenameService struct {
	ServiceID string `json:"-"`
	Label     string `json:"label"`
}

// Target is the service.
func (c RenameService) Target() hosting.Target { return hosting.Decider.At(c.ServiceID) }

// Permission is the account's.
func (RenameService) Permission() domain.Permission { return delegation.ServicesManage }

// Decide renames the service.
func (c RenameService) Decide(h hosting.Hosting, _ Env) ([]hosting.Event, error) {
	return h.Rename(c.Label)
}
