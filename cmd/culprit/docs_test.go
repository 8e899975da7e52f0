package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"culprit/internal/testkit"
)

// shown says of a command in README.md or docs/ how it is tested.
type shown struct {
	run    string // for bash, where the command as it stands can't run here; "" is the command itself
	status int
	want   string // pattern in what it prints
	needs  string // a program
	as     string // instead of a run: what tests it
}

// commands has every command that README.md and docs/ show: one in a ```sh
// block, behind "$ ", or inline with more than a name. They run in a directory with the
// demo's case demo.pcapng, in the order of the pages; $ROOT is the checkout. One
// that isn't here fails the test, as does one that no page shows any more.
var commands = map[string]shown{
	"culprit demo":              {want: `413 Request Entity Too Large`},
	"go run ./cmd/culprit demo": {run: `cd "$ROOT" && go run ./cmd/culprit demo -o "$OLDPWD/again.pcapng"`, want: `413 Request Entity Too Large`},
	"make check":                {as: "runs this test"},
	"make build":                {run: `make -n -C "$ROOT" build`, want: `bin/`},
	"make bench":                {run: `make -n -C "$ROOT" bench`, want: `go test`},
	"make fuzz":                 {as: "is a part of make check"},

	"tools/fuzz 20s ./internal/dissect/NAME": {as: "make check runs tools/fuzz"},

	"culprit run -- upload-demo upload demo.cast        (to a server on loopback that takes 5 MiB at most)": {as: "is what culprit demo prints"},
	"culprit run -- python3 upload.py report.csv":                                                           {status: 2, want: `(?s)can't open file.*culprit: .*upload\.py`},
	"culprit run -- CMD...":                                           {run: `culprit run -- sh -c 'echo ran'`, want: `(?s)ran.*case saved`},
	"culprit attach -p PID":                                           {run: `sleep 9 & culprit attach -p $! --timeout 1s && kill $!`, want: `(?s)clock_nanosleep.*sleep sleeps`},
	"culprit attach -p PID --snapshot":                                {run: `sleep 9 & culprit attach -p $! --snapshot && kill $!`, want: `clock_nanosleep\(CLOCK_REALTIME, 0, \{tv_sec=9`},
	`culprit explain CASE\|CAPTURE`:                                   {run: `culprit explain demo.pcapng`, want: `413`},
	"culprit run -o good.pcapng -- ./nightly.sh":                      {run: `printf '#!/bin/sh\ncat region\n' >nightly.sh; chmod +x nightly.sh; echo eu >region; culprit run -o good.pcapng -- ./nightly.sh`, want: `eu`},
	"culprit run -o bad.pcapng -- ./nightly.sh":                       {run: `rm region; culprit run -o bad.pcapng -- ./nightly.sh`, status: 1, want: `region does not exist`},
	"culprit explain bad.pcapng --against good.pcapng":                {want: `(?s)first difference.*differs input .*region: ENOENT .*it was there.*kernel .*openat`},
	`culprit show CASE\|CAPTURE [FILTER]`:                             {run: `culprit show demo.pcapng "syscall.error == EPIPE"`, want: `EPIPE`},
	`culprit follow CASE\|CAPTURE [N]`:                                {run: `culprit follow demo.pcapng && culprit follow demo.pcapng 1 >/dev/null`, want: `-> 413`},
	"culprit explain --keylog keys.txt capture.pcap":                  {run: capture + `culprit explain --keylog keys.txt capture.pcap`, want: `certificate_required`},
	"culprit show --keylog keys.txt capture.pcap 'tls.alert_message'": {run: capture + `culprit show --keylog keys.txt capture.pcap 'tls.alert_message'`, want: `certificate_required`},
	"culprit follow --keylog keys.txt capture.pcap 0":                 {run: capture + `culprit follow --keylog keys.txt capture.pcap`, want: `TLS 1.3`},
	"culprit follow --as http --direction server --keylog keys.txt capture.pcap 0": {
		run: `culprit follow --as http --direction server "$ROOT/internal/wire/testdata/http1-expect-100-continue.pcap" 0`, want: `HTTP/1.1 413`},
	"culprit show CASE FILTER": {as: "is culprit show CASE [FILTER]"},
	"culprit show demo.pcapng 'syscall.error == EPIPE || http.response.code >= 400'":                              {want: `(?s)EPIPE.*413`},
	`culprit show demo.pcapng 'syscall == openat && syscall.path contains "/etc/" && !syscall.error'`:             {want: `openat\(.*"/etc/`},
	`culprit show demo.pcapng 'py.exception.base matches "OSError$" && py.swallowed'`:                             {},
	"culprit show demo.pcapng --summary 'syscall.class == %network && syscall.duration > 1ms'":                    {want: `% time`},
	"culprit show demo.pcapng -T fields -E header=y -e frame.time_relative -e http.request.full_uri http.request": {want: `https://localhost:\d+/api/asciicasts`},
	"culprit show --fields http.":            {want: `http\.response\.code`},
	"culprit tcpdump [OPTIONS] [EXPRESSION]": {as: "tcpdump.txtar"},
	"culprit tcpdump -nn -v -r capture.pcap 'tcp[tcpflags] & (tcp-syn|tcp-rst) != 0'": {
		run: capture + `culprit tcpdump -nn -v -r capture.pcap 'tcp[tcpflags] & (tcp-syn|tcp-rst) != 0'`, want: `Flags \[S\], cksum 0x`},
	"culprit tcpdump -i any -nn --process PID": {as: "tcpdump-live.txtar"},
	"culprit strace [OPTIONS] CMD...":          {run: `culprit strace -e trace=openat cat /dev/null`, want: `openat\(AT_FDCWD, "/dev/null", O_RDONLY\) = 3`},
	"make exam":                                {run: `make -n -C "$ROOT" exam`, want: `--culprit bin/culprit`},
	"make bench-kernel":                        {run: `make -n -C "$ROOT" bench-kernel`, want: `kernelbench`},
	"culprit replay CASE [N]":                  {run: `culprit replay --dry-run demo.pcapng`, want: `-X POST .*/api/asciicasts`},
	"culprit curl CASE [N]":                    {run: `culprit curl demo.pcapng`, want: `^curl .*/api/asciicasts`},
	"culprit cast CASE":                        {run: `culprit cast demo.pcapng`, want: `"version":2`},
	"culprit nslookup NAME [SERVER]":           {as: "nslookup.txtar asks a server of its own"},
	"culprit owner NAME":                       {run: `culprit owner cat`, needs: "dpkg", want: `coreutils`},
	"culprit debug events --thin CASE":         {run: `culprit debug events --thin demo.pcapng | head -1`, want: `"kind":"header"`},
	"culprit pdb CASE":                         {run: `culprit pdb demo.pcapng -c w -c when -c q`, want: `(?s)> /.*\(\d+\)\w+\(\).*connection \d+ to localhost`},
	"culprit pdb -- script.py": {run: `printf 'x = 1\ntry:\n    {}["no"]\nexcept KeyError:\n    pass' > script.py &&
		culprit pdb -x /dev/null -c 'b raise KeyError' -c c -c 'p x' -c c -- script.py`, want: `KeyError: 'no'\n1`},
	"culprit COMMAND --help":                                 {run: `for c in run attach explain show follow demo doctor; do culprit $c --help || exit; done`, want: `Exit status`},
	"wireshark demo.pcapng":                                  {run: `capinfos demo.pcapng`, needs: "capinfos", want: `pcapng`},
	"tshark -r demo.pcapng -Y 'http.response.code == 413'":   {needs: "tshark", want: `HTTP/1.1 413 Request Entity Too Large`},
	"tshark -r demo.pcapng -Y 'systemd_journal.errno == 32'": {needs: "tshark", want: `EPIPE`},
}

// capture puts a capture and its keys where README.md has them.
const capture = `cp "$ROOT/internal/wire/testdata/tls13-mtls-missing-cert.pcap" capture.pcap &&
cp "$ROOT/internal/wire/testdata/tls13-mtls-missing-cert.keys" keys.txt && `

var (
	fence    = regexp.MustCompile("^```(\\w*)$")
	span     = regexp.MustCompile("`([^`]+)`")
	inline   = regexp.MustCompile(`^(culprit|make|tshark|capinfos|wireshark|tools/[\w-]+)( |$)`)
	indented = regexp.MustCompile(`^    (?:\$ )?(culprit .*)`)
)

// place is where a page shows a command.
type place struct {
	page string
	line int
	text string
}

func pages(t *testing.T, root string) []string {
	t.Helper()
	all := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			path, err = filepath.Rel(root, path)
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// commandsOf finds the commands that a page shows. Inline, a bare name such as
// `culprit show` is no command to run; that it exists is checked elsewhere.
func commandsOf(page, text string) (all []place, named []place) {
	lang, in := "", false
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\n")
		if m := fence.FindStringSubmatch(line); m != nil {
			in, lang = !in, m[1]
			continue
		}
		add := func(s string) { all = append(all, place{page, n, s}) }
		switch {
		case in && strings.HasPrefix(line, "$ "):
			add(line[2:])
		case in && lang == "sh" && line != "" && line[0] != '#':
			add(line)
		case in:
		case indented.MatchString(line):
			add(indented.FindStringSubmatch(line)[1])
		default:
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				switch words := strings.Fields(m[1]); {
				case !inline.MatchString(m[1]) || len(words) == 1:
				case words[0] == "culprit" && len(words) == 2:
					named = append(named, place{page, n, m[1]})
				default:
					add(m[1])
				}
			}
		}
	}
	return all, named
}

func TestShownCommands(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, page := range pages(t, root) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		all, named := commandsOf(page, string(text))
		for _, c := range all {
			if _, known := commands[c.text]; !known {
				t.Errorf("%s:%d shows a command that no test runs: %s", c.page, c.line, c.text)
			} else if !slices.Contains(order, c.text) {
				order = append(order, c.text)
			}
		}
		for _, c := range named {
			if name := strings.Fields(c.text)[1]; !isCommand(name) {
				t.Errorf("%s:%d names a command that isn't there: %s", c.page, c.line, c.text)
			}
		}
	}
	for c := range commands {
		if !slices.Contains(order, c) {
			t.Errorf("no page shows %q any more", c)
		}
	}

	dir := t.TempDir()
	env := append(os.Environ(), "ROOT="+root, "LC_ALL=C.UTF-8")
	for _, text := range order {
		c := commands[text]
		if c.as != "" {
			continue
		}
		t.Run(text, func(t *testing.T) {
			if c.needs != "" {
				testkit.Program(t, c.needs)
			}
			run := c.run
			if run == "" {
				run = text
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-c", run)
			cmd.Dir, cmd.Env = dir, env
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("exit status %d, want %d\n%s", got, c.status, out)
			}
			if !regexp.MustCompile(c.want).Match(out) {
				t.Errorf("doesn't print %q:\n%s", c.want, out)
			}
		})
	}
}

// isCommand tells culprit's commands; a flag and a VARIABLE count too.
func isCommand(name string) bool {
	if name == strings.ToUpper(name) {
		return true
	}
	for _, c := range root().Commands() {
		if c.Name() == name {
			return true
		}
	}
	return strings.HasPrefix(name, "-")
}

// The table of commands in README.md is the list of commands.
func TestReadmeTable(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range root().Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if !strings.Contains(string(text), fmt.Sprintf("\n| `culprit %s", c.Name())) {
			t.Errorf("README.md's table lacks culprit %s", c.Name())
		}
	}
}

// The story in README.md is what the demo prints, but for numbers that differ
// from run to run. Lines with dots are shortened.
func TestReadmeStory(t *testing.T) {
	testkit.Program(t, "python3")
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, story, _ := strings.Cut(string(text), "\n```\n$ culprit demo\n")
	story, _, ok := strings.Cut(story, "\n```\n")
	if !ok {
		t.Fatal("README.md has no story")
	}
	// Other versions don't hide the errno, and tell it in other words.
	version, err := exec.Command("python3", "-c", "import sys; print(sys.version_info[1])").Output()
	if err != nil {
		t.Fatal(err)
	}
	if minor := strings.TrimSpace(string(version)); minor != "10" && minor != "11" && minor != "12" {
		t.Skipf("the story is what Python 3.10 to 3.12 print; python3 here is 3.%s", minor)
	}
	cmd := exec.CommandContext(t.Context(), "culprit", "demo")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	varies := regexp.MustCompile(`[0-9][0-9,.]*|Errno|Broken pipe|EPIPE|Connection reset by peer|ECONNRESET|EOF occurred in violation of protocol \(_ssl\.c:[0-9]+\)>`)
	same := func(s string) string { // where lines break varies too
		return varies.ReplaceAllString(strings.Join(strings.Fields(s), " "), "#")
	}
	printed := same(string(out))
	for _, part := range regexp.MustCompile(`\n *\.\.\.\n|write\(4, \.\.\.\)`).Split(story, -1) {
		if part = same(part); !strings.Contains(printed, part) {
			t.Errorf("the demo doesn't print\n%s\nit prints\n%s", part, printed)
		}
	}
}
