package projections

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Limits of a list's page.
const (
	DefaultLimit = 25
	MaxLimit     = 100
)

// Page asks for one page of a list.
type Page struct {
	// Limit is 1 to 100; 0 is 25.
	Limit int
	// Cursor is the next_cursor of the page before, "" for the first.
	Cursor string
}

// List is one page.
type List[R any] struct {
	Items []R `json:"items"`
	// NextCursor is null on the last page.
	NextCursor *string `json:"next_cursor"`
}

// From is where a page begins: after the row of that time and id. Lists are
// ordered by both, newest first, and neither ever changes.
type From struct {
	List string    `json:"l"`
	At   time.Time `json:"t"`
	ID   string    `json:"i"`
}

// open reads the page that is asked for of the named list.
func (p Page) open(list string) (From, int, error) {
	limit := p.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if limit < 1 || limit > MaxLimit {
		return From{}, 0, domain.Invalid("limit", "must be 1 to 100")
	}
	from := From{List: list, At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	if p.Cursor == "" {
		return from, limit, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(b, &from)
	}
	if err != nil || from.List != list || strings.ContainsRune(from.ID, 0) || from.At.Year() > 9999 || from.At.Year() < 1 {
		return From{}, 0, domain.Invalid("cursor", "is not the next_cursor of this list")
	}
	return from, limit, nil
}

// paged makes a page of rows of which one more than the limit was asked for.
func paged[R any](rows []R, limit int, list string, at func(R) (time.Time, string)) (List[R], error) {
	if rows == nil {
		rows = []R{}
	}
	if len(rows) <= limit {
		return List[R]{Items: rows}, nil
	}
	rows = rows[:limit]
	next := From{List: list}
	next.At, next.ID = at(rows[limit-1])
	b, err := json.Marshal(next)
	if err != nil {
		return List[R]{}, err
	}
	cursor := base64.RawURLEncoding.EncodeToString(b)
	return List[R]{Items: rows, NextCursor: &cursor}, nil
}

// Listed makes a page of a list that is no read model: rows answers at most
// limit of them.
func Listed[R any](p Page, list string, rows func(from From, limit int) ([]R, error), at func(R) (time.Time, string)) (List[R], error) {
	from, limit, err := p.open(list)
	if err != nil {
		return List[R]{}, err
	}
	found, err := rows(from, limit+1)
	if err != nil {
		return List[R]{}, err
	}
	return paged(found, limit, list, at)
}

// allow asks delegation.Can. What the viewer may not even know of is missing,
// not denied.
func allow(g delegation.Grants, account string, p domain.Permission, r delegation.Resource) error {
	if delegation.Can(g, account, p, r) {
		return nil
	}
	if account != "" && !delegation.Sees(g, account) {
		return delegation.Hidden(g)
	}
	if account != "" && !delegation.Reaches(g, account, r) {
		return domain.Missing(r.Noun())
	}
	return delegation.Refusal(g, account, p, r)
}

// allowAny is allow for a page made of several parts: one of them is enough.
func allowAny(g delegation.Grants, account string, permissions ...domain.Permission) error {
	var err error
	for _, p := range permissions {
		if err = allow(g, account, p, delegation.ListOf(p)); err == nil {
			return nil
		}
	}
	return err
}
