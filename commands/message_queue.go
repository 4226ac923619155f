package commands

import (
	"encoding/hex"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
)

// MessageID is the id of the mail that a cause, usually an event, brings about
// by a template for a recipient: the same cause never makes a second one.
// Recipient is a user's id, or the part it plays ("owner").
func MessageID(cause uuid.UUID, template, recipient string) string {
	id := derive(cause, "message", template, recipient)
	return "msg_" + hex.EncodeToString(id[:])
}

// QueueMessage notes that a mail is to be sent, word for word.
type QueueMessage struct {
	MessageID string
	Mail      message.Queued
}

// Target is the mail.
func (c QueueMessage) Target() message.Target { return message.Decider.At(c.MessageID) }

// Permission is that of the system.
func (QueueMessage) Permission() domain.Permission { return delegation.System }

// Decide queues the mail.
func (c QueueMessage) Decide(m message.Message, _ Env) ([]message.Event, error) {
	return m.Queue(c.Mail)
}

// MarkMessageSent notes that a mail server took a mail.
type MarkMessageSent struct {
	MessageID string
	// Header is the Message-ID that the mail went out with.
	Header string
}

// Target is the mail.
func (c MarkMessageSent) Target() message.Target { return message.Decider.At(c.MessageID) }

// Permission is that of the system.
func (MarkMessageSent) Permission() domain.Permission { return delegation.System }

// Decide notes the sending.
func (c MarkMessageSent) Decide(m message.Message, _ Env) ([]message.Event, error) {
	return m.MarkSent(c.Header)
}

// MarkMessageFailed notes that a mail was given up.
type MarkMessageFailed struct {
	MessageID string
	// Code is the mail server's reply code, 0 when it was never asked.
	Code int
}

// Target is the mail.
func (c MarkMessageFailed) Target() message.Target { return message.Decider.At(c.MessageID) }

// Permission is that of the system.
func (MarkMessageFailed) Permission() domain.Permission { return delegation.System }

// Decide notes the failure.
func (c MarkMessageFailed) Decide(m message.Message, _ Env) ([]message.Event, error) {
	return m.MarkFailed(c.Code)
}
