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
	// schemas are the document's components; texts are what fits where ids and
	// words go.
	schemas map[string]map[string]any
	texts   []string
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
	"", " ", "\t\n", "\x00", "\u202e\u200bé\u0301", "'; DROP TABLE read.account;--", "{{.}}", "<script>alert(1)</script>", "../../../etc/passwd",
	"%s%n%x", "$(id)", "\U0010ffff", "\xff\xfe", "null", "-1", "0", "1e999", "NaN", "99999999999999999999999999", "0.000000000000000000001", "-0",
	"2026-02-30", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:60+23:59", "a@b.c", "\"@x\"@y.example", "a@[127.0.0.1]",
	"xn--0000h", "*", "EUR", "FR", "monthly", "technical", "normal", "service", "individual", strings.Repeat("x", 300), strings.Repeat("é", 5000),
	strings.Repeat("a.", 130) + "example", "http://evil.test/", "//evil.test", "hfp_0", "acc_", "usr_00000000000000000000000000000000",
}

// text is one of the known texts, a nasty one, or the fuzzer's own.
func (d *draw) text() string {
	switch d.next(4) {
	case 0:
		return "x"
	case 1:
		return d.texts[d.next(len(d.texts))]
	case 2:
		return nasty[d.next(len(nasty))]
	}
	return d.rest()
}

// odd are values of every wrong kind.
var odd = []any{nil, true, -1, 1e300, 1 << 53, "", []any{}, map[string]any{}, []any{nil}, map[string]any{"": nil}}

// value is one that mostly fits a schema.
func (d *draw) value(schema map[string]any, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema = d.schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
	}
	if depth > 6 || d.next(12) == 11 {
		return odd[d.next(len(odd))]
	}
	if choices, ok := schema["enum"].([]any); ok && d.next(5) < 4 {
		return choices[d.next(len(choices))]
	}
	switch kindOf(schema) {
	case "object":
		return d.object(schema, depth)
	case "array":
		items, _ := schema["items"].(map[string]any)
		list := []any{}
		for range 1 + d.next(3) {
			list = append(list, d.value(items, depth+1))
		}
		return list
	case "integer", "number":
		return []any{1, 0, -1, 1 << 31, 1 << 53, 0.5, 1e18}[d.next(7)]
	case "boolean":
		return d.next(2) == 0
	}
	return d.written(schema)
}

func (d *draw) object(schema map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if name == "$schema" || d.next(8) == 7 {
			continue
		}
		inner, _ := properties[name].(map[string]any)
		out[name] = d.value(inner, depth+1)
	}
	if len(properties) == 0 || d.next(20) == 19 {
		out[d.text()] = d.text()
	}
	return out
}

// written is a text in the form that the schema asks for, or another.
func (d *draw) written(schema map[string]any) string {
	pattern, _ := schema["pattern"].(string)
	format, _ := schema["format"].(string)
	switch {
	case d.next(4) == 3:
		return d.text()
	case format == "date-time":
		return []string{"2026-12-01T00:00:00Z", "2099-01-01T00:00:00+14:00", "0000-01-01T00:00:00Z"}[d.next(3)]
	case format == "date":
		return []string{"2026-12-01", "2028-02-29", "9999-12-31"}[d.next(3)]
	case strings.Contains(pattern, "A-Z]{3}"):
		return []string{"EUR", "USD", "XXX", "JPY"}[d.next(4)]
	case strings.Contains(pattern, "0-9]"):
		return []string{"1", "12.34", "-1", "0", "999999999999999", "0.0001"}[d.next(6)]
	}
	return d.text()
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

// body is a request's body: one made after the schema, or the bytes as they are.
func (d *draw) body(schema map[string]any) string {
	if d.next(8) == 7 {
		return string(d.bytes)
	}
	text, err := json.Marshal(d.value(schema, 0))
	if err != nil {
		return "{"
	}
	if d.next(16) == 15 && len(text) > 2 {
		return string(text[:len(text)-1]) + "," + string(text[1:])
	}
	return string(text)
}
