package domain

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Check collects what is wrong with the fields of an intention, so that a
// person hears of all of it at once. Its zero value is ready.
type Check struct{ fields []FieldError }

// That notes the message for the field unless ok; the first one of a field counts.
func (c *Check) That(ok bool, field, message string) { c.Because(ok, field, "", message) }

// Because is That for a field that can be wrong in several ways: reason is the
// stable, snake_case name of this one, by which it is said in other languages.
func (c *Check) Because(ok bool, field, reason, message string) {
	noted := slices.ContainsFunc(c.fields, func(f FieldError) bool { return f.Field == field })
	if !ok && !noted {
		c.fields = append(c.fields, FieldError{Field: field, Reason: reason, Message: message})
	}
}

// Within notes what another check found, under a prefix of its fields.
func (c *Check) Within(prefix string, other Check) {
	for _, f := range other.fields {
		c.Because(false, prefix+f.Field, f.Reason, f.Message)
	}
}

// Line is a required text of one line, trimmed, of at most limit characters.
func (c *Check) Line(field, value string, limit int) string {
	value = strings.TrimSpace(value)
	c.That(value != "", field, "must not be empty")
	return c.optional(field, value, limit, false)
}

// OptionalLine is like Line, but may be empty.
func (c *Check) OptionalLine(field, value string, limit int) string {
	return c.optional(field, strings.TrimSpace(value), limit, false)
}

// Text is a required text that may have several lines.
func (c *Check) Text(field, value string, limit int) string {
	value = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n"))
	c.That(value != "", field, "must not be empty")
	return c.optional(field, value, limit, true)
}

// OptionalText is like Text, but may be empty.
func (c *Check) OptionalText(field, value string, limit int) string {
	return c.optional(field, strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n")), limit, true)
}

// Country notes a country that is no ISO 3166 code of two capital letters.
func (c *Check) Country(field, code string) {
	c.That(IsCountry(code), field, "must be an ISO 3166 country code such as FR")
}

// Err is the refusal, nil when nothing was noted.
func (c *Check) Err() error {
	switch len(c.fields) {
	case 0:
		return nil
	case 1:
		e := Invalid(c.fields[0].Field, c.fields[0].Message)
		e.Fields = c.fields
		return e
	}
	first := c.fields[0]
	detail := fmt.Sprintf("%s: %s (and %d more)", first.Field, first.Message, len(c.fields)-1)
	return &Error{Kind: KindInvalid, Code: "invalid_field", Detail: detail, Fields: c.fields}
}

func (c *Check) optional(field, value string, limit int, lines bool) string {
	c.That(utf8.ValidString(value), field, "must be UTF-8 text")
	c.That(utf8.RuneCountInString(value) <= limit, field, fmt.Sprintf("must have at most %d characters", limit))
	control := func(r rune) bool { return unicode.IsControl(r) && (!lines || r != '\n' && r != '\t') }
	c.That(!strings.ContainsFunc(value, control), field, "must not contain control characters")
	return value
}
