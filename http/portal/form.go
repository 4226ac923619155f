package portal

import (
	"errors"
	"net/url"

	"github.com/hostfold/hostfold/domain"
)

// form is what was typed and what is wrong with it.
type form struct {
	// Key is the idempotency key of this rendering: sent twice, it has one effect.
	Key string
	// Problem is what is wrong with the whole.
	Problem string
	// First is the first field that is wrong, as the page has them.
	First  string
	values url.Values
	errors map[string]string
}

// fault is a field and what is wrong with it.
type fault struct{ ID, Text string }

// Value is what was typed into a field.
func (f form) Value(name string) string { return f.values.Get(name) }

// ValueOr is what was typed into a field, or a value when nothing was yet.
func (f form) ValueOr(name, value string) string {
	if _, typed := f.values[name]; typed {
		return f.values.Get(name)
	}
	return value
}

// Error reports whether a field is wrong.
func (f form) Error(name string) bool { return f.errors[name] != "" }

// At is what is wrong with a field.
func (f form) At(name string) fault { return fault{ID: name, Text: f.errors[name]} }

// explain says in the reader's language why a command was refused. Messages
// go beside the fields they speak of; known lists the fields of the form.
func (f *form) explain(w *words, err error, known ...string) {
	var e *domain.Error
	if !errors.As(err, &e) {
		e = domain.ErrUnavailable
	}
	f.errors = map[string]string{}
	for _, field := range e.Fields {
		said := w.textOr("field."+field.Field, field.Message)
		if field.Reason != "" {
			said = w.textOr("reason."+field.Reason, said)
		}
		f.errors[field.Field] = said
	}
	for _, name := range known {
		if f.errors[name] != "" {
			f.First = name
			f.Problem = w.textOr("error."+e.Code, "error.invalid_field")
			return
		}
	}
	key := "error." + e.Code
	if e.Kind == domain.KindUnavailable {
		key = "error." + string(e.Kind)
	}
	if f.Problem, err = w.text(key); err == nil {
		return
	}
	if f.Problem = w.textOr("error.other", "", "Detail", e.Error()); e.Kind == domain.KindLimited {
		f.Problem = w.textOr("error."+string(e.Kind), f.Problem)
	}
}
