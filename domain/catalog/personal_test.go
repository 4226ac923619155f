package catalog_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain/catalog"
)

// TestPersonalFieldsStayPersonal pins which fields are encrypted, for whom and
// why: a tag that is lost would write names in clear into a log that nobody can
// change.
func TestPersonalFieldsStayPersonal(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, typ := range catalog.Types() {
		for _, field := range personal(reflect.TypeOf(typ.Zero), "") {
			lines = append(lines, typ.Name+" "+field+"\n")
		}
	}
	slices.Sort(lines)
	got := strings.Join(lines, "")
	file := filepath.Join("golden", "personal.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("other fields are personal than before (-before +now); if that is meant, run with -update:\n%s", diff)
	}
}

// personal lists the tagged fields of a type with their tags.
func personal(typ reflect.Type, path string) []string {
	switch typ.Kind() { //nolint:exhaustive // the other kinds have no parts
	case reflect.Pointer, reflect.Slice:
		return personal(typ.Elem(), path)
	case reflect.Struct:
		var found []string
		for _, f := range reflect.VisibleFields(typ) {
			if f.Anonymous || !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag := f.Tag.Get("personal"); tag != "" {
				found = append(found, path+name+" "+tag)
			}
			found = append(found, personal(f.Type, path+name+".")...)
		}
		return found
	default:
		return nil
	}
}
