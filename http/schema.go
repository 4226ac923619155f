package http

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// Money is how the document shows an amount of money.
type Money struct {
	Amount   string `json:"amount" pattern:"^-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,4})?$" patternDescription:"a decimal such as 12.34" doc:"Exact, with the decimals of the currency."`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" patternDescription:"three capital letters" doc:"ISO 4217."`
}

// schemas are the component schemas, with the types that describe themselves
// by their text rather than by their fields.
func schemas() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", schemaName)
	for t, alias := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[money.Amount]():   reflect.TypeFor[Money](),
		reflect.TypeFor[domain.Date]():    reflect.TypeFor[dateText](),
		reflect.TypeFor[money.Quantity](): reflect.TypeFor[decimalText](),
		reflect.TypeFor[money.Rate]():     reflect.TypeFor[decimalText](),
	} {
		r.RegisterTypeAlias(t, alias)
	}
	return r
}

// dateText and decimalText stand in the document for texts of one form.
type (
	dateText    string
	decimalText string
)

// Schema is a civil date.
func (dateText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Format: "date", Examples: []any{"2026-01-31"}}
}

// Schema is a decimal number as a text.
func (decimalText) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type: "string", Pattern: `^-?[0-9]{1,12}(\.[0-9]{1,4})?$`, PatternDescription: "a decimal such as 2.5", Examples: []any{"20"},
	}
	s.PrecomputeMessages()
	return s
}

// schemaName names a type in the document. Aggregates share bare names, so
// theirs have the aggregate's in front: invoice.Line, seller.Address.
func schemaName(t reflect.Type, hint string) string {
	name := strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Row")
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if _, aggregate, ok := strings.Cut(t.PkgPath(), "/domain/"); ok {
		return aggregate + "." + name
	}
	return name
}
