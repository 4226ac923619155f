package commands

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// contactFor is how long a link that verifies a contact's address holds: whoever
// gets it did not ask for it.
const contactFor = 7 * 24 * time.Hour

// VerifyContact follows a mailed link that proves a contact's address.
type VerifyContact struct {
	Token string `json:"token" maxLength:"200" doc:"What stands after # in the link."`
	// IP is where the request comes from.
	IP string `json:"-"`
}

// VerifyContact verifies the address. Whoever follows the link needs no log-in.
func (d *Dispatcher) VerifyContact(ctx context.Context, call Call, cmd VerifyContact) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	followed, err := d.follow(ctx, cmd.Token, cmd.IP)
	if err != nil {
		return Receipt{}, err
	}
	if followed.Purpose != vault.ContactEmail {
		return Receipt{}, user.ErrToken
	}
	call.Actor = domain.Actor{Kind: domain.ActorSystem, ID: "mailed link"}
	receipt, err := Execute(ctx, d, call.Step("verify"), verifyContact{followed.UserID, followed.mailedTo})
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.Vault.SpendMailToken(ctx, followed.ID)
}

type verifyContact struct{ contact, mailedTo string }

func (c verifyContact) Target() contact.Target      { return contact.Decider.At(c.contact) }
func (verifyContact) Permission() domain.Permission { return delegation.System }

func (c verifyContact) Decide(at contact.Contact, _ Env) ([]contact.Event, error) {
	return at.VerifyEmail(c.mailedTo)
}

// VouchContact verifies a contact's address without a mail: of the demo.
type VouchContact struct {
	ContactID string
}

// Target is the contact.
func (c VouchContact) Target() contact.Target { return contact.Decider.At(c.ContactID) }

// Permission is that of the system.
func (VouchContact) Permission() domain.Permission { return delegation.System }

// Decide verifies the address that the contact has.
func (VouchContact) Decide(at contact.Contact, _ Env) ([]contact.Event, error) {
	return at.VerifyEmail(at.Details.Email)
}

// ResendContactVerification mails the link that verifies a contact's address
// again.
type ResendContactVerification struct {
	ContactID string `json:"-"`
}

// ResendContactVerification does nothing for an address that is verified. Links
// that were mailed before hold as long as they did.
func (d *Dispatcher) ResendContactVerification(ctx context.Context, call Call, cmd ResendContactVerification) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	target := contact.Decider.At(cmd.ContactID)
	err := authorise(call, delegation.ContactsManage, delegation.Resource{Kind: target.Decider.Category, ID: target.ID})
	if err == nil {
		err = RequireVerified(ctx, d.Streams(), call.Actor)
	}
	if err != nil {
		return Receipt{}, err
	}
	f, err := fold(ctx, d.Streams(), target, uuid.Nil, folded[contact.Contact]{})
	at := f.state
	switch {
	case err != nil:
	case at.Status == contact.StatusNone, !owns(call, at.Account):
		err = contact.ErrMissing
	case contactErased(at):
		err = eventstore.ErrSubjectErased
	default:
		err = at.MayServe()
	}
	if err == nil && call.stale(f.count) {
		err = domain.ErrStale
	}
	receipt := Receipt{ID: target.ID, Stream: target.Stream(), Revision: max(f.count, 1) - 1, Position: f.last}
	if err != nil || at.Verified {
		return receipt, err
	}
	attempt, err := d.Vault.Try(ctx, vault.OwnMail, call.Actor.ID)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.unanswered(ctx, attempt, d.mailContact(ctx, call, call.CommandID, d.Clock(), cmd.ContactID, at))
}

// MailContactVerification mails the link that verifies a contact's address,
// because of something that happened at a time; as MailVerification, it does
// nothing once that link has expired. *vault.LimitedError says that the account
// has had many such mails sent, and when to come again.
func (d *Dispatcher) MailContactVerification(ctx context.Context, call Call, cause uuid.UUID, at time.Time, contactID string) error {
	c, err := Load(ctx, d.Streams(), contact.Decider.At(contactID))
	if err != nil || c.MayServe() != nil || c.Verified || contactErased(c) || !d.Clock().Before(at.Add(contactFor)) {
		return err
	}
	stream := message.Decider.At(MessageID(cause, mailtext.ContactVerification, contactID)).Stream()
	if there, err := d.Streams().exists(ctx, stream); err != nil || there {
		return err
	}
	attempt, err := d.Vault.Try(ctx, vault.ContactMails, c.Account)
	if err != nil {
		return err
	}
	return d.unanswered(ctx, attempt, d.mailContact(ctx, call, cause, at, contactID, c))
}

// mailContact mails the link, unless that address had enough such mails lately,
// from whatever account: whoever asks does not learn it.
func (d *Dispatcher) mailContact(ctx context.Context, call Call, cause uuid.UUID, at time.Time, id string, c contact.Contact) error {
	a, err := Load(ctx, d.Streams(), account.Decider.At(c.Account))
	if err != nil {
		return err
	}
	owner, err := Load(ctx, d.Streams(), user.Decider.At(a.Owner))
	if err != nil {
		return err
	}
	attempt, err := d.Vault.Try(ctx, vault.ContactMail, user.NormalEmail(c.Details.Email))
	if errors.Is(err, vault.ErrLimited) {
		return nil
	}
	if err != nil {
		return err
	}
	expires := at.Add(contactFor)
	mail, err := d.Mails.ContactVerification(id, c, a.Name, owner.Locale, expires)
	if err != nil {
		return err
	}
	return d.unanswered(ctx, attempt, d.mailLink(ctx, call, cause, vault.MailToken{Purpose: vault.ContactEmail, ExpiresAt: expires}, mail))
}
