package commands

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// MailStaffRole tells a user that it was hired or dismissed, because of that
// event. It is security mail: nobody switches it off. Of two that follow at once
// either may be read first.
func (d *Dispatcher) MailStaffRole(ctx context.Context, call Call, id string, event uuid.UUID) error {
	target := staff.Decider.At(id)
	fact, meta, err := eventOf[staff.Event](ctx, d.Streams(), target, event)
	if err != nil {
		return err
	}
	var before time.Time // since when the contrary was so
	_, _, err = factOf(ctx, d.Streams(), target, func(e staff.Event, m eventstore.Meta) bool {
		switch e.(type) {
		case staff.Hired, staff.Deactivated:
			if m.EventID != event {
				before = m.OccurredAt
			}
		}
		return m.EventID == event
	})
	if err != nil {
		return err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err != nil || !reachable(u) {
		return err
	}
	hired, _ := fact.(staff.Hired) // without a role for who is dismissed
	mail, err := d.Mails.StaffRole(id, u, hired.Role, meta.OccurredAt, before)
	if err != nil {
		return err
	}
	return d.queue(ctx, call.Step("staff role"), MessageID(event, mail.Template, id), mail)
}
