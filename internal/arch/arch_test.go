package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "culprit"

// levels is the table of docs/design.md: a package imports only from levels
// below its own, and from the packages it lies under ("lens/ptrace" may import
// "lens"). Names are relative to internal/, a name with a slash at its end
// stands for everything below it, and the longest name that fits decides. T is
// for tests only: nothing but tests imports it, and it may import everything.
const levels = `
0 event sysabi sysabi/ pcapng filter
1 dissect dissect/ casefile dynsym lens lens/python/stream native procfs remote ringbuf sockdiag
2 lens/ launch pcapfilter wire timeline record
3 rows compare explain explain/ pdb pdb/ replay resolve owner strace tcpdump
4 report webui demo wireshark show
5 cmd/culprit
T testkit testkit/ e2e e2e/ arch
`

// also lists the imports within one level that are allowed, each with its
// reason. A line that no import needs any more fails.
const also = `
lens/tracer -> launch  it starts a process and makes it call execve under the trace
lens/ptrace -> launch  its probe starts a process of its own to try the filter on
sysabi -> event        it says how event.Syscall's memory is read; event knows no system call
pdb -> rows            a moment's calls and messages read as in culprit show
dissect/grpc -> dissect/http   it reads what HTTP messages carry
dissect/http3 -> dissect/http  its messages are HTTP's, whatever the version
dissect/quic -> dissect/tls     its handshake is TLS's
dissect/http2 -> dissect/http  its messages are HTTP's, whatever the version
timeline -> wire       what was said is heard the same way on recorded calls and on packets
explain -> compare     a run beside one that worked is judged by what differs
record -> launch       a run starts its target through it
lens/ptrace -> lens/python/inject  it brings the Python agent in
lens/ptrace -> lens/python/remote  it says which line of Python made a call
lens/python -> lens/python/inject  it makes the agent that is brought in
record -> lens/python/inject  a run says how the agent comes in
record -> lens/ebpf    a run chooses among the kernel lenses
record -> lens/ptrace  a run chooses among the kernel lenses
record -> lens/packet  a run records its packets as well
record -> lens/keys    a run reads TLS keys out of programs
record -> lens/python  a run puts the agent into the target's environment
record -> lens/python/remote  a run reads the stacks of programs that hang
`

// may says who is allowed what nobody else is (tests excepted):
//
//	clock  time.Now, time.Since, time.Until
//	env    os.Getenv, os.LookupEnv, os.Environ
//	exit   os.Exit, log.Fatal
//	print  fmt.Print, os.Stdout, os.Stderr, the print built-ins, package log
//	io     importing os, os/exec, net, net/http, syscall or x/sys/unix
//
// A word with ! in front takes the permission away from a package that a
// shorter name gave it.
const may = `
/            io
event        !io
dissect      !io
dissect/     !io
timeline     !io
filter       !io
rows         !io
explain      !io
explain/     !io
record       clock
lens         clock
lens/        clock
demo         clock
cmd/culprit  clock env exit print
`

// maxLines is how long a hand-written file may get.
const maxLines = 600

type pkg struct {
	ImportPath, Dir, Name, Doc         string
	GoFiles, TestGoFiles, XTestGoFiles []string
	IgnoredGoFiles                     []string
	Imports                            []string
}

// short is the name that the tables use: without module and internal/.
func (p pkg) short() string { return short(p.ImportPath) }

func short(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module+"/"), "internal/")
}

// generator is a program that writes source; it runs only on developers'
// machines and may print and exit.
func (p pkg) generator() bool { return p.Name == "main" && !strings.HasPrefix(p.short(), "cmd/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Name,Doc,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles,Imports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read the output of go list: %v", err)
		}
		all = append(all, p)
	}
	if len(all) < 2 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}

// rules reads a table: level, names for levels; name, words for may. It returns
// the value of the longest name that fits.
func levelOf(name string) (level string, ok bool) {
	best := -1
	for line := range strings.Lines(strings.TrimSpace(levels)) {
		f := strings.Fields(line)
		for _, n := range f[1:] {
			if fits(n, name) && len(n) > best {
				best, level = len(n), f[0]
			}
		}
	}
	return level, best >= 0
}

func fits(rule, name string) bool {
	if rule == "/" {
		return true
	}
	return rule == name || strings.HasSuffix(rule, "/") && strings.HasPrefix(name, rule)
}

func permissions(name string) map[string]bool {
	type row struct {
		rule  string
		words []string
	}
	var rows []row
	for line := range strings.Lines(strings.TrimSpace(may)) {
		f := strings.Fields(line)
		if fits(f[0], name) {
			rows = append(rows, row{f[0], f[1:]})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return len(a.rule) - len(b.rule) })
	has := map[string]bool{}
	for _, r := range rows {
		for _, w := range r.words {
			has[strings.TrimPrefix(w, "!")] = !strings.HasPrefix(w, "!")
		}
	}
	return has
}

// allowed says whether a package named from may import one named to.
func allowed(from, to string) (ok bool, why string) {
	lf, _ := levelOf(from)
	lt, known := levelOf(to)
	switch {
	case !known:
		return true, "" // TestLevels reports the package itself
	case lf == "T":
		return true, ""
	case lt == "T":
		return false, "it is for tests only"
	case strings.HasPrefix(from, to+"/"): // its own parent
		return true, ""
	case lt < lf:
		return true, ""
	}
	if exceptions()[[2]string{from, to}] {
		return true, ""
	}
	return false, "level " + lt + " is not below level " + lf
}

// exceptions reads the table also.
func exceptions() map[[2]string]bool {
	m := map[[2]string]bool{}
	for line := range strings.Lines(strings.TrimSpace(also)) {
		f := strings.Fields(line)
		m[[2]string{f[0], f[2]}] = true
	}
	return m
}

func TestLevels(t *testing.T) {
	used := map[[2]string]bool{}
	for _, p := range packages(t) {
		from := p.short()
		if p.generator() {
			from = parentOf(from)
		}
		if _, ok := levelOf(from); !ok {
			t.Errorf("%s is in no level: add %q to a line of the table `levels` in internal/arch/arch_test.go and to the table in docs/design.md; "+
				"it belongs one level above the highest package that it imports", p.ImportPath, from)
			continue
		}
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp, module+"/") {
				continue
			}
			if p.generator() && short(imp) == from {
				continue
			}
			used[[2]string{from, short(imp)}] = true
			if ok, why := allowed(from, short(imp)); !ok {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, why)
			}
		}
	}
	for e := range exceptions() {
		if !used[e] {
			t.Errorf("%s imports %s no more: take the line out of the table `also`", e[0], e[1])
		}
	}
}

func parentOf(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)]
}

func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"timeline", "event", true},
		{"timeline", "sysabi", true},
		{"timeline", "dissect/tls", true},
		{"event", "sysabi", false},             // one level
		{"event", "timeline", false},           // upward
		{"dissect/tls", "dissect/http", false}, // siblings
		{"dissect/tls", "dissect", true},       // own parent
		{"lens/ptrace", "lens", true},
		{"lens", "lens/ptrace", false},
		{"lens/python", "lens/python/stream", true},
		{"lens/python/stream", "lens/python", true}, // own parent; Go itself forbids the cycle
		{"timeline", "lens/python/stream", true},
		{"timeline", "lens/python", false},
		{"record", "timeline", false},
		{"explain", "timeline", true},
		{"cmd/culprit", "record", true},
		{"explain", "testkit", false},
		{"e2e", "cmd/culprit", true},
	} {
		if got, why := allowed(c.from, c.to); got != c.want {
			t.Errorf("%s imports %s: allowed %v (%s), want %v", c.from, c.to, got, why, c.want)
		}
	}
}

func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		name, word string
		want       bool
	}{
		{"owner", "io", true}, {"owner", "clock", false}, {"dissect/tls", "io", false},
		{"lens/ptrace", "clock", true}, {"casefile", "clock", false}, {"record", "print", false},
		{"cmd/culprit", "exit", true}, {"demo", "clock", true}, {"demo", "env", false},
	} {
		if got := permissions(c.name)[c.word]; got != c.want {
			t.Errorf("%s may %s: %v, want %v", c.name, c.word, got, c.want)
		}
	}
}

// TestPackageComments demands a comment that says what a package is for.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		doc := p.Doc
		if len(p.GoFiles) == 0 { // tests only: go list has no Doc
			doc = testDoc(t, p)
		}
		if doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func testDoc(t *testing.T, p pkg) string {
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles, p.IgnoredGoFiles) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
		} else if f.Doc.Text() != "" {
			return f.Doc.Text()
		}
	}
	return ""
}

// TestFileLength keeps files readable.
func TestFileLength(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(src, []byte("\n")); n > maxLines && !generated(src) {
				t.Errorf("%s/%s has %d lines, more than %d: split it", p.ImportPath, name, n, maxLines)
			}
		}
	}
}

func generated(src []byte) bool {
	head := src[:min(len(src), 4096)]
	return bytes.Contains(head, []byte("// Code generated ")) && bytes.Contains(head, []byte("DO NOT EDIT."))
}

// TestEffects looks for the clock, the environment, exits, printing and I/O in
// packages that may not have them.
func TestEffects(t *testing.T) {
	for _, p := range packages(t) {
		if p.generator() {
			continue
		}
		if l, _ := levelOf(p.short()); l == "T" {
			continue
		}
		has := permissions(p.short())
		fset := token.NewFileSet()
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range effects(f) {
				if !has[e.word] {
					t.Errorf("%s:%d: %s: %s has no permission %q in the table `may` of internal/arch/arch_test.go",
						p.short()+"/"+name, fset.Position(e.pos).Line, e.what, p.short(), e.word)
				}
			}
		}
	}
}

type effect struct {
	word, what string
	pos        token.Pos
}

// watched maps "import path.Name" to the permission that it needs; a path alone
// stands for the import itself.
var watched = map[string]string{
	"time.Now": "clock", "time.Since": "clock", "time.Until": "clock",
	"os.Getenv": "env", "os.LookupEnv": "env", "os.Environ": "env", "os.ExpandEnv": "env",
	"os.Exit": "exit", "log.Fatal": "exit", "log.Fatalf": "exit", "log.Fatalln": "exit",
	"fmt.Print": "print", "fmt.Printf": "print", "fmt.Println": "print",
	"os.Stdout": "print", "os.Stderr": "print",
	"log": "print",
	"os":  "io", "os/exec": "io", "net": "io", "net/http": "io", "syscall": "io", "golang.org/x/sys/unix": "io",
}

// pure has the packages of watched whose import alone is no I/O, and how those
// of their names begin that only handle words and addresses.
var pure = map[string][]string{
	"net":      {"JoinHostPort", "SplitHostPort", "ParseIP", "ParseCIDR", "IP", "CIDRMask"},
	"net/http": {"Status", "Method"},
}

func effects(f *ast.File) []effect {
	var found []effect
	names := map[string]string{} // local name of an import: its path
	for _, imp := range f.Imports {
		path, _ := strconv.Unquote(imp.Path.Value)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		names[name] = path
		if word, ok := watched[path]; ok && pure[path] == nil {
			found = append(found, effect{word, "import of " + path, imp.Pos()})
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				what := names[x.Name] + "." + n.Sel.Name
				word, ok := watched[what]
				if words := pure[names[x.Name]]; words != nil && !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(n.Sel.Name, w) }) {
					word, ok = "io", true
				}
				if ok {
					found = append(found, effect{word, what, n.Pos()})
				}
			}
		case *ast.CallExpr:
			if x, ok := n.Fun.(*ast.Ident); ok && (x.Name == "print" || x.Name == "println") {
				found = append(found, effect{"print", x.Name, n.Pos()})
			}
		}
		return true
	})
	return found
}

func TestEffectsFound(t *testing.T) {
	const src = `package x
import (
	"fmt"
	clock "time"
	"net"
	"os"
)
func f() {
	net.Dial(net.JoinHostPort("a", "b"))
	_ = clock.Now()
	fmt.Println("x")
	fmt.Fprintln(os.Stderr, os.Getenv("HOME"))
	println("y")
	var os struct{ x int }
	_ = os.x
}`
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range effects(f) {
		got = append(got, e.word+" "+e.what)
	}
	want := []string{"io import of os", "io net.Dial", "clock time.Now", "print fmt.Println", "print os.Stderr", "env os.Getenv", "print println"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
