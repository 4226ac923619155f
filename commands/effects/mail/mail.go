// Package mail sends the mails that message streams ask for. The stream is the
// truth: a mail whose stream says sent is not sent again, whatever jobs say.
// Only when the process ends between a server's acceptance and the fact sent
// does a mail go out twice, under the same Message-ID.
//
// It must not write texts; those stand in the stream, made by commands/mailtext.
package mail

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	gomail "github.com/wneessen/go-mail"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/eventstore"
)

// Sink is where mails go: an SMTP server or a folder.
type Sink interface {
	// Send answers nil once the mail is accepted, and *RefusedError when it
	// never will be.
	Send(ctx context.Context, m *gomail.Msg) error
}

// Remover is a Sink that keeps mails and can remove them again.
type Remover interface {
	// Remove removes mails by the ids of their message streams; one that is
	// not there needs nothing.
	Remove(ctx context.Context, messages []string) error
}

// RefusedError says that a server refused a mail for good.
type RefusedError struct {
	// Code is the server's reply code.
	Code int
	Err  error
}

// Error tells the code and the cause.
func (e *RefusedError) Error() string { return fmt.Sprintf("refused with %d: %v", e.Code, e.Err) }

// Unwrap is the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// Send is the job of sending one mail.
type Send struct {
	Message string `json:"message"`
	// Cause is the event that queued the mail, CorrelationID what it belongs to.
	Cause         string `json:"cause,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
}

// Kind is the job's name.
func (Send) Kind() string { return "send_mail" }

// Worker sends mails.
type Worker struct {
	river.WorkerDefaults[Send]
	Dispatcher *commands.Dispatcher
	Sink       Sink
	// From is the sender, "Name <address>".
	From mail.Address
}

// Timeout bounds one attempt.
func (*Worker) Timeout(*river.Job[Send]) time.Duration { return time.Minute }

// Work sends the mail unless its stream says that it was sent, then says so
// there. What the sink refuses for now is tried again, later and later.
func (w *Worker) Work(ctx context.Context, job *river.Job[Send]) error {
	id := job.Args.Message
	m, err := commands.Load(ctx, w.Dispatcher.Streams(), message.Decider.At(id))
	if err != nil {
		return err
	}
	if m.Status != message.StatusQueued {
		return nil
	}
	if m.Queued.Recipient == eventstore.Erased {
		return w.record(ctx, job.Args, commands.MarkMessageFailed{MessageID: id})
	}
	queued, held, err := w.withSecret(ctx, id, m.Queued)
	if err != nil {
		return err
	}
	if !held {
		return w.record(ctx, job.Args, commands.MarkMessageFailed{MessageID: id})
	}
	header := w.messageID(id)
	mime, err := w.compose(queued, header)
	if err != nil {
		return err
	}
	err = w.Sink.Send(ctx, mime)
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return w.record(ctx, job.Args, commands.MarkMessageFailed{MessageID: id, Code: refused.Code})
	}
	if err != nil {
		return fmt.Errorf("send %s: %w", id, err)
	}
	return w.record(ctx, job.Args, commands.MarkMessageSent{MessageID: id, Header: header})
}

// withSecret is a mail with the secret of its link, which stands nowhere else.
// Held is false when the link holds no more: such a mail would be of no use.
func (w *Worker) withSecret(ctx context.Context, id string, q message.Queued) (_ message.Queued, held bool, err error) {
	if !mailtext.HasLink(q.Template) {
		return q, true, nil
	}
	secret, held, err := w.Dispatcher.Vault.MailSecret(ctx, id)
	q.Text = strings.ReplaceAll(q.Text, mailtext.Secret, secret)
	q.HTML = strings.ReplaceAll(q.HTML, mailtext.Secret, secret)
	return q, held, err
}

// record notes the outcome. The mail is out: this goes on when the job's
// context ends.
func (w *Worker) record(ctx context.Context, args Send, outcome commands.Command[message.Message, message.Event]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	call := commands.Call{
		CommandID: commands.StepID(uuid.NewSHA1(uuid.Nil, []byte(args.Message)), fmt.Sprintf("%T", outcome)),
		Actor:     domain.Actor{Kind: domain.ActorSystem, ID: "mail"}, Grants: delegation.Grants{System: true},
		CausationID: args.Cause, CorrelationID: args.CorrelationID,
	}
	var err error
	switch c := outcome.(type) {
	case commands.MarkMessageSent:
		_, err = commands.Execute(ctx, w.Dispatcher, call, c)
	case commands.MarkMessageFailed:
		_, err = commands.Execute(ctx, w.Dispatcher, call, c)
	}
	return err
}

// messageID is the Message-ID header of a mail, the same at every attempt, by
// which a doubled mail is recognised.
func (w *Worker) messageID(id string) string {
	_, host, _ := strings.Cut(w.From.Address, "@")
	return id + "@" + host
}

func (w *Worker) compose(q message.Queued, header string) (*gomail.Msg, error) {
	m := gomail.NewMsg()
	m.FromMailAddress(&w.From)
	if err := m.To(q.Recipient); err != nil {
		return nil, fmt.Errorf("address a mail: %w", err)
	}
	m.Subject(q.Subject)
	m.SetMessageIDWithValue(header)
	m.SetDateWithValue(w.Dispatcher.Clock())
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("Content-Language", q.Locale)
	m.SetBodyString(gomail.TypeTextPlain, q.Text)
	if q.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, q.HTML)
	}
	return m, nil
}
