package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// strictJSON reads JSON as the contract asks: UTF-8, one value, no field twice,
// no character that a database cannot keep.
var strictJSON = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}

// unmarshal is called by huma twice: into an any that it checks against the
// schema, then into the command.
func unmarshal(data []byte, v any) error {
	if loose, ok := v.(*any); ok {
		if !utf8.Valid(data) {
			return errors.New("the text is not UTF-8")
		}
		if err := scan(data); err != nil {
			return err
		}
		return json.Unmarshal(data, loose) //nolint:wrapcheck // its message is what the client needs
	}
	if json.Unmarshal(data, v) == nil {
		return nil
	}
	field, err := misfit(data, reflect.TypeOf(v).Elem())
	if err == nil {
		return errors.New("not JSON")
	}
	return errors.New(field + fieldEnd + err.Error())
}

// fieldEnd stands between a field and what is wrong with it, in the only thing
// that huma keeps of an error: its text.
const fieldEnd = "\x00"

// misfit finds the first value that fits the schema but not its type, and says
// in words that name no Go type what is wrong. It is "" for data as a whole.
func misfit(data []byte, t reflect.Type) (field string, err error) {
	switch {
	case bytes.Equal(bytes.TrimSpace(data), []byte("null")):
		return "", nil
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		// Our own types' words about their text.
		return "", json.Unmarshal(data, reflect.New(t).Interface()) //nolint:wrapcheck // its message is what the client needs
	}
	switch t.Kind() { //nolint:exhaustive // the others have no parts
	case reflect.Pointer:
		return misfit(data, t.Elem())
	case reflect.Slice:
		var parts []json.RawMessage
		if json.Unmarshal(data, &parts) == nil {
			for i, part := range parts {
				if inner, err := misfit(part, t.Elem()); err != nil {
					return under("["+strconv.Itoa(i)+"]", inner), err
				}
			}
			return "", nil
		}
	case reflect.Struct:
		var parts map[string]json.RawMessage
		if json.Unmarshal(data, &parts) == nil {
			for _, f := range reflect.VisibleFields(t) {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				part, sent := parts[name]
				if !sent || !f.IsExported() {
					continue
				}
				if inner, err := misfit(part, f.Type); err != nil {
					return under(name, inner), err
				}
			}
			return "", nil
		}
	}
	if json.Unmarshal(data, reflect.New(t).Interface()) != nil {
		return "", errors.New("has a value of the wrong kind")
	}
	return "", nil
}

// under is the path of a field inside another.
func under(outer, inner string) string {
	if inner == "" || inner[0] == '[' {
		return outer + inner
	}
	return outer + "." + inner
}

// scan refuses an object that has a name twice, since two readers of such an
// object may disagree on what it says, and texts that cannot be kept.
func scan(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var open []map[string]bool // one per open object or array; nil for an array
	var name bool              // the next string is a name
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		switch t {
		case json.Delim('{'):
			open, name = append(open, map[string]bool{}), true
			continue
		case json.Delim('['):
			open, name = append(open, nil), false
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if s, ok := t.(string); ok && !storable(s) {
				return errors.New("a text holds the character NUL")
			}
			if s, ok := t.(string); ok && name {
				seen := open[len(open)-1]
				if seen[s] {
					return fmt.Errorf("the name %q stands twice in one object", s)
				}
				seen[s] = true
				name = false
				continue
			}
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}
