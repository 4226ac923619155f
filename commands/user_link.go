package commands

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// How long a mailed link holds.
const (
	verifyFor = 48 * time.Hour
	resetFor  = time.Hour
)

// mailLink queues a mail with a link. The link is made first: a mail whose link
// is not there is not sent. It is the mail's reader's, unless it says whose.
func (d *Dispatcher) mailLink(ctx context.Context, call Call, cause uuid.UUID, link vault.MailToken, mail message.Queued) error {
	link.UserID = cmp.Or(link.UserID, mail.User)
	link.ID = MessageID(cause, mail.Template, link.UserID)
	if err := d.Vault.AddMailToken(ctx, link); err != nil {
		return err
	}
	_, err := Execute(ctx, d, call.Step("mail "+mail.Template), QueueMessage{MessageID: link.ID, Mail: mail})
	return err
}

// MailVerification mails the link that verifies a user's address, because of
// something that happened at a time: a repeat after that time's link has
// expired does nothing, so that a rebuild brings no link back to life.
func (d *Dispatcher) MailVerification(ctx context.Context, call Call, cause uuid.UUID, at time.Time, userID string) error {
	u, err := Load(ctx, d.Streams(), user.Decider.At(userID))
	expires := at.Add(verifyFor)
	if err != nil || u.Proven() || !reachable(u) || !d.Clock().Before(expires) {
		return err
	}
	mail, err := d.Mails.VerifyEmail(userID, u)
	if err != nil {
		return err
	}
	return d.mailLink(ctx, call, cause, vault.MailToken{Purpose: vault.VerifyEmail, ExpiresAt: expires}, mail)
}

// MailReset mails the link that sets a new password, in the same way.
func (d *Dispatcher) MailReset(ctx context.Context, call Call, cause uuid.UUID, at time.Time, userID string) error {
	u, err := Load(ctx, d.Streams(), user.Decider.At(userID))
	expires := at.Add(resetFor)
	if err != nil || !reachable(u) || !d.Clock().Before(expires) {
		return err
	}
	mail, err := d.Mails.ResetPassword(userID, u)
	if err != nil {
		return err
	}
	return d.mailLink(ctx, call, cause, vault.MailToken{Purpose: vault.ResetPassword, Credential: u.Credential, ExpiresAt: expires}, mail)
}

// reachable reports whether a user may get mail.
func reachable(u user.User) bool {
	return u.Exists() && !u.IsClosed && u.Email != eventstore.Erased
}

// link is a mailed link that somebody follows, and the address that its mail
// went to.
type link struct {
	vault.MailToken
	mailedTo string
}

// follow finds the link of a secret; user.ErrToken for one that does not hold.
// The source of many wrong ones has to wait.
func (d *Dispatcher) follow(ctx context.Context, secret, ip string) (link, error) {
	attempt, err := d.Vault.TrySource(ctx, vault.UseToken, ip)
	if err != nil {
		return link{}, err
	}
	t, found, err := d.Vault.MailToken(ctx, secret)
	if err != nil || !found {
		if err == nil {
			err = user.ErrToken
		}
		return link{}, d.unanswered(ctx, attempt, err)
	}
	m, err := Load(ctx, d.Streams(), message.Decider.At(t.ID))
	if err != nil {
		return link{}, d.unanswered(ctx, attempt, err)
	}
	if m.Status == message.StatusNone || m.Queued.Recipient == eventstore.Erased || !mailtext.HasLink(m.Queued.Template) {
		return link{}, user.ErrToken
	}
	return link{t, m.Queued.Recipient}, d.Vault.TakeBack(ctx, attempt)
}

// RequireVerified refuses a user whose address is not verified; parts of the
// system and staff pass. Execute asks it for commands that are NeedsVerified.
func RequireVerified(ctx context.Context, s Streams, by domain.Actor) error {
	if by.Kind != domain.ActorUser {
		return nil
	}
	u, err := Load(ctx, s, user.Decider.At(by.ID))
	if err != nil {
		return err
	}
	return u.MustBeVerified()
}
