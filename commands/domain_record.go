package commands

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/net/idna"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/reservation"
)

// RecordDomain notes a domain name that an account has registered.
type RecordDomain struct {
	AccountID    string      `json:"-"`
	Name         string      `json:"name"`
	RegisteredOn domain.Date `json:"registered_on"`
	ExpiresOn    domain.Date `json:"expires_on"`
}

// RecordDomain records the name, unless it is recorded anywhere already.
func (d *Dispatcher) RecordDomain(ctx context.Context, call Call, cmd RecordDomain) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	record := recordDomain{RecordDomain: cmd, id: NewID(call.CommandID, "dom")}
	record.Name = asciiName(cmd.Name)
	resource := delegation.Resource{Kind: domainname.Decider.Category, ID: record.id}
	if err := authorise(call, record.Permission(), resource); err != nil {
		return Receipt{}, err
	}
	if err := mustBeOpen(ctx, d.Streams(), cmd.AccountID); err != nil {
		return Receipt{}, err
	}
	if _, err := record.Decide(domainname.DomainName{}, Env{Account: call.Account}); err != nil {
		return Receipt{}, err
	}
	receipt, err := claim(ctx, d, call, record, reservation.DomainName, record.Name)
	if errors.Is(err, reservation.ErrTaken) {
		return Receipt{}, domainname.ErrTaken
	}
	return receipt, err
}

type recordDomain struct {
	RecordDomain
	id string
}

func (c recordDomain) Target() domainname.Target   { return domainname.Decider.At(c.id) }
func (recordDomain) Permission() domain.Permission { return delegation.StaffServices }

func (c recordDomain) Decide(n domainname.DomainName, env Env) ([]domainname.Event, error) {
	if c.AccountID != env.Account {
		return nil, account.ErrMissing
	}
	return n.Record(c.AccountID, c.Name, c.RegisteredOn, c.ExpiresOn)
}

// asciiName is the one form of a name as people type it: punycode, lower case,
// no final point. What is no name comes back as it was, for the rule to refuse.
func asciiName(typed string) string {
	name := strings.TrimSuffix(strings.TrimSpace(typed), ".")
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return typed
	}
	return ascii
}
