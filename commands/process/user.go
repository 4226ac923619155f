package process

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// userLane finishes what a crash left when a user changed its address, was
// locked or was closed, carries out resets of second factors at their time, and
// revokes the API tokens of a log-in that may have been a stranger's.
func userLane(jobs *river.Client[pgx.Tx]) feed.Lane {
	return feed.Lane{
		Name: "process.user",
		Types: []string{
			"user.email_changed.", "user.locked.", "user.unlocked.", "user.closed.",
			"user.factor_reset_requested.", "user.factor_reset_cancelled.", "user.factors_reset.",
		},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				reset := "reset " + id
				switch fact := e.Data.(type) {
				case user.FactorResetRequested:
					p.want(reset, FinishFactorReset{Cause: causeOf(e.Meta), User: id, Reset: fact.Reset, At: fact.TakesEffectAt}, fact.TakesEffectAt)
				case user.FactorResetCancelled:
					p.done(reset)
				case user.FactorsReset:
					p.done(reset)
					p.want("tokens "+e.Meta.EventID.String(), FinishTakeOver{Cause: causeOf(e.Meta), User: id}, time.Time{})
				case user.EmailChanged:
					p.want(e.Meta.EventID.String(), FinishEmailChange{Cause: causeOf(e.Meta), User: id}, time.Time{})
				case user.Locked, user.Closed:
					p.want(id, FinishClose{Cause: causeOf(e.Meta), User: id}, time.Time{})
				case user.Unlocked:
					p.done(id)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

// WriteUserMail is the job of mailing a user what its log-in is about.
type WriteUserMail struct {
	Cause Cause  `json:"cause"`
	User  string `json:"user"`
	// About is the type of the event, At when it was recorded.
	About string    `json:"about"`
	At    time.Time `json:"at"`
}

// anyVersion is what the names of all versions of an event begin with: jobs tell
// of events that older programs wrote.
func anyVersion(event string) string { return event[:strings.LastIndex(event, ".")+1] }

// Kind is the job's name.
func (WriteUserMail) Kind() string { return "write_user_mail" }

type writeUserMail struct {
	river.WorkerDefaults[WriteUserMail]
	d *commands.Dispatcher
}

// Work queues the mail. A link that has expired meanwhile is not mailed.
func (w *writeUserMail) Work(ctx context.Context, job *river.Job[WriteUserMail]) error {
	a := job.Args
	call := a.Cause.call("user mail")
	var err error
	switch anyVersion(a.About) {
	case anyVersion(user.Registered{}.EventType()):
		err = w.d.MailVerification(ctx, call, a.Cause.EventID, a.At, a.User)
	case anyVersion(user.PasswordResetRequested{}.EventType()):
		err = w.d.MailReset(ctx, call, a.Cause.EventID, a.At, a.User)
	case anyVersion(user.FactorResetRequested{}.EventType()):
		err = w.d.MailFactorReset(ctx, call, a.User, a.Cause.EventID)
	case anyVersion(staff.Hired{}.EventType()), anyVersion(staff.Deactivated{}.EventType()):
		err = w.d.MailStaffRole(ctx, call, a.User, a.Cause.EventID)
	default:
		err = w.d.MailNotice(ctx, call, a.User, a.Cause.EventID)
	}
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return river.JobCancel(err)
	}
	return err
}

// FinishEmailChange is the job of freeing the address that a user left, and of
// telling it.
type FinishEmailChange struct {
	Cause Cause  `json:"cause"`
	User  string `json:"user"`
}

// Kind is the job's name.
func (FinishEmailChange) Kind() string { return "finish_email_change" }

type finishEmailChange struct {
	river.WorkerDefaults[FinishEmailChange]
	d *commands.Dispatcher
}

// Work frees the address, unless that was done.
func (w *finishEmailChange) Work(ctx context.Context, job *river.Job[FinishEmailChange]) error {
	a := job.Args
	err := w.d.FinishEmailChange(ctx, a.Cause.call("finish email change"), a.User, a.Cause.EventID)
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return river.JobCancel(err)
	}
	return err
}

// FinishClose is the job of giving up what a closed or locked user holds.
type FinishClose struct {
	Cause Cause  `json:"cause"`
	User  string `json:"user"`
}

// Kind is the job's name.
func (FinishClose) Kind() string { return "finish_close" }

type finishClose struct {
	river.WorkerDefaults[FinishClose]
	d *commands.Dispatcher
}

// Work gives up what is still there.
func (w *finishClose) Work(ctx context.Context, job *river.Job[FinishClose]) error {
	return w.d.FinishClose(ctx, job.Args.Cause.call("finish close"), job.Args.User)
}

// FinishFactorReset is the job of removing a user's second factors.
type FinishFactorReset struct {
	Cause Cause  `json:"cause"`
	User  string `json:"user"`
	Reset string `json:"reset"`
	// At is when.
	At time.Time `json:"at"`
}

// Kind is the job's name.
func (FinishFactorReset) Kind() string { return "finish_factor_reset" }

type finishFactorReset struct {
	river.WorkerDefaults[FinishFactorReset]
	d *commands.Dispatcher
}

// Work removes them, unless the reset was cancelled. It is today's fact.
func (w *finishFactorReset) Work(ctx context.Context, job *river.Job[FinishFactorReset]) error {
	a := job.Args
	if early := a.At.Sub(w.d.Clock()); early > 0 {
		return river.JobSnooze(early)
	}
	a.Cause.Actor, a.Cause.At = nil, nil
	return w.d.FinishFactorReset(ctx, a.Cause.call("factor reset"), a.User, a.Reset)
}

// FinishTakeOver is the job of revoking the API tokens of a log-in that may have
// been a stranger's.
type FinishTakeOver struct {
	Cause Cause  `json:"cause"`
	User  string `json:"user"`
}

// Kind is the job's name.
func (FinishTakeOver) Kind() string { return "finish_take_over" }

// InsertOpts says in which queue: it reads the log from end to end.
func (FinishTakeOver) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: ClosingQueue} }

type finishTakeOver struct {
	wholeLog[FinishTakeOver]
	d *commands.Dispatcher
}

// Work revokes them, unless that was done.
func (w *finishTakeOver) Work(ctx context.Context, job *river.Job[FinishTakeOver]) error {
	a := job.Args
	return w.d.FinishTakeOver(ctx, a.Cause.call("take over"), a.User, a.Cause.EventID)
}

// ObserveLogins is the job of writing failed log-ins to the log, hour by hour.
type ObserveLogins struct{}

// Kind is the job's name.
func (ObserveLogins) Kind() string { return "observe_logins" }

type observeLogins struct {
	river.WorkerDefaults[ObserveLogins]
	d *commands.Dispatcher
}

// Work writes the hours that are over.
func (w *observeLogins) Work(ctx context.Context, _ *river.Job[ObserveLogins]) error {
	return w.d.ObserveLoginFailures(ctx, commands.Call{
		CommandID: uuid.NewSHA1(uuid.Nil, []byte("observe logins")),
		Actor:     domain.Actor{Kind: domain.ActorSystem, ID: "log-ins"}, Grants: delegation.Grants{System: true},
	})
}
