package commands

import (
	"context"
	"slices"
	"strings"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/ticket"
)

// scope is a scope with ids for the names of domains. What is not the
// account's, or nothing that the caller may know of, is refused alike.
func (d *Dispatcher) scope(ctx context.Context, call Call, account string, s delegation.Scope) (delegation.Scope, error) {
	if len(s.IDs()) > delegation.MaxChosen {
		return s, nil // the rule refuses it
	}
	streams := d.Streams()
	domains := slices.Clone(s.Domains)
	for i, name := range domains {
		if strings.HasPrefix(name, "dom_") {
			continue
		}
		held, err := Load(ctx, streams, d.Reserved(reservation.DomainName, asciiName(name)))
		if err != nil {
			return s, err
		}
		domains[i] = held.By
	}
	s.Domains = domains
	for _, part := range []struct {
		field, kind string
		ids         []string
		owner       func(id string) (string, error)
	}{
		{"scope.services", "service", s.Services, func(id string) (string, error) {
			h, err := Load(ctx, streams, hosting.Decider.At(id))
			return h.Account, err
		}},
		{"scope.domains", "domain", s.Domains, func(id string) (string, error) {
			n, err := Load(ctx, streams, domainname.Decider.At(id))
			return n.Account, err
		}},
		{"scope.certificates", "certificate", s.Certificates, func(string) (string, error) { return "", nil }}, // none exist yet
		{"scope.tickets", "ticket", s.Tickets, func(id string) (string, error) {
			t, err := Load(ctx, streams, ticket.Decider.At(id))
			return t.Account, err
		}},
	} {
		for _, id := range part.ids {
			owner := ""
			if id != "" && delegation.SeesLink(call.Grants, account, part.kind, id) {
				var err error
				if owner, err = part.owner(id); err != nil {
					return s, err
				}
			}
			if owner == "" || owner != account {
				return s, domain.Invalid(part.field, "names something that this account does not have")
			}
		}
	}
	return s, nil
}
