package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/audit"
	"github.com/hostfold/hostfold/domain/delegation"
)

// StartDecryption records that history is about to be read in clear.
type StartDecryption struct {
	ID string `json:"-"`
	// What is "all", or the name of a stream.
	What string `json:"what"`
}

// Identify draws the export's id.
func (c StartDecryption) Identify(newID func(kind string) string) StartDecryption {
	c.ID = newID("aud")
	return c
}

// Target is the export.
func (c StartDecryption) Target() audit.Target { return audit.Decider.At(c.ID) }

// Permission is that of auditors and of the command line.
func (c StartDecryption) Permission() domain.Permission { return delegation.StaffAudit }

// Decide begins the export.
func (c StartDecryption) Decide(x audit.Export, _ Env) ([]audit.Event, error) {
	return x.Decrypt(c.What)
}
