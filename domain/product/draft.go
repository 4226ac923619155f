package product

import (
	"strings"

	"github.com/hostfold/hostfold/domain"
)

// Drafted says that a product was begun; it is not on sale by that.
type Drafted struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// EventType is the name on disk.
func (Drafted) EventType() string { return "product.drafted.v1" }

func (e Drafted) apply(p Product) Product {
	p.Code, p.Name = e.Code, e.Name
	return p
}

// Draft begins a product.
func (p Product) Draft(code, name string) ([]Event, error) {
	if p.Exists() {
		return nil, ErrExists
	}
	var c domain.Check
	e := Drafted{Code: c.Line("code", code, 40), Name: c.Line("name", name, 100)}
	c.That(strings.Trim(e.Code, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "", "code", "must be lower-case letters, digits, hyphens, points and underscores")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{e}, nil
}
