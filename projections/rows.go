package projections

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// Table describes where a view keeps its rows.
type Table struct {
	// Name is the qualified name: "read.invoice".
	Name string
	// Key is the text column that is the primary key; "" is "id".
	Key string
	// Category is that of the stream whose id is the key: rows then follow the
	// stream's revision in the column stream_revision, for ETags, also over
	// events that change nothing else in them. "" when rows are no stream's.
	Category string
	// KeyOf is the key that On's handlers may get; nil is the aggregate's id.
	KeyOf func(Meta) string
	// Redact is, for rows that are not the subject's own, what becomes of them
	// when a subject's key of a purpose is destroyed: the part of an UPDATE
	// after SET, in which $1 is the subject. Rows built anew must be the same.
	Redact map[subjectkey.Purpose]string
}

// Keep is the view of one table: rows of type R, whose fields name their
// columns in `db` tags, and the handlers that change them.
func Keep[R any](t Table, handlers ...Handler[R]) View {
	if t.Key == "" {
		t.Key = "id"
	}
	if t.KeyOf == nil {
		t.KeyOf = func(m Meta) string { return m.AggregateID }
	}
	v := &view[R]{spec: t, shape: shapeOf(reflect.TypeFor[R](), t), handlers: make(map[string][]Handler[R])}
	for _, h := range handlers {
		v.handlers[h.event] = append(v.handlers[h.event], h)
	}
	return v
}

type view[R any] struct {
	spec     Table
	shape    shape
	handlers map[string][]Handler[R]
}

func (v *view[R]) Table() string { return v.spec.Name }
func (v *view[R]) key() string   { return v.spec.Key }

func (v *view[R]) types() []string {
	var types []string
	if v.spec.Category != "" {
		types = append(types, v.spec.Category+".")
	}
	for name := range v.handlers {
		types = append(types, anyVersion(name))
	}
	if len(v.spec.Redact) > 0 {
		types = append(types, erasureTypes()...)
	}
	return types
}

func (v *view[R]) begin() work { return &Rows[R]{view: v, entries: make(map[string]*entry[R])} }

// Rows are the rows of one table that a batch may touch.
type Rows[R any] struct {
	view    *view[R]
	entries map[string]*entry[R]
	// gone are the keys that the batch says were destroyed.
	gone []privacy.Gone
	err  error
}

type entry[R any] struct {
	row             *R
	stored, touched bool
}

// Get is the row of a key, a new one when there is none. What is changed in it
// is written. A key that the handler did not declare fails the batch.
func (r *Rows[R]) Get(key string) *R {
	e := r.entry(key)
	e.touched = true
	if e.row == nil {
		e.row = new(R)
		r.view.shape.setKey(reflect.ValueOf(e.row).Elem(), key)
	}
	return e.row
}

// Find is the row of a key, if there is one.
func (r *Rows[R]) Find(key string) (*R, bool) {
	if r.entry(key).row == nil {
		return nil, false
	}
	return r.Get(key), true
}

// Delete removes the row of a key.
func (r *Rows[R]) Delete(key string) {
	e := r.entry(key)
	e.row, e.touched = nil, true
}

func (r *Rows[R]) entry(key string) *entry[R] {
	e, ok := r.entries[key]
	if !ok {
		r.err = fmt.Errorf("row %q was not declared by the handler", key)
		return &entry[R]{}
	}
	return e
}

func (r *Rows[R]) declare(e domain.Event, m Meta) {
	if r.view.spec.Category == m.Category {
		r.entries[m.AggregateID] = &entry[R]{}
	}
	for _, h := range r.view.handlers[e.EventType()] {
		if h.keys == nil {
			r.entries[r.view.spec.KeyOf(m)] = &entry[R]{}
			continue
		}
		for _, key := range h.keys(e, m) {
			r.entries[key] = &entry[R]{}
		}
	}
}

func (r *Rows[R]) load(q *pgx.Batch) {
	if len(r.entries) == 0 {
		return
	}
	keys := make([]string, 0, len(r.entries))
	for key := range r.entries {
		keys = append(keys, key)
	}
	q.Queue(r.view.shape.selectSQL, keys).Query(func(rows pgx.Rows) error {
		loaded, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[R])
		if err != nil {
			return err
		}
		for _, row := range loaded {
			key := r.view.shape.keyOf(reflect.ValueOf(row).Elem())
			*r.entries[key] = entry[R]{row: row, stored: true}
		}
		return nil
	})
}

func (r *Rows[R]) apply(ctx context.Context, tx *feed.Tx, e domain.Event, m Meta) error {
	for _, h := range r.view.handlers[e.EventType()] {
		if err := h.apply(ctx, tx, r, e, m); err != nil {
			return err
		}
		if r.err != nil {
			return r.err
		}
	}
	if len(r.view.spec.Redact) > 0 {
		r.gone = append(r.gone, goneIn(e)...)
	}
	if s := r.view.shape; s.revision != nil && r.view.spec.Category == m.Category {
		if row, ok := r.Find(m.AggregateID); ok {
			reflect.ValueOf(row).Elem().FieldByIndex(s.revision).SetUint(m.Revision)
		}
	}
	return nil
}

func (r *Rows[R]) write(tx *feed.Tx) error {
	if err := r.writeRows(tx); err != nil {
		return err
	}
	// After the rows of the same batch, which were decoded before.
	for _, g := range r.gone {
		if set, ok := r.view.spec.Redact[g.Purpose]; ok {
			tx.Queue(`UPDATE `+r.view.spec.Name+` SET `+set, g.Subject)
		}
	}
	return nil
}

func (r *Rows[R]) writeRows(tx *feed.Tx) error {
	var gone, kept []string
	for key, e := range r.entries {
		switch {
		case !e.touched:
		case e.row != nil:
			kept = append(kept, key)
		case e.stored:
			gone = append(gone, key)
		}
	}
	// One order for all, so that two owners of a lane cannot block each other.
	slices.Sort(gone)
	slices.Sort(kept)
	if len(gone) > 0 {
		tx.Queue(r.view.shape.deleteSQL, gone)
	}
	if len(kept) == 0 {
		return nil
	}
	rows := make([]reflect.Value, len(kept))
	for i, key := range kept {
		rows[i] = reflect.ValueOf(r.entries[key].row).Elem()
	}
	args, err := r.view.shape.columnsOf(rows)
	if err != nil {
		return fmt.Errorf("rows of %s: %w", r.view.spec.Name, err)
	}
	tx.Queue(r.view.shape.upsertSQL, args...)
	return nil
}
