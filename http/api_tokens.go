package http

import (
	"context"
	"net/http"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

const tokenPath = "/v1/accounts/{account}/api-tokens" //nolint:gosec // a path, not a credential

// NewToken is an API token that was just made: it is told this once.
type NewToken struct {
	ID    string `json:"id"`
	Token string `json:"token" doc:"Send it as Authorization: Bearer. It is told this once."`
}

// APIToken is a token as its holder sees it.
type APIToken struct {
	projections.APITokenRow
	UsedAt *time.Time `json:"used_at" doc:"When it was last used, to the minute."`
}

func (a *api) apiTokens() {
	list(a, operation{
		method: http.MethodGet, path: tokenPath, summary: "List API tokens", model: projections.RightsModel,
		notes: "My own on this account; its owner sees everybody's. Revoked ones are gone.",
	}, func(ctx context.Context, r *request, in *Owned) (projections.List[APIToken], error) {
		rows, err := a.Reader.APITokens(ctx, r.caller.Grants, r.account, in.page())
		if err != nil {
			return projections.List[APIToken]{}, err
		}
		ids := make([]string, len(rows.Items))
		for i, row := range rows.Items {
			ids[i] = row.ID
		}
		uses, err := a.Vault.APITokenUses(ctx, ids)
		out := projections.List[APIToken]{Items: make([]APIToken, len(rows.Items)), NextCursor: rows.NextCursor}
		for i, row := range rows.Items {
			out.Items[i].APITokenRow = row
			if at, ok := uses[row.ID]; ok {
				out.Items[i].UsedAt = &at
			}
		}
		return out, err
	})
	write(a, operation{
		method: http.MethodPost, path: tokenPath, summary: "Issue an API token", status: http.StatusCreated, location: tokenPath,
		secret: true, rights: true,
		notes: "It acts for me on this account, with the permissions that it is given and that I have when it is used. " +
			"It cannot manage users or tokens, and nothing of my log-in. Making one needs a log-in or a confirmation of the last ten minutes.",
	}, func(r *request, c *commands.IssueToken) { c.AccountID = r.account },
		func(ctx context.Context, call commands.Call, c commands.IssueToken) (commands.Receipt, NewToken, error) {
			receipt, token, err := a.Dispatcher.IssueToken(ctx, call, c)
			return receipt, NewToken{ID: receipt.ID, Token: token}, err
		})
	write(a, operation{
		method: http.MethodDelete, path: tokenPath + "/{id}", summary: "Revoke an API token", rights: true,
		notes: "It is refused from the answer on. Holders revoke their own, the account's owner anybody's.",
	}, func(r *request, c *commands.RevokeToken) { c.TokenID = r.path("id") },
		func(ctx context.Context, call commands.Call, c commands.RevokeToken) (commands.Receipt, Ref, error) {
			return ref(a.Dispatcher.RevokeToken(ctx, call, c))
		})
}
