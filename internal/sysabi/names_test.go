package sysabi

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	stdstrings "strings"
	"testing"

	"culprit/internal/testkit"
)

// systemConstants reads the constants of golang.org/x/sys/unix for linux/amd64,
// which are made from the kernel's headers.
func systemConstants(t *testing.T) map[string]uint64 {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil || len(out) == 0 {
		testkit.Lack(t, fmt.Sprint("the sources of golang.org/x/sys: ", err))
	}
	all := map[string]uint64{}
	for _, name := range []string{"zerrors_linux.go", "zerrors_linux_amd64.go", "ztypes_linux.go"} {
		path := filepath.Join(stdstrings.TrimSpace(string(out)), "unix", name)
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatalf("read constants: %v", err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				return true
			}
			for i, name := range spec.Names {
				lit, ok := spec.Values[i].(*ast.BasicLit)
				if !ok || lit.Kind != token.INT {
					continue
				}
				if v, exact := constant.Uint64Val(constant.MakeFromLiteral(lit.Value, token.INT, 0)); exact {
					all[name.Name] = v
				}
			}
			return true
		})
	}
	if len(all) < 3000 {
		t.Fatalf("only %d constants in golang.org/x/sys", len(all))
	}
	return all
}

// Names that the source uses for something else: arm64's and i386's values, or
// a structure's size under another name.
var otherMeaning = map[string]bool{
	"O_LARGEFILE": true, // 0 on amd64, where files are large anyway; the kernel sets the bit
}

// Every name that the system's headers know too has their value.
func TestNames(t *testing.T) {
	system := systemConstants(t)
	files, err := filepath.Glob("names_*.go")
	if err != nil {
		t.Fatal(err)
	}
	entry := regexp.MustCompile(`\{(0x[0-9a-f]+|[0-9]+), "([A-Za-z0-9_]+)"\}`)
	checked := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range entry.FindAllStringSubmatch(string(b), -1) {
			v, err := strconv.ParseUint(m[1], 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			want, ok := system[m[2]]
			if !ok || otherMeaning[m[2]] {
				continue
			}
			checked++
			if v != want {
				t.Errorf("%s: %s is %#x, the headers say %#x", file, m[2], v, want)
			}
		}
	}
	if checked < 900 {
		t.Errorf("only %d names were checked", checked)
	}
	t.Logf("%d names checked", checked)
}

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		got, want string
	}{
		{setProt.Flags(0), "PROT_NONE"},
		{setProt.Flags(7), "PROT_READ|PROT_WRITE|PROT_EXEC"},
		{setProt.Flags(0x103), "PROT_READ|PROT_WRITE|0x100"},
		{setProt.Flags(0x100), "0x100 /* PROT_??? */"},
		{setMsgFlags.Flags(0), "0"},
		{setOpenFlags.Flags(0x101000), "O_SYNC"},
		{setOpenFlags.Flags(0x1000), "O_DSYNC"},
		{setFamilies.Enum(2), "AF_INET"},
		{setFamilies.Enum(99), "0x63 /* AF_??? */"},
		{(*Set)(nil).Flags(5), "0x5"},
		{(*Set)(nil).Enum(5), "0x5"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	if v, ok := setFamilies.Value("AF_UNIX"); !ok || v != 1 {
		t.Errorf("AF_UNIX is %d, %v", v, ok)
	}
}
