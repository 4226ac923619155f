package process

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// delegationLane mails invitations, and notes when invitations and delegations
// run out. Rights end at their time, whenever that is noted. Invitations of a
// given time are the demo's and make no mail.
func delegationLane(jobs *river.Client[pgx.Tx]) feed.Lane {
	return feed.Lane{
		Name:  "process.delegation",
		Types: []string{"delegation."},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				expire := func(at *time.Time) {
					p.done(id)
					if at != nil {
						p.want(id, ExpireDelegation{Cause: causeOf(e.Meta), Delegation: id, At: *at}, *at)
					}
				}
				mail, tokens := "mail "+id, FinishLeaving{Cause: causeOf(e.Meta), Delegation: id}
				over := func(user string) {
					p.done(mail)
					expire(nil)
					if user != "" {
						p.want("tokens "+e.Meta.EventID.String(), tokens, time.Time{})
					}
				}
				switch fact := e.Data.(type) {
				case delegation.DelegateInvited:
					end := fact.OpenUntil
					if fact.ExpiresAt != nil && fact.ExpiresAt.Before(end) {
						end = *fact.ExpiresAt
					}
					expire(&end)
					if !e.Meta.GivenTime {
						p.want(mail, WriteInvitationMail{
							Cause: causeOf(e.Meta), Delegation: id, Invitation: fact.Invitation, Inviter: e.Meta.Actor.ID,
						}, time.Time{})
					}
				case delegation.InvitationAccepted:
					p.done(mail)
					expire(fact.ExpiresAt)
					p.want("tokens "+e.Meta.EventID.String(), tokens, time.Time{})
				case delegation.Kept:
					p.done(mail)
					expire(fact.ExpiresAt)
					p.want("tokens "+e.Meta.EventID.String(), tokens, time.Time{})
				case delegation.GrantChanged:
					if fact.User != "" {
						expire(fact.ExpiresAt)
					}
				case delegation.InvitationDeclined, delegation.InvitationExpired:
					over("")
				case delegation.Revoked:
					over(fact.User)
				case delegation.Expired:
					over(fact.User)
				case delegation.Left:
					over(fact.User)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

// WriteInvitationMail is the job of mailing an invitation.
type WriteInvitationMail struct {
	Cause      Cause  `json:"cause"`
	Delegation string `json:"delegation"`
	Invitation string `json:"invitation"`
	// Inviter is the user who invited.
	Inviter string `json:"inviter"`
}

// Kind is the job's name.
func (WriteInvitationMail) Kind() string { return "write_invitation_mail" }

type writeInvitationMail struct {
	river.WorkerDefaults[WriteInvitationMail]
	d *commands.Dispatcher
}

// Work queues the mail.
func (w *writeInvitationMail) Work(ctx context.Context, job *river.Job[WriteInvitationMail]) error {
	args := job.Args
	err := w.d.MailInvitation(ctx, args.Cause.call("invitation mail"), args.Cause.EventID, args.Delegation, args.Invitation, args.Inviter)
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return river.JobCancel(err)
	}
	return err
}

// FinishLeaving is the job of revoking the API tokens of a delegate whose
// delegation ended, or of one that begins, and does so without tokens.
type FinishLeaving struct {
	Cause      Cause  `json:"cause"`
	Delegation string `json:"delegation"`
}

// Kind is the job's name.
func (FinishLeaving) Kind() string { return "finish_leaving" }

// InsertOpts says in which queue: it reads the log from end to end.
func (FinishLeaving) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: ClosingQueue} }

type finishLeaving struct {
	wholeLog[FinishLeaving]
	d *commands.Dispatcher
}

// Work revokes them, unless that was done.
func (w *finishLeaving) Work(ctx context.Context, job *river.Job[FinishLeaving]) error {
	a := job.Args
	return w.d.FinishLeaving(ctx, a.Cause.call("leaving"), a.Delegation, a.Cause.EventID)
}

// ExpireDelegation is the job of noting that something has run out.
type ExpireDelegation struct {
	Cause      Cause  `json:"cause"`
	Delegation string `json:"delegation"`
	// At is when it does, by what was known when the job was made.
	At time.Time `json:"at"`
}

// Kind is the job's name.
func (ExpireDelegation) Kind() string { return "expire_delegation" }

type expireDelegation struct {
	river.WorkerDefaults[ExpireDelegation]
	d *commands.Dispatcher
}

// Work notes it, if it is so by now. It is today's fact, also of what has a
// given time.
func (w *expireDelegation) Work(ctx context.Context, job *river.Job[ExpireDelegation]) error {
	if early := job.Args.At.Sub(w.d.Clock()); early > 0 {
		return river.JobSnooze(early)
	}
	cause := Cause{EventID: job.Args.Cause.EventID, CorrelationID: job.Args.Cause.CorrelationID}
	call := cause.call("expire")
	call.CommandID = uuid.NewSHA1(call.CommandID, []byte(job.Args.At.UTC().Format(time.RFC3339Nano)))
	_, err := commands.Execute(ctx, w.d, call, commands.ExpireDelegation{DelegationID: job.Args.Delegation})
	return err
}
