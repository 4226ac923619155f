package http

import (
	"context"
	"net/http"

	"github.com/hostfold/hostfold/commands"
)

// This file is what the pages of http/portal share with the API beside
// Authenticate and SessionCookie.

// FormCall says who sends a form, for which account of the path, and how the
// form is recognised when it comes again: its key does what the header
// Idempotency-Key does for the API.
func (c Config) FormCall(r *http.Request, caller Caller, key string, body []byte) commands.Call {
	if !validKey(key) {
		key = ""
	}
	a := &api{Config: c}
	// The path as it is takes the place of a template and its ids.
	return a.call(operation{method: r.Method, path: r.URL.Path}, &request{
		raw: r, caller: caller, account: r.PathValue("account"), key: key,
	}, body)
}

// Status is the status of an answer to an error, for a page that says the
// rest in its reader's language.
func Status(err error) int { return problemOf(err).Status }

// Note leaves an error for the request's log line.
func Note(ctx context.Context, err error) { noteFailure(ctx, err) }
