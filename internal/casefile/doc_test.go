package casefile

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"culprit/internal/pcapng"
)

// The format document repeats the constants of the code.
func TestDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/format/casefile.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"Version": Version, "HeaderSize": HeaderSize, "MaxBatch": MaxBatch, "MaxEvent": MaxEvent, "FlagEnd": FlagEnd,
		"ExamplePEN": pcapng.ExamplePEN, "SpoolSuffix": SpoolSuffix,
	} {
		if row := fmt.Sprintf("| %s | %v |\n", name, value); !strings.Contains(string(doc), row) {
			t.Errorf("docs/format/casefile.md lacks %q", row)
		}
	}
	if magic := fmt.Sprintf("magic `%s`", strings.Trim(fmt.Sprintf("%q", Magic), `"`)); !strings.Contains(string(doc), magic) {
		t.Errorf("docs/format/casefile.md lacks %q", magic)
	}
	if h := (&batch{}).appendHeader(nil); len(h) != HeaderSize {
		t.Errorf("header of %d bytes", len(h))
	}
}
