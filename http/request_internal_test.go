package http

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain"
)

func TestPreferWaitIsReadLeniently(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		prefer []string
		want   time.Duration
	}{
		{nil, 2 * time.Second},
		{[]string{"wait=5"}, 5 * time.Second},
		{[]string{"respond-async, Wait = 7"}, 7 * time.Second},
		{[]string{"respond-async", `wait="0"`}, 0},
		{[]string{"wait=31"}, 30 * time.Second},
		{[]string{"wait=99999999999999999999"}, 2 * time.Second},
		{[]string{"wait=-1"}, 2 * time.Second},
		{[]string{"wait"}, 2 * time.Second},
	} {
		if got := waitOf(c.prefer); got != c.want {
			t.Errorf("%q waits %s", c.prefer, got)
		}
	}
}

func TestIfMatchTakesOnlyOurTags(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]uint64{`"0"`: 0, `"17"`: 17} {
		var r request
		if err := r.readIfMatch(tag); err != nil || r.ifMatch == nil || *r.ifMatch != want {
			t.Errorf("%s: %v %v", tag, r.ifMatch, err)
		}
	}
	for _, tag := range []string{"", "*"} {
		var r request
		if err := r.readIfMatch(tag); err != nil || r.ifMatch != nil {
			t.Errorf("%q: %v %v", tag, r.ifMatch, err)
		}
	}
	for _, tag := range []string{`5`, `"5`, `W/"5"`, `"05"`, `"+5"`, `"5", "6"`, `"x"`, `"-1"`, `"99999999999999999999"`} {
		var r request
		if err := r.readIfMatch(tag); !errors.Is(err, domain.ErrStale) {
			t.Errorf("%s: %v", tag, err)
		}
	}
}

func TestIdempotencyKeysArePrintable(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"k": true, "a b~": true, strings.Repeat("x", 255): true,
		"": false, strings.Repeat("x", 256): false, "tab\t": false, "é": false, "\x7f": false,
	} {
		if validKey(key) != want {
			t.Errorf("%q", key)
		}
	}
}

func TestForwardingHeadersCountFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	c := Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, tc := range []struct{ peer, forwarded, want string }{
		{"203.0.113.9:1", "198.51.100.1", "203.0.113.9"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:1", "192.0.2.66, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:1", "garbage", "10.0.0.1"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1", "198.51.100.1", "198.51.100.1"},
	} {
		r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Forwarded-For": {tc.forwarded}}}
		if got := c.clientIP(r).String(); got != tc.want {
			t.Errorf("%v: %s", tc, got)
		}
	}
}

func TestJSONIsReadStrictly(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{}`, `{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":"a"}`, `[{"a":"b"},"a","a"]`, `"x"`, ` {"a" : [] } `} {
		var v any
		if err := unmarshal([]byte(text), &v); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{``, `{`, `{"a":1,"a":2}`, `{"b":[{"a":1,"a":2}]}`, `{"a":{"c":[1]},"a":2}`, "{\"a\":\"\xff\"}", `{} {}`, `{"a":1}x`, `nul`, `{"a":"\u0000"}`, `{"\u0000":1}`} {
		var v any
		if err := unmarshal([]byte(text), &v); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	var typed struct {
		N int `json:"n"`
	}
	if err := unmarshal([]byte(`{"n":1.5}`), &typed); err == nil || strings.Contains(err.Error(), "Go") {
		t.Errorf("says %v", err)
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"c"}],"a":1}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var v any
		_ = unmarshal(data, &v) // it must not panic
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add(`"5"`, "wait=3", "k", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Fuzz(func(t *testing.T, tag, prefer, key, trace string) {
		r := request{raw: &http.Request{Header: http.Header{
			"If-Match": {tag}, "Prefer": {prefer}, "Idempotency-Key": {key}, "Consistency-Token": {key},
		}}}
		if err := r.readHeaders(operation{method: http.MethodPost}); err == nil && r.ifMatch != nil && etag(*r.ifMatch) != strings.TrimSpace(tag) {
			t.Errorf("%q was read as %d", tag, *r.ifMatch)
		}
		if got := waitOf([]string{prefer}); got < 0 || got > longestWait {
			t.Errorf("%q waits %s", prefer, got)
		}
		if got := traceParent(trace); got != "" && got != trace {
			t.Errorf("%q became %q", trace, got)
		}
	})
}
