package projections

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// shape is how a row type maps to its table.
type shape struct {
	columns  []column
	keyField []int
	revision []int

	selectSQL, deleteSQL, upsertSQL string
}

// column is one field: its place, the element type of the array that carries
// it to Postgres, and how a batch's values of it are collected.
type column struct {
	name    string
	field   []int
	carrier string // as unnest's parameter
	cast    string // to the column, when the carrier is not its type
	collect func(values []reflect.Value) (any, error)
}

// shapeOf reads the `db` tags: `db:"name"`, and `db:"name,jsonb"` for what is
// kept as a document. It panics when a row type cannot be kept: broken wiring.
func shapeOf(t reflect.Type, table Table) shape {
	var s shape
	for _, f := range reflect.VisibleFields(t) {
		tag, ok := f.Tag.Lookup("db")
		if !ok || tag == "-" {
			continue
		}
		name, kind, _ := strings.Cut(tag, ",")
		c := columnOf(f.Type, kind)
		if c.carrier == "" {
			panic(fmt.Sprintf("row %s: field %s cannot be a column", t, f.Name))
		}
		c.name, c.field = name, f.Index
		s.columns = append(s.columns, c)
		switch name {
		case table.Key:
			s.keyField = f.Index
		case "stream_revision":
			s.revision = f.Index
		}
	}
	if s.keyField == nil {
		panic(fmt.Sprintf("row %s has no key column %s", t, table.Key))
	}
	s.statements(table)
	return s
}

func (s *shape) statements(t Table) {
	var names, carriers, casts, sets []string
	for i, c := range s.columns {
		names = append(names, c.name)
		carriers = append(carriers, fmt.Sprintf("$%d::%s[]", i+1, c.carrier))
		casts = append(casts, "t."+c.name+c.cast)
		if c.name != t.Key {
			sets = append(sets, c.name+" = EXCLUDED."+c.name)
		}
	}
	conflict := "NOTHING"
	if len(sets) > 0 {
		conflict = "UPDATE SET " + strings.Join(sets, ", ")
	}
	list := strings.Join(names, ", ")
	s.selectSQL = `SELECT ` + list + ` FROM ` + t.Name + ` WHERE ` + t.Key + ` = ANY($1)`
	s.deleteSQL = `DELETE FROM ` + t.Name + ` WHERE ` + t.Key + ` = ANY($1)`
	s.upsertSQL = `
		INSERT INTO ` + t.Name + ` (` + list + `)
		SELECT ` + strings.Join(casts, ", ") + `
		FROM unnest(` + strings.Join(carriers, ", ") + `) AS t(` + list + `)
		ON CONFLICT (` + t.Key + `) DO ` + conflict
}

func (s *shape) setKey(row reflect.Value, key string) { row.FieldByIndex(s.keyField).SetString(key) }

func (s *shape) keyOf(row reflect.Value) string { return row.FieldByIndex(s.keyField).String() }

// columnsOf turns rows into one array per column.
func (s *shape) columnsOf(rows []reflect.Value) ([]any, error) {
	args := make([]any, len(s.columns))
	values := make([]reflect.Value, len(rows))
	for i, c := range s.columns {
		for j, row := range rows {
			values[j] = row.FieldByIndex(c.field)
		}
		arg, err := c.collect(values)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
		args[i] = arg
	}
	return args, nil
}

func columnOf(t reflect.Type, kind string) column {
	switch {
	case kind == "jsonb":
		return column{carrier: "jsonb", collect: documents}
	case t == reflect.TypeFor[time.Time]():
		return column{carrier: "timestamptz", collect: plain(func(v reflect.Value) time.Time { return v.Interface().(time.Time) })}
	case t == reflect.TypeFor[*time.Time]():
		return column{carrier: "timestamptz", collect: plain(func(v reflect.Value) *time.Time { return v.Interface().(*time.Time) })}
	case t == reflect.TypeFor[[]string]():
		// An array of arrays is flattened by unnest: each goes as its text.
		return column{carrier: "text", cast: "::text[]", collect: plain(arrayText)}
	}
	switch k := t.Kind(); {
	case k == reflect.String:
		return column{carrier: "text", collect: plain(reflect.Value.String)}
	case k == reflect.Bool:
		return column{carrier: "boolean", collect: plain(reflect.Value.Bool)}
	case k == reflect.Int, k == reflect.Int64:
		return column{carrier: "bigint", collect: plain(reflect.Value.Int)}
	case k == reflect.Uint64:
		return column{carrier: "bigint", collect: plain(func(v reflect.Value) int64 {
			return int64(v.Uint()) //nolint:gosec // revisions and positions are checked where they come in
		})}
	case k == reflect.Pointer && t.Elem().Kind() == reflect.String:
		return column{carrier: "text", collect: plain(optionalText)}
	}
	return column{}
}

func plain[T any](get func(reflect.Value) T) func([]reflect.Value) (any, error) {
	return func(values []reflect.Value) (any, error) {
		all := make([]T, len(values))
		for i, v := range values {
			all[i] = get(v)
		}
		return all, nil
	}
}

func documents(values []reflect.Value) (any, error) {
	all := make([]string, len(values))
	for i, v := range values {
		doc, err := json.Marshal(v.Interface())
		if err != nil {
			return nil, err
		}
		all[i] = string(doc)
	}
	return all, nil
}

func optionalText(v reflect.Value) *string {
	if v.IsNil() {
		return nil
	}
	s := v.Elem().String()
	return &s
}

func arrayText(v reflect.Value) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var b strings.Builder
	b.WriteByte('{')
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(escape.Replace(v.Index(i).String()))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
