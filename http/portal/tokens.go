package portal

import (
	"net/http"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// tokensPage are API tokens, and the form for another.
type tokensPage struct {
	List listPage[tokenRow]
	// New is a token that was just made, told this once.
	New         string
	Permissions []choices
	All         bool
}

// tokenRow is a token and its last use.
type tokenRow struct {
	projections.APITokenRow
	UsedAt *time.Time
}

func (p *pages) tokens(v *visit) error { return p.showTokens(v, http.StatusOK, "") }

func (p *pages) showTokens(v *visit, status int, issued string) error {
	list, err := p.Reader.APITokens(v.r.Context(), v.caller.Grants, v.account, v.from())
	if err != nil {
		return err
	}
	ids := make([]string, len(list.Items))
	for i, row := range list.Items {
		ids[i] = row.ID
	}
	uses, err := p.Vault.APITokenUses(v.r.Context(), ids)
	if err != nil {
		return err
	}
	rows := projections.List[tokenRow]{NextCursor: list.NextCursor}
	for _, row := range list.Items {
		shown := tokenRow{APITokenRow: row}
		if at, ok := uses[row.ID]; ok {
			shown.UsedAt = &at
		}
		rows.Items = append(rows.Items, shown)
	}
	typed := typedPermissions(input{values: v.page.Form.values})
	return p.show(v, status, "tokens", "tokens", v.title("tokens.title"), tokensPage{
		List: listed(v, rows), New: issued, All: len(typed) == 1 && typed[0] == all,
		Permissions: v.permissionChoices(typed, delegation.UsersManage),
	})
}

// issueToken answers the token itself: it is told once, so there is nothing to
// lead to.
func (p *pages) issueToken(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	in.key = "" // a repeat could not tell the token again
	ask := commands.IssueToken{AccountID: v.account, Name: in.value("name"), Permissions: typedPermissions(in)}
	var receipt commands.Receipt
	var token string
	if ask.ExpiresAt, err = p.typedEnd(in); err == nil {
		var call commands.Call
		if call, err = p.call(v, in, ask); err == nil {
			receipt, token, err = p.Dispatcher.IssueToken(v.r.Context(), call, ask)
		}
	}
	if err != nil {
		status, err := p.refused(v, in, err, "name", "permissions", "expires_at")
		if err != nil {
			return err
		}
		return p.showTokens(v, status, "")
	}
	if err := p.inForce(v.r, receipt.Position); err != nil {
		return err
	}
	return p.showTokens(v, http.StatusOK, token)
}

func (p *pages) revokeToken(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.RevokeToken{TokenID: v.id()}
	call, err := p.call(v, in, ask)
	var receipt commands.Receipt
	if err == nil {
		receipt, err = p.Dispatcher.RevokeToken(v.r.Context(), call, ask)
	}
	if err != nil {
		status, err := p.refused(v, in, err)
		if err != nil {
			return err
		}
		return p.showTokens(v, status, "")
	}
	if err := p.inForce(v.r, receipt.Position); err != nil {
		return err
	}
	see(v.w, v.r, v.path("tokens")+"?done=token_revoked")
	return nil
}

func (p *pages) history(v *visit) error {
	list, err := p.Feed.History(v.r.Context(), v.caller.Grants, v.account, projections.HistoryQuery{}, v.from())
	if err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "history", "history", v.title("history.title"), listed(v, list))
}
