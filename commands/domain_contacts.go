package commands

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/reservation"
)

// SetDomainContacts says who a domain name's contacts are. Those that are left
// out are the owner.
type SetDomainContacts struct {
	// Domain is the name, or its id.
	Domain  string `json:"-"`
	Owner   string `json:"owner" doc:"The holder: a contact whose address is verified."`
	Admin   string `json:"admin,omitempty"`
	Tech    string `json:"tech,omitempty"`
	Billing string `json:"billing,omitempty"`
}

// SetDomainContacts sets the contacts, all or none. Each new one is claimed on
// its own stream first, so that nobody archives it meanwhile (domain/contact);
// a claim of which nothing comes ends by itself. The caller needs the
// permission on the name, and the one to know of contacts.
func (d *Dispatcher) SetDomainContacts(ctx context.Context, call Call, cmd SetDomainContacts) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	set := setDomainContacts{to: domainname.Contacts{Owner: cmd.Owner, Admin: cmd.Admin, Tech: cmd.Tech, Billing: cmd.Billing}.Full()}
	var err error
	if set.id, err = d.domainID(ctx, cmd.Domain); err != nil {
		return Receipt{}, err
	}
	err = authorise(call, set.Permission(), delegation.Resource{Kind: domainname.Decider.Category, ID: set.id})
	if err == nil {
		err = authorise(call, delegation.ContactsManage, delegation.Resource{Kind: contact.Decider.Category})
	}
	if err != nil {
		return Receipt{}, err
	}
	for {
		f, err := fold(ctx, d.Streams(), set.Target(), call.CommandID, folded[domainname.DomainName]{})
		if err != nil {
			return Receipt{}, err
		}
		if f.count == 0 || !owns(call, f.state.Account) {
			return Receipt{}, domain.Missing("domain")
		}
		if set.after = f.state.ContactsSet; f.own == nil {
			if call.stale(f.count) {
				return Receipt{}, domain.ErrStale
			}
			if err := d.claimContacts(ctx, call, set, f.state); err != nil {
				return Receipt{}, err
			}
		}
		receipt, err := Execute(ctx, d, call, set)
		if !errors.Is(err, errContactsMoved) {
			return receipt, err
		}
		if ctx.Err() != nil {
			return Receipt{}, storeError("set the contacts of "+set.id, ctx.Err())
		}
	}
}

// domainID is the id of a domain name, given by it or by the name. For a name
// that nobody has it is one that no name has, so that it is refused as others.
func (d *Dispatcher) domainID(ctx context.Context, name string) (string, error) {
	if strings.HasPrefix(name, "dom_") {
		return name, nil
	}
	held, err := Load(ctx, d.Streams(), d.Reserved(reservation.DomainName, asciiName(name)))
	return cmp.Or(held.By, "dom_"), err
}

// claimContacts looks whether all contacts can be the name's, and then claims
// those that are not yet. What it refuses has claimed nothing.
func (d *Dispatcher) claimContacts(ctx context.Context, call Call, set setDomainContacts, n domainname.DomainName) error {
	if err := d.checkContacts(ctx, call, set.to, n.Contacts); err != nil {
		return err
	}
	until := d.Clock().Add(holdFor)
	has := n.Contacts.IDs()
	for _, id := range set.to.IDs() {
		if slices.Contains(has, id) {
			continue
		}
		// Each try claims anew: the claim of an earlier one may be over.
		step := call.Step("claim " + id + " " + until.UTC().String())
		if _, err := Execute(ctx, d, step, claimContact{id: id, domain: set.id, after: set.after, until: until}); err != nil {
			return err
		}
	}
	return nil
}

// checkContacts refuses contacts that are not the account's, naming the field
// alike for those that are another's and those that do not exist; those that are
// archived; and an owner, unless it is so already, that is not verified.
func (d *Dispatcher) checkContacts(ctx context.Context, call Call, to, has domainname.Contacts) error {
	var check domain.Check
	var refusal error
	known := map[string]contact.Contact{}
	for _, role := range []struct{ field, id, had string }{
		{"owner", to.Owner, has.Owner},
		{"admin", to.Admin, has.Admin},
		{"tech", to.Tech, has.Tech},
		{"billing", to.Billing, has.Billing},
	} {
		c, ok := known[role.id]
		if !ok && strings.HasPrefix(role.id, "ctc_") && len(role.id) <= longestID {
			var err error
			if c, err = Load(ctx, d.Streams(), contact.Decider.At(role.id)); err != nil {
				return err
			}
			known[role.id] = c
		}
		there := c.Status != contact.StatusNone && owns(call, c.Account) && !contactErased(c)
		check.That(there, role.field, "must be a contact of this account")
		switch {
		case !there || role.id == role.had || refusal != nil:
		case role.field == "owner":
			refusal = c.MayOwn()
		default:
			refusal = c.MayServe()
		}
	}
	if err := check.Err(); err != nil {
		return err
	}
	return refusal
}

// longestID is more than any id of ours has: what is longer names nothing, and
// may be no name that the store takes.
const longestID = 64

// errContactsMoved says that the name's contacts were set since its new ones
// were claimed: they have to be claimed anew.
var errContactsMoved = errors.New("the domain's contacts were set meanwhile")

type setDomainContacts struct {
	id string
	to domainname.Contacts
	// after is how often the contacts had been set when the new ones were claimed.
	after int
}

func (c setDomainContacts) Target() domainname.Target   { return domainname.Decider.At(c.id) }
func (setDomainContacts) Permission() domain.Permission { return delegation.DomainsManage }

func (c setDomainContacts) Decide(n domainname.DomainName, _ Env) ([]domainname.Event, error) {
	if n.Name != "" && n.ContactsSet != c.after {
		return nil, errContactsMoved
	}
	return n.SetContacts(c.to)
}

type claimContact struct {
	id, domain string
	after      int
	until      time.Time
}

func (c claimContact) Target() contact.Target      { return contact.Decider.At(c.id) }
func (claimContact) Permission() domain.Permission { return delegation.System }

func (c claimContact) Decide(at contact.Contact, _ Env) ([]contact.Event, error) {
	return at.Claim(c.domain, c.after, c.until)
}
