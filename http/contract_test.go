package http_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	portalhttp "github.com/hostfold/hostfold/http"
)

// contract is the published document, which every answer of every test must fit.
type contract struct {
	mu sync.Mutex
	v  validator.Validator
}

// published is the contract of the server in a state that needs no parts.
var published = sync.OnceValues(func() (*contract, error) {
	rec := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "http://portal.test/openapi.json", nil)
	portalhttp.New(config()).ServeHTTP(rec, req)
	document, err := libopenapi.NewDocument(rec.Body.Bytes())
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return &contract{v: v}, nil
})

func theContract(t testing.TB) *contract {
	t.Helper()
	c, err := published()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheDocumentIsOpenAPI31(t *testing.T) {
	t.Parallel()
	c := theContract(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok, errs := c.v.ValidateDocument(); !ok {
		for _, err := range errs {
			t.Errorf("%s: %s", err.Message, err.Reason)
			for _, cause := range err.SchemaValidationErrors {
				t.Errorf("  %s at %s", cause.Reason, cause.FieldPath)
			}
		}
	}
}

// fits fails the test when an answer is not as the document says.
func (c *contract) fits(t testing.TB, req *http.Request, a answer) {
	t.Helper()
	if !strings.HasPrefix(req.URL.Path, "/v1/") || strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
		return
	}
	// Addresses that are not in the document answer a plain problem.
	if a.status == http.StatusMethodNotAllowed || a.status == http.StatusNotFound && bytes.Contains(a.body, []byte("nothing at this address")) {
		return
	}
	if req.Method == http.MethodHead { // undocumented: it is GET without the body
		req = req.Clone(req.Context())
		if req.Method = http.MethodGet; len(a.body) == 0 {
			return
		}
	}
	res := &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body))}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok, errs := c.v.ValidateHttpResponse(req, res); !ok {
		for _, err := range errs {
			t.Errorf("%s %s answered %d: %s: %s", req.Method, req.URL.Path, a.status, err.Message, err.Reason)
			for _, cause := range err.SchemaValidationErrors {
				t.Errorf("  %s at %s", cause.Reason, cause.FieldPath)
			}
		}
		t.Logf("body: %s", a.body)
	}
}
