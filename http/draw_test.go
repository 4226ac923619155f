package http_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// draw turns a fuzzer's bytes into choices, so that a change of a byte is a
// change of one choice. Without bytes left it chooses what is plain.
type draw struct {
	bytes []byte
	// schemas are the document's components; texts are what fits where things and
	// people are named.
	schemas map[string]map[string]any
	texts   []string
}

// naming are the fields that name things and people. What stands in others is
// shown to readers, so nothing is written there that they must not see.
var naming = []string{
	"id", "owner", "admin", "technical", "billing", "services", "domains", "certificates", "tickets", "service", "domain", "ticket", "product", "user",
	"account", "email", "token", "challenge", "session", "stream", "related", "of", "return", "q", "password", "current", "new", "code", "answer", "passkey",
}

// next is a choice below n.
func (d *draw) next(n int) int {
	if len(d.bytes) == 0 || n < 2 {
		return 0
	}
	b := int(d.bytes[0])
	d.bytes = d.bytes[1:]
	return b % n
}

// rest is what the fuzzer wrote itself, a few bytes of it.
func (d *draw) rest() string {
	n := min(len(d.bytes), 1+d.next(40))
	n = min(n, len(d.bytes))
	text := string(d.bytes[:n])
	d.bytes = d.bytes[n:]
	return text
}

// nasty are texts that have broken programs before.
var nasty = []string{
	"", " ", "\t\n", "\x00", "\u202e\u200bé\u0301", "'; DROP TABLE accounts;--", "{{.}}", "<script>alert(1)</script>", "../../../etc/passwd",
	"%s%n%x", "$(id)", "\U0010ffff", "\xff\xfe", "null", "-1", "0", "1e999", "NaN", "99999999999999999999999999", "0.000000000000000000001", "-0",
	"2026-02-30", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:60+23:59", "a@b.c", "\"@x\"@y.example", "a@[127.0.0.1]",
	"xn--0000h", "*", "EUR", "FR", "monthly", "technical", "normal", "service", "individual", strings.Repeat("x", 300), strings.Repeat("é", 5000),
	strings.Repeat("a.", 130) + "example", "http://evil.test/", "//evil.test", "hfp_0", "acc_", "usr_00000000000000000000000000000000",
}

// textOf is one of the known texts, a nasty one, or the fuzzer's own.
func (d *draw) textOf(name string) string {
	switch d.next(4) {
	case 0:
		return "x"
	case 1:
		if len(d.texts) > 0 && slices.Contains(naming, name) {
			return d.texts[d.next(len(d.texts))]
		}
	case 2:
		return nasty[d.next(len(nasty))]
	}
	return d.rest()
}

// odd are values of every wrong kind.
var odd = []any{nil, true, -1, 1e300, 1 << 53, "", []any{}, map[string]any{}, []any{nil}, map[string]any{"": nil}}

// value is one that mostly fits a schema: for the most part the sample, where
// there is one.
func (d *draw) value(name string, schema map[string]any, sample any, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema = d.schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
	}
	kind := kindOf(schema)
	if depth > 6 || d.next(24) == 23 {
		return odd[d.next(len(odd))]
	}
	if kind == "object" {
		return d.object(schema, sample, depth)
	}
	if sample != nil && d.next(8) < 5 {
		return sample
	}
	if choices, ok := schema["enum"].([]any); ok && d.next(5) < 4 {
		return choices[d.next(len(choices))]
	}
	switch kind {
	case "array":
		items, _ := schema["items"].(map[string]any)
		list := []any{}
		for i := range 1 + d.next(3) {
			var one any
			if samples, ok := sample.([]any); ok && i < len(samples) {
				one = samples[i]
			}
			list = append(list, d.value(name, items, one, depth+1))
		}
		return list
	case "integer", "number":
		return []any{1, 0, -1, 1 << 31, 1 << 53, 0.5, 1e18}[d.next(7)]
	case "boolean":
		return d.next(2) == 0
	}
	return d.written(name, schema)
}

// object has what the sample has, or what the schema asks for; now and then it
// lacks some of that, or has more.
func (d *draw) object(schema map[string]any, sample any, depth int) any {
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	like, _ := sample.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		inner, _ := properties[name].(map[string]any)
		given, plain := like[name]
		if sample == nil {
			plain = slices.Contains(required, any(name))
		}
		if odds := d.next(8); name == "$schema" || plain && odds == 7 || !plain && odds < 6 {
			continue
		}
		out[name] = d.value(name, inner, given, depth+1)
	}
	if properties == nil && d.next(4) == 3 || d.next(20) == 19 {
		out[d.textOf("")] = d.textOf("")
	}
	return out
}

// written is a text in the form that the schema asks for, or another.
func (d *draw) written(name string, schema map[string]any) string {
	pattern, _ := schema["pattern"].(string)
	format, _ := schema["format"].(string)
	switch {
	case d.next(4) == 3:
		return d.textOf(name)
	case format == "date-time":
		return []string{"2099-01-01T00:00:00+14:00", "2026-12-01T00:00:00Z", "0000-01-01T00:00:00Z"}[d.next(3)]
	case format == "date":
		return []string{"2026-12-01", "2028-02-29", "9999-12-31"}[d.next(3)]
	case strings.Contains(pattern, "A-Z]{3}"):
		return []string{"EUR", "USD", "XXX", "JPY"}[d.next(4)]
	case strings.Contains(pattern, "A-Z]{2}"):
		return []string{"FR", "DE", "US", "XX"}[d.next(4)]
	case strings.Contains(pattern, "0-9]"):
		return []string{"1", "12.34", "-1", "0", "999999999999999", "0.0001"}[d.next(6)]
	}
	return d.textOf(name)
}

func kindOf(schema map[string]any) string {
	switch kind := schema["type"].(type) {
	case string:
		return kind
	case []any:
		for _, k := range kind {
			if k != "null" {
				text, _ := k.(string)
				return text
			}
		}
	}
	return ""
}

// body is a request's body: one made after the schema and a sample, or the bytes
// as they are.
func (d *draw) body(schema map[string]any, sample string) string {
	if d.next(16) == 15 {
		return string(d.bytes)
	}
	if sample == "" && d.next(4) < 3 {
		return "" // which says that it asks for none
	}
	var like any
	if sample != "" && json.Unmarshal([]byte(sample), &like) != nil {
		return sample
	}
	text, err := json.Marshal(d.value("", schema, like, 0))
	if err != nil {
		return "{"
	}
	if d.next(32) == 31 && len(text) > 2 {
		return string(text[:len(text)-1]) + "," + string(text[1:])
	}
	return string(text)
}
