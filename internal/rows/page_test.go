package rows

import (
	arguments "flag" // flag is a word of the tables
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/filter"
)

var update = arguments.Bool("update", false, "write the tables of docs/filter.md anew")

// TestPage compares the tables of docs/filter.md with the fields and functions
// that there are; -update writes them.
func TestPage(t *testing.T) {
	const path = "../../docs/filter.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for name, want := range map[string]string{"functions": functionTable(), "fields": fieldTable()} {
		begin := "<!-- " + name + " -->\n"
		_, rest, ok := strings.Cut(text, begin)
		got, _, ok2 := strings.Cut(rest, "<!-- end -->")
		if !ok || !ok2 {
			t.Fatalf("docs/filter.md has no table of %s", name)
		}
		if d := cmp.Diff(want, got); d != "" && !*update {
			t.Errorf("docs/filter.md, %s (-tables +page); -update writes it:\n%s", name, d)
		}
		text = strings.Replace(text, begin+got, begin+want, 1)
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func functionTable() string {
	var b strings.Builder
	b.WriteString("| function | gives |\n| --- | --- |\n")
	for _, f := range filter.Functions() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f[0], f[1])
	}
	return b.String()
}

func fieldTable() string {
	var b strings.Builder
	b.WriteString("| field | type | what |\n| --- | --- | --- |\n")
	for _, f := range Fields().Fields() {
		if strings.HasPrefix(f.Name, "syscall.arg.") {
			continue
		}
		doc := f.Doc
		if f.Group == Envelope || f.Group == Kernel {
			doc += "; *fast*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Type, doc)
	}
	return b.String()
}
