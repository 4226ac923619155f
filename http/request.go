package http

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Caller is who is asking: a user with a session, a program with an API token,
// or nobody.
type Caller struct {
	// Session is the id of the session, "" for programs and nobody.
	Session string
	// Grants is what the user holds; Grants.User is the user.
	Grants delegation.Grants
	// asked is when they were read.
	asked time.Time
}

// request is what the helpers know of one API request beside its body.
type request struct {
	raw    *http.Request
	caller Caller
	// account is the account in the path, "" without one.
	account string
	// key is the Idempotency-Key, ifMatch the revision of If-Match, token the
	// Consistency-Token; wait is how long a read waits for it.
	key     string
	ifMatch *uint64
	token   string
	wait    time.Duration
}

// path is the value of a path parameter.
func (r *request) path(name string) string {
	v := r.raw.PathValue(name)
	if r.raw.URL.RawPath == "" {
		return v
	}
	if plain, err := url.PathUnescape(v); err == nil {
		return plain
	}
	return v
}

// number is a path parameter that is a number; one that is none names nothing,
// as 0 does.
func (r *request) number(name string) int {
	n, err := strconv.Atoi(r.path(name))
	if err != nil {
		return 0
	}
	return n
}

// pathIDs are the values of all path parameters, in order.
func (r *request) pathIDs(template string) []string {
	var ids []string
	for _, name := range pathParams(template) {
		ids = append(ids, r.path(name))
	}
	return ids
}

// pathParams are the names in a path template.
func pathParams(template string) []string {
	var names []string
	for part := range strings.SplitSeq(template, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

type requestKey struct{}

// requestOf is the request that an operation's handler serves.
func requestOf(ctx context.Context) *request { return ctx.Value(requestKey{}).(*request) }

// admit lets a request in: it establishes the caller, hides accounts that the
// caller may not see, and reads the headers that every operation knows.
func (a *api) admit(o operation) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		raw, w := humachi.Unwrap(ctx)
		r := &request{raw: raw}
		r.account = r.path("account")
		err := a.identify(r, o)
		if err == nil {
			err = r.readHeaders(o)
		}
		if err == nil {
			err = r.checkAddress(o)
		}
		if err != nil {
			Refuse(w, raw, err)
			return
		}
		next(onlyJSON{huma.WithValue(ctx, requestKey{}, r)})
	}
}

// onlyJSON hides Accept from huma, whose reader of it panics on some headers:
// answers are JSON whatever a client would like better.
type onlyJSON struct{ humaContext }

// humaContext is embedded under a name that is none of its methods'.
type humaContext huma.Context

// Header is a header of the request.
func (c onlyJSON) Header(name string) string {
	if name == "Accept" {
		return ""
	}
	return c.humaContext.Header(name)
}

// Unwrap is how huma's adapter finds its own context.
func (c onlyJSON) Unwrap() huma.Context { return c.humaContext }

func (a *api) identify(r *request, o operation) error {
	if o.public && !o.known {
		return nil
	}
	caller, err := a.Authenticate(r.raw)
	if o.public && (errors.Is(err, domain.ErrUnauthenticated) || caller.Grants.Token != "") {
		return nil // as anybody
	}
	if err != nil {
		return err
	}
	r.caller = caller
	if caller.Grants.Token != "" && !o.forPrograms() {
		return errForPeople
	}
	if r.account != "" && !delegation.Sees(caller.Grants, r.account) {
		return delegation.Hidden(caller.Grants)
	}
	return nil
}

// checkAddress refuses addresses that cannot name anything and queries that
// two readers could understand differently.
func (r *request) checkAddress(o operation) error {
	for _, id := range r.pathIDs(o.path) {
		if !storable(id) {
			return errRouteMissing
		}
	}
	query, err := url.ParseQuery(r.raw.URL.RawQuery)
	if err != nil {
		return errMalformed
	}
	for name, values := range query {
		if len(values) > 1 {
			return domain.Invalid("query:"+name, "must stand once")
		}
		if !storable(name) || !storable(values[0]) {
			return errMalformed
		}
	}
	return nil
}

// storable reports whether a database can keep the text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// readHeaders reads what the contract's headers say.
func (r *request) readHeaders(o operation) error {
	h := r.raw.Header
	if !o.write() {
		r.token = h.Get("Consistency-Token")
		r.wait = waitOf(h.Values("Prefer"))
		return nil
	}
	if coded := h.Values("Content-Encoding"); len(coded) > 0 && !strings.EqualFold(strings.Join(coded, ","), "identity") {
		return errCoded
	}
	if keys, sent := h["Idempotency-Key"]; sent {
		if o.secret {
			return errNoIdempotency
		}
		if len(keys) != 1 || !validKey(keys[0]) {
			return domain.Invalid("header:Idempotency-Key", "send one key of 1 to 255 printable ASCII characters")
		}
		r.key = keys[0]
	}
	return r.readIfMatch(strings.TrimSpace(h.Get("If-Match")))
}

// readIfMatch reads the one revision that the caller saw. A tag that this
// server never gave matches nothing.
func (r *request) readIfMatch(tag string) error {
	if tag == "" || tag == "*" {
		return nil
	}
	inner, opened := strings.CutPrefix(tag, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	revision, err := strconv.ParseUint(inner, 10, 63)
	if !opened || !closed || err != nil || etag(revision) != tag {
		return domain.ErrStale
	}
	r.ifMatch = &revision
	return nil
}

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

func validKey(key string) bool {
	if len(key) < 1 || len(key) > 255 {
		return false
	}
	for _, c := range []byte(key) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// How long a read waits for its projection.
const (
	defaultWait = 2 * time.Second
	longestWait = 30 * time.Second
)

// waitOf reads "wait=N" from Prefer; a preference that makes no sense is
// ignored, as RFC 7240 asks.
func waitOf(prefer []string) time.Duration {
	for _, line := range prefer {
		for p := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			if n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31); err == nil {
				return min(time.Duration(n)*time.Second, longestWait)
			}
		}
	}
	return defaultWait
}
