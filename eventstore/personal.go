package eventstore

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// personalField is one field with a tag personal:"SUBJECT,PURPOSE".
type personalField struct {
	// path leads from the event to the field by JSON names; "[]" enters a list.
	path []string
	// subject is self, account, or the JSON name of a field of the event.
	subject string
	purpose Purpose
}

// The subjects that are not the name of a field.
const (
	subjectSelf    = "self"
	subjectAccount = "account"
)

// personalFields finds the tagged fields of an event, also inside structs and
// lists. It runs once per type, at start.
func personalFields(zero any) ([]personalField, error) {
	top := reflect.TypeOf(zero)
	var found []personalField
	if err := walkPersonal(top, nil, nil, &found); err != nil {
		return nil, err
	}
	for i, f := range found {
		switch f.purpose {
		case Profile, Fiscal, Identity, Network:
		default:
			return nil, fmt.Errorf("field %s: there is no purpose %q", strings.Join(f.path, "."), f.purpose)
		}
		if f.subject == subjectSelf || f.subject == subjectAccount {
			continue
		}
		name, err := subjectField(top, f.subject)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", strings.Join(f.path, "."), err)
		}
		found[i].subject = name
	}
	return found, nil
}

func walkPersonal(t reflect.Type, path []string, above []reflect.Type, found *[]personalField) error {
	if t.Kind() == reflect.Pointer {
		return walkPersonal(t.Elem(), path, above, found)
	}
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		return walkPersonal(t.Elem(), append(slices.Clone(path), "[]"), above, found)
	}
	if t.Kind() != reflect.Struct || slices.Contains(above, t) {
		return nil
	}
	for f := range t.Fields() {
		name, isJSON := jsonName(f)
		tag, tagged := f.Tag.Lookup("personal")
		if !isJSON {
			if tagged {
				return fmt.Errorf("field %s is personal and not in the JSON", f.Name)
			}
			continue
		}
		inner := path
		if name != "" {
			inner = append(slices.Clone(path), name)
		}
		if !tagged {
			if err := walkPersonal(f.Type, inner, append(above, t), found); err != nil {
				return err
			}
			continue
		}
		kind := f.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.Slice {
			kind, inner = kind.Elem(), append(inner, "[]")
		}
		if !plainString(kind) {
			return fmt.Errorf("field %s is personal and neither a string nor a list of strings", f.Name)
		}
		subject, purpose, ok := strings.Cut(tag, ",")
		if !ok {
			return fmt.Errorf(`field %s: want personal:"SUBJECT,PURPOSE", have %q`, f.Name, tag)
		}
		*found = append(*found, personalField{path: inner, subject: subject, purpose: Purpose(purpose)})
	}
	return nil
}

// plainString reports whether any text, Erased among them, decodes into the type.
func plainString(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() == reflect.String && !p.Implements(reflect.TypeFor[json.Unmarshaler]()) && !p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// jsonName is the field's name in the JSON, "" for an embedded struct, whose
// fields stand beside the others.
func jsonName(f reflect.StructField) (name string, ok bool) {
	tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case tag == "-" || !f.IsExported() && !f.Anonymous:
		return "", false
	case tag != "":
		return tag, true
	case f.Anonymous:
		return "", true
	default:
		return f.Name, true
	}
}

// subjectField finds the field that holds the subject's id, by its Go or JSON name.
func subjectField(t reflect.Type, subject string) (string, error) {
	for f := range t.Fields() {
		name, ok := jsonName(f)
		if ok && f.Type.Kind() == reflect.String && (f.Name == subject || name == subject) {
			return name, nil
		}
	}
	return "", fmt.Errorf("the event has no string field %s to hold the subject", subject)
}
