package commands

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// held is what the log holds of a user and of the accounts that it owns.
type held struct {
	user     string
	accounts []string
	// streams are the ids of the accounts' streams by category.
	streams map[string][]string
	// billed is the year of the accounts' last invoice, credit note or
	// payment, 0 without any.
	billed int
	// invitations are those that name the user's address, and those of its
	// accounts, offers of accounts and what former owners kept among them, and
	// the mails of invitations that name the user: each has a key of its own.
	invitations []string
	// contacts are those of other accounts that have the user's address.
	contacts []string
	// of are the accounts of others that invitations and contacts belong to, and
	// onHold those of them whose owner is under a legal hold.
	of     map[string]string
	onHold map[string]bool
	// ended is when the contract of the user and of accounts ended that were closed
	// before, and so of the accounts' contacts.
	ended map[string]time.Time
}

// heldOf reads the log from end to end, since no index of ours is the truth.
func (d *Dispatcher) heldOf(ctx context.Context, userID string) (held, error) {
	h := held{user: userID, streams: map[string][]string{}, of: map[string]string{}, onHold: map[string]bool{}, ended: map[string]time.Time{}}
	about, err := d.about(ctx, account.Decider.Category, userID)
	if err != nil {
		return h, err
	}
	for _, id := range about {
		a, err := Load(ctx, d.Streams(), account.Decider.At(id))
		if err != nil {
			return h, err
		}
		if a.Owner == userID {
			h.accounts = append(h.accounts, id)
		}
		if a.Owner == userID && a.Status == account.StatusClosed {
			if h.ended[id], err = endedAt[account.Closed](ctx, d.Streams(), account.Decider.At(id)); err != nil {
				return h, err
			}
		}
	}
	if err := errors.Join(d.invitations(ctx, &h), d.contactsOf(ctx, &h)); err != nil {
		return h, err
	}
	if h.ended[userID], err = endedAt[user.Closed](ctx, d.Streams(), user.Decider.At(userID)); err != nil {
		return h, err
	}
	for _, id := range h.of {
		if h.onHold[id], err = d.onHold(ctx, id); err != nil {
			return h, err
		}
	}
	if len(h.accounts) == 0 {
		return h, nil
	}
	h.streams, err = d.streamsOf(ctx, h.accounts, []string{
		hosting.Decider.Category, domainname.Decider.Category, invoice.Decider.Category, creditnote.Decider.Category, contact.Decider.Category,
	}, func(m eventstore.Meta) {
		if m.Category == invoice.Decider.Category || m.Category == creditnote.Decider.Category {
			h.billed = max(h.billed, m.OccurredAt.Year(), m.RecordedAt.Year())
		}
	})
	for _, id := range h.streams[contact.Decider.Category] {
		c, missing := Load(ctx, d.Streams(), contact.Decider.At(id))
		err = errors.Join(err, missing)
		h.ended[id] = h.ended[c.Account]
	}
	return h, err
}

// streamsOf are the ids of the streams of some accounts, by category; each,
// which may be nil, sees the metadata of all their events.
func (d *Dispatcher) streamsOf(ctx context.Context, accounts, categories []string, each func(eventstore.Meta)) (map[string][]string, error) {
	found, err := d.streamsByAccount(ctx, accounts, categories, each)
	streams := map[string][]string{}
	for _, of := range found {
		for category, ids := range of {
			streams[category] = append(streams[category], ids...)
		}
	}
	for _, ids := range streams {
		slices.Sort(ids)
	}
	return streams, err
}

// streamsByAccount is streamsOf, by account and category. It reads the log from
// end to end.
func (d *Dispatcher) streamsByAccount(ctx context.Context, accounts, categories []string, each func(eventstore.Meta)) (map[string]map[string][]string, error) {
	found := make(map[string]map[string]map[string]bool, len(accounts))
	for _, id := range accounts {
		found[id] = map[string]map[string]bool{}
	}
	err := d.eachEvent(ctx, categories, func(r eventstore.Recorded) error {
		m, err := eventstore.MetaOf(r)
		of, ours := found[m.Account]
		if err != nil || !ours {
			return err
		}
		if of[m.Category] == nil {
			of[m.Category] = map[string]bool{}
		}
		of[m.Category][m.AggregateID] = true
		if each != nil {
			each(m)
		}
		return nil
	})
	streams := make(map[string]map[string][]string, len(accounts))
	for account, of := range found {
		streams[account] = map[string][]string{}
		for category, ids := range of {
			streams[account][category] = slices.Sorted(maps.Keys(ids))
		}
	}
	return streams, err
}

// about are the ids of a category's streams with an event that names somebody.
func (d *Dispatcher) about(ctx context.Context, category string, ids ...string) ([]string, error) {
	found := map[string]bool{}
	err := d.eachEvent(ctx, []string{category}, func(r eventstore.Recorded) error {
		for _, id := range ids {
			if bytes.Contains(r.Data, []byte(`"`+id+`"`)) {
				found[r.Stream[len(category)+1:]] = true
			}
		}
		return nil
	})
	return slices.Sorted(maps.Keys(found)), err
}

// onHold reports whether a legal hold on an account's owner keeps what the
// account has.
func (d *Dispatcher) onHold(ctx context.Context, accountID string) (bool, error) {
	if accountID == "" {
		return false, nil
	}
	a, err := Load(ctx, d.Streams(), account.Decider.At(accountID))
	if err != nil {
		return false, err
	}
	owner, err := Load(ctx, d.Streams(), privacy.Decider.At(a.Owner))
	return owner.Hold != "", err
}

// MessagesTo are the ids of the mails to or about a user whose erasure was
// accepted, its accounts and invitations, but for those that a legal hold keeps.
func (d *Dispatcher) MessagesTo(ctx context.Context, userID string) ([]string, error) {
	s, err := Load(ctx, d.Streams(), privacy.Decider.At(userID))
	if err != nil {
		return nil, err
	}
	ids := []string{userID}
	for _, k := range s.Keys {
		if k.After == "" || !s.Awaits(k) {
			ids = append(ids, k.Subject)
		}
	}
	slices.Sort(ids)
	return d.about(ctx, message.Decider.Category, slices.Compact(ids)...)
}

// invitations finds those that name the user, by the address that it has proven
// whole or since it accepted, or are of its accounts. Mails of offers name the owner, too, under the offer's
// key.
func (d *Dispatcher) invitations(ctx context.Context, h *held) error {
	u, err := Load(ctx, d.Streams(), user.Decider.At(h.user))
	if err != nil {
		return err
	}
	found, mails := map[string]bool{}, map[string]string{} // mails by invitation
	owner, last, of := map[string]string{}, map[string]string{}, map[string]string{}
	err = d.eachEvent(ctx, []string{delegation.Decider.Category, account.Decider.Category}, func(r eventstore.Recorded) error {
		e, m, err := d.Codec.Decode(ctx, r)
		if err != nil {
			return storeError("read the log", err)
		}
		var subject, email, named string
		switch fact := e.(type) {
		case delegation.DelegateInvited:
			subject, email = fact.Invitation, fact.Email
			last[m.AggregateID] = fact.Invitation
			mails[fact.Invitation] = invitationMail(m.EventID, fact.Invitation)
			of[mails[fact.Invitation]] = m.Account
			// Of what a part of the system asks for the mail names the owner.
			if m.Actor.ID == h.user || m.Actor.Kind != domain.ActorUser && owner[m.Account] == h.user {
				found[mails[fact.Invitation]] = true
			}
		case delegation.InvitationAccepted:
			subject, named = last[m.AggregateID], fact.User
		case delegation.Kept:
			subject, email, named = fact.Invitation, fact.Email, fact.User
		case account.Opened:
			owner[m.AggregateID] = fact.Owner
		case account.OwnershipTransferProposed:
			subject, email, named = fact.Transfer, fact.Email, owner[m.AggregateID]
		case account.OwnershipTransferred:
			owner[m.AggregateID] = fact.To
			subject, named = fact.Transfer, fact.To
		}
		of[subject] = m.Account
		if subject != "" && (named == h.user || slices.Contains(h.accounts, m.Account) || u.Proven() && u.Email != eventstore.Erased && user.NormalEmail(email) == user.NormalEmail(u.Email)) {
			found[subject] = true
		}
		return nil
	})
	for invitation, mail := range mails {
		if found[invitation] {
			found[mail] = true
		}
	}
	h.invitations = slices.Sorted(maps.Keys(found))
	for _, id := range h.invitations {
		h.belongs(id, of[id])
	}
	return err
}

// belongs notes whose account a subject belongs to, if it is another's.
func (h *held) belongs(subject, account string) {
	if !slices.Contains(h.accounts, account) {
		h.of[subject] = account
	}
}

// contactsOf finds the contacts of other accounts that have the user's address.
// An address that the user has not proven whole is anybody's.
func (d *Dispatcher) contactsOf(ctx context.Context, h *held) error {
	u, err := Load(ctx, d.Streams(), user.Decider.At(h.user))
	if err != nil || !u.Proven() || u.Email == eventstore.Erased {
		return err
	}
	found := map[string]bool{}
	err = d.eachEvent(ctx, []string{contact.Decider.Category}, func(r eventstore.Recorded) error {
		e, m, err := d.Codec.Decode(ctx, r)
		if err != nil {
			return storeError("read the log", err)
		}
		var now contact.Details
		switch fact := e.(type) {
		case contact.Created:
			now = fact.Details
		case contact.Amended:
			now = fact.Details
		default:
			return nil
		}
		delete(found, m.AggregateID)
		if !slices.Contains(h.accounts, m.Account) && user.NormalEmail(now.Email) == user.NormalEmail(u.Email) {
			found[m.AggregateID] = true
			h.belongs(m.AggregateID, m.Account)
		}
		return nil
	})
	h.contacts = slices.Sorted(maps.Keys(found))
	return err
}

// unused are those of some contacts of other accounts that are erased with the
// user: what a domain name has is kept, since its holder has to be known (NIS2
// art. 28).
func (d *Dispatcher) unused(ctx context.Context, contacts []string, now time.Time) (free []string, err error) {
	for _, id := range contacts {
		archive, err := ArchiveContact{ContactID: id}.Gather(ctx, d.Streams())
		if err != nil {
			return nil, err
		}
		at, err := Load(ctx, d.Streams(), archive.Target())
		if err != nil {
			return nil, err
		}
		switch _, err := archive.Decide(at, Env{Now: now}); {
		case err == nil:
			free = append(free, id)
		case !errors.Is(err, contact.ErrInUse):
			return nil, err
		}
	}
	return free, nil
}

// letGo archives the contacts of other accounts that are erased with the user.
// One that a domain name has since the answer stays, and so does one that was
// amended to have another address.
func (d *Dispatcher) letGo(ctx context.Context, call Call, userID string, s privacy.Subject) error {
	u, err := Load(ctx, d.Streams(), user.Decider.At(userID))
	if err != nil {
		return err
	}
	for _, k := range s.Keys {
		if k.Purpose != subjectkey.Profile {
			continue
		}
		c, err := Load(ctx, d.Streams(), contact.Decider.At(k.Subject))
		if err != nil {
			return err
		}
		if !elsewhere(c, s) || user.NormalEmail(c.Details.Email) != user.NormalEmail(u.Email) {
			continue
		}
		_, err = Execute(ctx, d, call.Step("archive "+k.Subject), ArchiveContact{ContactID: k.Subject})
		if err != nil && !errors.Is(err, contact.ErrInUse) {
			return err
		}
	}
	return nil
}

// spared reports whether a key's subject is a contact that letGo has left.
func (d *Dispatcher) spared(ctx context.Context, s privacy.Subject, subject string) (bool, error) {
	c, err := Load(ctx, d.Streams(), contact.Decider.At(subject))
	return err == nil && elsewhere(c, s), err
}

// elsewhere reports whether a contact is in use by an account that is not
// erased; it is false for what is no contact.
func elsewhere(c contact.Contact, s privacy.Subject) bool {
	return c.Status == contact.StatusActive && !slices.Contains(s.Accounts, c.Account)
}

// eachEvent goes through the events of some categories, up to the end of the
// log as it is now.
func (d *Dispatcher) eachEvent(ctx context.Context, categories []string, do func(eventstore.Recorded) error) (err error) {
	var filter eventstore.Filter
	for _, c := range categories {
		filter.Streams = append(filter.Streams, c+"-")
	}
	head, err := d.Store.Head(ctx)
	if err != nil {
		return storeError("read the end of the log", err)
	}
	sub, err := d.Store.Subscribe(ctx, eventstore.Start, filter)
	if err != nil {
		return storeError("read the log", err)
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	for through := eventstore.Start; through.Before(head); {
		batch, err := sub.Next(ctx, 1000)
		if err != nil {
			return storeError("read the log", err)
		}
		through = batch.Through
		for _, r := range batch.Events {
			if err := do(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// obstacles are the reasons for which nothing can be erased yet: what is under
// contract or not settled.
func (d *Dispatcher) obstacles(ctx context.Context, h held, today domain.Date) ([]privacy.Reason, error) {
	why, err := d.unsettled(ctx, h.streams, today)
	var found []privacy.Reason
	for _, r := range why {
		found = append(found, privacy.Reason(r))
	}
	return found, err
}

// endedAt is when the last event of type F was, the zero time when there was none.
func endedAt[F domain.Event, S any, E domain.Event](ctx context.Context, s Streams, target domain.Target[S, E]) (last time.Time, err error) {
	_, _, err = factOf(ctx, s, target, func(_ F, m eventstore.Meta) bool {
		last = m.OccurredAt
		return false // there may be a later one
	})
	return last, err
}

// keys are the keys of the person, each with the day of its end.
func (h held) keys(now time.Time) []privacy.Key {
	var fiscal domain.Date
	if h.billed > 0 {
		fiscal = privacy.FiscalEnd(h.billed)
	}
	identity := privacy.IdentityEnd(now)
	contacts := slices.Concat(h.streams[contact.Decider.Category], h.contacts)
	var keys []privacy.Key
	for _, s := range slices.Concat([]string{h.user}, h.accounts, contacts, h.invitations) {
		k := privacy.Key{Subject: s, Purpose: subjectkey.Profile, Account: h.of[s]}
		if h.onHold[k.Account] {
			k.After = privacy.HoldEnd(now)
		}
		keys = append(keys, k)
	}
	for _, s := range h.accounts {
		keys = append(keys, privacy.Key{Subject: s, Purpose: subjectkey.Fiscal, After: fiscal})
	}
	for _, s := range slices.Concat([]string{h.user}, h.accounts, contacts) {
		after := identity
		if ended := h.ended[s]; !ended.IsZero() {
			after = privacy.IdentityEnd(ended)
		}
		keys = append(keys, privacy.Key{Subject: s, Purpose: subjectkey.Identity, After: after, Account: h.of[s]})
	}
	return keys
}
