package http

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

// Problem is the one shape of every refusal (RFC 9457).
type Problem struct { //nolint:errname // RFC 9457 calls it so
	Type      string         `json:"type" doc:"A name for the kind of problem, stable."`
	Title     string         `json:"title" doc:"The kind of problem, for people."`
	Status    int            `json:"status" doc:"The HTTP status."`
	Detail    string         `json:"detail" doc:"What is wrong here, and what to do."`
	Code      string         `json:"code" doc:"The kind of problem, for programs: stable, snake_case."`
	Errors    []ProblemField `json:"errors,omitempty" doc:"The fields that are wrong."`
	RequestID string         `json:"request_id" doc:"Give it to support: it finds the request in our logs."`
	Challenge string         `json:"challenge,omitempty" doc:"With the code second_factor_required: send it back with the second factor."`
	Factors   []string       `json:"factors,omitempty" doc:"With a challenge: the ways to answer it, totp, passkey and recovery_code."`

	headers http.Header
}

// ProblemField is one wrong field.
type ProblemField struct {
	In      string `json:"in" enum:"body,query,path,header" doc:"Where the field is."`
	Field   string `json:"field" doc:"Its JSON path or name; empty for the body as a whole."`
	Reason  string `json:"reason,omitempty" doc:"What is wrong with it, for programs: stable, snake_case. Only where a field can be wrong in several ways."`
	Message string `json:"message" doc:"What is wrong with it."`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus tells huma the status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders tells huma the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType tells huma that problems have their own media type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// statusOf is the status and the title of a kind of refusal.
func statusOf(kind domain.Kind) (status int, title string) {
	switch kind {
	case domain.KindInvalid:
		return http.StatusUnprocessableEntity, "Invalid input"
	case domain.KindUnauthenticated:
		return http.StatusUnauthorized, "Not logged in"
	case domain.KindDenied:
		return http.StatusForbidden, "Not allowed"
	case domain.KindMissing:
		return http.StatusNotFound, "Not found"
	case domain.KindConflict:
		return http.StatusConflict, "Not possible now"
	case domain.KindStale:
		return http.StatusPreconditionFailed, "Changed in the meantime"
	case domain.KindLimited:
		return http.StatusTooManyRequests, "Too many requests"
	case domain.KindUnavailable:
		return http.StatusServiceUnavailable, "Temporarily unavailable"
	case domain.KindInternal:
	}
	return http.StatusInternalServerError, "Internal error"
}

// Refusals of the transport itself, which no command knows.
var (
	errRouteMissing  = transport(http.StatusNotFound, "not_found", "Not found", "There is nothing at this address.")
	errMethod        = transport(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed", "This address does not know the method; see the Allow header.")
	errForeignHost   = transport(http.StatusMisdirectedRequest, "foreign_host", "Foreign host", "This server does not answer for the host that was asked.")
	errForeignOrigin = transport(http.StatusForbidden, "foreign_origin", "Foreign origin", "Requests that a page of another site makes are refused.")
	errPlain         = transport(http.StatusBadRequest, "https_required", "HTTPS required", "This server is asked over https:// only.")
	errTooLarge      = transport(http.StatusRequestEntityTooLarge, "too_large", "Too large", "The request body is larger than this route takes.")
	errMediaType     = transport(http.StatusUnsupportedMediaType, "unsupported_media_type", "Unsupported media type", "Send application/json in UTF-8.")
	errCoded         = &Problem{
		Status: http.StatusUnsupportedMediaType, Code: "unsupported_content_encoding", Title: "Unsupported content encoding",
		Detail: "Send the body as it is, without Content-Encoding.", headers: http.Header{"Accept-Encoding": {"identity"}},
	}
	errMalformed      = transport(http.StatusBadRequest, "malformed", "Malformed request", "The request could not be read.")
	errSlow           = transport(http.StatusRequestTimeout, "request_timeout", "Request timeout", "The request body took too long to arrive.")
	errNoIdempotency  = transport(http.StatusBadRequest, "idempotency_not_supported", "Idempotency not supported", "This route answers a secret, which is not kept to be answered again; send it without Idempotency-Key.")
	errNotAvailable   = &domain.Error{Kind: domain.KindInvalid, Code: "not_available", Detail: "This server cannot answer for a time in the past yet; leave out as_of."}
	errAccountMissing = domain.Missing("account")
	errForPeople      = &domain.Error{Kind: domain.KindDenied, Code: "not_for_api_tokens", Detail: "This is a person's own; log in for it. API tokens are for what belongs to their account."}
)

func transport(status int, code, title, detail string) *Problem {
	return &Problem{Status: status, Code: code, Title: title, Detail: detail}
}

// problemOf is what people see of an error. An error that is not made for
// people is a 500 without any text of it.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		c := *p
		return &c
	}
	if e, ok := errors.AsType[*vault.LimitedError](err); ok {
		why := vault.ErrLimited
		if e.Why != nil {
			why = e.Why
		}
		p := refusal(why)
		p.headers.Set("Retry-After", RetryAfter(e.RetryAfter))
		return p
	}
	if e, ok := errors.AsType[*commands.ChallengeError](err); ok {
		p := refusal(commands.ErrSecondFactor)
		p.Challenge, p.Factors = e.Challenge, e.Factors
		return p
	}
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return refusal(e)
	}
	if away(err) {
		return refusal(domain.ErrUnavailable)
	}
	return refusal(&domain.Error{Kind: domain.KindInternal, Code: "internal", Detail: "Something went wrong on our side; nothing is known about it but the request id."})
}

func refusal(e *domain.Error) *Problem {
	p := &Problem{Code: e.Code, Detail: e.Error(), headers: http.Header{}}
	p.Status, p.Title = statusOf(e.Kind)
	for _, f := range e.Fields {
		where, field, ok := strings.Cut(f.Field, ":")
		if !ok {
			where, field = "", f.Field
		}
		p.Errors = append(p.Errors, ProblemField{In: where, Field: field, Reason: f.Reason, Message: f.Message})
	}
	switch e.Kind {
	case domain.KindUnavailable:
		p.headers.Set("Retry-After", "2")
	case domain.KindLimited:
		p.headers.Set("Retry-After", RetryAfter(time.Minute))
	case domain.KindUnauthenticated:
		p.headers.Set("WWW-Authenticate", `Bearer realm="hostfold"`)
	case domain.KindInvalid, domain.KindDenied, domain.KindMissing, domain.KindConflict, domain.KindStale, domain.KindInternal:
	}
	return p
}

// away reports whether the error says that the store or the database could not
// be reached in time; trying again later may work.
func away(err error) bool {
	if errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true // cancelled: this server stops, or the client is gone and reads no answer
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	// 08: connection lost; 53: out of resources; 57P: the server is stopping.
	if e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		s := e.SQLState()
		return strings.HasPrefix(s, "08") || strings.HasPrefix(s, "53") || strings.HasPrefix(s, "57P")
	}
	return false
}

// finish fills in what depends on the request.
func (p *Problem) finish(ctx context.Context) *Problem {
	p.Type = "urn:hostfold:problem:" + p.Code
	n := noteOf(ctx)
	p.RequestID = n.id
	for i := range p.Errors {
		// A rule names its field alone; that of a read comes from the query.
		p.Errors[i].In = cmp.Or(p.Errors[i].In, n.input, "body")
	}
	return p
}

// Refuse answers an error as a problem document.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err).finish(r.Context())
	noteFailure(r.Context(), err)
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Del("ETag")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		// The client may be gone; there is nobody left to tell.
		_ = json.NewEncoder(w).Encode(p)
	}
}

// useProblems makes huma refuse in our shape and match field names exactly.
// huma keeps both as package variables; they are set once, to the same values
// whoever asks.
var useProblems = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problemOfHuma(status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		return problemOfHuma(status, message, errs).finish(ctx.Context())
	}
})

// problemOfHuma translates what huma itself refuses: input that cannot be read
// or does not fit its schema. The value that was sent is never echoed.
func problemOfHuma(status int, message string, errs []error) *Problem {
	switch status {
	case 0: // huma asks for an example, to document the shape.
		return &Problem{}
	case http.StatusRequestEntityTooLarge:
		return problemOf(errTooLarge)
	case http.StatusUnsupportedMediaType:
		return problemOf(errMediaType)
	case http.StatusRequestTimeout:
		return problemOf(errSlow)
	case http.StatusBadRequest:
		p := problemOf(errMalformed)
		p.Errors = fields(errs)
		if len(p.Errors) == 0 {
			p.Errors = []ProblemField{{In: "body", Message: message}}
		}
		return p
	case http.StatusUnprocessableEntity:
		p := refusal(&domain.Error{Kind: domain.KindInvalid, Code: "invalid_field"})
		p.Errors = fields(errs)
		p.Detail = "The request has fields that are not right."
		if len(p.Errors) > 0 {
			p.Detail = strings.TrimPrefix(cmp.Or(p.Errors[0].Field, p.Errors[0].In)+": "+p.Errors[0].Message, ": ")
		}
		return p
	}
	err := errors.Join(errs...)
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return problemOf(errTooLarge)
	}
	if message == "cannot read request body" {
		return problemOf(errMalformed)
	}
	return problemOf(err)
}

func fields(errs []error) []ProblemField {
	var out []ProblemField
	for _, err := range errs {
		d, ok := errors.AsType[*huma.ErrorDetail](err)
		if !ok {
			continue
		}
		in, field, _ := strings.Cut(d.Location, ".")
		if rest, ok := strings.CutPrefix(in, "body["); ok {
			in, field = "body", "["+rest
		}
		message := d.Message
		if path, what, ok := strings.Cut(message, fieldEnd); ok {
			field, message = path, what
		}
		if name, ok := strings.CutPrefix(message, "expected required property "); ok {
			name = strings.TrimSuffix(name, " to be present")
			field, message = strings.TrimPrefix(field+"."+name, "."), "is required"
		}
		out = append(out, ProblemField{In: in, Field: field, Message: message})
	}
	return out
}

// noteFailure records what went wrong on our side, for the access log's line.
func noteFailure(ctx context.Context, err error) {
	if n := noteOf(ctx); n.err == nil {
		n.err = err
	}
}

// noteOf is the note of ctx's request; outside of one it is nobody's.
func noteOf(ctx context.Context) *note {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{}
}

type noteKey struct{}

// note is what the handlers of a request leave for its log line.
type note struct {
	id    string
	route string
	input string // where its fields come from: "query" or "body"
	by    string // the id of the user or API token that asks, "" for nobody
	err   error
}

func (n *note) attrs(r *http.Request, status int, took time.Duration) []any {
	attrs := []any{
		slog.String("request_id", n.id),
		slog.String("method", r.Method),
		slog.String("route", n.route),
		slog.Int("status", status),
		slog.Duration("took", took),
	}
	if n.by != "" {
		attrs = append(attrs, slog.String("by", n.by))
	}
	switch {
	case n.err == nil:
	case status >= http.StatusInternalServerError:
		attrs = append(attrs, slog.Any("error", n.err))
	case status >= http.StatusBadRequest:
		// The error's own words may hold what the client sent.
		attrs = append(attrs, slog.String("code", problemOf(n.err).Code))
	}
	return attrs
}
