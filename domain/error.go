package domain

import "errors"

// Kind says what sort of refusal an Error is; http alone maps it to a status.
type Kind string

// The kinds of refusal.
const (
	KindInvalid         Kind = "invalid"         // a field or a value is wrong
	KindUnauthenticated Kind = "unauthenticated" // who is asking is not known
	KindDenied          Kind = "denied"          // known, visible, not allowed
	KindMissing         Kind = "missing"         // absent, or not visible to the caller
	KindConflict        Kind = "conflict"        // the current state forbids it
	KindStale           Kind = "stale"           // If-Match failed
	KindLimited         Kind = "limited"         // too many attempts
	KindUnavailable     Kind = "unavailable"     // a part is away; try again
	KindInternal        Kind = "internal"        // a defect of ours
)

// Error is the only error shown to people. A refused command has changed nothing.
type Error struct {
	Kind Kind
	// Code is stable and snake_case: "invoice_not_open".
	Code string
	// Detail is one English sentence that says what to do.
	Detail string
	// Fields names the wrong fields, for KindInvalid.
	Fields []FieldError
}

// FieldError says what is wrong with one field.
type FieldError struct {
	// Field is the field's JSON path: "lines[0].quantity".
	Field string
	// Reason is a stable name of what is wrong, where a field can be wrong in
	// several ways: "too_short".
	Reason string
	// Message is one English sentence.
	Message string
}

// Error is the detail, or the code when there is none.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code
	}
	return e.Detail
}

// Is makes errors.Is compare by code, so that a detail may be added.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// With is the same refusal with another detail.
func (e *Error) With(detail string) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// Invalid refuses one field.
func Invalid(field, message string) *Error {
	return &Error{Kind: KindInvalid, Code: "invalid_field", Detail: field + ": " + message, Fields: []FieldError{{Field: field, Message: message}}}
}

// Conflict is a refusal by the current state.
func Conflict(code, detail string) *Error {
	return &Error{Kind: KindConflict, Code: code, Detail: detail}
}

// Missing says that there is no such thing, or none the caller may see.
func Missing(what string) *Error {
	return &Error{Kind: KindMissing, Code: "not_found", Detail: "There is no such " + what + "."}
}

// Errors that every part shares.
var (
	ErrUnauthenticated = &Error{Kind: KindUnauthenticated, Code: "unauthenticated", Detail: "Log in first."}
	ErrDenied          = &Error{Kind: KindDenied, Code: "denied", Detail: "You lack the permission for this."}
	ErrStale           = &Error{Kind: KindStale, Code: "stale", Detail: "It changed since you read it; read it again."}
	ErrUnavailable     = &Error{Kind: KindUnavailable, Code: "unavailable", Detail: "A part of the system is away; try again shortly."}
)

// KindOf is the kind of the first Error in err's chain, KindInternal without one.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}
