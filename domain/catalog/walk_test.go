package catalog_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain/money"
)

// declaredEvents maps the name that each EventType method under root answers
// to the file that declares it.
func declaredEvents(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			method, ok := decl.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "EventType" {
				continue
			}
			name, err := answer(method)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			found[name] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no event found under %s", root)
	}
	return found
}

// answer is the one string literal that an EventType method returns.
func answer(method *ast.FuncDecl) (string, error) {
	if len(method.Body.List) == 1 {
		if ret, ok := method.Body.List[0].(*ast.ReturnStmt); ok && len(ret.Results) == 1 {
			if lit, ok := ret.Results[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				return strconv.Unquote(lit.Value)
			}
		}
	}
	return "", errors.New("an EventType method must return one string literal")
}

// unset is the path of a field that has its zero value, "" when there is none.
func unset(v reflect.Value, path string) string {
	if amount, ok := reflect.TypeAssert[money.Amount](v); ok {
		if amount.Currency() == "" {
			return path
		}
		return ""
	}
	switch v.Kind() { //nolint:exhaustive // the other kinds have no parts
	case reflect.Pointer:
		if v.IsNil() {
			return path
		}
		return unset(v.Elem(), path)
	case reflect.Slice:
		if v.Len() == 0 {
			return path
		}
		return unset(v.Index(0), path+"[0]")
	case reflect.Struct:
		if v.NumField() > 0 && !v.Type().Field(0).IsExported() {
			return zeroAt(v, path)
		}
		for i := range v.NumField() {
			if p := unset(v.Field(i), path+"."+v.Type().Field(i).Name); p != "" {
				return p
			}
		}
		return ""
	default:
		return zeroAt(v, path)
	}
}

func zeroAt(v reflect.Value, path string) string {
	if v.IsZero() {
		return path
	}
	return ""
}
