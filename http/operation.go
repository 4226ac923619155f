package http

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// operation describes one route: what the document says of it and how its
// requests are let in.
type operation struct {
	method, path, summary string
	// notes says what the summary cannot.
	notes string
	// public needs no log-in; known are its callers who have a session all the same.
	public, known bool
	// secret answers something that is not kept, so that a repeat cannot be
	// answered: Idempotency-Key is refused.
	secret bool
	// limited may not be tried without limit.
	limited bool
	// refuses are statuses of refusals beside those that its kind has.
	refuses []int
	// status is that of a success: 200 when 0.
	status int
	// location is the path template of what was created; {id} is its id.
	location string
	// latest answers a token of the log's end, so that the token does not tell
	// what the write came upon.
	latest bool
	// model is the read model that a read shows; it waits for that one.
	model string
	// rights is true when the write changes who may do what: it answers only
	// when the new rights are in force.
	rights bool
}

// forPrograms reports whether API tokens may use the route: those of the
// account that the token is for, and the event feed. What is a person's own, or
// staff's, is not for them.
func (o operation) forPrograms() bool {
	return strings.HasPrefix(o.path, "/v1/accounts/{account}") || o.path == "/v1/events"
}

func (o operation) write() bool { return o.method != http.MethodGet }

// document is the operation as the OpenAPI document has it.
func (a *api) document(o operation) huma.Operation {
	op := huma.Operation{
		OperationID:   operationID(o.summary),
		Method:        o.method,
		Path:          o.path,
		Summary:       o.summary,
		Description:   o.notes,
		Tags:          []string{tag(o.path)},
		DefaultStatus: o.status,
		Errors:        o.problems(),
		MaxBodyBytes:  maxBody,
		// It has arrived; with less, a connection whose client says nothing more
		// would end the work.
		BodyReadTimeout: answerTimeout,
		Middlewares:     huma.Middlewares{a.admit(o)},
	}
	if !o.public {
		op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	}
	for _, name := range pathParams(o.path) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: "string"}})
	}
	op.Parameters = append(op.Parameters, o.headers()...)
	return op
}

// headers are the request headers that the operation reads.
func (o operation) headers() []*huma.Param {
	header := func(name, description string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Description: description, Schema: &huma.Schema{Type: "string"}}
	}
	if !o.write() {
		return []*huma.Param{
			header("Consistency-Token", "What a write answered: the read waits until it shows that write. If it cannot, it says Stale: true."),
			header("Prefer", "wait=N: wait up to N seconds, 30 at most, for the Consistency-Token; 2 without it."),
		}
	}
	out := []*huma.Param{header("If-Match", "The ETag that you saw: the write is refused with 412 when it is no longer so.")}
	if !o.secret {
		out = append(out, header("Idempotency-Key", "1 to 255 printable characters of your choice. A repeat with the same key and body answers the first answer and has no second effect."))
	}
	return out
}

// problems are the statuses of refusals that the document lists.
func (o operation) problems() []int {
	out := []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	if !o.public {
		out = append(out, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests)
	}
	if strings.Contains(o.path, "{") {
		out = append(out, http.StatusNotFound)
	}
	if o.write() {
		out = append(out, http.StatusConflict, http.StatusPreconditionFailed,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if o.secret || o.limited {
		out = append(out, http.StatusTooManyRequests)
	}
	out = append(out, o.refuses...)
	slices.Sort(out)
	return slices.Compact(out)
}

// operationID is the summary in kebab case: "Record a payment" is
// record-a-payment.
func operationID(summary string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(summary), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}

// tag is the part of the API that a path belongs to.
func tag(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	if parts[0] == "staff" {
		return "staff"
	}
	if parts[0] == "accounts" && len(parts) > 2 {
		return parts[2]
	}
	return parts[0]
}

// locate fills an id into a location template.
func (o operation) locate(r *request, id string) string {
	if o.location == "" || id == "" {
		return ""
	}
	parts := strings.Split(o.location, "/")
	for i, part := range parts {
		switch {
		case part == "{id}":
			parts[i] = id
		case strings.HasPrefix(part, "{"):
			parts[i] = r.path(strings.Trim(part, "{}"))
		}
	}
	return strings.Join(parts, "/")
}
