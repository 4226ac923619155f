package portal

import (
	"net/url"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// listPage is one page of a list; First and Next are the addresses of others.
type listPage[R any] struct {
	Items       []R
	Status      string
	First, Next string
}

// from is the page of a list that the address asks for.
func (v *visit) from() projections.Page { return projections.Page{Cursor: v.query("cursor")} }

// followList makes a list follow itself, on its first page.
func (p *pages) followList(v *visit, what string, list any) error {
	if v.query("cursor") != "" {
		return nil
	}
	return p.follow(v, what, "", list)
}

func listed[R any](v *visit, list projections.List[R]) listPage[R] {
	out := listPage[R]{Items: list.Items, Status: v.query("status")}
	at := func(cursor string) string {
		q := url.Values{}
		for _, kept := range []string{"status", "q"} {
			if value := v.query(kept); value != "" {
				q.Set(kept, value)
			}
		}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		return v.r.URL.Path + "?" + q.Encode()
	}
	if v.query("cursor") != "" {
		out.First = at("")
	}
	if list.NextCursor != nil {
		out.Next = at(*list.NextCursor)
	}
	return out
}

// can reports whether the page may offer something; commands decide again.
func (v *visit) can(p domain.Permission, kind, id string) bool {
	return delegation.Can(v.caller.Grants, v.account, p, delegation.Resource{Kind: kind, ID: id})
}
