// Package apitoken holds the rules of a token with which a program uses the
// API on one account, for the user who made it.
//
// The token itself is not here: the vault keeps its hash under the stream's
// id. What it may do is decided when it is used, by domain/delegation: never
// more than its holder may then.
package apitoken

import (
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about a token.
type Event interface {
	domain.Event
	apply(Token) Token
}

// Target is one token.
type Target = domain.Target[Token, Event]

// Decider folds a token's facts.
var Decider = domain.Decider[Token, Event]{
	Category: "apitoken",
	Evolve:   func(t Token, e Event) Token { return e.apply(t) },
	Types: []domain.Type{
		domain.PublicTypeOf[Issued](delegation.UsersManage),
		domain.PublicTypeOf[Revoked](delegation.UsersManage),
	},
}

// Token is the state of a token.
type Token struct {
	Account string
	// User is its holder.
	User      string
	IsRevoked bool
}

// OwnerAccount is the account that the token is for.
func (t Token) OwnerAccount() string { return t.Account }

// Errors of this aggregate.
var (
	ErrExists  = domain.Conflict("token_exists", "This token was issued already.")
	ErrMissing = domain.Missing("API token")
)

// Issued says that a user made a token for an account.
type Issued struct {
	Account string `json:"account"`
	User    string `json:"user"`
	// Name is what the user calls it.
	Name string `json:"name" personal:"user,profile"`
	// Permissions bound what it may do, whatever its holder may.
	Permissions []domain.Permission `json:"permissions"`
	ExpiresAt   *time.Time          `json:"expires_at,omitempty"`
}

// EventType is the name on disk.
func (Issued) EventType() string { return "apitoken.issued.v1" }

// Public is the token without the name that its holder gave it.
func (e Issued) Public() any {
	return struct {
		User        string              `json:"user"`
		Permissions []domain.Permission `json:"permissions"`
		ExpiresAt   *time.Time          `json:"expires_at,omitempty"`
	}{e.User, e.Permissions, e.ExpiresAt}
}

func (e Issued) apply(Token) Token { return Token{Account: e.Account, User: e.User} }

// Issue makes the token. Its permissions may be more than its holder has: what
// counts is what the holder has when it is used.
func (t Token) Issue(asked Issued, now time.Time) ([]Event, error) {
	if t.Account != "" {
		return nil, ErrExists
	}
	var c domain.Check
	asked.Name = c.Line("name", asked.Name, 100)
	asked.Permissions = delegation.CheckToken(&c, asked.Permissions)
	if asked.ExpiresAt != nil {
		at := asked.ExpiresAt.UTC().Truncate(time.Microsecond)
		asked.ExpiresAt = &at
		c.That(at.After(now), "expires_at", "must be in the future")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{asked}, nil
}

// Revoked says that the token is no longer good for anything.
type Revoked struct {
	Account string `json:"account"`
	User    string `json:"user"`
}

// EventType is the name on disk.
func (Revoked) EventType() string { return "apitoken.revoked.v1" }

// Public is whose token it was.
func (e Revoked) Public() any {
	return struct {
		User string `json:"user"`
	}{e.User}
}

func (Revoked) apply(t Token) Token {
	t.IsRevoked = true
	return t
}

// Revoke ends the token, for its holder or for the account's owner; to others
// it is missing. One that was revoked needs nothing.
func (t Token) Revoke(by delegation.Grants) ([]Event, error) {
	switch {
	case t.Account == "", !by.System && by.User != t.User && !by.Accounts[t.Account].Owner:
		return nil, ErrMissing
	case t.IsRevoked:
		return nil, nil
	}
	return []Event{Revoked{Account: t.Account, User: t.User}}, nil
}
