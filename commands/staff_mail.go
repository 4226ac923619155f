package commands

import (
	"context"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
)

// MailStaffRole tells a user that it was hired or dismissed, because of that
// event. It is security mail: nobody switches it off.
func (d *Dispatcher) MailStaffRole(ctx context.Context, call Call, id string, event uuid.UUID) error {
	fact, meta, err := eventOf[staff.Event](ctx, d.Streams(), staff.Decider.At(id), event)
	if err != nil {
		return err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err != nil || !reachable(u) {
		return err
	}
	hired, _ := fact.(staff.Hired) // without a role for who is dismissed
	mail, err := d.Mails.StaffRole(id, u, hired.Role, meta.OccurredAt)
	if err != nil {
		return err
	}
	return d.queue(ctx, call.Step("staff role"), MessageID(event, mail.Template, id), mail)
}
