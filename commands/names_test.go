package commands_test

import (
	"embed"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the list of commands anew")

// What the tests look at is part of them, so that go test runs again when it has
// changed, and only then, wherever the project lies.
//
//go:embed *.go
var sources embed.FS

//go:embed testdata/names.txt
var names string

// TestCommandsKeepTheirNames pins the names that commands leave in the metadata
// of their events: auditors look for them for years, so that a type is not
// renamed by the way.
func TestCommandsKeepTheirNames(t *testing.T) {
	t.Parallel()
	deciding := map[string]bool{}
	files, err := fs.Glob(sources, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := sources.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
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
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "names.txt"), []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("a new command is added by -update; one that is written already keeps its name (-before +now):\n%s", diff)
	}
}
