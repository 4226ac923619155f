package process

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands/effects/erase"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// privacyLane has requests for erasure answered and carried out, and sets the
// timers of the keys that the law keeps alive for a while. As in accountLane, the
// answer waits until commands that did not see the request are over.
func privacyLane(jobs *river.Client[pgx.Tx], after time.Duration) feed.Lane {
	return feed.Lane{
		Name: "process.privacy",
		Types: []string{
			"privacy.request_submitted.", "privacy.request_withdrawn.", "privacy.request_refused.", "privacy.request_accepted.",
			"privacy.request_widened.", "privacy.subject_key_destroyed.", "privacy.erasure_completed.",
		},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			timers := func(user string, cause uuid.UUID, keys []privacy.Key) {
				for _, k := range keys {
					if k.After != "" {
						p.want(keyTimer(k.Subject, string(k.Purpose)), erase.Key{User: user, Key: k, Cause: cause}, k.Day())
					}
				}
			}
			for _, e := range b.Events {
				user, cause := e.Meta.AggregateID, e.Meta.EventID
				switch fact := e.Data.(type) {
				case privacy.RequestSubmitted:
					p.want("answer "+user, erase.Answer{User: user, Cause: cause}, settled(e.Meta, after))
				case privacy.RequestWithdrawn, privacy.RequestRefused:
					p.done("answer " + user)
				case privacy.RequestAccepted:
					p.done("answer " + user)
					p.want("erase "+user, erase.Subject{User: user, Cause: cause}, time.Time{})
					timers(user, cause, fact.Keys)
				case privacy.RequestWidened:
					timers(user, cause, fact.Keys)
				case privacy.SubjectKeyDestroyed:
					p.done(keyTimer(fact.Subject, string(fact.Purpose)))
				case privacy.ErasureCompleted:
					p.done("erase " + user)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

func keyTimer(subject, purpose string) string { return "key " + subject + " " + purpose }
