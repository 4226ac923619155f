package commands

import (
	"cmp"
	"context"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
)

// IssueToken makes an API token for the caller on an account.
type IssueToken struct {
	TokenID   string `json:"-"`
	AccountID string `json:"-"`
	Name      string `json:"name"`
	// Permissions bound what the token may do; it never may more than its holder.
	Permissions []domain.Permission `json:"permissions"`
	// ExpiresAt ends the token, nil never.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// IssueToken makes a token and answers it, this once: only its hash is kept.
// The vault's row comes first; without the event it is good for nothing. It is
// for a caller that has proven itself lately: a token outlives its session.
func (d *Dispatcher) IssueToken(ctx context.Context, call Call, cmd IssueToken) (Receipt, string, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	cmd = cmd.Identify(func(kind string) string { return NewID(call.CommandID, kind) })
	err := authorise(call, cmd.Permission(), delegation.Resource{Kind: apitoken.Decider.Category, ID: cmd.TokenID})
	if err != nil {
		return Receipt{}, "", err
	}
	if _, err := cmd.Decide(apitoken.Token{}, Env{Now: d.Clock()}); err != nil {
		return Receipt{}, "", err
	}
	if err := d.requireFresh(ctx, call); err != nil {
		return Receipt{}, "", err
	}
	of, err := Load(ctx, d.Streams(), account.Decider.At(cmd.AccountID))
	if err == nil {
		err = of.MayChange()
	}
	if err != nil {
		return Receipt{}, "", err
	}
	token, err := d.Vault.AddAPIToken(ctx, cmd.TokenID)
	if err != nil {
		return Receipt{}, "", err
	}
	receipt, err := Execute(ctx, d, call, cmd)
	return receipt, token, err
}

// Identify gives the token its id.
func (c IssueToken) Identify(newID func(kind string) string) IssueToken {
	c.TokenID = cmp.Or(c.TokenID, newID("tok"))
	return c
}

// Target is the new token.
func (c IssueToken) Target() apitoken.Target { return apitoken.Decider.At(c.TokenID) }

// Permission is holding anything on the account.
func (IssueToken) Permission() domain.Permission { return delegation.Member }

// NeedsVerifiedEmail is a rule about tokens.
func (IssueToken) NeedsVerifiedEmail() {}

// Decide makes the token.
func (c IssueToken) Decide(t apitoken.Token, env Env) ([]apitoken.Event, error) {
	return t.Issue(apitoken.Issued{
		Account: c.AccountID, User: env.Actor.ID, Name: c.Name, Permissions: c.Permissions, ExpiresAt: c.ExpiresAt,
	}, env.Now)
}

// RevokeToken ends an API token, for its holder or for the account's owner.
type RevokeToken struct {
	TokenID string `json:"-"`
}

// RevokeToken ends a token. From its event on it is refused; that its hash goes
// as well is tidiness.
func (d *Dispatcher) RevokeToken(ctx context.Context, call Call, cmd RevokeToken) (Receipt, error) {
	receipt, err := Execute(ctx, d, call, cmd)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.Vault.DropAPIToken(ctx, cmd.TokenID)
}

// Target is the token.
func (c RevokeToken) Target() apitoken.Target { return apitoken.Decider.At(c.TokenID) }

// Permission is holding anything on the account; whose token it is, the rule asks.
func (RevokeToken) Permission() domain.Permission { return delegation.Member }

// Decide ends the token.
func (RevokeToken) Decide(t apitoken.Token, env Env) ([]apitoken.Event, error) {
	return t.Revoke(env.Grants)
}
