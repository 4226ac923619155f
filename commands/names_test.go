package commands_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the list of commands anew")

// TestCommandsKeepTheirNames pins the names that commands leave in the metadata
// of their events: auditors look for them for years, so that a type is not
// renamed by the way.
func TestCommandsKeepTheirNames(t *testing.T) {
	t.Parallel()
	deciding := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			method, ok := decl.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "Decide" {
				continue
			}
			if name, ok := method.Recv.List[0].Type.(*ast.Ident); ok {
				deciding[strings.ToUpper(name.Name[:1])+name.Name[1:]] = true
			}
		}
	}
	got := strings.Join(slices.Sorted(maps.Keys(deciding)), "\n") + "\n"
	list := filepath.Join("testdata", "names.txt")
	if *update {
		if err := os.WriteFile(list, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("a new command is added by -update; one that is written already keeps its name (-before +now):\n%s", diff)
	}
}
