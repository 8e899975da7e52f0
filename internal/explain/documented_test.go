package explain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestLinksAreDocumented wants each kind of link in the table of
// docs/diagnosis.md, each row of it to be a kind, and each weight that has a
// name to stand there.
func TestLinksAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/diagnosis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "| link | weight |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z ]+) \| \d`).FindAllStringSubmatch(table, -1) {
		rows[m[1]] = false
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	text := func(e ast.Expr) string {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
			s, _ := strconv.Unquote(l.Value)
			return s
		}
		return ""
	}
	look := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit: // Link{"kind", text, weight}, also inside []Link{{...}}
			if len(n.Elts) != 3 {
				break
			}
			kind, known := text(n.Elts[0]), false
			if _, known = rows[kind]; known {
				rows[kind] = true
			}
			if id, ok := n.Type.(*ast.Ident); ok && id.Name == "Link" && kind != "" && !known {
				t.Errorf("the link %q is not in the table of docs/diagnosis.md", kind)
			}
		case *ast.ValueSpec:
			if len(n.Values) != 1 || !regexp.MustCompile(`^w[A-Z]`).MatchString(n.Names[0].Name) {
				break
			}
			if l, ok := n.Values[0].(*ast.BasicLit); ok && l.Kind == token.FLOAT {
				w, err := strconv.ParseFloat(l.Value, 64)
				if err != nil {
					t.Fatal(err)
				}
				if short, long := strconv.FormatFloat(w, 'f', -1, 64), strconv.FormatFloat(w, 'f', 2, 64); !strings.Contains(string(doc), short) && !strings.Contains(string(doc), long) {
					t.Errorf("the weight %s = %s does not stand in docs/diagnosis.md", n.Names[0].Name, l.Value)
				}
			}
		}
		return true
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, look)
	}
	for kind, used := range rows {
		if !used {
			t.Errorf("docs/diagnosis.md has the link %q, which nothing makes", kind)
		}
	}
}
