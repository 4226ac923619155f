package catalog_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
)

var update = flag.Bool("update", false, "write the golden files that are missing")

func TestEventNamesAreCategoryFactVersion(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z_]+\.[a-z_]+\.v[0-9]+$`)
	seen := map[string]bool{}
	for _, typ := range catalog.Types() {
		if !form.MatchString(typ.Name) {
			t.Errorf("%s is not of the form category.fact.vN", typ.Name)
		}
		if seen[typ.Name] {
			t.Errorf("%s is listed twice", typ.Name)
		}
		seen[typ.Name] = true
		category, _, _ := strings.Cut(typ.Name, ".")
		if pkg := filepath.Base(reflect.TypeOf(typ.Zero).PkgPath()); pkg != category {
			t.Errorf("%s is declared in package %s", typ.Name, pkg)
		}
	}
}

// TestEveryEventIsListed finds EventType methods by reading the source, so that
// an event that nobody listed is named.
func TestEveryEventIsListed(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, typ := range catalog.Types() {
		listed[typ.Name] = true
	}
	former := map[string]bool{}
	for _, typ := range catalog.Types() {
		for _, name := range typ.Former {
			former[name] = true
		}
	}
	declared := declaredEvents(t, "..")
	for name, where := range declared {
		if !listed[name] {
			t.Errorf("%s (%s) is in no Decider.Types of the catalogue", name, where)
		}
		if _, err := os.Stat(golden(name)); err != nil && !*update {
			t.Errorf("%s (%s) has no golden file: add a sample and run go test ./domain/catalog -update", name, where)
		}
	}
	files, err := filepath.Glob(golden("*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); declared[name] == "" && !former[name] {
			t.Errorf("%s is written no more: events are never renamed, keep its type and add an upcaster", name)
		}
	}
}

func TestGoldenJSONStaysAsItIs(t *testing.T) {
	t.Parallel()
	types := map[string]domain.Type{}
	for _, typ := range catalog.Types() {
		types[typ.Name] = typ
	}
	for _, sample := range samples() {
		name := sample.EventType()
		typ := types[name]
		delete(types, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if path := unset(reflect.ValueOf(sample), ""); path != "" {
				t.Fatalf("the sample leaves %s unset: its form would be pinned by nothing", path)
			}
			got := encode(t, sample)
			want, err := os.ReadFile(golden(name))
			if os.IsNotExist(err) && *update {
				want, err = got, os.WriteFile(golden(name), got, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the JSON of a written event changed; make a v2 and an upcaster (-golden +now):\n%s", diff)
			}
			back, err := typ.Decode(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sample, back); diff != "" {
				t.Errorf("decoding loses something (-sample +decoded):\n%s", diff)
			}
		})
	}
	for name := range types {
		t.Errorf("%s has no sample", name)
	}
}

// TestOlderVersionsAreStillRead writes each golden file of a former version
// back as it was: nothing of it was lost, and nothing came to it.
func TestOlderVersionsAreStillRead(t *testing.T) {
	t.Parallel()
	for _, typ := range catalog.Types() {
		for _, name := range typ.Former {
			want, err := os.ReadFile(golden(name))
			if err != nil {
				t.Fatal(err)
			}
			e, err := typ.Decode(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(encode(t, e))); diff != "" {
				t.Errorf("%s is read as another thing than was written (-golden +now):\n%s", name, diff)
			}
		}
	}
}

func TestPublicEventsHaveAPublicForm(t *testing.T) {
	t.Parallel()
	shown := map[string]domain.Permission{}
	for _, typ := range catalog.Types() {
		if typ.Permission != "" {
			shown[typ.Name] = typ.Permission
		}
	}
	for _, sample := range samples() {
		public, ok := sample.(domain.Public)
		if _, listed := shown[sample.EventType()]; listed != ok {
			t.Errorf("%s: shown by the catalogue %v, has a Public form %v", sample.EventType(), listed, ok)
		}
		if !ok {
			continue
		}
		data := encode(t, public.Public())
		if !bytes.HasPrefix(data, []byte("{")) {
			t.Errorf("%s: the public form is no JSON object: %s", sample.EventType(), data)
		}
		for _, hidden := range []string{"rue de la Paix", "FR32123456789", `"account"`, "cred_"} {
			if bytes.Contains(data, []byte(hidden)) {
				t.Errorf("%s: the public form shows %s", sample.EventType(), hidden)
			}
		}
	}
}

func golden(name string) string { return filepath.Join("golden", name+".json") }

func encode(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
